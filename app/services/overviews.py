"""The overview: how all stands at one moment, without a look at what is over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.db import Connection
from app.latencies import Histogram
from app.queue import Ring
from app.runtime import Runtime
from app.services import expectations, holds
from app.services.expectations import Expectations
from app.services.shown import hold_view
from app.services.views import HoldView
from app.store import batches, breakers, latencies, overviews, throughput
from app.store import holds as hold_rows
from app.store.overviews import OpenJobs
from app.store.throughput import Ended

MINUTES = 60
MOST_FAILURES = 1000
CALLBACKS_SINCE = timedelta(days=1)
REASONS = 6


@dataclass(frozen=True, slots=True)
class Minute:
    """How many jobs ended in the minute that began at `at`."""

    at: datetime
    completed: int
    failed: int


@dataclass(frozen=True, slots=True)
class Failure:
    """How many jobs failed for the same reason."""

    code: str
    jobs: int


@dataclass(frozen=True, slots=True)
class ProviderStanding:
    """How a provider stands.

    `has_tripped`: its breaker has opened and no submit has succeeded since. `half` and `most`: within how many seconds
    half of its callbacks come, and 95 of 100; None: none are known. `overdue_since`: when the callback that should have
    come first was expected, None: none is overdue, or nobody can say. `last_callback_at`: None if none came for a day.
    `asks_for_echo`: it has to reach us.
    """

    name: str
    has_tripped: bool
    holds: tuple[HoldView, ...]
    in_flight: int
    max_in_flight: int
    half: float | None
    most: float | None
    last_callback_at: datetime | None
    overdue_since: datetime | None
    asks_for_echo: bool


@dataclass(frozen=True, slots=True)
class Overview:
    """How all stands. `minutes` are the last sixty, also those in which no job ended; `failures` of the last hour's
    failed jobs, of more than a thousand the newest."""

    open_jobs: OpenJobs
    has_batches: bool
    providers: tuple[ProviderStanding, ...]
    minutes: tuple[Minute, ...]
    failures: tuple[Failure, ...]
    last_ring: Ring | None

    @property
    def completed(self) -> int:
        """Jobs that ended with an answer in these minutes."""
        return sum(minute.completed for minute in self.minutes)

    @property
    def failed(self) -> int:
        """Jobs that failed in these minutes."""
        return sum(minute.failed for minute in self.minutes)

    @property
    def overdue_since(self) -> datetime | None:
        """Since when the callback is overdue that should have come first of all."""
        return min((each.overdue_since for each in self.providers if each.overdue_since), default=None)


def overview(runtime: Runtime) -> Overview:
    """How all stands now.

    Raises:
        DatabaseUnavailable: nobody can say.
    """
    now = runtime.moment().now
    with runtime.database.reading() as connection:
        failed = overviews.failures(connection, now - timedelta(minutes=MINUTES), MOST_FAILURES)
        return Overview(
            open_jobs=overviews.open_jobs(connection),
            has_batches=bool(batches.page(connection, None, None, 1)),
            providers=_providers(runtime, connection, now),
            minutes=_minutes(connection, now),
            failures=tuple(Failure(row.error_code or "unknown", row.jobs) for row in failed[:REASONS]),
            last_ring=runtime.doorbell.last,
        )


def _minutes(connection: Connection, now: datetime) -> tuple[Minute, ...]:
    first = now.replace(second=0, microsecond=0) - timedelta(minutes=MINUTES - 1)
    found = {row.minute: Ended(int(row.completed), int(row.failed)) for row in throughput.since(connection, first)}
    minutes = [first + timedelta(minutes=number) for number in range(MINUTES)]
    return tuple(Minute(at, *found.get(at, Ended(0, 0))) for at in minutes)


def _providers(runtime: Runtime, connection: Connection, now: datetime) -> tuple[ProviderStanding, ...]:
    expected = expectations.of_providers(runtime, connection)
    last = overviews.last_callbacks(connection, now - CALLBACKS_SINCE)
    held = [hold_view(row) for row in hold_rows.standing(connection, now, "provider")]
    held = [*holds.by_settings(runtime, runtime.providers), *held]
    return tuple(_standing(runtime, connection, name, held, expected, last) for name in runtime.providers)


def _standing(
    runtime: Runtime,
    connection: Connection,
    name: str,
    held: Sequence[HoldView],
    expected: Expectations,
    last: Mapping[str, datetime],
) -> ProviderStanding:
    now, settings = runtime.moment().now, runtime.settings
    learned = latencies.get(connection, name)
    half, most = _quantiles(learned.histogram_at(now) if learned else Histogram())
    flying = overviews.in_flight(connection, name)
    usual = expectations.usual(expected, name)
    due_at = flying.oldest_sent_at + usual if flying.oldest_sent_at and usual else None
    return ProviderStanding(
        name=name,
        has_tripped=breakers.has_tripped(connection, name),
        holds=tuple(hold for hold in held if hold.scope_id == name),
        in_flight=flying.tasks,
        max_in_flight=settings.every_provider[name].max_in_flight,
        half=half,
        most=most,
        last_callback_at=last.get(name),
        overdue_since=due_at if due_at and due_at <= now else None,
        asks_for_echo=settings.asks_for_echo(name),
    )


def _quantiles(histogram: Histogram) -> tuple[float | None, float | None]:
    if not histogram.total > 0:
        return None, None
    return histogram.quantile(0.5)[1], histogram.quantile(0.95)[1]
