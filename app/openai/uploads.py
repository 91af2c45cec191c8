"""Uploads: a multipart body, whose file part goes to disk as it is read and is never held whole in memory."""

from typing import IO, Any

from flask import Request

from app.api.body import ENVELOPE_BYTES
from app.config import Settings
from app.errors import InputTooLarge
from app.openai.errors import InvalidRequest
from app.openai.reading import read
from app.openai.schemas import OpenAiUpload
from app.services.views import NewFile

MULTIPART = "multipart/form-data"
_NUL = "\x00"  # which PostgreSQL can not keep

_FILENAME_CHARS = 512


def read_upload(request: Request, settings: Settings, owner: str) -> tuple[NewFile, IO[bytes]]:
    """The file in the request, and what it is for. What it is read from is gone with the request.

    Raises:
        InvalidRequest: it has no file, or a field is wrong.
        InputTooLarge: it has more bytes than one request may bring.
    """
    most = settings.max_body_bytes + ENVELOPE_BYTES
    if (request.content_length or 0) > most:
        raise InputTooLarge(settings.max_body_bytes, "file")
    request.max_content_length = most  # of a body that doesn't say how long it is
    part = request.files.get("file")
    if part is None:
        words = f"Missing required parameter: 'file', a part of a {MULTIPART} body that has a filename."
        raise InvalidRequest(words, "file", "missing_required_parameter")
    fields: dict[str, Any] = {**request.form.to_dict(), "file": part}
    said = read(OpenAiUpload, fields)
    if (said.anchor is None) != (said.seconds is None):
        missing = f"expires_after[{'anchor' if said.anchor is None else 'seconds'}]"
        raise InvalidRequest(f"Missing required parameter: '{missing}'.", missing, "missing_required_parameter")
    filename = (part.filename or "upload").replace(_NUL, "")[:_FILENAME_CHARS]
    return NewFile(owner, filename, said.purpose, said.seconds), part.stream
