"""The parts of the harness do what they say: marks outlive their process, whatever ends comes again."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.chaos import plan
from tests.chaos.faults import Faults
from tests.chaos.marked import FOLDER, Marks, _marked_dialogue
from tests.chaos.marks import PHASES, Page
from tests.chaos.supervisor import Supervisor, Watched
from tests.e2e.procfile import ROOT, until

DYING = """
import os, signal, sys, threading
from pathlib import Path
from tests.chaos.marked import Marks
from tests.chaos.marks import Page
marks = Marks(Page.make(Path(sys.argv[1])))
with marks.within("claim"):
    pass
threads = [threading.Thread(target=marks.enter, args=("POST",)) for _ in range(3)]
for thread in threads:
    thread.start()
    thread.join()
marks.begin("finalize")
marks.begin("finalize")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_page_of_a_killed_process_says_what_it_was_at(tmp_path: Path) -> None:
    page = tmp_path / "page"
    done = subprocess.run([sys.executable, "-c", DYING, str(page)], cwd=ROOT, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    assert Page(page).counts() == {"POST": 3, "finalize": 1}


def test_who_is_not_so_far_has_no_page(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Page(tmp_path / "page")


def test_a_brake_is_for_one_phase(tmp_path: Path) -> None:
    page = Page.make(tmp_path / "page")
    page.brake("POST")
    assert [phase for phase in PHASES if page.is_braked(phase)] == ["POST"]
    page.brake(None)
    assert not any(map(page.is_braked, PHASES))


def test_a_marked_dialogue_is_the_same_dialogue_and_each_of_its_requests_a_post(tmp_path: Path) -> None:
    page = Page.make(tmp_path / "page")

    def ask() -> Iterator[object]:
        first = yield "first"
        try:
            yield f"second after {first}"
        except ConnectionError as error:
            return f"ended with {error}"

    dialogue = _marked_dialogue(ask, Marks(page))()
    assert next(dialogue) == "first"
    assert page.counts() == {"POST": 1}
    assert dialogue.send("an answer") == "second after an answer"
    with pytest.raises(StopIteration) as end:
        dialogue.throw(ConnectionError("a reset"))
    assert end.value.value == "ended with a reset"
    assert page.counts() == {}


def test_every_place_that_is_marked_is_there(tmp_path: Path) -> None:
    """The marks are put from outside: nobody who renames a function hears of it otherwise."""
    command = [sys.executable, "-m", "tests.chaos.marked", "--help"]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {FOLDER: str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout[:6]) == (0, "Usage:"), done.stderr


# --- the supervisor and the plan ---


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    """A process that sleeps, or ends with 3 if there is a file `end`."""
    line = f"while [ ! -e {tmp_path}/end ]; do sleep 0.05; done; exit 3"
    with Supervisor() as supervisor:
        yield supervisor.watch(Watched("sleeper", line, os.environ, tmp_path / "log", tmp_path))


def test_who_is_killed_is_started_again(watched: Watched) -> None:
    before = watched.pid
    assert watched.kill() == {}
    until(lambda: watched.pid != before and watched.process.status is None, 10, "it runs again")
    assert watched.unasked == []


def test_who_ends_by_himself_is_started_again_and_told_of(watched: Watched, tmp_path: Path) -> None:
    before = watched.pid
    (tmp_path / "end").touch()
    until(lambda: watched.pid != before, 10, "it was started again")
    assert watched.unasked[0] == "sleeper ended by itself with 3"


@pytest.mark.parametrize("name", plan.LINKS, ids=lambda name: f"on {name}")
def test_every_plan_aims_at_every_phase_and_breaks_every_link(name: str) -> None:
    steps = plan.steps(name, 12, Random(1))
    named = [step.keywords for step in steps if hasattr(step, "keywords")]
    assert {each["phase"] for each in named if "phase" in each} == {*PHASES} - {"POST"}
    assert steps.count(Faults.kill_unheard) == 1
    assert {each["name"] for each in named if "mode" in each} == set(plan.LINKS[name])
    assert len([each for each in named if "phase" in each]) + steps.count(Faults.kill) == 11


def test_one_seed_is_one_plan() -> None:
    one, same, other = (plan.steps("postgresql", 20, Random(seed)) for seed in (1, 1, 2))
    assert list(map(repr, one)) == list(map(repr, same)) != list(map(repr, other))
