"""Histories drawn at random: in whatever order things happen, nothing is lost and nothing is paid twice uncounted."""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy.exc import IntegrityError

from tests.simulation.faults import FAULTS, Plant
from tests.simulation.histories import Histories

EXAMPLES = int(os.environ.get("HISTORIES", "0"))
"""Set it to search longer, each time elsewhere, and to have what is found made small."""

QUICK = settings(
    max_examples=60,
    stateful_step_count=40,
    derandomize=True,
    phases=[Phase.generate],
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
LONG = settings(QUICK, max_examples=max(1, EXAMPLES), derandomize=False, phases=[Phase.generate, Phase.shrink])
FIND = settings(QUICK, max_examples=3000)


@pytest.mark.timeout(600 + EXAMPLES if EXAMPLES else 300)
def test_in_every_history_everything_holds() -> None:
    run_state_machine_as_test(Histories, settings=LONG if EXAMPLES else QUICK)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("plant", FAULTS, ids=lambda plant: plant.__name__)
def test_the_histories_find(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    with pytest.raises((AssertionError, IntegrityError)):
        run_state_machine_as_test(Histories, settings=FIND)
