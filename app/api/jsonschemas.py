"""JSON schemas of the models, gathered under one roof, so that each is written once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from app.api.schemas.inputs import Input, Query

Mode = Literal["validation", "serialization"]

INPUT: Mode = "validation"
OUTPUT: Mode = "serialization"

_REFERENCE = "#/components/schemas/{model}"


class _Generator(GenerateJsonSchema):
    """Where null is refused, None stands for "not sent", which is never a value that one may send."""

    _refuses_null = False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        outer, self._refuses_null = self._refuses_null, issubclass(schema["cls"], Input | Query)
        written = super().model_schema(schema)
        self._refuses_null = outer
        return written

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        if self._refuses_null:
            return self.generate_inner(schema["schema"])
        return super().nullable_schema(schema)

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        written = super().default_schema(schema)
        if self._refuses_null and written.get("default", ...) is None:
            del written["default"]
        return written

    def field_title_should_be_set(self, schema: Any) -> bool:
        del schema
        return False


@dataclass(frozen=True, slots=True)
class Schemas:
    """`components` by name, and for each model, in its mode, the reference to it."""

    components: dict[str, Any]
    references: Mapping[tuple[type[Any], Mode], JsonSchemaValue]

    @classmethod
    def of(cls, models: Iterable[tuple[type[BaseModel], Mode]]) -> Self:
        """The schemas of these models."""
        wanted = list(dict.fromkeys(models))
        references, written = models_json_schema(wanted, ref_template=_REFERENCE, schema_generator=_Generator)
        return cls(written["$defs"], references)

    def properties(self, model: type[BaseModel]) -> dict[str, Any]:
        """The schema of each field of a model that comes in."""
        properties: dict[str, Any] = self._resolved(self.references[model, INPUT])["properties"]
        return properties

    def is_object(self, schema: JsonSchemaValue) -> bool:
        """Whether what a schema describes is a JSON object."""
        return self._resolved(schema).get("type") == "object"

    def _resolved(self, schema: JsonSchemaValue) -> JsonSchemaValue:
        """A schema itself, where there may be a reference to it."""
        if "$ref" not in schema:
            return schema
        found: JsonSchemaValue = self.components[schema["$ref"].rpartition("/")[2]]
        return found
