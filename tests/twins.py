"""Arranges `second`, a provider that calls back too, beside `hive_v2`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from app.providers.base import Accepted
from app.providers.hive_v2 import HiveV2
from app.runtime import Runtime
from app.services import claims, creation
from app.services.claims import Claim
from app.services.views import NewBatch, NewJob
from tests.conftest import MakeRuntime
from tests.factories import record
from tests.fakes import FakeProvider

FILE = """
[second]
kind = "hive_v2"
base_url = "http://127.0.0.1:9"
keys = ["key"]
permanent_codes = ["5"]
max_in_flight = 1000
"""


class Second(FakeProvider):
    """Judges failures by codes of its own."""

    name = "second"

    def __init__(self) -> None:
        super().__init__()
        self._real = HiveV2(base_url="http://127.0.0.1:9", keys=("k",), permanent_codes=("5",), name="second")


def with_second(make_runtime: MakeRuntime, folder: Path, text: str = FILE) -> Runtime:
    """A runtime with both of them."""
    path = folder / "providers.toml"
    path.write_text(text)
    runtime = make_runtime(providers=path, max_in_flight=1000)
    return replace(runtime, providers={**runtime.providers, "second": Second()})


def submit(runtime: Runtime, provider: str, number: int = 1, **batch: object) -> UUID:
    """So many jobs in a batch for this provider."""
    jobs = [NewJob(f"job-{each}", "x", {}) for each in range(number)]
    return creation.create(runtime, NewBatch(owner="alice", provider=provider, **batch), jobs).batch.id


def accepted(runtime: Runtime, provider: str, number: int = 1) -> Sequence[Claim]:
    """So many jobs of a new batch, which this provider has accepted."""
    submit(runtime, provider, number)
    found = claims.claim(runtime, provider, number, is_idle=True)
    for claimed in found:
        record(runtime, claimed, Accepted(f"task-{claimed.job_id.hex}", 200))
    return found
