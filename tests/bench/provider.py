"""A provider that costs next to nothing: acknowledges V2 tasks at once, calls back, and keeps a ledger of both.

`python -m tests.bench.provider --port PORT`. Beside the V2 path it answers

    POST /bench/mode     {"calls_back": true, "ack_seconds": 0, "callback_seconds": 0, "connections": 64}
    POST /bench/release  call back for every task that is held
    POST /bench/load     {"url": ..., "number": ...}: call back for tasks that nobody submitted
    POST /bench/forget   begin a new ledger
    GET  /bench/until/acked/NUMBER, /bench/until/answered/NUMBER   once so many tasks are
    GET  /bench/ledger   every task

Times are those of the machine's monotonic clock, which all of its processes share.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from tests.bench import bodies, wire
from tests.bench.caller import Call, Caller


@dataclass(slots=True)
class Task:
    """One submit that was accepted, and how its callback was answered (0: not at all)."""

    task_id: str
    callback_url: str
    metadata: str | None
    acked_at: float
    sent_at: float | None = None
    answered_at: float | None = None
    status: int | None = None


@dataclass(slots=True)
class Mode:
    """What it does with a task."""

    calls_back: bool = True
    ack_seconds: float = 0.0
    callback_seconds: float = 0.0
    connections: int = 64


@dataclass(slots=True)
class Ledger:
    """Every task since the last `forget`, and who waits for how many."""

    tasks: list[Task] = field(default_factory=list)
    held: list[Task] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: {"acked": 0, "answered": 0})
    waiting: list[tuple[str, int, Callable[[], None]]] = field(default_factory=list)

    def count(self, what: str) -> None:
        self.counts[what] += 1
        if self.waiting:
            self.wake()

    def wake(self) -> None:
        ready = [each for each in self.waiting if self.counts[each[0]] >= each[1]]
        for each in ready:
            self.waiting.remove(each)
            each[2]()


class Provider:
    """The whole of it."""

    def __init__(self) -> None:
        self.mode = Mode()
        self.ledger = Ledger()
        self._made = 0
        self._callers: dict[tuple[str, int], Caller] = {}

    def accept(self, callback_url: str, metadata: str | None) -> Task:
        """A new task; it is called back for, or held."""
        self._made += 1
        task = Task(f"5eed0000-0000-7000-8000-{self._made:012d}", callback_url, metadata, time.monotonic())
        self.ledger.tasks.append(task)
        self.ledger.count("acked")
        if self.mode.calls_back:
            _later(self.mode.callback_seconds, lambda: self._call_back(task))
        else:
            self.ledger.held.append(task)
        return task

    def release(self) -> int:
        """Call back for all that is held; how many that were."""
        held, self.ledger.held = self.ledger.held, []
        for task in held:
            self._call_back(task)
        return len(held)

    def _call_back(self, task: Task) -> None:
        _, _, host, path = task.callback_url.split("/", 3)
        ledger = self.ledger

        def on_sent() -> None:
            task.sent_at = time.monotonic()

        def on_answer(status: int) -> None:
            task.answered_at, task.status = time.monotonic(), status
            ledger.count("answered")

        request = wire.post(host, f"/{path}", bodies.result(task.task_id, task.metadata))
        self._caller(host).call(Call(request, on_sent, on_answer))

    def _caller(self, host: str) -> Caller:
        key = (host, self.mode.connections)
        if key not in self._callers:
            name, _, port = host.partition(":")
            self._callers[key] = Caller(name, int(port), self.mode.connections)
        return self._callers[key]


class Conversation(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (message := wire.take(self._buffer)) is not None:
            if message.target == "POST /api/v2/task/async":
                self._submit(message.body)
            else:
                self._control(message)

    def _submit(self, body: bytes) -> None:
        asked = json.loads(body)
        task = self._provider.accept(asked["callback_url"], asked.get("metadata"))
        answer = wire.answer(b'{"task_id": "%s"}' % task.task_id.encode())
        _later(self._provider.mode.ack_seconds, lambda: self._transport.write(answer))

    def _control(self, message: wire.Message) -> None:
        provider, ledger = self._provider, self._provider.ledger
        match message.target.split("/bench/")[-1].split("/"):
            case ["mode"]:
                provider.mode = Mode(**json.loads(message.body))
                self._answer(asdict(provider.mode))
            case ["release"]:
                self._answer(provider.release())
            case ["load"]:
                asked = json.loads(message.body)
                self._answer([provider.accept(asked["url"], None).task_id for _ in range(asked["number"])][:1])
            case ["forget"]:
                provider.ledger = Ledger()
                self._answer(len(ledger.tasks))
            case ["until", what, number]:
                ledger.waiting.append((what, int(number), lambda: self._answer(ledger.counts)))
                ledger.wake()
            case ["ledger"]:
                self._answer([asdict(task) for task in ledger.tasks])
            case _:
                self._transport.write(wire.answer(b"{}", b"404 Not Found"))

    def _answer(self, content: object) -> None:
        self._transport.write(wire.answer(json.dumps(content).encode()))


def _later(seconds: float, action: Callable[[], None]) -> None:
    if seconds:
        asyncio.get_running_loop().call_later(seconds, action)
    else:
        action()


async def _serve(port: int) -> None:
    provider = Provider()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Conversation(provider), "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    asyncio.run(_serve(parser.parse_args().port))
