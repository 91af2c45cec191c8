"""HTTP/1.1 as the benchmark's own ends of it need it: kept-alive connections and bodies of a known length."""

import re
from dataclasses import dataclass

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Message:
    """A request or an answer: its first line and its body."""

    start: bytes
    body: bytes

    @property
    def status(self) -> int:
        """Of an answer."""
        return int(self.start[9:12])

    @property
    def target(self) -> str:
        """Of a request: method and path."""
        return self.start.rpartition(b" ")[0].decode()


def take(buffer: bytearray) -> Message | None:
    """Remove the first whole message from what has arrived; None if there is none yet."""
    end = buffer.find(_END)
    if end < 0:
        return None
    found = _LENGTH.search(buffer, 0, end)
    whole = end + len(_END) + (int(found[1]) if found else 0)
    if len(buffer) < whole:
        return None
    message = Message(bytes(buffer[: buffer.find(b"\r\n")]), bytes(buffer[end + len(_END) : whole]))
    del buffer[:whole]
    return message


def answer(body: bytes, status: bytes = b"200 OK") -> bytes:
    """An answer of JSON."""
    head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
    return head + body


def post(host: str, path: str, body: bytes) -> bytes:
    """A request that brings JSON."""
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body
