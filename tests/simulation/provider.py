"""The provider of the simulated world: it takes, bills and answers as it is told to, honestly or not."""

import json
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

from app.providers.base import (
    Accepted,
    Finished,
    Held,
    Lookup,
    NoReply,
    NotKnown,
    Reading,
    Rejected,
    Running,
    Submission,
    SubmitOutcome,
    Unknown,
)
from app.providers.dialogues import Dialogue
from app.tokens import TokenSigner
from tests.factories import PROVIDER, token_of
from tests.fakes import FakeProvider, failure, success
from tests.simulation.ledger import Ledger, Task

_UNRECOGNISED = (b'"blob"', b'"output"')
"""Where the text is, and where our reader looks for it."""

_READER = FakeProvider()  # it reads bodies as the real one does


class Fate(StrEnum):
    """What becomes of a POST."""

    ACCEPTED = "accepted"
    WITHOUT_ID = "without_id"  # accepted; the ack names no task
    CUT = "cut"  # accepted; the ack is lost
    OVERTAKEN = "overtaken"  # given up by us, accepted later
    DROPPED = "dropped"  # nobody took it, and nobody says so
    SLOW_DOWN = "slow_down"
    UNREACHABLE = "unreachable"
    KEY_REFUSED = "key_refused"
    DENIED = "denied"  # a 429 for what was accepted all the same
    REJECTED = "rejected"


class Says(StrEnum):
    """What a body says of its task."""

    ANSWER = "answer"
    FAILURE = "failure"
    PERMANENT = "permanent"
    UNRECOGNISED = "unrecognised"
    GARBLED = "garbled"
    OF_ANOTHER_JOB = "of_another_job"
    OF_TWO_TASKS = "of_two_tasks"


_AT_ONCE = (Fate.ACCEPTED, Fate.WITHOUT_ID, Fate.CUT, Fate.DENIED)
_ANSWERS: dict[Fate, SubmitOutcome] = {
    Fate.WITHOUT_ID: Unknown("no_task_id", "HTTP 200 without a task id", 200),
    Fate.CUT: Unknown("timed_out", "no answer in time"),
    Fate.OVERTAKEN: Unknown("timed_out", "no answer in time"),
    Fate.DROPPED: Unknown("http_503", "HTTP 503", 503),
    Fate.SLOW_DOWN: Held("rate_limited", "HTTP 429", 7.0, http_status=429),
    Fate.DENIED: Held("rate_limited", "HTTP 429", 3.0, http_status=429),
    Fate.UNREACHABLE: Held("unreachable", "connection refused"),
    Fate.KEY_REFUSED: Held("key_refused", "HTTP 401", needs_operator=True, http_status=401),
    Fate.REJECTED: Rejected("http_422", "HTTP 422", 422),
}
UNFINISHED: tuple[Lookup, ...] = (Running(), NotKnown("no such task"), NoReply("HTTP 503"))


class SimulatedProvider:
    """`fate` decides about each POST, `asked` about each look-up: what the finished task says, or one of `UNFINISHED`.

    `accepted` is called for each new task, `later` with what accepts one that is overtaken. `has_learned`: our reader
    has, and recognises text where it did not before.
    """

    name = PROVIDER

    def __init__(self, ledger: Ledger, signer: TokenSigner, now: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._signer = signer
        self._now = now
        self.fate: Callable[[], Fate] = lambda: Fate.ACCEPTED
        self.asked: Callable[[], Says | Lookup] = lambda: Says.ANSWER
        self.accepted: Callable[[Task], object] = lambda _task: None
        self.later: Callable[[Callable[[], object]], object] = lambda accept: accept()
        self.can_read_back = False
        self.has_learned = False

    def submit(self, submission: Submission) -> Dialogue[SubmitOutcome]:
        subject = self._signer.verify(token_of(submission))
        assert subject is not None
        self._ledger.posted(subject.attempt_id, self._now())
        fate = self.fate()
        if fate in _AT_ONCE:
            task = self._accept(submission, was_denied=fate is Fate.DENIED)
            return Accepted(task.id, 200) if fate is Fate.ACCEPTED else _ANSWERS[fate]
        if fate is Fate.OVERTAKEN:
            self.later(lambda: self._accept(submission, was_denied=False))
        return _ANSWERS[fate]
        yield

    def _accept(self, submission: Submission, *, was_denied: bool) -> Task:
        subject = self._signer.verify(token_of(submission))
        assert subject is not None
        task = self._ledger.accept(subject, submission, was_denied=was_denied)
        self.accepted(task)
        return task

    def read(self, body: bytes) -> Reading:
        return _READER.read(body.replace(*_UNRECOGNISED) if self.has_learned else body)

    def look_up(self, task_id: str) -> Dialogue[Lookup]:
        said = self.asked()
        return Finished(body_of(self._ledger.tasks[task_id], said)) if isinstance(said, Says) else said
        yield


def body_of(task: Task, says: Says, copy: int = 0) -> bytes:
    """A callback's body. Copies of one say the same in other bytes; the zeroth is always the same."""
    body = _body_of(task, says)
    return body[:-1] + b" " * copy + body[-1:]


def _body_of(task: Task, says: Says) -> bytes:
    metadata = task.submission.metadata
    answer = success(task.text, task_id=task.id, metadata=metadata, charge=task.charge)
    match says:
        case Says.ANSWER:
            return answer
        case Says.FAILURE | Says.PERMANENT:
            code = "9" if says is Says.PERMANENT else "5"
            return failure(code, task_id=task.id, metadata=metadata)
        case Says.UNRECOGNISED:
            return answer.replace(*reversed(_UNRECOGNISED))
        case Says.GARBLED:
            return answer[: len(answer) // 2]
        case Says.OF_ANOTHER_JOB:
            return success("another's", task_id=task.id, metadata="job_" + 32 * "0", charge=task.charge)
        case Says.OF_TWO_TASKS:
            return json.dumps(json.loads(answer) | {"task_id": "task-of-another"}).encode()
