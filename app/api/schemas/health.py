"""What the service says of itself, and to the provider."""

from dataclasses import asdict
from datetime import datetime
from typing import Literal, Self

from pydantic import ConfigDict, Field

from app.api.schemas.shown import Json, Output
from app.clock import now
from app.services.views import Readiness


class OkOut(Output):
    """The callback is kept."""

    ok: Literal[True] = True


class EchoOut(Output):
    """The proof that this installation was reached."""

    proof: str


class HealthOut(Output):
    """The process answers."""

    status: Literal["ok"] = "ok"


class WorkerOut(Output):
    """A worker that has swept lately; it stands aside while its clock is too far from the database's."""

    worker: str
    started_at: datetime
    swept_at: datetime
    clock_off_seconds: float | None
    stands_aside: bool


class HoldOut(Output):
    """Why nothing is submitted to a provider or from a batch; in whose words is for those who are logged in."""

    scope: str
    scope_id: str
    reason: str
    since: datetime
    until: datetime | None
    ends: str = Field(description="What ends it, in words that follow on `until`.")


class ProviderOut(Output):
    """Whom a batch may name, and the models by which it is chosen."""

    name: str
    kind: str
    models: list[str]


class ReadyOut(Output):
    """Whether this process can keep what it is given; workers, sweeps, holds and providers are for information."""

    is_ready: bool
    reason: str | None
    schema_revision: str | None
    workers: list[WorkerOut]
    last_sweep_at: datetime | None
    last_sweep_age_seconds: float | None
    holds: list[HoldOut]
    clock_off_seconds: float | None = Field(
        description="By how much the clock of this process is ahead of the database's. Its jobs wait for so long."
    )
    providers: list[ProviderOut]

    @classmethod
    def of(cls, readiness: Readiness) -> Self:
        """The readiness, and how long ago the last sweep was."""
        swept_at = readiness.last_sweep_at
        age = None if swept_at is None else (now() - swept_at).total_seconds()
        return cls.model_validate(asdict(readiness) | {"last_sweep_age_seconds": age})


class DocumentOut(Output):
    """An OpenAPI document."""

    model_config = ConfigDict(extra="allow")

    openapi: str
    info: dict[str, Json]
    paths: dict[str, Json]
    components: dict[str, Json]
