"""Servers on loopback that misbehave on demand: raw sockets, so that every byte and every reset is ours."""

import contextlib
import json
import os
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self


@dataclass(frozen=True)
class Received:
    """One request as it arrived; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Line:
    """The server's end of one connection."""

    def __init__(self, conn: socket.socket, stopping: threading.Event) -> None:
        self.conn, self.stopping = conn, stopping

    def send(self, data: bytes) -> None:
        self.conn.sendall(data)

    def reset(self) -> None:
        self.conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.conn.detach())  # close() would wait for the stream that reads it


Act = Callable[[Line], None]


def answer(status: int = 200, body: bytes = b"{}", **headers: str) -> Act:
    """A whole answer on a connection that stays open."""
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return raw("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def says(fields: object, status: int = 200, **headers: str) -> Act:
    return answer(status, json.dumps(fields).encode(), **headers)


def raw(data: bytes) -> Act:
    return lambda line: line.send(data)


def raw_then_close(data: bytes) -> Act:
    def act(line: Line) -> None:
        line.send(data)
        line.conn.shutdown(socket.SHUT_RDWR)

    return act


def hang_up(line: Line) -> None:
    line.conn.shutdown(socket.SHUT_RDWR)


def reset(line: Line) -> None:
    line.reset()


def read_some_then_reset(line: Line) -> None:
    line.conn.recv(1)
    line.reset()


def hang(line: Line) -> None:
    line.stopping.wait()


def in_turn(*acts: Act) -> Act:
    def act(line: Line) -> None:
        for each in acts:
            each(line)

    return act


def in_chunks(*pieces: bytes | threading.Event) -> Act:
    """A whole answer in chunks; an event among them is waited for."""
    head = b"HTTP/1.1 200 Said\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    acts = [wait_for(each) if isinstance(each, threading.Event) else raw(_chunk(each)) for each in pieces]
    return in_turn(raw(head), *acts, raw(b"0\r\n\r\n"))


def _chunk(piece: bytes) -> bytes:
    return f"{len(piece):x}\r\n".encode() + piece + b"\r\n"


def wait_for(event: threading.Event) -> Act:
    def act(line: Line) -> None:
        event.wait(5)

    return act


def drip(start: bytes) -> Act:
    """`start`, then a byte every 20 ms until the test is over."""

    def act(line: Line) -> None:
        line.send(start)
        while not line.stopping.wait(0.02):
            line.send(b"x")

    return act


def tls_with(certificate: Path) -> ssl.SSLContext:
    """A server's context with this certificate and its key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


class Server:
    """Answers the n-th request, over all connections, with the n-th act, and every later one with the last.

    `greet` takes a connection over before any request is read.
    """

    def __init__(self, *acts: Act, greet: Act | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.received: list[Received] = []
        self.connections = 0
        self._acts, self._greet, self._tls = acts, greet, tls
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        for sock in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        self._listener.close()

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while not self._stopping.is_set():
                conn, _ = self._listener.accept()
                self._open.append(conn)
                self.connections += 1
                self._start(self._serve, conn)

    def _serve(self, conn: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.closing(conn):
            served = self._tls.wrap_socket(conn, server_side=True) if self._tls else conn
            line = Line(served, self._stopping)
            if self._greet:
                self._greet(line)
                return
            with served, served.makefile("rb") as stream:
                while request := _read(stream):
                    self._next_act(request)(line)

    def _next_act(self, request: Received) -> Act:
        with self._lock:
            self.received.append(request)
            return self._acts[min(len(self.received), len(self._acts)) - 1]


def _read(stream: BinaryIO) -> Received | None:
    first = stream.readline().decode("latin-1").split()
    if len(first) != 3:
        return None
    headers = {}
    while line := stream.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return Received(first[0], first[1], headers, stream.read(int(headers.get("content-length", 0))))
