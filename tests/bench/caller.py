"""The benchmark's load: requests over kept-alive connections to one address, each with one request under way."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from tests.bench import wire


@dataclass(frozen=True, slots=True)
class Call:
    """A request. `on_sent` is called as it leaves, `on_answer` with the status that came, 0 if none did."""

    request: bytes
    on_sent: Callable[[], None]
    on_answer: Callable[[int], None]


class Caller:
    """Makes calls in order over up to `connections` connections; those that break are opened again when needed."""

    def __init__(self, host: str, port: int, connections: int) -> None:
        self._address = (host, port)
        self._most = connections
        self._waiting: deque[Call] = deque()
        self._idle: list[_Line] = []
        self._open = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def call(self, call: Call) -> None:
        """Make this call as soon as a connection is free."""
        self._waiting.append(call)
        self._go_on()

    def _go_on(self) -> None:
        while self._waiting and self._idle:
            self._idle.pop().send(self._waiting.popleft())
        if self._waiting and self._open < self._most:
            self._open += 1
            task = asyncio.get_running_loop().create_task(self._connect())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _connect(self) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: _Line(self), *self._address)
        except OSError:
            self.closed(None)
            while self._waiting and not self._open:
                self._waiting.popleft().on_answer(0)

    def free(self, line: "_Line") -> None:
        """This connection can take the next call."""
        self._idle.append(line)
        self._go_on()

    def closed(self, line: "_Line | None") -> None:
        """This connection is gone, or could not be opened."""
        self._open -= 1
        if line in self._idle:
            self._idle.remove(line)
        if line is not None:
            self._go_on()


class _Line(asyncio.Protocol):
    """One connection."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._call: Call | None = None
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._caller.free(self)

    def send(self, call: Call) -> None:
        self._call = call
        call.on_sent()
        self._transport.write(call.request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._call is not None and (message := wire.take(self._buffer)) is not None:
            call, self._call = self._call, None
            call.on_answer(message.status)
            self._caller.free(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._caller.closed(self)
        if self._call is not None:
            self._call.on_answer(0)
