"""The installation: whether what the service runs on is as it must be, from where this process stands."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.errors import DatabaseUnavailable
from app.ids import show
from app.queue import try_ring
from app.runtime import Runtime
from app.services import clocks, health, holds, latencies
from app.services.brakes import SILENCE
from app.services.views import Readiness
from app.states import Outcome
from app.store import endpoints, figures, limits, tallies

_MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Check:
    """One look: what at, whether it is well, and what was seen."""

    name: str
    is_ok: bool
    detail: str


def check(runtime: Runtime) -> tuple[Check, ...]:
    """Every check of the installation; of a database that can't be used or is of another version, that one only."""
    try:
        readiness = health.readiness(runtime)
        first = Check("database", readiness.is_ready, readiness.reason or f"reachable, at {readiness.schema_revision}")
        return (first, *(_checks(runtime, readiness) if readiness.is_ready else ()))
    except DatabaseUnavailable as error:
        return (Check("database", False, str(error)),)


def _checks(runtime: Runtime, readiness: Readiness) -> Iterator[Check]:
    yield _workers(runtime, readiness)
    yield _broker(runtime)
    yield _settings(runtime)
    yield _providers(runtime)
    yield _holds(runtime)
    yield _echo(runtime)
    yield _clocks(runtime)
    yield _callbacks(runtime)
    yield _inbox(runtime)
    yield _payments(runtime)
    yield _webhooks(runtime)


def _workers(runtime: Runtime, readiness: Readiness) -> Check:
    """Who stands aside does not sweep."""
    if readiness.last_sweep_at is None:
        return Check("workers", False, "no worker has swept in the last two minutes")
    age = runtime.moment().now - readiness.last_sweep_at
    aside = [f"; {each.worker} stands aside, its clock is off" for each in readiness.workers if each.stands_aside]
    told = f"{len(readiness.workers)} alive, the last sweep was {age.total_seconds():.1f} s ago" + "".join(aside)
    return Check("workers", age <= health.patience(runtime.settings) and not aside, told)


def _broker(runtime: Runtime) -> Check:
    if runtime.settings.broker_url.startswith("memory:"):
        return Check("broker", True, "in the memory of the service's own process; nobody else can ring there")
    fault = next(filter(None, (try_ring(runtime.settings, provider) for provider in runtime.providers)), None)
    return Check("broker", fault is None, fault or "it took a ring")


def _settings(runtime: Runtime) -> Check:
    refusals = runtime.settings.refusals
    return Check("settings", not refusals, "; ".join(refusals.values()) or "they allow submitting")


def _providers(runtime: Runtime) -> Check:
    """Whom batches can go to; that they answer is not tried, which may cost money."""
    words = [
        f"{each.name} ({each.kind}) at {each.base_url} with {len(each.keys)} keys"
        for each in runtime.settings.providers_in_use.values()
    ]
    return Check("providers", True, "; ".join(words))


def _holds(runtime: Runtime) -> Check:
    """Those that end by themselves are part of the day's work, also that of a silent provider: an answer ends it."""
    standing = [hold for hold in holds.listing(runtime) if hold.reason != "settings"]
    told = [f"{hold.scope} {hold.scope_id} {hold.reason}: {hold.message}" for hold in standing]
    is_passing = all(hold.until or hold.reason == SILENCE for hold in standing)
    return Check("holds", is_passing, "; ".join(told) or "nothing is held")


def _echo(runtime: Runtime) -> Check:
    """As the workers left it; why it did not come back stands with the holds."""
    asked_for = [provider for provider in runtime.providers if runtime.settings.asks_for_echo(provider)]
    if not asked_for:
        return Check("echo", True, "not asked for")
    with runtime.database.reading() as connection:
        found = {provider: limits.get(connection, provider) for provider in asked_for}
    told = {provider: _last_echo(limit, runtime.moment().now) for provider, limit in found.items()}
    words = "; ".join(f"{provider}: {each or 'none has come back'}" for provider, each in told.items())
    return Check("echo", None not in told.values(), words)


def _last_echo(limit: Any, at: datetime) -> str | None:
    if limit is None or limit.echoed_url is None:
        return None
    return f"back from {limit.echoed_url}, asked for {(at - limit.echoed_at).total_seconds():.0f} s ago"


def _clocks(runtime: Runtime) -> Check:
    off_seconds = clocks.measure(runtime)
    if off_seconds is None:
        return Check("clocks", True, "the database has no other clock than this machine's")
    detail = f"this machine and the database are {abs(off_seconds):.1f} s apart"
    return Check("clocks", not clocks.is_off(off_seconds), detail)


def _callbacks(runtime: Runtime) -> Check:
    words = [latencies.in_words(runtime, provider) for provider in runtime.calling_back]
    return Check("callbacks", True, "; ".join(words))


def _payments(runtime: Runtime) -> Check:
    with runtime.database.reading() as connection:
        found = figures.in_all(connection, "read_back", "possibly_doubled")
    told = f"{found['read_back']} tasks were asked for instead of paid for again, "
    return Check("payments", True, f"{told}{found['possibly_doubled']} submits may have been billed twice")


def _webhooks(runtime: Runtime) -> Check:
    """Those disabled, not by their URLs, in which secrets may stand. A receiver that is gone is its owner's affair."""
    with runtime.database.reading() as connection:
        found = endpoints.disabled(connection, _MOST_SHOWN)
    told = [f"{show('webhook', each.id)} of {each.owner}: {each.disabled_reason}" for each in found]
    return Check("webhooks", True, f"disabled: {'; '.join(told)}" if told else "no endpoint is disabled")


def _inbox(runtime: Runtime) -> Check:
    counted: Counter[str] = Counter()
    after, is_over = None, False
    while not is_over:
        with runtime.database.reading() as connection:
            part, after = tallies.next_outcomes(connection, after)
        counted += part
        is_over = after is None
    odd = (Outcome.ORPHAN, Outcome.INVALID, Outcome.CONFLICT)
    return Check("inbox", True, ", ".join(f"{outcome}: {counted[outcome]}" for outcome in odd))
