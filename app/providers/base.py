"""What a provider is to us: it takes a submit, reads a body, and may be asked for a task."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from app.providers.dialogues import Dialogue, Listener

# --- what we send ---


@dataclass(frozen=True, slots=True)
class Submission:
    """One submit. `metadata` comes back with the result, so it says whose answer it is.

    `listener` hears the answer of a provider that can write it bit by bit, and is then asked to.
    """

    text_data: str
    options: Mapping[str, object]
    callback_url: str
    metadata: str
    listener: Listener | None = None


# --- what becomes of a submit: retryable or not is decided here, once ---


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has the task."""

    task_id: str
    http_status: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The provider did the task at once: the raw body, and what it says."""

    body: bytes
    reading: "Answer | Failure"
    http_status: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may have been accepted, and billed. `body`: what came instead of an answer, where that is worth keeping."""

    code: str
    message: str
    http_status: int | None = None
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """It was refused and always will be: the job is at fault."""

    code: str
    message: str
    http_status: int


@dataclass(frozen=True, slots=True)
class Held:
    """It certainly was not accepted, and the job is not to blame: submitting has to stop for a while.

    `reason` names the hold (`rate_limited`, `key_refused`, `misconfigured`, `unreachable`); `retry_after_seconds` is
    what the provider asked for, None where it said nothing; `needs_operator`: it lasts until a person lifts it.
    """

    reason: str
    message: str
    retry_after_seconds: float | None = None
    needs_operator: bool = False
    http_status: int | None = None


SubmitOutcome = Accepted | Answered | Unknown | Rejected | Held

# --- what a body says ---


@dataclass(frozen=True, slots=True)
class Origin:
    """What a result body says of where it belongs; None where it says nothing.

    `task_ids` are all the ids that it gives its task: they should be one.
    """

    task_ids: tuple[str, ...] = ()
    metadata: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished task with its text. `details` may hold model, finish_reason, usage, from_cache."""

    origin: Origin
    text: str
    cost_nano: int | None = None
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failure:
    """A finished task without an answer. `text_not_recognised` is such a failure too: paid for, not worth a re-run."""

    origin: Origin
    code: str
    message: str
    is_retryable: bool
    cost_nano: int | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Not a result."""

    reason: str


Reading = Answer | Failure | Unreadable


@dataclass(frozen=True, slots=True)
class Finished:
    """The provider was asked for a task and gave its result: the raw body."""

    body: bytes


@dataclass(frozen=True, slots=True)
class Running:
    """The provider was asked for a task; it has it and is not done."""


@dataclass(frozen=True, slots=True)
class NotKnown:
    """The provider was asked for a task and doesn't have it, or has no way to tell."""

    reason: str


@dataclass(frozen=True, slots=True)
class NoReply:
    """The provider could not be asked now: no answer, an error of its own, a refused key."""

    reason: str


Lookup = Finished | Running | NotKnown | NoReply


class Provider(Protocol):
    """One configured provider. It does no input or output: `submit` and `look_up` are dialogues for a sender to hold.

    Neither raises for anything that the provider answers, or doesn't.
    """

    @property
    def name(self) -> str: ...

    @property
    def can_read_back(self) -> bool: ...

    def submit(self, submission: Submission) -> Dialogue[SubmitOutcome]: ...

    def read(self, body: bytes) -> Reading: ...

    def look_up(self, task_id: str) -> Dialogue[Lookup]: ...


def shorten(text: str, limit: int = 500) -> str:
    """At most `limit` characters: what the error columns hold."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
