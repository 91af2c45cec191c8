"""A small TCP proxy: it stands between two parts of the system, and can cut or stall what they say to each other."""

import asyncio
import socket
import struct
import threading
from enum import StrEnum
from typing import Self

_PIECE_BYTES = 65_536
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Mode(StrEnum):
    """What becomes of what is said over a link."""

    PASS = "pass"  # nothing
    CUT = "cut"  # every connection is reset, new ones as soon as they are made
    STALL = "stall"  # connections stand and nothing arrives; what was said meanwhile arrives afterwards
    MUTE = "mute"  # what is asked arrives; instead of its answer comes a reset


class Link:
    """One way through the proxy: from its own `port` to the target's."""

    def __init__(self, name: str, target_port: int) -> None:
        self.name = name
        self.port = 0
        self._target_port = target_port
        self._mode = Mode.PASS
        self._flows = asyncio.Event()
        self._ends: set[asyncio.StreamWriter] = set()

    async def open(self) -> Self:
        self._flows.set()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def close(self) -> None:
        self._server.close()
        _reset(*self._ends)

    async def use(self, mode: Mode) -> None:
        """From now on do that."""
        self._mode = mode
        if mode is Mode.STALL:
            self._flows.clear()
        else:
            self._flows.set()
        if mode is Mode.CUT:
            _reset(*self._ends)

    def lead(self, target_port: int) -> None:
        """From now on new connections go there; those that stand stay where they are, as when a name is moved."""
        self._target_port = target_port

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._mode is Mode.CUT:
            _reset(writer)
            return
        try:
            there, beyond = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            _reset(writer)
            return
        self._ends |= {writer, beyond}
        try:
            await asyncio.gather(self._pump(reader, beyond), self._pump(there, writer, is_answer=True))
        except OSError:
            _reset(writer, beyond)
        finally:
            self._ends -= {writer, beyond}
            writer.close()
            beyond.close()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool = False
    ) -> None:
        while piece := await reader.read(_PIECE_BYTES):
            await self._flows.wait()
            if is_answer and self._mode is Mode.MUTE:
                raise ConnectionResetError
            writer.write(piece)
            await writer.drain()
        writer.write_eof()


class Proxy:
    """All links of a system, in one thread. A context manager."""

    def __init__(self) -> None:
        self.links: dict[str, Link] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def link(self, name: str, target_port: int) -> int:
        """A new link, which passes everything; its port."""
        made = Link(name, target_port)
        self.links[name] = asyncio.run_coroutine_threadsafe(made.open(), self._loop).result()
        return made.port

    def use(self, name: str, mode: Mode) -> None:
        """Have a link do that from now on; it is done when this returns."""
        asyncio.run_coroutine_threadsafe(self.links[name].use(mode), self._loop).result()

    def lead(self, name: str, target_port: int) -> None:
        """Have the new connections of a link go there."""
        self.links[name].lead(target_port)

    async def _close(self) -> None:
        """Break every connection, and wait until nobody speaks any more."""
        for link in self.links.values():
            await link.use(Mode.PASS)
            link.close()
        talks = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*talks, return_exceptions=True)


def _reset(*writers: asyncio.StreamWriter) -> None:
    """Close with a reset, as an aborted connection ends: no orderly end, no lingering."""
    for writer in writers:
        connection: socket.socket = writer.get_extra_info("socket")
        if connection.fileno() >= 0:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        writer.transport.abort()
