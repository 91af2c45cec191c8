"""The health check of a worker: alive is who has swept lately, on this machine."""

from datetime import timedelta

from freezegun import freeze_time

from app.clock import now
from app.runtime import Runtime
from app.services import sweeps
from workers.alive import has_swept


def test_a_worker_is_alive_while_it_sweeps(runtime: Runtime) -> None:
    assert not has_swept(runtime, "here")
    sweeps.sweep(runtime, "worker-1@here")
    assert has_swept(runtime, "here")


def test_a_worker_of_another_machine_says_nothing_of_this_one(runtime: Runtime) -> None:
    sweeps.sweep(runtime, "worker-1@elsewhere")
    assert not has_swept(runtime, "here")
    assert not has_swept(runtime, "where")


def test_a_worker_that_missed_its_sweeps_counts_as_dead(runtime: Runtime) -> None:
    with freeze_time(now() - timedelta(seconds=3 * 5 + 10 + 15 + 1)):
        sweeps.sweep(runtime, "worker-1@here")
    assert not has_swept(runtime, "here")
