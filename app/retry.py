"""When to try again: exponential backoff with jitter, and the times that a job may wait. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Timing:
    """How long each step may take; all durations in seconds."""

    lease_seconds: float
    callback_timeout_seconds: float
    unknown_grace_seconds: float
    backoff_base_seconds: float
    backoff_max_seconds: float

    def lease_until(self, now: datetime) -> datetime:
        """When a claim counts as abandoned."""
        return now + timedelta(seconds=self.lease_seconds)

    def callback_due(self, since: datetime, learned_seconds: float | None = None) -> datetime:
        """When a task that was accepted then times out; `learned_seconds`: the provider's time-out, if one is known."""
        seconds = self.callback_timeout_seconds if learned_seconds is None else learned_seconds
        return since + timedelta(seconds=seconds)

    def grace_until(self, now: datetime) -> datetime:
        """Until when a submit of unknown outcome may still be answered by a callback."""
        return now + timedelta(seconds=self.unknown_grace_seconds)

    def backoff_until(self, now: datetime, tries: int, seed: UUID) -> datetime:
        """When to try again after `tries` (>= 1) failures.

        Half of `base * 2 ** (tries - 1)`, capped, is certain; the other half is jitter, drawn from `seed`
        (the id of the attempt that failed) so that the same failure always gets the same answer.
        """
        ceiling = min(self.backoff_max_seconds, self.backoff_base_seconds * 2.0 ** min(tries - 1, 30))
        jitter = Random(seed.int).random()  # noqa: S311 - spreading load, not keeping secrets
        return now + timedelta(seconds=ceiling * (0.5 + 0.5 * jitter))
