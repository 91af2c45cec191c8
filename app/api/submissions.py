"""Taking a submission once: a request that comes again with the same idempotency key finds what it made before."""

import re
from collections.abc import Callable
from dataclasses import replace

from werkzeug.datastructures import Headers

from app.api.body import Body
from app.api.context import owner, runtime
from app.api.intake import Submission, Terms
from app.api.operations import Header
from app.errors import InvalidInput, Problem
from app.services import creation, status
from app.services.views import Created

HEADER = "Idempotency-Key"
REPLAYED = {"Idempotency-Replayed": "true"}

_MAX_CHARS = 255
_MEANING = "The same key with the same request finds the batch that it made before, as long as that is kept."
# Spaces around the value of a header are no part of it.
HEADERS = {HEADER: Header(_MEANING, rf"^[!-~]([ -~]{{0,{_MAX_CHARS - 2}}}[!-~])?$")}


def terms() -> Terms:
    """What this request's submission is held against."""
    return Terms(runtime().settings, owner())


def submit(body: Body, headers: Headers, read: Callable[[], Submission]) -> Created:
    """Store what `read` finds in the body, unless the request was here before.

    Raises:
        InvalidInput: the key or the submission is not valid.
        Conflict: the key was used for another request.
    """
    key = idempotency_key(headers)
    seen = None if key is None else creation.find_replay(runtime(), owner(), key, body.sha256)
    if seen is not None:
        return Created(status.batch(runtime(), owner(), seen), is_replay=True)
    submission = read()
    new = replace(submission.batch, idempotency_key=key, request_sha256=body.sha256)
    return creation.create(runtime(), new, submission.lines)


def idempotency_key(headers: Headers) -> str | None:
    """The key in the header, None without one.

    Raises:
        InvalidInput: it is empty, longer than 255 characters, or has some that can't be printed.
    """
    key = headers.get(HEADER)
    if key is None or re.fullmatch(rf"[ -~]{{1,{_MAX_CHARS}}}", key):
        return key
    words = f"Header '{HEADER}': 1 to {_MAX_CHARS} printable ASCII characters"
    raise InvalidInput([Problem(words, limit=_MAX_CHARS, value=key[:200])])
