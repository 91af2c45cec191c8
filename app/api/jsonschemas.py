"""JSON schemas of the models, gathered under one roof, so that each is written once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

Mode = Literal["validation", "serialization"]

INPUT: Mode = "validation"
OUTPUT: Mode = "serialization"

_REFERENCE = "#/components/schemas/{model}"


class _Generator(GenerateJsonSchema):
    """Input models use None for "not sent", which is never a value that one may send."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        if self.mode == INPUT:
            return self.generate_inner(schema["schema"])
        return super().nullable_schema(schema)

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        written = super().default_schema(schema)
        if self.mode == INPUT and written.get("default", ...) is None:
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
        name = self.references[model, INPUT]["$ref"].rpartition("/")[2]
        properties: dict[str, Any] = self.components[name]["properties"]
        return properties
