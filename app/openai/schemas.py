"""The objects of the OpenAI Batch API, as its SDKs read them. Times are whole seconds since 1970."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from app.api.schemas.inputs import Query, Url, place
from app.services.filelists import Order

ENDPOINT: Literal["/v1/chat/completions"] = "/v1/chat/completions"

Purpose = Literal["assistants", "batch", "fine-tune", "vision", "user_data", "evals"]
Status = Literal["validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"]
Binary = Annotated[Any, WithJsonSchema({"type": "string", "format": "binary"})]


class OpenAiOutput(BaseModel):
    """One JSON object of a response. All fields are written, null where there is nothing to say."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())


class OpenAiFault(OpenAiOutput):
    """What is wrong with a request."""

    message: str
    type: str
    param: str | None
    code: str | None


class OpenAiError(OpenAiOutput):
    """Why a request was not carried out."""

    error: OpenAiFault


class OpenAiFile(OpenAiOutput):
    """A file. `bytes` of a result file is 0 in a list: to know it, it would have to be read."""

    id: str
    object: Literal["file"] = "file"
    bytes: int
    created_at: int
    expires_at: int | None
    filename: str
    purpose: str
    status: Literal["processed"] = "processed"


class OpenAiFileDeleted(OpenAiOutput):
    """A file that is gone."""

    id: str
    object: Literal["file"] = "file"
    deleted: Literal[True] = True


class OpenAiBatchFault(OpenAiOutput):
    """What is wrong with an input file; `line` from 1."""

    code: str | None
    line: int | None
    message: str
    param: str | None


class OpenAiBatchFaults(OpenAiOutput):
    """Everything that is wrong with an input file."""

    object: Literal["list"] = "list"
    data: list[OpenAiBatchFault]


class OpenAiCounts(OpenAiOutput):
    """The requests of a batch, by how they ended."""

    total: int
    completed: int
    failed: int


class OpenAiInputDetails(OpenAiOutput):
    """Of the tokens read, those that the provider had read before."""

    cached_tokens: int


class OpenAiOutputDetails(OpenAiOutput):
    """Of the tokens written, those that are not in the answer."""

    reasoning_tokens: int


class OpenAiUsage(OpenAiOutput):
    """The tokens of all answers whose provider told them."""

    input_tokens: int
    input_tokens_details: OpenAiInputDetails
    output_tokens: int
    output_tokens_details: OpenAiOutputDetails
    total_tokens: int


class OpenAiBatch(OpenAiOutput):
    """A batch, in the words of this API."""

    id: str
    object: Literal["batch"] = "batch"
    endpoint: Literal["/v1/chat/completions"] = ENDPOINT
    model: str | None
    errors: OpenAiBatchFaults | None
    input_file_id: str
    completion_window: Literal["24h"] = "24h"
    status: Status
    output_file_id: str | None
    error_file_id: str | None
    created_at: int
    in_progress_at: int | None
    expires_at: int | None
    finalizing_at: int | None
    completed_at: int | None
    failed_at: int | None
    expired_at: int | None
    cancelling_at: int | None
    cancelled_at: int | None
    request_counts: OpenAiCounts
    usage: OpenAiUsage | None = Field(description="Null in a list, and until the batch has ended.")
    metadata: dict[str, str]


class OpenAiModel(OpenAiOutput):
    """A model that is served here."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str


class OpenAiFileList(OpenAiOutput):
    """One page of files."""

    object: Literal["list"] = "list"
    data: list[OpenAiFile]
    has_more: bool
    first_id: str | None
    last_id: str | None


class OpenAiBatchList(OpenAiOutput):
    """One page of batches, the newest first."""

    object: Literal["list"] = "list"
    data: list[OpenAiBatch]
    has_more: bool
    first_id: str | None
    last_id: str | None


class OpenAiModelList(OpenAiOutput):
    """The models that are served here."""

    object: Literal["list"] = "list"
    data: list[OpenAiModel]


class AnyQuery(Query):
    """No parameters; unknown ones are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


_TOGETHER = ("expires_after[anchor]", "expires_after[seconds]")


class OpenAiUpload(AnyQuery):
    """A file and what it is for."""

    model_config = ConfigDict(
        frozen=True,
        populate_by_name=True,
        json_schema_extra={"dependentRequired": {name: list(_TOGETHER) for name in _TOGETHER}},
    )

    file: Binary
    purpose: Purpose
    anchor: Literal["created_at"] | None = Field(default=None, alias="expires_after[anchor]")
    seconds: Annotated[int, Field(ge=3600, le=30 * 86400)] | None = Field(default=None, alias="expires_after[seconds]")


class OpenAiExpiry(BaseModel):
    """How long result files are to be had after their batch has ended."""

    model_config = ConfigDict(frozen=True)

    anchor: Literal["created_at"]
    seconds: Annotated[int, Field(ge=3600, le=30 * 86400)]


class OpenAiNewBatch(BaseModel):
    """A batch to be made. What is unknown in it is ignored, as all of this API does."""

    model_config = ConfigDict(strict=True, frozen=True)

    input_file_id: Annotated[str, Field(max_length=200)]
    endpoint: Literal["/v1/chat/completions"]
    completion_window: Literal["24h"]
    metadata: dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]] | None = Field(
        default=None, max_length=16
    )
    output_expires_after: OpenAiExpiry | None = None
    webhook_url: Url | None = Field(
        default=None, description="Not OpenAI's: a URL that is told of its end, beside the registered endpoints."
    )


class OpenAiStreamOptions(BaseModel):
    """What a stream is to hold beside the answer."""

    model_config = ConfigDict(strict=True, frozen=True)

    include_usage: bool | None = None


class OpenAiCall(BaseModel):
    """A request that waits for its answer. All other fields go to the provider, as those of a batch do."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow")

    model: str = Field(min_length=1, max_length=200)
    messages: list[dict[str, Any]] = Field(min_length=1)
    stream: bool | None = None
    stream_options: OpenAiStreamOptions | None = None


class OpenAiCompletion(OpenAiOutput):
    """An answer; `usage` only where the provider tells it."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[dict[str, Any]] = Field(min_length=1, max_length=1)
    usage: dict[str, Any] | None = None


LAST = "last_id"
_PLACED = "[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}"
"""The digits of an id that tells when it was made (RFC 9562, version 7)."""


class FileListQuery(AnyQuery):
    """Which page of the files."""

    after: str | None = place(f"^file-{_PLACED}(-(output|errors))?$", LAST)
    limit: int = Field(default=10_000, ge=1, le=10_000)
    order: Order = "desc"
    purpose: Literal[Purpose, "batch_output"] | None = None


class OpenAiBatchListQuery(AnyQuery):
    """Which page of the batches."""

    after: str | None = place(f"^batch_{_PLACED}$", LAST)
    limit: int = Field(default=20, ge=1, le=100)


class ContentQuery(AnyQuery):
    """From where on a result file is wanted."""

    offset: int = Field(default=0, ge=0, le=2**31, description="How many lines of a result file to leave out.")


def seconds(at: datetime) -> int:
    """An instant as this API writes it."""
    return int(at.timestamp())


def seconds_or_none(at: datetime | None) -> int | None:
    """As `seconds`, of what may not have come."""
    return None if at is None else seconds(at)
