"""A client of the OpenAI face: what a test says in one line."""

import json
from collections.abc import Sequence
from typing import Any

from urllib3 import encode_multipart_formdata
from werkzeug.test import TestResponse

from tests.integration.rest import Rest, body_of

ENDPOINT = "/v1/chat/completions"


def line(custom_id: str, text: str = "Hello", **body: Any) -> dict[str, Any]:
    """One request of an input file."""
    asked = {"model": "acme/one", "messages": [{"role": "user", "content": text}]} | body
    return {"custom_id": custom_id, "method": "POST", "url": ENDPOINT, "body": asked}


def as_file(lines: Sequence[dict[str, Any] | bytes]) -> bytes:
    """An input file; what is bytes already goes in as it is."""
    return b"\n".join(each if isinstance(each, bytes) else json.dumps(each).encode() for each in lines) + b"\n"


class OpenAi(Rest):
    """Calls as one owner, in the words of the OpenAI API."""

    def upload(self, content: bytes, *, filename: str = "input.jsonl", **fields: str) -> TestResponse:
        parts = {"purpose": "batch"} | fields | {"file": (filename, content)}
        body, content_type = encode_multipart_formdata(parts)
        return self.call("POST", "/v1/files", data=body, content_type=content_type)

    def uploaded(self, content: bytes, **fields: str) -> str:
        """The id of a new file with this content."""
        response = self.upload(content, **fields)
        assert response.status_code == 200, response.text
        return str(body_of(response)["id"])

    def create(self, input_file_id: str, /, **fields: Any) -> TestResponse:
        said = {"input_file_id": input_file_id, "endpoint": ENDPOINT, "completion_window": "24h"}
        return self.post("/v1/batches", said | fields)

    def made(self, *lines: dict[str, Any] | bytes, **fields: Any) -> dict[str, Any]:
        """A batch of these lines."""
        response = self.create(self.uploaded(as_file(lines)), **fields)
        assert response.status_code == 200, response.text
        return body_of(response)

    def batch(self, batch_id: str) -> dict[str, Any]:
        return body_of(self.get(f"/v1/batches/{batch_id}"))

    def content(self, file_id: str, **query: Any) -> list[dict[str, Any]]:
        """The lines of a file."""
        response = self.get(f"/v1/files/{file_id}/content", query_string=query)
        assert response.status_code == 200, response.text
        return [json.loads(each) for each in response.data.splitlines()]


def fault_of(response: TestResponse) -> tuple[int, str | None, str | None]:
    """The status of an error, its code and its param."""
    fault = body_of(response)["error"]
    return response.status_code, fault["code"], fault["param"]
