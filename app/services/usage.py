"""Usage: the tokens that the answers of a batch took, where the provider told them."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from app.runtime import Runtime
from app.services.status import find_batch
from app.services.views import UsageView
from app.store import batches, usage


def of_batch(runtime: Runtime, batch_id: UUID) -> UsageView:
    """What all answers of a batch that has ended took together, and the model, if all asked for the same one.

    Raises:
        NotFound: there is no such batch.
    """
    with runtime.database.reading() as connection:
        models: Sequence[str] | None = find_batch(connection, None, batch_id).models
        tokens: Mapping[str, Any] | None = usage.kept(connection, batch_id)
    if models is None or tokens is None:
        models, tokens = _count(runtime, batch_id)
    return UsageView(model=models[0] if len(models) == 1 else None, **tokens)


def _count(runtime: Runtime, batch_id: UUID) -> tuple[Sequence[str], Mapping[str, Any]]:
    """Of a batch of a version that did not keep this: counted once, and kept."""
    with runtime.database.transaction() as connection:
        batches.lock(connection, [batch_id])  # so that no late answer is counted twice
        models, tokens = list(usage.models(connection, batch_id)), usage.counted(connection, batch_id)
        batches.change(connection, batch_id, models=models)
        usage.keep(connection, batch_id, tokens)
    return models, tokens
