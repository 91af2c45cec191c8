"""Whether a response is one that the OpenAPI document announces: status, headers, media type, every object in it."""

import json
from collections.abc import Sequence
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator, FormatChecker
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

from app.api.openapi import build, path_of

Document = dict[str, Any]

JSON_TYPES = {"application/json", "application/problem+json"}
NDJSON = "application/x-ndjson"
FREE = {"application/octet-stream", "text/event-stream"}  # whose content has no schema


def check_response(document: Document, method: str, rule: str | None, response: TestResponse) -> None:
    """Hold a response against the document.

    `rule` is the Flask rule that the request met, None if it met none: that, and a method which the path does not
    have, must be answered with a problem. HEAD and OPTIONS, which Flask answers by itself, are not described.

    Raises:
        AssertionError: the document does not announce such a response.
    """
    if method in {"HEAD", "OPTIONS"}:
        return
    path = path_of(rule) if rule is not None else ""
    operation = document["paths"].get(path, {}).get(method.lower())
    name = f"{method} {path or '(no route)'} -> {response.status_code}"
    if operation is None:
        assert response.status_code in {404, 405}, f"{name}: not described"
        shape = "OpenAiError" if f"{response.request.path}/".startswith("/v1/") else "ProblemOut"
        _check_objects(document, {"$ref": f"#/components/schemas/{shape}"}, [response.text], name)
        return
    announced = operation["responses"].get(str(response.status_code))
    assert announced is not None, f"{name}: status not announced; {response.text[:500]}"
    for header in announced.get("headers", {}):
        assert header in response.headers, f"{name}: header {header} is missing"
    _check_content(document, announced.get("content", {}), response, name)


def _check_content(document: Document, content: Document, response: TestResponse, name: str) -> None:
    if not content:
        assert response.data == b"", f"{name}: a body that was not announced"
        assert not response.content_type, f"{name}: a content type without a body"
        return
    assert response.mimetype in content, f"{name}: {response.mimetype} was not announced"
    if response.mimetype in FREE:
        return
    schema = content[response.mimetype]["schema"]
    # Not splitlines(): it takes U+2028 for the end of a line, and JSON doesn't.
    lines = [line for line in response.text.split("\n") if line]
    objects = lines if response.mimetype == NDJSON else [response.text]
    assert response.mimetype in JSON_TYPES | {NDJSON}, f"{name}: nobody checks {response.mimetype}"
    _check_objects(document, schema, objects, name)


def _check_objects(document: Document, schema: Document, texts: Sequence[str], name: str) -> None:
    whole = {"components": document["components"], **schema}
    validator = Draft202012Validator(whole, format_checker=FormatChecker())
    for text in texts:
        faults = [f"{fault.json_path}: {fault.message[:200]}" for fault in validator.iter_errors(json.loads(text))]
        assert not faults, f"{name}: {faults}"


class CheckedClient(FlaskClient):
    """A test client that holds every response of the API against the application's own document.

    What follows from a callback (finalizing, ringing) is done when it returns.
    """

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        response = super().open(*args, **kwargs)
        self.application.extensions["hivebatch"].callback_commits.wait_until_idle()
        method, path = response.request.method, response.request.path
        if not path.startswith("/admin"):
            check_response(_document(self.application), method, _rule(self.application, method, path), response)
        return response


def checked_client(app: Flask) -> FlaskClient:
    """A `CheckedClient` of this application."""
    app.test_client_class = CheckedClient
    return app.test_client()


_documents: dict[tuple[str, ...], Document] = {}


def _document(app: Flask) -> Document:
    # The document is the same for all applications with the same routes, and making it takes a while.
    routes = tuple(sorted(f"{rule.rule} {rule.endpoint}" for rule in app.url_map.iter_rules()))
    if routes not in _documents:
        _documents[routes] = build(app)
    return _documents[routes]


def _rule(app: Flask, method: str, path: str) -> str | None:
    try:
        rule, _ = app.url_map.bind("localhost").match(path, method, return_rule=True)
    except HTTPException:
        return None
    return str(rule.rule)
