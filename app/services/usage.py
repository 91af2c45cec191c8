"""Usage: the tokens that the answers of a batch took, where the provider told them."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from app.runtime import Runtime
from app.services.views import UsageView
from app.store import usage


def of_batch(runtime: Runtime, batch_id: UUID) -> UsageView:
    """What all answers of a batch took together, and the model, if all asked for the same one."""
    with runtime.database.reading() as connection:
        models = usage.models(connection, batch_id)
        sums: Mapping[str, Any] = usage.sums(connection, batch_id)
    return UsageView(model=models[0] if len(models) == 1 else None, **sums)
