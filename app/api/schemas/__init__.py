"""What goes in and out of the API, as pydantic models; the OpenAPI document is made from them."""
