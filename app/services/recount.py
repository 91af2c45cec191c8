"""Recount: kept figures held against what is there, batch by batch, and put right where they differ."""

import logging
from uuid import UUID

from app.ids import show
from app.runtime import Runtime
from app.store import batches, figures

logger = logging.getLogger(__name__)

_PAGE = 100


def recount(runtime: Runtime) -> int:
    """Count every batch once and correct kept figures that differ; how many batches that were.

    None do, unless something that does not keep figures wrote to the database: a person, or the version before
    figures were kept. It may run beside everything else: what moves meanwhile is kept and counted alike.
    """
    corrected, before = 0, None
    while True:
        with runtime.database.reading() as connection:
            page = [batch.id for batch in batches.page(connection, None, before, _PAGE)]
        corrected += sum(_correct(runtime, batch_id) for batch_id in page)
        if len(page) < _PAGE:
            return corrected
        before = page[-1]


def _correct(runtime: Runtime, batch_id: UUID) -> bool:
    with runtime.database.transaction() as connection:
        batches.lock(connection, [batch_id])  # two corrections at once would be one too many
        drift = figures.drift(connection, batch_id)
        figures.add(connection, {batch_id: drift})
    if drift:
        logger.warning("figures_corrected", extra={"batch_id": show("batch", batch_id), **drift})
    return bool(drift)
