"""The document is made from the code: it is valid, complete, and tells who may call what."""

import json
import re
from typing import Any

import pytest
from flask import Flask, Response
from openapi_spec_validator import validate

from app.api import openapi, register_api
from app.api.openapi import UndeclaredRoute
from app.openai import register_openai


@pytest.fixture
def app() -> Flask:
    app = Flask("document", static_folder=None)
    register_api(app)
    register_openai(app)
    return app


@pytest.fixture
def document(app: Flask) -> dict[str, Any]:
    return openapi.build(app)


def operations(document: dict[str, Any]) -> dict[str, Any]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    assert validate(json.loads(json.dumps(document))) is None


def test_the_document_is_served(app: Flask, document: dict[str, Any]) -> None:
    assert app.test_client().get("/openapi.json").get_json() == document


def test_a_route_without_a_declaration_makes_building_fail(app: Flask) -> None:
    @app.get("/api/forgotten")
    def forgotten() -> Response:
        return Response()

    with pytest.raises(UndeclaredRoute, match="/api/forgotten"):
        openapi.build(app)


def test_pages_for_people_are_not_in_it(app: Flask) -> None:
    @app.get("/admin/batches")
    def page() -> Response:
        return Response()

    assert "/admin/batches" not in openapi.build(app)["paths"]


def test_every_route_says_who_may_call_it(app: Flask) -> None:
    declared = {rule.rule: openapi.operation_of(app, rule).auth for rule in openapi.routes(app)}
    open_to_all = {"/healthz", "/readyz", "/openapi.json", "/callbacks/hive"}
    assert {rule for rule, auth in declared.items() if auth == "none"} == open_to_all
    assert {rule for rule, auth in declared.items() if auth == "token"} == {
        "/callbacks/hive/<token>",
        "/callbacks/echo/<token>",
    }
    assert all(auth == "key" for rule, auth in declared.items() if rule.startswith(("/api", "/v1")))


def test_every_operation_that_takes_a_key_refuses_a_request_without_one(app: Flask, document: dict[str, Any]) -> None:
    client = app.test_client()
    guarded = [name for name, operation in operations(document).items() if operation["security"]]
    answers = {name: client.open(name.partition(" ")[2], method=name.partition(" ")[0]) for name in guarded}
    assert {answer.status_code for answer in answers.values()} == {401}
    assert len(answers) == 50


def test_every_operation_has_a_name_of_its_own_and_a_summary(document: dict[str, Any]) -> None:
    written = operations(document).values()
    assert len({operation["operationId"] for operation in written}) == len(written)
    assert all(operation["summary"] for operation in written)


def test_paths_have_the_form_of_their_ids(document: dict[str, Any]) -> None:
    (parameter,) = document["paths"]["/api/jobs/{job_id}"]["get"]["parameters"]
    assert parameter["schema"] == {"type": "string", "pattern": "^job_[0-9a-f]{32}$"}


def test_an_input_never_allows_null_but_where_the_sdks_may_send_it(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    ours = {name for name in schemas if name.endswith(("In", "Options")) and not name.startswith("OpenAi")}
    assert {"BatchIn", "Options"} < ours
    assert "null" not in json.dumps([schemas[name] for name in ours])
    assert {"type": "null"} in schemas["OpenAiNewBatch"]["properties"]["metadata"]["anyOf"]
    assert "null" not in json.dumps(schemas["OpenAiUpload"]), "a form has no word for it"


def test_a_batch_shows_the_form_of_its_jobs(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["BatchIn"]["properties"]["jobs"]["items"] == {"$ref": "#/components/schemas/JobIn"}
    assert schemas["JobIn"]["required"] == ["custom_id", "text_data"]
    assert schemas["JobIn"]["additionalProperties"] is False


def test_objects_in_a_query_are_documents(document: dict[str, Any]) -> None:
    parameters = {each["name"]: each for each in document["paths"]["/api/batches"]["post"]["parameters"]}
    assert "application/json" in parameters["options"]["content"]
    assert parameters["max_attempts"]["schema"]["maximum"] == 20


def test_a_word_in_a_query_is_no_document_and_may_be_empty(document: dict[str, Any]) -> None:
    parameters = {
        each["name"]: each for each in document["paths"]["/api/webhooks/{webhook_id}/deliveries"]["get"]["parameters"]
    }
    assert parameters["state"]["schema"] == {"$ref": "#/components/schemas/DeliveryState"}
    assert parameters["state"]["allowEmptyValue"]


def test_an_idempotency_key_has_its_form(document: dict[str, Any]) -> None:
    for path in ("/api/batches", "/api/jobs", "/v1/batches", "/v1/chat/completions"):
        (header,) = (each for each in document["paths"][path]["post"]["parameters"] if each["in"] == "header")
        form = re.compile(header["schema"]["pattern"])
        assert [bool(form.search(key)) for key in ("a", "a b", "x" * 255, "", " a", "x" * 256, "é")] == [True] * 3 + [
            False
        ] * 4
