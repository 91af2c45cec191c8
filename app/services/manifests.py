"""Manifests: the hashes of all that a batch was asked and answered, in lines that end with a signature over them."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from app import canonicaljson
from app.clock import now
from app.ids import show
from app.runtime import Runtime
from app.services import status
from app.states import OPEN_JOB_STATES
from app.store import manifests
from app.tokens import ManifestSigner

FORMAT = "hivebatch-manifest-1"

_PAGE = 200


def stream(runtime: Runtime, owner: str | None, batch_id: UUID) -> Iterator[str]:
    """The lines of a batch's manifest, with their line ends: one a job in input order, then the one that signs them.

    Every line is canonical JSON (RFC 8785), so its bytes are known from its value. Read page by page, each in a
    transaction of its own, so a slow reader holds nothing.

    Raises:
        NotFound: no such batch of this owner's.
    """
    with runtime.database.reading() as connection:
        status.find_batch(connection, owner, batch_id)
    return _lines(runtime, batch_id)


def _lines(runtime: Runtime, batch_id: UUID) -> Iterator[str]:
    digest = hashlib.sha256()
    jobs = still_open = 0
    for row in _jobs(runtime, batch_id):
        line = canonicaljson.dumps(_entry(row)) + "\n"
        digest.update(line.encode())
        jobs += 1
        still_open += row.state in OPEN_JOB_STATES
        yield line
    end = {
        "format": FORMAT,
        "batch_id": show("batch", batch_id),
        "jobs": jobs,
        "open": still_open,
        "sha256": digest.hexdigest(),
        "created_at": now().isoformat(),
    }
    yield canonicaljson.dumps(signed(ManifestSigner(runtime.settings.secret_keys), end)) + "\n"


def _jobs(runtime: Runtime, batch_id: UUID) -> Iterator[Any]:
    after = -1
    while True:
        with runtime.database.reading() as connection:
            rows = manifests.page(connection, batch_id, after, _PAGE)
        yield from rows
        if len(rows) < _PAGE:
            return
        after = rows[-1].position


def _entry(row: Any) -> Mapping[str, object]:
    asked = {"text_data": row.text_data, "options": {**row.defaults, **row.options}}
    return {
        "custom_id": row.custom_id,
        "job_id": show("job", row.id),
        "state": row.state,
        "input_sha256": _sha256(canonicaljson.dumps(asked)),
        "result_sha256": None if row.text is None else _sha256(row.text),
    }


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def signed(signer: ManifestSigner, end: Mapping[str, object]) -> Mapping[str, object]:
    """The last line with the name of the key, and its signature over the canonical JSON of all the rest."""
    named = {**end, "key_id": signer.key_id}
    return {**named, "signature": signer.sign(canonicaljson.dumps(named).encode())}


def is_signed(signer: ManifestSigner, end: Mapping[str, Any]) -> bool | None:
    """Whether the last line of a manifest was signed here; None: by a key that isn't known here."""
    named = {name: value for name, value in end.items() if name != "signature"}
    return signer.verify(canonicaljson.dumps(named).encode(), str(end["key_id"]), str(end["signature"]))
