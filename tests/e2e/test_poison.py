"""A prompt that kills whatever worker submits it runs out of attempts, and its neighbours are served all the same."""

import pytest

from tests.chaos.supervisor import Supervisor, Watched
from tests.e2e import books
from tests.e2e.client import Asked, Client
from tests.e2e.poisoned import POISON
from tests.e2e.procfile import Production

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

NEIGHBOURS = 20
ATTEMPTS = 3
WORKER = "exec python -m tests.e2e.poisoned worker"


def test_a_prompt_that_kills_its_workers_fails_alone() -> None:
    asked = [Asked(f"job-{number}", f"Question {number}?") for number in range(NEIGHBOURS)]
    asked.insert(NEIGHBOURS // 2, Asked("poison", POISON))
    with Production(profile="calm", workers=0, MAX_ATTEMPTS=str(ATTEMPTS)) as running, Supervisor() as supervisor:
        for name in ("worker-1", "worker-2"):
            log = running.folder / f"{name}.log"
            supervisor.watch(Watched(name, WORKER, running.environment, log, marks=running.folder))
        client = Client.of(running)
        client.submit(asked)
        client.wait_until_over(90)
        read = books.read(running)
    assert [words.rpartition(" ")[2] for words in supervisor.unasked] == ["11"] * ATTEMPTS
    job = {row.custom_id: row for row in read.jobs}
    poison = job.pop("poison")
    assert (poison.state, poison.attempts, poison.error_code) == ("failed", ATTEMPTS, "timed_out")
    assert {row.state for row in job.values()} == {"completed"}
    # Who was claimed together with it was lost with that worker once; never again, as they travel alone then.
    assert max(row.attempts for row in job.values()) <= 2
    assert read.doctor["is_well"] or _has_no_worker(read)
    assert all(sale.job != f"job_{poison.id.hex}" for sale in read.sales)


def _has_no_worker(read: books.Books) -> bool:
    """Whether nothing else is wrong: one of the workers may be on its way back."""
    return [each["name"] for each in read.doctor["checks"] if not each["is_ok"]] == ["workers"]
