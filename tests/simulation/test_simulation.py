"""The simulation: many actors in one thread, in an order that a seed draws, and still everything holds at each step."""

import re
import subprocess
import sys
from random import Random

import pytest
from sqlalchemy import update

from app.models import jobs
from app.states import OPEN_ATTEMPT_STATES, OPEN_JOB_STATES, AttemptState, JobState, Outcome
from tests.project import ROOT
from tests.simulation import acts, moves
from tests.simulation.faults import FAULTS, OF_ORDER, Plant, a_cancel_rewrites_how_attempts_ended
from tests.simulation.invariants import Broken
from tests.simulation.run import Run, run
from tests.simulation.world import World

SEEDS = 150
PART = 15
ENOUGH = 400
"""Within so many seeds each fault is found; most take fewer than ten."""

NEVER_AT_THE_END = (*OPEN_JOB_STATES, *OPEN_ATTEMPT_STATES, Outcome.ORPHAN)


@pytest.mark.parametrize("first", range(0, SEEDS, PART))
def test_from_every_seed_all_comes_to_rest_and_nothing_is_lost(first: int) -> None:
    broken = [found for found in map(run, range(first, first + PART)) if found.broken is not None]
    assert not broken, _told(broken[0])


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_seeds_show_what_they_are_to_show() -> None:
    """A run in which nothing happens proves nothing."""
    told = "\n".join(line for seed in range(SEEDS) for line in run(seed).log)
    for word in ("dies", "has no database", "not sent", "gives up", "404", "503", " 1 salvaged", "batch_expired"):
        assert word in told, word
    for state in (*AttemptState, *JobState, *Outcome):
        if state not in NEVER_AT_THE_END:
            assert re.search(rf"at the end: .*\b{state}\b", told), state


def test_a_seed_is_the_same_run_each_time() -> None:
    for seed in range(5):
        assert run(seed).fingerprint == run(seed).fingerprint
    assert len({run(seed).fingerprint for seed in range(5)}) == 5


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_a_seed_is_the_same_run_in_another_process(hash_seed: str) -> None:
    command = [sys.executable, "-m", "tests.simulation", "--seed", "4"]
    environment = {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    told = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    assert run(4).fingerprint in told
    assert list(run(4).log) == told.splitlines()[1:-1]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("plant", [*FAULTS, *OF_ORDER], ids=lambda plant: plant.__name__)
def test_the_simulation_finds(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    assert any(run(seed).broken is not None for seed in range(ENOUGH))


def test_a_move_that_there_is_not_is_seen_though_all_stands_as_before() -> None:
    world = World(Random(0))  # noqa: S311 - ids, not secrets
    with world.running():
        acts.create(world, world.runtime, ["a"], key="b", max_attempts=1, expires_in_seconds=60.0)
        world.check()
        with world.database.transaction() as connection:
            for state in (JobState.WAITING, JobState.QUEUED):
                connection.execute(update(jobs).values(state=state))
        with pytest.raises(Broken, match=r"(?s)no such move.*'queued', after='waiting'"):
            world.check()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_only_the_moves_show_that_a_cancel_rewrites_how_attempts_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    a_cancel_rewrites_how_attempts_ended(monkeypatch)
    found = next(found for found in map(run, range(ENOUGH)) if found.broken is not None)
    assert "before='timed_out', after='cancelled'" in str(found.broken)
    monkeypatch.setattr(moves, "nothing_moves_but_as_the_tables_say", lambda _made: None)
    assert run(found.seed).broken is None


PLANTED = """
import multiprocessing
import sys

import pytest

from tests.simulation import __main__ as command
from tests.simulation import faults

multiprocessing.set_start_method("fork")  # so that each process has the fault
faults.siblings_stay_open(pytest.MonkeyPatch())
sys.exit(command.main())
"""


def test_a_seed_that_breaks_is_told_by_its_number_and_shows_the_same_again() -> None:
    def told(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-c", PLANTED, *arguments]
        environment = {"PYTHONPATH": str(ROOT)}
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    searched = told("--seeds", str(2 * PART))
    number = searched.stdout.rpartition("Again with: make simulate SEED=")[2].strip()
    assert run(int(number)).broken is None
    assert searched.returncode == 1
    again = told("--seed", number)
    assert (again.returncode, again.stdout) == (1, searched.stdout)


def _told(found: Run) -> str:
    return "\n".join([*found.log, str(found.broken), f"again with: make simulate SEED={found.seed}"])
