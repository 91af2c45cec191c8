"""Drafts: what somebody brings on the page to make a batch of, kept for an hour while they look at it."""

import hashlib
import json
from collections.abc import Mapping
from typing import IO
from uuid import UUID

from app.ids import read as read_id
from app.runtime import Runtime
from app.services import files, keys
from app.services.views import FileView, NewFile

OWNER = ":drafts"
"""Whose they are: nobody's who could have a key, so no list of files shows them."""

DEFAULT_OWNER = "admin"
LIFETIME_SECONDS = 3600


def keep(runtime: Runtime, filename: str, content: IO[bytes]) -> FileView:
    """Keep what was brought.

    Raises:
        InputTooLarge: it has more bytes than one request may bring.
    """
    return files.store(runtime, NewFile(OWNER, filename[:512], "draft", LIFETIME_SECONDS), content)


def find(runtime: Runtime, shown: str) -> tuple[UUID, FileView]:
    """A draft. Raises NotFound: there is none, or its hour is over."""
    file_id = read_id("file", shown)
    return file_id, files.get(runtime, OWNER, file_id)


def once(file_id: UUID, terms: Mapping[str, object]) -> tuple[str, str]:
    """The idempotency key of a draft, and what stands for the request: however often it is sent, it makes one batch."""
    said = json.dumps(terms, sort_keys=True)
    return f"draft-{file_id.hex}", hashlib.sha256(said.encode()).hexdigest()


def owners(runtime: Runtime) -> tuple[str, ...]:
    """Whom a batch may be made for: whoever has a key that opens, and whoever runs the service."""
    found = {key.owner for key in keys.listing(runtime) if key.revoked_at is None}
    return tuple(sorted(found | {DEFAULT_OWNER}))
