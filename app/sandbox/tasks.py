"""A booked task and the callbacks that were sent for it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from app.sandbox.submissions import Submission
from app.sandbox.switches import Switches

NOT_FORWARDED = "not_forwarded"


@dataclass(frozen=True)
class SentCallback:
    """One callback and how the receiver answered."""

    kind: str
    """`plain`, `before_ack`, `reordered` or `late`; `duplicate` or `resent` for a repeat; `triggered` on demand."""
    sent_at: datetime
    status: int | None
    """The receiver's HTTP status, None if there was no answer."""
    error: str | None
    """Why there was no answer."""

    @property
    def is_delivered(self) -> bool:
        """Whether the receiver said 2xx."""
        return self.status is not None and 200 <= self.status < 300


@dataclass
class Task:
    """A submit that was accepted, and so is billed."""

    task_id: str
    submission: Submission
    switches: Switches
    number: int
    """The how-manyeth submission of this prompt it was."""
    accepted_at: datetime
    ready: float
    """When the result is there, on the monotonic clock."""
    charge: Decimal
    fail: str | None
    """The code the task fails with."""
    say: Callable[[], str | None] = field(repr=False)
    """Its text, which may take a while to have; None: nobody could say it, and it fails with `NOT_FORWARDED`."""
    is_answered: bool = False
    """A sync task that was answered."""
    callbacks: list[SentCallback] = field(default_factory=list)

    @property
    def failure(self) -> str | None:
        """The code that it fails with, once it is known whether it has a text."""
        if self.fail is None and self.say() is None:
            self.fail = NOT_FORWARDED
        return self.fail

    @property
    def is_lost(self) -> bool:
        """Whether the result was kept back: no callback, or a sync task answered with an error."""
        is_sync = self.submission.callback_url is None
        return self.switches.lost or (is_sync and self.switches.hides_ack)

    @property
    def outcome(self) -> str:
        """`delivered`, `undelivered` (the receiver never said 2xx), `lost`, `answered` (sync) or `pending`."""
        if any(callback.is_delivered for callback in self.callbacks):
            return "delivered"
        if self.is_lost:
            return "lost"
        if self.is_answered:
            return "answered"
        return "undelivered" if self.callbacks else "pending"
