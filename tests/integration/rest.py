"""A client of the REST API: what a test says in one line."""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import ids
from app.runtime import Runtime
from app.services import claims, keys


class Rest:
    """Calls as one owner."""

    def __init__(self, client: FlaskClient, secret: str) -> None:
        self.client = client
        self._headers = {"Authorization": f"Bearer {secret}"}

    def call(self, method: str, path: str, headers: dict[str, str] | None = None, **options: Any) -> TestResponse:
        return self.client.open(path, method=method, headers=self._headers | (headers or {}), **options)

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.call("GET", path, **options)

    def post(self, path: str, content: Any = None, **options: Any) -> TestResponse:
        """Send an object as JSON; nothing for None."""
        if content is not None:
            options |= {"data": json.dumps(content), "content_type": "application/json"}
        return self.call("POST", path, **options)

    def post_lines(self, lines: Sequence[Any], **options: Any) -> TestResponse:
        """Send jobs as NDJSON."""
        body = "".join(json.dumps(line) + "\n" for line in lines)
        return self.call("POST", "/api/batches", data=body, content_type="application/x-ndjson", **options)

    def submit(self, *texts: str, **fields: Any) -> dict[str, Any]:
        """A batch of these prompts, with the ids `job-0`, `job-1` and so on."""
        response = self.post("/api/batches", {"jobs": jobs(*texts)} | fields)
        assert response.status_code == 201, response.text
        return body_of(response)

    def results(self, batch_id: str, **options: Any) -> list[dict[str, Any]]:
        response = self.get(f"/api/batches/{batch_id}/results", **options)
        assert response.status_code == 200, response.text
        return [json.loads(line) for line in response.text.splitlines()]

    def counts(self, batch_id: str) -> dict[str, int]:
        """The states that occur, with how many jobs are in each."""
        counted = body_of(self.get(f"/api/batches/{batch_id}"))["counts"]
        return {state: number for state, number in counted.items() if number}


class Hive:
    """Takes what is queued and calls back, as the provider would."""

    def __init__(self, runtime: Runtime, client: FlaskClient) -> None:
        self._runtime = runtime
        self._client = client

    def take(self, number: int = 100) -> list[str]:
        """Claim queued jobs; their attempts await a callback on these paths from now on."""
        claimed = claims.claim(self._runtime, "hive_v2", number, is_idle=True)
        return [urlsplit(each.submission.callback_url).path for each in claimed]

    def call_back(self, path: str, body: bytes | dict[str, Any]) -> TestResponse:
        """Deliver this body, or this object as JSON."""
        return self._client.post(path, data=body if isinstance(body, bytes) else json.dumps(body).encode())

    def answer_all(self, text: str) -> None:
        """Complete every queued job with this text."""
        for path in self.take():
            assert self.call_back(path, answer(text)).status_code == 200


def answer(text: str) -> dict[str, Any]:
    """A successful V2 result."""
    return {"id": "t-1", "status": [{"status": {"code": "0"}, "response": {"output": [{"text": text}]}}]}


def jobs(*texts: str) -> list[dict[str, Any]]:
    return [{"custom_id": f"job-{number}", "text_data": text} for number, text in enumerate(texts)]


def body_of(response: TestResponse) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(response.text)
    return body


def foreign(client: FlaskClient, runtime: Runtime) -> Rest:
    """A client of another owner."""
    return Rest(client, keys.create(runtime, "mallory", "test").secret)


def unknown(kind: ids.Kind) -> str:
    """The id of something that never was."""
    return ids.show(kind, ids.new_id())
