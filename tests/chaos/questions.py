"""Questions: after each fault, what the service says that a few open jobs wait for, and whether that comes true."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile
from random import Random
from typing import Any, Protocol

from tests.chaos.recovery import SLACK_SECONDS
from tests.chaos.system import SETTINGS

OF_EACH_STATE = 2
READY_SECONDS = 5.0
"""How long a job may be next in line with everybody there to claim it."""

OVERDUE_SECONDS = 2 * float(SETTINGS["SWEEP_SECONDS"]) + SLACK_SECONDS
"""How long ago something may have been to end."""

IN_LINE_SECONDS = 15.0
"""The same for a job with others before it in line, and for an overdue task: they are asked for, a few at a time."""

_ASKED_FOR = {"timing_out"}
_NEXT = {"ready", "in_line"}
_AGAIN_SECONDS = 0.2


class Service(Protocol):
    """What is asked; `Load` asks it patiently."""

    def open_batches(self) -> Sequence[str]: ...

    def open_jobs(self, batch_id: str, most: int) -> Sequence[str]:
        """Up to so many of each state."""

    def is_open(self, job_id: str) -> bool: ...

    def why(self, shown: str) -> Sequence[Mapping[str, Any]]: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said of an open job at one moment: its reasons, as the API has them."""

    asked_at: datetime
    reasons: Sequence[Mapping[str, Any]]

    @property
    def is_next(self) -> bool:
        """Whether nothing is said to keep the job from being submitted."""
        return bool(self.reasons) and all(reason["code"] in _NEXT for reason in self.reasons)

    @property
    def overdue(self) -> Mapping[str, datetime]:
        """Reasons that were to have ended by now, and when."""
        until = {each["code"]: datetime.fromisoformat(each["until"]) for each in self.reasons if each.get("until")}
        return {code: instant for code, instant in until.items() if instant < self.asked_at}


def wrong(answers: Sequence[Answer]) -> str | None:
    """What is wrong with the last of these answers, all about one open job and with no fault since the first."""
    first, last = answers[0], answers[-1]
    if not last.reasons:
        return "it is open, and waits for nothing"
    for code, until in last.overdue.items():
        # What passed while a fault was under way could not be seen to before its end.
        over = (last.asked_at - max(until, first.asked_at)).total_seconds()
        if over > (IN_LINE_SECONDS if code in _ASKED_FOR else OVERDUE_SECONDS):
            return f"{code} was to end {over:.1f} s ago"
    standing = list(takewhile(lambda each: each.is_next and _since(each) == _since(last), reversed(answers)))
    seconds = (last.asked_at - standing[-1].asked_at).total_seconds() if standing else 0.0
    allowed = READY_SECONDS if any(reason["code"] == "ready" for reason in last.reasons) else IN_LINE_SECONDS
    return f"nothing has held it for {seconds:.1f} s, and nobody claims it" if seconds > allowed else None


def _since(answer: Answer) -> Sequence[str]:
    """A job that was claimed in between and came back is next in line since another instant."""
    return [reason["since"] for reason in answer.reasons if reason.get("since")]


class Questions:
    """Asked on the client's behalf. `asked`: about how many open jobs; `unexplained`: what was wrong with an answer."""

    def __init__(self, service: Service, random: Random) -> None:
        self._service = service
        self._random = random
        self.asked = 0
        self.unexplained: list[str] = []

    def ask(self) -> None:
        """About some open jobs of one open batch; about each again while its answer has still to come true."""
        answers: dict[str, list[Answer]] = {job_id: [] for job_id in self._some_jobs()}
        doubtful = list(answers)
        while doubtful:
            doubtful = [job_id for job_id in doubtful if self._is_doubtful(job_id, answers[job_id])]
            time.sleep(_AGAIN_SECONDS if doubtful else 0)
        self.asked += sum(map(bool, answers.values()))

    def _some_jobs(self) -> Sequence[str]:
        """Of the first batch found that has open jobs."""
        open_batches = self._service.open_batches()
        for batch_id in self._random.sample(open_batches, len(open_batches)):
            if found := self._service.open_jobs(batch_id, OF_EACH_STATE):
                return found
        return ()

    def _is_doubtful(self, job_id: str, answers: list[Answer]) -> bool:
        """Ask about a job once more; whether it has to be asked about again."""
        reasons = self._service.why(job_id)
        if not reasons and not self._service.is_open(job_id):
            return False
        answer = Answer(datetime.now(UTC), reasons)
        answers.append(answer)
        fault = wrong(answers)
        if fault is not None:
            self.unexplained.append(f"{job_id}: {fault}")
        return fault is None and (answer.is_next or bool(answer.overdue))
