"""Webhook endpoints as the SDKs of OpenAI read and write them. Times are whole seconds since 1970."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from app.api.schemas.inputs import Url, place
from app.api.schemas.shown import id_pattern
from app.openai.schemas import LAST, AnyQuery, OpenAiOutput
from app.states import EventType

Types = Annotated[
    list[Any],
    Field(min_length=1, max_length=100),
    WithJsonSchema(
        {
            "type": "array",
            "minItems": 1,
            "maxItems": 100,
            "items": {"type": "string"},
            "contains": {"enum": list(EventType)},  # the others are left out
        }
    ),
]


class OpenAiNewWebhook(BaseModel):
    """An endpoint to be made. What is unknown in it is ignored, as all of this API does."""

    model_config = ConfigDict(strict=True, frozen=True)

    event_types: Types
    name: Annotated[str, Field(max_length=200)]
    url: Url


class OpenAiWebhookChange(BaseModel):
    """What is to be changed of an endpoint."""

    model_config = ConfigDict(strict=True, frozen=True)

    event_types: Types | None = None
    name: Annotated[str, Field(max_length=200)] | None = None
    url: Url | None = None


class OpenAiRotation(BaseModel):
    """What becomes of the secret that was used so far."""

    model_config = ConfigDict(strict=True, frozen=True)

    keep_old_secret_active_for_24_hours: bool | None = None


class OpenAiWebhookTest(BaseModel):
    """What is to be sent as an example."""

    model_config = ConfigDict(strict=True, frozen=True)

    event_type: Annotated[str, WithJsonSchema({"type": "string", "enum": list(EventType)})]


class OpenAiWebhookListQuery(AnyQuery):
    """Which page of the endpoints."""

    after: str | None = place(id_pattern("webhook"), LAST)
    limit: int = Field(default=20, ge=1, le=100)


class OpenAiWebhook(OpenAiOutput):
    """An endpoint."""

    id: str
    object: Literal["webhook_endpoint"] = "webhook_endpoint"
    created_at: int
    event_types: list[EventType]
    name: str
    signing_secret_hint: str
    updated_at: int
    url: str


class OpenAiWebhookWithSecret(OpenAiWebhook):
    """An endpoint and the secret that signs what is sent there."""

    signing_secret: str


class OpenAiWebhookList(OpenAiOutput):
    """One page of endpoints, the newest first."""

    object: Literal["list"] = "list"
    data: list[OpenAiWebhook]
    has_more: bool
    first_id: str | None
    last_id: str | None


class OpenAiWebhookDeleted(OpenAiOutput):
    """An endpoint that is gone."""

    id: str
    object: Literal["webhook_endpoint.deleted"] = "webhook_endpoint.deleted"
    deleted: Literal[True] = True


class OpenAiWebhookTestResult(OpenAiOutput):
    """What an endpoint answered to an example."""

    object: Literal["webhook_endpoint.test"] = "webhook_endpoint.test"
    webhook_endpoint_id: str
    event_type: EventType
    status_code: int
    success: Literal[True] = True


class OpenAiEventTypeList(OpenAiOutput):
    """What an endpoint can be told of."""

    object: Literal["list"] = "list"
    data: list[EventType]
