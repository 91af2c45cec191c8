"""Reading a request body to its end into a temporary file, hashed on the way, before anything is decided about it."""

import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO
from urllib.parse import urlencode

from werkzeug import Request
from werkzeug.exceptions import UnsupportedMediaType

from app import strictjson
from app.errors import InputTooLarge

JSON = "application/json"
NDJSON = "application/x-ndjson"

ENVELOPE_BYTES = 1_000_000
"""How much longer a request may be that brings a file as one part of several: their names, headers and boundaries."""

_CHUNK_BYTES = 64 * 1024
_IN_MEMORY_BYTES = 256 * 1024
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Body:
    """A body that arrived whole. `sha256` is of what the request says: path, media type, query and bytes."""

    file: IO[bytes]
    media_type: str
    sha256: str

    def json(self, default: object = None) -> object:
        """The body as one JSON document; an empty one is `default`, unless that is None.

        Raises:
            InvalidInput: it isn't one.
        """
        content = self.file.read().removeprefix(_BOM)
        return default if default is not None and not content.strip() else strictjson.loads(content)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a body, numbered from 1 as an editor does. `content` is None when `size` is beyond the limit."""

    number: int
    size: int
    content: bytes | None


@contextmanager
def received(request: Request, limits: Mapping[str, int]) -> Iterator[Body]:
    """The body of `request`; its file is gone when the block ends. `limits`: bytes by media type, the usual one first.

    Raises:
        UnsupportedMediaType: it is none of these (a request without a body may leave the type out).
        InputTooLarge: it has more bytes than one of its type may have.
    """
    media_type = _media_type(request, list(limits))
    max_bytes = limits[media_type]
    if (request.content_length or 0) > max_bytes:
        raise _too_large(max_bytes, limits)
    digest = hashlib.sha256(_fingerprint(request, media_type))
    with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as file:
        for chunk in chunks(request, max_bytes + 1):
            file.write(chunk)
            digest.update(chunk)
        if file.tell() > max_bytes:
            raise _too_large(max_bytes, limits)
        file.seek(0)
        yield Body(file, media_type, digest.hexdigest())


def chunks(request: Request, max_bytes: int) -> Iterator[bytes]:
    """The first `max_bytes` of a body, in pieces."""
    left = max_bytes
    while left and (chunk := request.stream.read(min(left, _CHUNK_BYTES))):
        left -= len(chunk)
        yield chunk


def _too_large(max_bytes: int, limits: Mapping[str, int]) -> InputTooLarge:
    roomiest = max(limits, key=limits.__getitem__)
    is_told = limits[roomiest] > max_bytes
    return InputTooLarge(max_bytes, hint=f"As {roomiest} it may have {limits[roomiest]}." if is_told else None)


def _media_type(request: Request, allowed: Sequence[str]) -> str:
    if request.content_encoding not in (None, "", "identity"):
        raise UnsupportedMediaType(f"Content-Encoding '{request.content_encoding[:80]}' is not supported.")
    if not request.mimetype and not request.content_length and not request.headers.get("Transfer-Encoding"):
        return allowed[0]
    if request.mimetype not in allowed:
        given = f"'{request.mimetype[:80]}'" if request.mimetype else "missing"
        raise UnsupportedMediaType(f"Content-Type must be {' or '.join(allowed)}; it is {given}.")
    return request.mimetype


def _fingerprint(request: Request, media_type: str) -> bytes:
    query = urlencode(sorted(request.args.items(multi=True)))
    return f"{request.path}\n{media_type}\n{query}\n".encode()


def lines(file: IO[bytes], max_bytes: int) -> Iterator[Line]:
    """The lines of a file that hold something, one at a time, without line ends and byte order mark."""
    enough = max_bytes + len(_BOM) + len(b"\r\n")
    for number, line in enumerate(iter(lambda: file.readline(enough), b""), 1):
        content = line.removeprefix(_BOM) if number == 1 else line
        size = len(content.rstrip(b"\r\n")) + _rest_of_line(file, line)
        if size > max_bytes:
            yield Line(number, size, None)
        elif content.strip():
            yield Line(number, size, content.strip())


def _rest_of_line(file: IO[bytes], line: bytes) -> int:
    """How many bytes follow what was read of a line; they are read past."""
    size = 0
    while line and not line.endswith(b"\n"):
        line = file.readline(_CHUNK_BYTES)
        size += len(line.rstrip(b"\r\n"))
    return size
