"""Arranges callbacks that take as long as a test says, in a runtime that learns from them."""

from collections.abc import Sequence
from dataclasses import replace

from freezegun.api import FrozenDateTimeFactory

from app.config import Settings
from app.providers.base import Accepted
from app.runtime import Runtime
from app.services.claims import Claim
from tests.factories import deliver_together, record, submit, sweep, take
from tests.fakes import success

BOUNDS = {"callback_timeout_floor_seconds": 1.0, "callback_timeout_ceiling_seconds": 500.0}


def learning_from(runtime: Runtime, **changes: object) -> Runtime:
    """`runtime` without a fixed time-out: it learns one of 1 to 500 seconds, on its own, whoever else does too."""
    return replace(runtime, settings=unfixed(runtime.settings, **BOUNDS | changes), learned={})


def unfixed(settings: Settings, **changes: object) -> Settings:
    """These settings as if nobody had set the callback time-out."""
    given = {name: getattr(settings, name) for name in settings.model_fields_set - {"callback_timeout_seconds"}}
    return Settings(**given | changes)  # type: ignore[arg-type]  # pydantic checks them


def accepted(runtime: Runtime, number: int = 1) -> Sequence[Claim]:
    """So many jobs of a new batch, which the provider has accepted just now."""
    submit(runtime, *["x"] * number)
    return accept(runtime, number)


def accept(runtime: Runtime, number: int) -> Sequence[Claim]:
    """Up to so many queued jobs, which the provider has accepted just now."""
    claims = take(runtime, number)
    for claimed in claims:
        record(runtime, claimed, Accepted(f"task-{claimed.job_id.hex}", 200))
    return claims


def answer(runtime: Runtime, claims: Sequence[Claim]) -> None:
    """Call back for all of these."""
    deliver_together(runtime, *((claimed.submission, success()) for claimed in claims))


def look(runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    """A second later, sweep."""
    clock.tick(1)
    sweep(runtime)


def answered(runtime: Runtime, clock: FrozenDateTimeFactory, seconds: float, number: int = 120) -> None:
    """So many callbacks that take this long; the sweep has looked at them when this returns."""
    claims = accepted(runtime, number)
    clock.tick(seconds)
    answer(runtime, claims)
    look(runtime, clock)
