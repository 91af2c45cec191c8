"""The emulated provider: books tasks, calls back, answers; the faults come from the dice."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from random import getrandbits
from threading import Event, Lock
from uuid import uuid1

from app.sandbox.answers import Answer, answer_to_submit, answer_to_sync
from app.sandbox.callbacks import Courier, Delivery
from app.sandbox.chats import Chat
from app.sandbox.completions import answer_to_chat
from app.sandbox.config import SandboxConfig
from app.sandbox.dice import Dice, Turn
from app.sandbox.forwarding import Forwarder, Once
from app.sandbox.keys import KeyRing
from app.sandbox.ledger import Ledger, Refused
from app.sandbox.profiles import profile_named
from app.sandbox.refusals import Refusal
from app.sandbox.results import answer_for, bytes_of, charge_for
from app.sandbox.submissions import Submission
from app.sandbox.switches import Switches
from app.sandbox.tasks import SentCallback, Task
from app.sandbox.words import FaultError

TOO_LONG = "6"


class Sandbox:
    """One emulated provider and all its state."""

    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self.keys = KeyRing(config.keys)
        self.dice = Dice(profile_named(config.profile), config.seed)
        self.ledger = Ledger()
        self._courier = Courier(config.callback_workers, config.callback_timeout)
        self._closing = Event()
        self._forward = (
            Forwarder(config.forward_to, config.forward_model, config.forward_key) if config.forward_to else None
        )
        self._id_lock = Lock()
        self._node = getrandbits(48) | 1 << 40  # RFC 9562, 6.10: a random node sets the multicast bit

    def submit(self, submission: Submission) -> Answer:
        """Take an asynchronous task: book it, arrange its callback, answer.

        Raises:
            Refusal: 400, the prompt's directive can't be read.
        """
        turn = self._roll(submission)
        task = self._book(submission, turn)
        if task is not None:
            self._call_back(task)
        answer = answer_to_submit(turn.switches, task)
        return self._finish(submission, turn, task, answer)

    def run(self, submission: Submission) -> Answer:
        """Take a sync task: book it, wait for its result, answer with it.

        Raises:
            Refusal: 400, the prompt's directive can't be read.
        """
        return self._run(submission, self._roll(submission), answer_to_sync)

    def chat(self, chat: Chat) -> Answer:
        """Take a V3 request: a sync task with an answer of another form.

        Raises:
            Refusal: 400, the prompt's directive can't be read, or the answer would have to be streamed.
        """
        turn = self._roll(chat.submission)
        if (turn.switches.stream_only or self.config.stream_only) and not chat.is_streamed:
            raise Refusal(400, "this model serves streams only: set stream to true")
        return self._run(chat.submission, turn, partial(answer_to_chat, chat))

    def finished_task(self, task_id: str) -> Task | None:
        """The task if its result is there, None if not yet.

        Raises:
            Refusal: 404, there is no such task.
        """
        task = self.ledger.find(task_id)
        if task is None:
            raise Refusal(404, "Task not found")
        return task if task.ready <= time.monotonic() else None

    def trigger_callback(self, task_id: str) -> None:
        """Send the callback of a finished task once more, whatever happened to the first.

        Raises:
            Refusal: 404 for an unknown task; 400 for one without result yet or without callback URL.
        """
        task = self.finished_task(task_id)
        if task is None or task.submission.callback_url is None:
            raise Refusal(400, "The task isn't completed" if task is None else "The task has no callback_url")
        self._deliver(task, "triggered", time.monotonic())

    def settle(self, seconds: float) -> bool:
        """Wait until every callback was sent, so many seconds at most; say whether it is so."""
        return self._courier.settle(seconds)

    def reset(self) -> None:
        """Go back to the beginning: configured profile and keys, empty ledger, no callback waiting."""
        self._courier.drop_waiting()
        self.dice.reset()
        self.keys.reset()
        self.ledger.reset()

    def close(self) -> None:
        """End every wait and every thread; callbacks that were not sent are dropped."""
        self._closing.set()
        self._courier.close()

    def _run(self, submission: Submission, turn: Turn, answer_to: Callable[[Switches, Task | None], Answer]) -> Answer:
        task = self._book(submission, turn)
        if task is not None:
            self._closing.wait(max(0.0, task.ready - time.monotonic()))
            self.ledger.answered(task)
        return self._finish(submission, turn, task, answer_to(turn.switches, task))

    def _roll(self, submission: Submission) -> Turn:
        try:
            return self.dice.roll(submission.prompt, submission.prompt_hash, is_sync=submission.callback_url is None)
        except FaultError as error:
            raise Refusal(400, str(error)) from error

    def _book(self, submission: Submission, turn: Turn) -> Task | None:
        if not turn.switches.books:
            return None
        with self._id_lock:  # the library's time-based ids may repeat between threads
            task_id = str(uuid1(self._node))
        task = Task(
            task_id=task_id,
            submission=submission,
            switches=turn.switches,
            number=turn.number,
            accepted_at=datetime.now(UTC),
            ready=time.monotonic() + self._seconds_for(turn),
            charge=charge_for(submission.prompt, submission.system_prompt),
            fail=TOO_LONG if len(submission.prompt) > self.config.max_characters else turn.switches.fail,
            say=self._answer_of(submission),
        )
        self.ledger.book(task)
        return task

    def _answer_of(self, submission: Submission) -> Callable[[], str | None]:
        if self._forward is None:
            return partial(answer_for, submission.prompt, submission.system_prompt)
        return Once(partial(self._forward, submission.chat))

    def _seconds_for(self, turn: Turn) -> float:
        shortest, longest = self.config.latency
        latency = shortest + turn.luck * (longest - shortest)
        return latency + turn.switches.delay + (self.config.late_seconds if turn.switches.late else 0.0)

    def _call_back(self, task: Task) -> None:
        switches = task.switches
        if switches.lost:
            return
        kinds = [kind for kind in ("before_ack", "reordered", "late") if getattr(switches, kind)]
        first = self._deliver(task, kinds[0] if kinds else "plain", task.ready)
        for kind in ("duplicate", "resent"):
            if getattr(switches, kind):
                self._deliver(task, kind, task.ready + self.config.repeat_seconds)
        if switches.before_ack:
            first.done.wait()

    def _deliver(self, task: Task, kind: str, due: float) -> Delivery:
        def body() -> bytes:
            return bytes_of(task, datetime.now(UTC) if kind in ("resent", "triggered") else None)

        def record(sent: SentCallback) -> None:
            self.ledger.called_back(task, sent)

        is_reordered = kind == "reordered"
        due += self.config.reorder_seconds if is_reordered else 0.0
        delivery = Delivery(task.submission.callback_url or "", kind, due, body, record, is_reordered)
        self._courier.schedule(delivery)
        return delivery

    def _finish(self, submission: Submission, turn: Turn, task: Task | None, answer: Answer) -> Answer:
        if task is None:
            status = turn.switches.return_code or answer.status
            of = (submission.prompt_hash, submission.metadata, turn.switches.words)
            self.ledger.refuse(Refused(datetime.now(UTC), status, "by switch", *of))
        self._closing.wait(turn.switches.ack_delay)
        return answer
