"""A client of a running installation that writes down what it was told: every job of every 201."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import requests

from tests.e2e.procfile import Production, until

BATCH = 50


@dataclass(frozen=True)
class Asked:
    """A job as the client sends it. `fate` is None for one that can be answered, else the error it has to end with."""

    custom_id: str
    text_data: str
    system_prompt: str | None = None
    fate: str | None = None

    def to_json(self) -> dict[str, object]:
        options = {} if self.system_prompt is None else {"system_prompt": self.system_prompt}
        return {"custom_id": self.custom_id, "text_data": self.text_data, "options": options}


class Client:
    """One owner. `accepted` is its log of 201s: the batch of each job."""

    def __init__(self, url: str, key: str) -> None:
        self._url = f"{url}/api/batches"
        self.key = key
        self._headers = {"Authorization": f"Bearer {key}"}
        self.accepted: dict[str, str] = {}

    @classmethod
    def of(cls, production: Production) -> Self:
        """A client of this installation with a key of its own."""
        made = production.run("hivebatch keys create e2e")
        assert made.returncode == 0, made.stderr
        return cls(production.url, made.stdout.strip())

    def submit(self, jobs: Sequence[Asked]) -> None:
        """Send jobs in batches of 50."""
        for start in range(0, len(jobs), BATCH):
            part = jobs[start : start + BATCH]
            body = {"jobs": [job.to_json() for job in part]}
            answer = requests.post(self._url, json=body, headers=self._headers, timeout=30)
            assert answer.status_code == 201, answer.text
            self.accepted |= dict.fromkeys((job.custom_id for job in part), answer.json()["id"])

    def batches(self) -> Sequence[Mapping[str, Any]]:
        """The client's batches as they stand."""
        ids = dict.fromkeys(self.accepted.values())
        return [self._get(f"/{batch_id}").json() for batch_id in ids]

    def verifications(self) -> Sequence[Mapping[str, Any]]:
        """What the service finds when it looks through each of them."""
        return [self._get(f"/{batch['id']}/verify").json() for batch in self.batches()]

    def ended(self) -> int:
        """How many jobs are over."""
        finals = ("completed", "failed", "cancelled")
        return sum(batch["counts"][state] for batch in self.batches() for state in finals)

    def wait_until_over(self, seconds: float) -> None:
        """Until each batch is completed, which means that each of its jobs is over."""
        until(lambda: all(each["status"] == "completed" for each in self.batches()), seconds, "all batches are over")

    def results(self) -> Mapping[str, Mapping[str, Any]]:
        """The line of each job in the result streams, by custom id."""
        return {line["custom_id"]: line for lines in self.lines().values() for line in lines}

    def lines(self) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """All lines of the result streams, by batch."""
        found: dict[str, Sequence[Mapping[str, Any]]] = {}
        for batch_id in dict.fromkeys(self.accepted.values()):
            answer = self._get(f"/{batch_id}/results")
            assert answer.headers["X-Complete"] == "true"
            found[batch_id] = [json.loads(line) for line in answer.text.splitlines()]
        return found

    def _get(self, path: str) -> requests.Response:
        answer = requests.get(self._url + path, headers=self._headers, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer
