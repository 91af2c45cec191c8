"""The OpenAPI 3.1 document, made from the routes and from what their views declare."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from flask import Flask
from pydantic import BaseModel
from werkzeug.routing import Rule

from app.api.body import JSON
from app.api.jsonschemas import INPUT, OUTPUT, Mode, Schemas
from app.api.operations import BYTES, EVENTS, Answer, Operation, declared
from app.api.schemas.shown import id_pattern

Document = dict[str, Any]

FOR_PEOPLE = frozenset({"admin", "static"})
_AUTH_PROBLEMS: dict[str, tuple[int, ...]] = {"key": (400, 401, 403, 503), "token": (503,), "none": ()}


class UndeclaredRoute(LookupError):
    """A route has no declaration, so nobody could tell who may call it and what it answers."""


def build(app: Flask) -> Document:
    """The document of this application's routes, the pages for people apart.

    Raises:
        UndeclaredRoute: a view has no declaration.
    """
    operations = [(rule, operation_of(app, rule)) for rule in routes(app)]
    schemas = Schemas.of(model for _, operation in operations for model in _models(operation))
    paths: dict[str, Document] = {}
    for rule, operation in operations:
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            written = _Writer(schemas, rule, operation).write()
            paths.setdefault(path_of(rule.rule), {})[method.lower()] = written
    return {
        "openapi": "3.1.0",
        "info": {"title": "Hivebatch", "version": version("hivebatch"), "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key; one without the scope `write` can only GET.",
                }
            },
        },
    }


def routes(app: Flask) -> Iterator[Rule]:
    """The routes that programs call."""
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: (rule.rule, rule.endpoint)):
        if rule.rule.split("/")[1] not in FOR_PEOPLE:
            yield rule


def operation_of(app: Flask, rule: Rule) -> Operation:
    """What the view behind a route declares.

    Raises:
        UndeclaredRoute: nothing.
    """
    operation = declared(app.view_functions[rule.endpoint])
    if operation is None:
        raise UndeclaredRoute(f"{rule.rule} ({rule.endpoint}) declares no operation")
    return operation


def path_of(rule: str) -> str:
    """A Flask rule in the words of OpenAPI."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)


def _models(operation: Operation) -> Iterator[tuple[type[BaseModel], Mode]]:
    yield operation.errors.model, OUTPUT
    for body in (*operation.bodies.values(), operation.query):
        if body is not None:
            yield body, INPUT
    for answer in operation.answers.values():
        if answer.model is not None:
            yield answer.model, OUTPUT


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes one operation."""

    schemas: Schemas
    rule: Rule
    operation: Operation

    def write(self) -> Document:
        blueprint, _, name = self.rule.endpoint.rpartition(".")
        written: Document = {
            "operationId": name,
            "summary": self.operation.summary,
            "tags": [blueprint],
            "security": [{"key": []}] if self.operation.auth == "key" else [],
            "parameters": [*self._in_path(), *self._in_query(), *self._in_header()],
            "responses": self._responses(),
        }
        if self.operation.bodies:
            written["requestBody"] = self._body()
        return written

    def _in_path(self) -> Iterator[Document]:
        for name in sorted(self.rule.arguments):
            kind, _, is_id = name.rpartition("_")
            schema = {"type": "string", "pattern": id_pattern(kind)} if is_id == "id" else {"type": "string"}
            yield {"name": name, "in": "path", "required": True, "schema": schema}

    def _in_query(self) -> Iterator[Document]:
        if self.operation.query is None:
            return
        for name, schema in self.schemas.properties(self.operation.query).items():
            # An object in a query is JSON, not the key=value pairs that a bare schema would mean.
            value = {"content": {JSON: {"schema": schema}}} if self.schemas.is_object(schema) else {"schema": schema}
            yield {"name": name, "in": "query", "required": False, "allowEmptyValue": True, **value}

    def _in_header(self) -> Iterator[Document]:
        for name, header in self.operation.headers.items():
            schema = {"type": "string", "pattern": header.pattern}
            yield {"name": name, "in": "header", "description": header.description, "schema": schema}

    def _body(self) -> Document:
        content = {
            media_type: {"schema": {} if model is None else self.schemas.references[model, INPUT]}
            for media_type, model in self.operation.bodies.items()
        }
        return {"required": self.operation.needs_body, "content": content}

    def _responses(self) -> Document:
        problems = sorted({*self.operation.problems, *_AUTH_PROBLEMS[self.operation.auth]})
        answers = {str(status): self._answer(answer) for status, answer in self.operation.answers.items()}
        return answers | {str(status): self._problem(status) for status in problems}

    def _answer(self, answer: Answer) -> Document:
        written: Document = {"description": answer.description}
        if answer.headers:
            written["headers"] = {
                name: {"description": description, "required": True, "schema": {"type": "string"}}
                for name, description in answer.headers.items()
            }
        if answer.model is not None:
            written["content"] = {answer.media_type: {"schema": self.schemas.references[answer.model, OUTPUT]}}
        elif answer.media_type == BYTES:
            written["content"] = {BYTES: {}}
        if answer.or_events:
            written["content"][EVENTS] = {}
        return written

    def _problem(self, status: int) -> Document:
        errors = self.operation.errors
        content = {errors.media_type: {"schema": self.schemas.references[errors.model, OUTPUT]}}
        return {"description": HTTPStatus(status).phrase, "content": content}
