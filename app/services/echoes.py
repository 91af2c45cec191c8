"""Echoes: before anything is paid for, this installation has to reach itself where its provider will."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from app.db import Connection
from app.errors import Conflict, NotFound
from app.runtime import Runtime
from app.services import audit, brakes
from app.services.audit import By
from app.services.brakes import ECHO_FAILED, SILENCE
from app.store import holds, limits

ASK_AGAIN = timedelta(hours=1)
LEASE = timedelta(seconds=20)  # whoever takes an ask has this long; then it is another worker's
SHORTEST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(seconds=60)
PATH = "/callbacks/echo/"

logger = logging.getLogger(__name__)


def doubt(runtime: Runtime, connection: Connection, provider: str) -> None:
    """A worker begins, its settings may be new: an echo is due, and only one of the last minute counts until then.

    That one counts so that a worker which dies and begins again and again does not keep the others from submitting.
    No time of its own is written down: its clock may be wrong.
    """
    settings, now = runtime.settings, runtime.moment().now
    if not settings.asks_for_echo(provider):
        holds.lift(connection, "provider", provider, ECHO_FAILED)
        return
    limit = limits.lock(connection, provider, now)
    if brakes.is_fresh(settings, limit, now):
        limits.put_echo_off(connection, provider, None)
    else:
        limits.forget_echo(connection, provider)


def ask(runtime: Runtime) -> bool:
    """A step of the sweep: ask, once for all providers with an echo due, and hold or release them by what comes back.

    It is due every hour, and when a claim found that it needs one.
    """
    if providers := _asked_for(runtime):
        is_needed = runtime.echo_needed.is_set()
        runtime.echo_needed.clear()
        taken = [provider for provider in providers if _take(runtime, provider, is_needed=is_needed)]
        if taken:
            asked_at = runtime.moment().now
            wrong = _ask(runtime)
            for provider in taken:
                _settle(runtime, provider, asked_at, wrong)
    return False


def send(runtime: Runtime, provider: str, by: By) -> str | None:
    """Ask at once, whether or not an echo is due: None if it came back, else what went wrong and holds the provider.

    Raises:
        NotFound: no such provider here.
        Conflict: it needs no echo.
    """
    if provider not in runtime.providers:
        raise NotFound("provider", provider)
    if not runtime.settings.asks_for_echo(provider):
        raise Conflict("This provider answers at once, or no echo is asked for by the settings.")
    asked_at = runtime.moment().now
    with runtime.database.transaction() as connection:
        limits.lock(connection, provider, asked_at)
        limits.put_echo_off(connection, provider, asked_at + LEASE)
        audit.add(connection, asked_at, by, "echo.send", f"provider:{provider}")
    wrong = _ask(runtime)
    _settle(runtime, provider, asked_at, wrong)
    return wrong


def next_at(runtime: Runtime, connection: Connection) -> Sequence[datetime]:
    """When the sweep should come back to ask, for each provider that has been asked for."""
    found = [limits.get(connection, provider) for provider in _asked_for(runtime)]
    return [limit.echo_due_at for limit in found if limit is not None and limit.echo_due_at is not None]


def prove(runtime: Runtime, question: str) -> str | None:
    """The answer that only this installation can give; None for a question that it did not ask. No database."""
    return runtime.echoes.answer(question)


def _asked_for(runtime: Runtime) -> Sequence[str]:
    """The providers that have to be able to reach us."""
    return [provider for provider in runtime.providers if runtime.settings.asks_for_echo(provider)]


def _take(runtime: Runtime, provider: str, *, is_needed: bool) -> bool:
    """Whether an echo is due and no other worker is asking for it; if so, none will for a while."""
    now = runtime.moment().now
    with runtime.database.reading() as connection:
        limit = limits.get(connection, provider)
    if limit is not None and not _is_due(runtime, limit, now, is_needed=is_needed):
        return False
    with runtime.database.transaction() as connection:
        if not _is_due(runtime, limits.lock(connection, provider, now), now, is_needed=is_needed):
            return False
        limits.put_echo_off(connection, provider, now + LEASE)
    return True


def _is_due(runtime: Runtime, limit: Any, now: datetime, *, is_needed: bool) -> bool:
    # Further ahead than it is ever put off it was written by a clock that was wrong.
    if limit.echo_due_at is None or not now < limit.echo_due_at <= now + ASK_AGAIN + LEASE:
        return True
    is_being_asked = limit.echo_due_at <= now + LEASE
    # Workers that are being moved from one public URL to another take turns, and not by the millisecond.
    is_too_soon = limit.echoed_at is not None and abs(now - limit.echoed_at) < SHORTEST_PAUSE
    return is_needed and not (is_being_asked or is_too_soon or brakes.is_fresh(runtime.settings, limit, now))


def _ask(runtime: Runtime) -> str | None:
    """None if the echo came back; else what was asked, without the question, and what went wrong."""
    question = runtime.echoes.question()
    asked = f"{runtime.settings.public_url}{PATH}"
    wrong = runtime.outside.ask(asked + question, runtime.echoes.answer(question) or "")
    return None if wrong is None else f"GET {asked}...: {wrong}"


def _settle(runtime: Runtime, provider: str, asked_at: datetime, wrong: str | None) -> None:
    now = runtime.moment().now
    with runtime.database.transaction() as connection:
        limits.lock(connection, provider, now)
        if wrong is None:
            _release(connection, provider, now)
            limits.write_echo(connection, provider, runtime.settings.public_url, asked_at, due_at=now + ASK_AGAIN)
        else:
            since = _hold(connection, provider, wrong, now)
            pause = min(max(now - since, SHORTEST_PAUSE), LONGEST_PAUSE)  # so each is twice the one before
            limits.write_echo(connection, provider, None, asked_at, due_at=now + pause)
    if wrong is None:
        logger.info("echo_returned", extra={"provider": provider})
        runtime.doorbell.ring(provider)
    else:
        logger.warning("echo_failed", extra={"provider": provider, "reason": wrong})


def _release(connection: Connection, provider: str, now: datetime) -> None:
    """The way to us is open. If it was not, what is unanswered from that time says nothing about the provider."""
    if holds.lift(connection, "provider", provider, ECHO_FAILED):
        holds.lift(connection, "provider", provider, SILENCE)
        limits.listen_again(connection, provider, now)


def _hold(connection: Connection, provider: str, wrong: str, now: datetime) -> datetime:
    """Hold the provider; since when it is held for this reason."""
    before = holds.get(connection, "provider", provider, ECHO_FAILED)
    row = {
        "scope": "provider",
        "scope_id": provider,
        "reason": ECHO_FAILED,
        "message": wrong[:500],
        "since": now,
        "until": None,
        "placed_by": "echo",
    }
    holds.place(connection, row)
    return now if before is None else before.since
