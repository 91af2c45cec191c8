"""What is to be had of a batch as a file, and whether it hangs together."""

from collections.abc import Iterable
from typing import cast, get_args
from uuid import UUID

from flask import Response, request

from app import ids
from app.admin import acting, pages
from app.admin.blueprint import admin, is_long
from app.admin.context import runtime
from app.errors import InvalidInput, Problem
from app.services import audit, exports, manifests, results, status, verification

_TYPES = {"ndjson": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}


@admin.post("/batches/<shown>/results")
@is_long
def download_results(shown: str) -> Response:
    """The results so far with their answers, once it is written down who takes them; `format` says how."""
    wanted = request.form.get("format", "ndjson")
    if wanted not in get_args(exports.Format):
        raise InvalidInput([Problem(f"No file is written as '{wanted[:80]}'.", "/format", value=wanted[:80])])
    found = results.stream(runtime(), None, ids.read("batch", shown))
    audit.note(runtime(), acting.by(), "batch.download", shown)
    return _file(exports.lines(found.lines, cast("exports.Format", wanted)), f"{shown}.{wanted}", _TYPES[wanted])


@admin.get("/batches/<shown>/manifest")
@is_long
def manifest(shown: str) -> Response:
    """The hashes of all that a batch was asked and answered, signed."""
    lines = manifests.stream(runtime(), None, ids.read("batch", shown))
    return _file(lines, f"{shown}.manifest.ndjson", _TYPES["ndjson"])


@admin.get("/batches/<shown>/verify")
@is_long
def verify(shown: str) -> str:
    """What became of every job of a batch, and whether all that is stored of it fits together."""
    batch_id: UUID = ids.read("batch", shown)
    found = verification.verify(runtime(), None, batch_id)
    return pages.verification(found, status.batch(runtime(), None, batch_id))


def _file(lines: Iterable[str], name: str, content_type: str) -> Response:
    return Response(lines, content_type=content_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})
