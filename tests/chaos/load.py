"""The client: it submits batches all along, comes again until it is told 201, and logs every 201."""

import json
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import requests

from tests.e2e.client import Asked, Client

MOST_OPEN = 400
PACE_SECONDS = 2.5
"""Over how long it spreads the jobs that it is given at once."""

LARGE_SHARE = 0.05
"""Of the batches: those whose requests are so large that the service keeps them in files."""
PADDING = " and so on" * 4000
"""Makes a prompt one of 40 KB, and eight of them a request that web keeps in a file."""

_AGAIN_SECONDS = 0.2
_PATIENCE_SECONDS = 120.0
_OPEN = ("queued", "submitting", "waiting")
_FINALS = ("completed", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Accepted:
    """A batch that the client was told of, and what it asked for in it. `tries`: how often it sent the request."""

    batch_id: str
    jobs: tuple[Asked, ...]
    tries: int


class Load(Client):
    """A client with patience, in two threads: one submits what it is given, the other looks how far it is."""

    def __init__(self, url: str, key: str, log: Path, jobs: int, random: Random) -> None:
        super().__init__(url, key)
        self.log: list[Accepted] = []
        self._file = log.open("a")
        self._logging = threading.Lock()
        self._total = jobs
        self._besides = 0
        self._given = (0, 0, 0.0)
        self._random = random
        self._ended: dict[str, int] = {}
        self._is_final: set[str] = set()
        self._error: BaseException | None = None
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._guarded, args=(run,)) for run in (self._submit_all, self._look)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def give(self, jobs: int) -> None:
        """So many more may be submitted, one after the other."""
        self._given = (self._allowed(), min(self._total, self._given[1] + jobs), time.monotonic())

    def submit(self, jobs: Sequence[Asked]) -> str:
        """Send these besides, as one batch, until the service has it; its id."""
        self._besides += len(jobs)
        return self._submit_one(tuple(jobs))

    def offer(self, jobs: Sequence[Asked]) -> requests.Response | None:
        """Send these once, as one batch that it does not want to have any more; what was said, None for nothing."""
        body = json.dumps({"jobs": [job.to_json() for job in jobs]})
        headers = self._headers | {"Content-Type": "application/json"}
        return _asked_once("POST", self._url, headers, {"data": body})

    def stop(self) -> None:
        """End both threads. Raises what went wrong in them."""
        self._is_over.set()
        for thread in self._threads:
            thread.join()
        self._file.close()
        self.check()

    def check(self) -> None:
        """Raise what went wrong in a thread of it."""
        if self._error is not None:
            raise self._error

    @property
    def jobs_accepted(self) -> int:
        return sum(len(each.jobs) for each in self.log)

    @property
    def jobs_ended(self) -> int:
        """How many jobs are over, as far as it has heard."""
        return sum(self._ended.values())

    @property
    def is_done(self) -> bool:
        """Whether all is submitted and every batch is over."""
        return self.jobs_accepted == self._total + self._besides and len(self._is_final) == len(self.log)

    def open_batches(self) -> Sequence[str]:
        """Those that it has not seen end."""
        return [each.batch_id for each in list(self.log) if each.batch_id not in self._is_final]

    def why(self, shown: str) -> Sequence[Mapping[str, Any]]:
        """What a batch or a job waits for, as the service says."""
        of = "jobs" if shown.startswith("job_") else "batches"
        answer = self._patiently("GET", f"{self._url.removesuffix('batches')}{of}/{shown}/why")
        reasons: Sequence[Mapping[str, Any]] = answer.json()["reasons"]
        return reasons

    def open_jobs(self, batch_id: str, most: int) -> Sequence[str]:
        """Jobs of a batch that are open, up to so many of each state."""
        return [job_id for state in _OPEN for job_id in self.jobs_in(state, batch_id, most)]

    def jobs_in(self, state: str, batch_id: str, most: int) -> Sequence[str]:
        """Jobs of a batch that are in this state, up to so many."""
        answer = self._patiently("GET", f"{self._url}/{batch_id}/jobs?state={state}&limit={most}")
        return [job["id"] for job in answer.json()["items"]]

    def is_open(self, job_id: str) -> bool:
        """Whether a job still is."""
        answer = self._patiently("GET", f"{self._url.removesuffix('batches')}jobs/{job_id}")
        return answer.json()["state"] in _OPEN

    def _guarded(self, run: Any) -> None:
        try:
            run()
        except BaseException as error:  # noqa: BLE001 - the run's own thread raises it
            self._error = error

    def _allowed(self) -> int:
        """How many jobs may have been submitted by now."""
        before, after, since = self._given
        return before + int((after - before) * min(1.0, (time.monotonic() - since) / PACE_SECONDS))

    def _submit_all(self) -> None:
        number = 0
        while number < self._total and not self._is_over.is_set():
            room = min(self._allowed() - number, MOST_OPEN - self.jobs_accepted + self.jobs_ended)
            wanted = min(self._random.randint(5, 40), self._total - number)
            if room < wanted:
                time.sleep(0.02)
                continue
            is_large = self._random.random() < LARGE_SHARE
            self._submit_one(tuple(_asked(position, is_large) for position in range(number, number + wanted)))
            number += wanted

    def _submit_one(self, jobs: tuple[Asked, ...]) -> str:
        """Send the same request until the service says that it has the batch, now or from before; its id."""
        body = json.dumps({"jobs": [job.to_json() for job in jobs]})
        headers, tries = {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}, [0]
        answer = self._patiently("POST", self._url, tries, data=body, headers=headers)
        assert answer.status_code in (200, 201), answer.text
        accepted = Accepted(answer.json()["id"], jobs, tries[0])
        with self._logging:
            told = {"id": accepted.batch_id, "jobs": [job.custom_id for job in jobs]}
            print(json.dumps(told), file=self._file, flush=True)
            self.log.append(accepted)
            self.accepted |= dict.fromkeys((job.custom_id for job in jobs), accepted.batch_id)
        return accepted.batch_id

    def _look(self) -> None:
        while not self._is_over.wait(0.1):
            for batch_id in self.open_batches():
                if self._is_over.is_set():
                    return
                batch = self._patiently("GET", f"{self._url}/{batch_id}").json()
                self._ended[batch_id] = sum(batch["counts"][state] for state in _FINALS)
                if batch["finalized_at"]:
                    self._is_final.add(batch_id)

    def _patiently(self, method: str, url: str, tries: list[int] | None = None, **arguments: Any) -> requests.Response:
        """Ask until there is an answer that says something else than 'later'."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        headers = self._headers | arguments.pop("headers", {})
        while True:
            if tries is not None:
                tries[0] += 1
            answer = _asked_once(method, url, headers, arguments)
            if answer is not None and answer.status_code < 500:
                return answer
            said = "nothing" if answer is None else f"{answer.status_code} {answer.text[:300]}"
            assert time.monotonic() < deadline, f"{method} {url} got {said} for {_PATIENCE_SECONDS:g} s"
            if self._is_over.wait(_AGAIN_SECONDS):
                raise InterruptedError(f"{method} {url} got {said}, then the run was over")

    def _get(self, path: str) -> requests.Response:
        answer = self._patiently("GET", self._url + path)
        assert answer.status_code == 200, answer.text
        return answer


def _asked_once(method: str, url: str, headers: dict[str, str], arguments: dict[str, Any]) -> requests.Response | None:
    try:
        return requests.request(method, url, headers=headers, timeout=(3, 10), **arguments)
    except requests.RequestException:
        return None


def _asked(position: int, is_large: bool) -> Asked:
    """A prompt that can be answered, unlike any other; a large one has 40 KB."""
    text = f"Question {position}: who is number {position}? Größe {position} 東京" + is_large * PADDING
    return Asked(f"job/{position}", text, "Answer in one line." if position % 7 == 0 else None)
