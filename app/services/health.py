"""Health: whether this process can keep what it is given."""

import logging
from datetime import timedelta

from app.config import Settings
from app.errors import DatabaseUnavailable
from app.runtime import Runtime
from app.services import clocks, holds
from app.services.views import ProviderView, Readiness, WorkerView
from app.store import schema, workers

SILENT_AFTER = timedelta(minutes=2)

logger = logging.getLogger(__name__)


def readiness(runtime: Runtime) -> Readiness:
    """Ready if the database can be written and has the schema of this code; the rest is for information."""
    try:
        with runtime.database.transaction() as connection:
            revision = schema.revision(connection)
            if revision != schema.HEAD:
                reason = f"schema is {revision or 'missing'}, this code needs {schema.HEAD}"
                logger.warning("not_ready", extra={"trouble": reason})
                return _not_ready(reason, revision)
            schema.write_probe(connection)
            beats = workers.listing(connection, since=runtime.moment().now - SILENT_AFTER)
        held = holds.listing(runtime)
        off_seconds = clocks.check(runtime)
    except DatabaseUnavailable as error:
        # Its own words name hosts and users, which is nobody's business.
        logger.warning("not_ready", exc_info=True, extra={"trouble": error.trouble})
        return _not_ready(error.trouble, None)
    views = tuple(
        WorkerView(
            row.worker, row.started_at, row.swept_at, row.clock_off_seconds, clocks.is_off(row.clock_off_seconds)
        )
        for row in beats
    )
    newest_at = views[0].swept_at if views else None
    return Readiness(True, None, revision, views, newest_at, held, off_seconds, _providers(runtime))


def patience(settings: Settings) -> timedelta:
    """After how long a worker that has not swept is taken for dead.

    Two sweeps, and one may take as long as the provider takes to answer a question.
    """
    return timedelta(seconds=2 * settings.sweep_seconds + settings.submit_timeout_seconds)


def _providers(runtime: Runtime) -> tuple[ProviderView, ...]:
    """Without their addresses and keys, which are nobody's business."""
    return tuple(ProviderView(each.name, each.kind, each.models) for each in runtime.settings.every_provider.values())


def _not_ready(reason: str, revision: str | None) -> Readiness:
    return Readiness(False, reason, revision, (), None, (), None)
