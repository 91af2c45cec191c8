"""A stop with the settings that nobody has touched, and a provider that is slow to answer or never does."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from sqlalchemy import func, select

from app import ids
from app.db import Database
from app.models import attempts, jobs, worker_beats
from tests.e2e.client import Asked, Client
from tests.e2e.processes import STOP_SECONDS, Processes
from tests.e2e.procfile import Production, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

CONNECTIONS = 16
"""How many submits one worker has under way, if nobody says otherwise."""
SLOW, DEAF = "[[sandbox lost ack_delay=8]]", "[[sandbox lost ack_delay=60]]"
"""A submit may take 15 s, if nobody says otherwise. Both are taken, and paid for; no callback comes meanwhile."""
TEXTS = {f"job-{number}": f"Question {number} {SLOW if number % 2 else DEAF}" for number in range(200)}


class Left:
    """What is in the database once all processes have ended."""

    def __init__(self, url: str) -> None:
        database = Database(url)
        with database.reading() as connection:
            self.jobs = {ids.show("job", row.id): row.state for row in connection.execute(select(jobs))}
            told = select(attempts.c.state, attempts.c.provider_task_id.is_not(None))
            self.attempts = Counter((row[0], row[1]) for row in connection.execute(told))
            self.workers = connection.execute(select(func.count()).select_from(worker_beats)).scalar_one()
        database.close()


def submitting(url: str) -> int:
    """How many jobs are in the hands of workers."""
    return list(Left(url).jobs.values()).count("submitting")


def assert_left_in_order(left: Left, sandbox_url: str, workers: int) -> None:
    """No lease; what was sent waits for its callback, what was not waits for a worker; nobody is said to be there."""
    sold = requests.get(f"{sandbox_url}/sandbox/ledger?limit=100000", timeout=20).json()["entries"]
    waiting = {job_id for job_id, state in left.jobs.items() if state == "waiting"}
    assert Counter(left.jobs.values()) == {"waiting": len(waiting), "queued": len(TEXTS) - len(waiting)}
    assert Counter(entry["metadata"] for entry in sold) == dict.fromkeys(waiting, 1)
    assert len(waiting) == workers * CONNECTIONS
    # The slow answers were waited for; of the others nothing is known but that they may have been taken.
    has_task = {("waiting", True): len(waiting) // 2, ("unknown", False): len(waiting) // 2}
    assert {each: number for each, number in left.attempts.items() if each[0] != "refused"} == has_task
    assert left.workers == 0


def stop_together(stops: Sequence[Callable[[], int]]) -> Mapping[str, object]:
    """Tell all to stop at once: the exit statuses, and whether it took no longer than it may."""
    began = time.monotonic()
    with ThreadPoolExecutor(len(stops)) as threads:
        statuses = list(threads.map(lambda stop: stop(), stops))
    return {"statuses": set(statuses), "in time": time.monotonic() - began < STOP_SECONDS}


def test_up_ends_within_20_s_and_leaves_nothing_leased(processes: Processes, tmp_path: Path) -> None:
    sandbox = processes.sandbox(tmp_path, "--profile", "calm")
    up = processes.up(tmp_path, HIVEBATCH_HIVE_URL=sandbox, HIVEBATCH_HIVE_KEY="a-key")
    url = f"sqlite:///{tmp_path / 'var' / 'hivebatch.db'}"
    up.submit(TEXTS)
    until(lambda: submitting(url) == CONNECTIONS, 20, "as many jobs as can be are on their way")
    time.sleep(1)
    assert stop_together([up.process.stop]) == {"statuses": {0}, "in time": True}
    assert "Traceback" not in up.process.stderr
    assert_left_in_order(Left(url), sandbox, workers=1)


def test_the_procfile_ends_within_20_s_and_leaves_nothing_leased() -> None:
    with Production(profile="calm", workers=2, times={}) as running:
        client = Client.of(running)
        client.submit([Asked(custom_id, text) for custom_id, text in TEXTS.items()])
        until(lambda: submitting(running.database_url) == 2 * CONNECTIONS, 20, "all workers are busy")
        time.sleep(1)
        processes = [running.web, *running.workers]
        assert stop_together([each.stop for each in processes]) == {"statuses": {0}, "in time": True}
        assert not any("Traceback" in each.printed for each in processes)
        assert_left_in_order(Left(running.database_url), running.sandbox_url, workers=2)
