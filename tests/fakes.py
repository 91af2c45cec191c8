"""One fake per edge: a provider that does what the test says, and a doorbell that remembers."""

import json
from collections import deque
from collections.abc import Callable
from typing import Any

from app.outbound.webhooks import Message, Reply
from app.providers.base import (
    Accepted,
    Lookup,
    NotKnown,
    Reading,
    Submission,
    SubmitOutcome,
)
from app.providers.dialogues import Dialogue
from app.providers.hive_v2 import HiveV2
from app.queue import Ring


class FakeProvider:
    """A provider in memory: its dialogues make no request.

    It accepts every submit as `task-1`, `task-2`, ... unless told otherwise.

    `script` holds what the next submits do: an outcome, or a function from the submission to one, which may also call
    back before it returns. `submissions` is what it saw. Bodies are read as the real V2 provider reads them.
    """

    name = "hive_v2"

    def __init__(self) -> None:
        self.submissions: list[Submission] = []
        self.script: deque[SubmitOutcome | Callable[[Submission], SubmitOutcome]] = deque()
        self.tasks: dict[str, Lookup] = {}
        self.asked: list[str] = []
        self.can_read_back = False
        self._real = HiveV2(
            base_url="http://127.0.0.1:9",
            keys=("k",),
            permanent_codes=("9",),
            task_path=None,
        )

    def submit(self, submission: Submission) -> Dialogue[SubmitOutcome]:
        self.submissions.append(submission)
        number = len(self.submissions)
        step = self.script.popleft() if self.script else Accepted(f"task-{number}", 200)
        return step(submission) if callable(step) else step
        yield

    def read(self, body: bytes) -> Reading:
        return self._real.read(body)

    def look_up(self, task_id: str) -> Dialogue[Lookup]:
        self.asked.append(task_id)
        return self.tasks.get(task_id, NotKnown("no such task"))
        yield


class FakeOutside:
    """The way from outside to this installation: open, unless `script` says next what goes wrong.

    `asked` is what it was asked for; `broken`, if set, goes wrong every time.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.broken: str | None = None
        self.script: deque[str | None] = deque()

    def ask(self, url: str, proof: str) -> str | None:
        assert proof
        self.asked.append(url)
        return self.script.popleft() if self.script else self.broken


class FakeReceivers:
    """Everybody who is sent webhooks: `received` is what came; they answer 200 unless `script` says what comes next.

    `usual`, if set, is what they answer every time that the script says nothing of.
    """

    def __init__(self) -> None:
        self.received: list[Message] = []
        self.usual = 200
        self.script: deque[int | Reply | Callable[[Message], int]] = deque()

    def send(self, message: Message) -> Reply:
        self.received.append(message)
        said = self.script.popleft() if self.script else self.usual
        said = said(message) if callable(said) else said
        return said if isinstance(said, Reply) else Reply(said, None, "POST / HTTP/1.1", f"HTTP/1.1 {said}")

    def bodies(self) -> list[dict[str, Any]]:
        """What came, as JSON."""
        return [json.loads(message.body) for message in self.received]


class RecordingDoorbell:
    """Remembers for whom it was rung."""

    def __init__(self) -> None:
        self.rings: list[str] = []
        self.last: Ring | None = None

    def ring(self, provider: str) -> None:
        self.rings.append(provider)

    def close(self) -> None:
        """Nothing to end."""


def success(
    text: str = "an answer", *, task_id: str | None = None, metadata: str | None = None, charge: str = "0.0002"
) -> bytes:
    """The body of a callback for a task that succeeded."""
    output = [{"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}]
    entry = {"status": {"code": "0", "message": "SUCCESS"}, "response": {"input": {"charge": charge}, "output": output}}
    return _body(task_id, metadata, [entry])


def failure(code: str = "5", *, task_id: str | None = None, metadata: str | None = None) -> bytes:
    """The body of a callback for a task that failed; the fake's permanent code is 9."""
    return _body(task_id, metadata, [{"status": {"code": code, "message": "MODEL_ERROR"}}])


def unrecognised(*, task_id: str | None = None) -> bytes:
    """The body of a callback for a task that succeeded with nothing in it that is known as text."""
    entry = {"status": {"code": "0", "message": "SUCCESS"}, "response": {"input": {"charge": 0.0002}, "blob": "??"}}
    return _body(task_id, None, [entry])


def _body(task_id: str | None, metadata: str | None, status: list[object]) -> bytes:
    body: dict[str, object] = {"status": status, "from_cache": False}
    if task_id is not None:
        body["id"] = task_id
    if metadata is not None:
        body["metadata"] = metadata
    return json.dumps(body).encode()
