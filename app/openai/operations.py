"""How views of this face are declared: an API key, unknown parameters ignored, errors in OpenAI's shape."""

from functools import partial

from app.api.body import JSON
from app.api.operations import ErrorShape, Operation
from app.openai.schemas import AnyQuery, OpenAiError

declare = partial(Operation, auth="key", query=AnyQuery, errors=ErrorShape(OpenAiError, JSON))
"""An `Operation` of this face."""
