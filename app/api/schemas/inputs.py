"""What clients send: request bodies, as strict as JSON can be, and query parameters.

A value that is absent is left out all the way to the provider, so null is refused and 0 is kept.
"""

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, field_validator
from pydantic_core import PydanticCustomError

from app.api.schemas.shown import id_pattern
from app.states import JobState

MAX_EXPIRES_IN_SECONDS = 30 * 86400
MAX_CUSTOM_IDS = 50_000  # PostgreSQL binds 65,535 parameters in one statement

CustomId = Annotated[str, Field(min_length=1, max_length=512)]
ModelName = Annotated[str, Field(min_length=1, max_length=200)]
RoleName = Annotated[str, Field(min_length=1, max_length=64)]
Share = Annotated[float, Field(ge=0, le=1)]
OnInvalid = Literal["reject", "skip"]
JobWord = Literal["queued", "submitting", "waiting", "completed", "failed", "cancelled", "overdue"]


def _is_more_than_nothing(amount: str) -> str:
    if not Decimal(amount):
        raise PydanticCustomError("more_than_nothing", "Should be more than 0", {"gt": 0})
    return amount


_AMOUNT = r"[0-9]{1,9}(\.[0-9]{1,9})?$"
Amount = Annotated[
    str,
    Field(pattern=f"^{_AMOUNT}", description='In the provider\'s currency, as `"12.50"`.'),
    AfterValidator(_is_more_than_nothing),
    WithJsonSchema({"type": "string", "pattern": rf"^(?!0+(\.0+)?$){_AMOUNT}"}),  # ours know no (?!)
]
_URL = r"^https?://[A-Za-z0-9._:\[\]-]+([/?][!\"$-~]*)?$"
Url = Annotated[
    str,
    Field(min_length=1, description="https; http to loopback while the service runs in local mode."),
    WithJsonSchema({"type": "string", "pattern": _URL, "examples": ["https://hooks.example/in"]}),
]


class Input(BaseModel):
    """One JSON object of a request: exact types, no unknown fields, no null."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _is_not_null(cls, value: object) -> object:
        if value is None:
            raise PydanticCustomError("null", "Leave the field out instead of sending null")
        return value


class Roles(Input):
    """Other names for the two roles of `prompt_history`."""

    user: RoleName | None = None
    model: RoleName | None = None

    @property
    def names(self) -> frozenset[str]:
        """The names that are given."""
        return frozenset(name for name in (self.user, self.model) if name is not None)


class Message(Input):
    """One earlier turn of a chat."""

    role: RoleName = Field(description="`user`, `model`, `assistant`, or a name given in `roles`.")
    content: str


class Options(Input):
    """How the provider shall answer. Every field is optional and left out of the submit when absent."""

    system_prompt: str | None = Field(default=None, description="Context for the answer.")
    prompt_history: list[Message] | None = Field(default=None, description="Earlier turns, oldest first.")
    roles: Roles | None = None
    model: ModelName | None = Field(default=None, description="Where a provider has several; it chooses the provider.")
    max_tokens: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Longest answer; at most 2048 unless the service is configured otherwise."
    )
    temperature: Share | None = Field(default=None, description="0 makes a repeated request give the same answer.")
    top_p: Share | None = None

    def given(self) -> dict[str, Any]:
        """The options that were sent, as plain JSON values."""
        return self.model_dump(exclude_unset=True)


class JobIn(Input):
    """One prompt. `options` stand above those of the batch."""

    custom_id: CustomId = Field(description="The submitter's own id, unique in its batch.")
    text_data: Annotated[str, Field(min_length=1)] = Field(description="The prompt.")
    options: Options = Field(default_factory=Options)


class BatchFields(Input):
    """What is said once of all jobs."""

    name: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    metadata: dict[Annotated[str, Field(min_length=1, max_length=64)], Annotated[str, Field(max_length=512)]] = Field(
        default={}, max_length=16, description="Notes of the submitter's; returned as they came."
    )
    provider: str | None = Field(
        default=None, description="Whom to ask; by default the one that has the model, or else the first configured."
    )
    fallback_provider: str | None = Field(
        default=None, description="Who takes its queued jobs while the other is out of order: held, or gone."
    )
    max_attempts: Annotated[int, Field(ge=1, le=20)] | None = Field(
        default=None, description="Submits of one job that may reach the provider."
    )
    expires_in_seconds: Annotated[float, Field(ge=1, le=MAX_EXPIRES_IN_SECONDS)] | None = Field(
        default=None, description="When jobs that are still open are given up."
    )
    budget: Amount | None = Field(
        default=None, description="What it may cost before it is paused, in the provider's currency, as `12.50`."
    )
    webhook_url: Url | None = Field(
        default=None, description="A URL that is told of its end, beside the endpoints that hear of every batch."
    )


class BatchHead(BatchFields):
    """A batch without its jobs; as query parameters where the body holds the jobs alone."""

    options: Options = Field(default_factory=Options, description="Defaults for the options of each job.")
    on_invalid: OnInvalid = Field(
        default="reject", description="`skip` takes the valid jobs and lists the others in `line_errors`."
    )


class BatchIn(BatchHead):
    """A batch with its jobs, which are checked one by one."""

    jobs: Annotated[
        list[Any],
        Field(min_length=1),
        WithJsonSchema({"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/JobIn"}}),
    ]


class SingleJobIn(BatchFields, JobIn):
    """One prompt that becomes a batch of its own."""

    custom_id: CustomId = "job"


class ChosenIn(Input):
    """Which jobs of the batch are meant; without `custom_ids`, every one that it can be done to."""

    custom_ids: list[CustomId] | None = Field(default=None, min_length=1, max_length=MAX_CUSTOM_IDS)


class PauseIn(Input):
    """Why nothing more shall be submitted."""

    reason: Annotated[str, Field(min_length=1, max_length=500)] = Field(
        description="For whoever wonders later why the batch stands still."
    )


class BudgetIn(Input):
    """What a batch may cost in all before it is paused."""

    budget: Amount


class Query(BaseModel):
    """Query parameters; their text is read as the type that they have."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _split(given: list[str]) -> list[str]:
    return [word for part in given for word in part.split(",")]


def place(pattern: str, told_as: str = "next_cursor") -> Any:
    """A place in a list. Its form is told to whoever reads the document; whether there is one is not judged by it."""
    return Field(default=None, description=f"`{told_as}` of the page before.", json_schema_extra={"pattern": pattern})


class StateQuery(Query):
    """Which states to show; all by default."""

    state: Annotated[tuple[JobState, ...], BeforeValidator(_split)] = Field(
        default=(), description="Repeat it, or separate states by commas."
    )


class BatchListQuery(Query):
    """Which page of a list of batches."""

    cursor: str | None = place(id_pattern("batch"))
    limit: int = Field(default=20, ge=1, le=100)


class JobListQuery(Query):
    """Which jobs of a batch, and which page of them."""

    state: Annotated[tuple[JobWord, ...], BeforeValidator(_split)] = Field(
        default=(),
        description="Repeat it, or separate states by commas; `overdue` are waiting jobs whose callback should have "
        "come by now.",
    )
    custom_id: CustomId | None = None
    cursor: str | None = place("^[0-9]{1,9}$")
    limit: int = Field(default=100, ge=1, le=1000)
