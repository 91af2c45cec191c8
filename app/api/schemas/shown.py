"""How values look in responses: ids in shown form, costs as decimal strings, absent values as null."""

from decimal import Decimal
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema, computed_field

from app import ids


class Output(BaseModel):
    """One JSON object of a response, made from a view with the same field names."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


def _serializer(kind: ids.Kind) -> PlainSerializer:
    return PlainSerializer(partial(ids.show, kind), return_type=str)


def _pattern(kind: ids.Kind) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": id_pattern(kind)}, mode="serialization")


def id_pattern(kind: str) -> str:
    """What the shown ids of a kind look like."""
    return f"^{kind}_[0-9a-f]{{32}}$"


def _plain(amount: Decimal) -> str:
    return format(amount.normalize(), "f") if amount else "0"


BatchId = Annotated[UUID, _serializer("batch"), _pattern("batch")]
JobId = Annotated[UUID, _serializer("job"), _pattern("job")]
AttemptId = Annotated[UUID, _serializer("attempt"), _pattern("attempt")]
CallbackId = Annotated[UUID, _serializer("callback"), _pattern("callback")]
WebhookId = Annotated[UUID, _serializer("webhook"), _pattern("webhook")]
EventId = Annotated[UUID, _serializer("evt"), _pattern("evt")]
DeliveryId = Annotated[UUID, _serializer("delivery"), _pattern("delivery")]
Cost = Annotated[
    Decimal,
    PlainSerializer(_plain, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}, mode="serialization"),
]
Json = Annotated[Any, WithJsonSchema({})]


class ErrorOut(Output):
    """Why a job or a submit failed, or had to be tried again."""

    code: str
    message: str | None


class Failing(Output):
    """What may carry an error: the two columns of a view become one object."""

    error_code: str | None = Field(default=None, exclude=True)
    error_message: str | None = Field(default=None, exclude=True)

    @computed_field  # type: ignore[prop-decorator]  # the order that pydantic documents; mypy has no notion of it
    @property
    def error(self) -> ErrorOut | None:
        """The error, if there is one."""
        if self.error_code is None:
            return None
        return ErrorOut(code=self.error_code, message=self.error_message)
