"""Every error leaves as a problem that tells the client all it may know."""

import json
import logging
from typing import Any

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient

from app.api.errors import register_errors
from app.errors import (
    Conflict,
    DatabaseUnavailable,
    HivebatchError,
    InputTooLarge,
    InvalidInput,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    Problem,
    QuarantineFull,
    TooManyAtOnce,
)

ERRORS: dict[str, Exception] = {
    "invalid": InvalidInput([Problem("Wrong", "/a/0", 3, 5, "x" * 500), Problem("Odd", value=0)], 150),
    "many": InvalidInput([Problem("Wrong", value={"a": ["é" * 500]})] * 101),
    "large": InputTooLarge(10),
    "missing": NotFound("batch", "batch_1"),
    "conflict": Conflict("It has ended."),
    "wordless": Conflict(),
    "anonymous": NotAuthenticated("No key."),
    "unallowed": NotAllowed("The API key may not write."),
    "quarantined": QuarantineFull("1000 wait."),
    "crowded": TooManyAtOnce("All places are taken."),
    "outage": DatabaseUnavailable("could not connect to db.internal as carol"),
    "fault": RuntimeError("the prompt was: canary"),
}


@pytest.fixture
def client() -> FlaskClient:
    app = Flask("errors", static_folder=None)
    register_errors(app)

    @app.get("/raise/<name>")
    def fail(name: str) -> Response:
        raise ERRORS[name]

    return app.test_client()


def problem(client: FlaskClient, path: str, **options: Any) -> dict[str, Any]:
    response = client.open(path, **options)
    assert response.content_type == "application/problem+json"
    body: dict[str, Any] = json.loads(response.data)
    assert body["status"] == response.status_code
    return body


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("invalid", 400),
        ("anonymous", 401),
        ("unallowed", 403),
        ("missing", 404),
        ("conflict", 409),
        ("large", 413),
        ("quarantined", 429),
        ("crowded", 503),
        ("outage", 503),
    ],
)
def test_each_error_of_ours_has_its_status_type_and_title(client: FlaskClient, name: str, status: int) -> None:
    body = problem(client, f"/raise/{name}")
    assert body["status"] == status
    assert body["type"].startswith("urn:hivebatch:problem:")
    assert body["title"]
    assert body["detail"]


def test_every_error_of_ours_has_a_status() -> None:
    mapped = {type(error) for error in ERRORS.values()}
    # Only this one can't happen in a request: with it, the process does not start.
    assert {kind.__name__ for kind in HivebatchError.__subclasses__()} - {"UnsafeConfiguration"} <= {
        kind.__name__ for kind in mapped
    }


def test_invalid_input_lists_what_where_limit_and_value(client: FlaskClient) -> None:
    body = problem(client, "/raise/invalid")
    assert body["errors"] == [
        {"message": "Wrong", "pointer": "/a/0", "line": 3, "limit": 5, "value": "x" * 200},
        {"message": "Odd", "value": 0},
    ]
    assert body["errors_total"] == 150
    assert body["type"] == "urn:hivebatch:problem:invalid-input"


def test_no_more_than_a_hundred_problems_are_listed(client: FlaskClient) -> None:
    body = problem(client, "/raise/many")
    assert (len(body["errors"]), body["errors_total"]) == (100, 101)
    assert len(body["errors"][0]["value"]) == 200


def test_an_error_without_words_says_what_it_means(client: FlaskClient) -> None:
    assert problem(client, "/raise/wordless")["detail"] == Conflict.__doc__


def test_a_missing_key_is_told_how_to_come_back(client: FlaskClient) -> None:
    assert client.get("/raise/anonymous").headers["WWW-Authenticate"] == 'Bearer realm="hivebatch"'


def test_a_full_house_says_when_to_come_back(client: FlaskClient) -> None:
    response = client.get("/raise/crowded")
    assert (response.headers["Retry-After"], "All places" in response.text) == ("1", True)


def test_an_outage_says_when_to_come_back_and_nothing_of_the_database(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    response = client.get("/raise/outage")
    assert response.headers["Retry-After"] == "5"
    assert "internal" not in response.text
    assert "db.internal" in vars(caplog.records[0])["reason"]


def test_a_fault_of_ours_is_logged_by_route_and_place_without_its_words(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        body = problem(client, "/raise/fault?canary=1")
    assert body["status"] == 500
    (logged,) = [vars(record) for record in caplog.records]
    assert "canary" not in json.dumps(body) + str(logged)
    assert (logged["route"], logged["error"]) == ("/raise/<name>", "RuntimeError")
    assert logged["place"].endswith(":fail")


def test_an_unknown_path_and_a_wrong_method_are_problems_too(client: FlaskClient) -> None:
    assert problem(client, "/nowhere")["status"] == 404
    assert problem(client, "/raise/fault", method="PUT")["status"] == 405
    assert "GET" in client.put("/raise/fault").headers["Allow"]
