"""Verification over HTTP: whether a batch hangs together, and a signed list of the hashes of all that is in it."""

from flask import Blueprint, Response, url_for

from app import ids
from app.api import render
from app.api.body import NDJSON
from app.api.context import owner, runtime
from app.api.operations import Answer, Operation
from app.api.schemas.verification import ManifestLineOut, VerificationOut
from app.services import manifests, verification

blueprint = Blueprint("verification", __name__, url_prefix="/api/batches")


@blueprint.get("/<batch_id>/verify")
@Operation(
    summary="Look through a batch: does all that is stored of it fit together",
    auth="key",
    answers={200: Answer("What was found.", VerificationOut)},
    problems=(404,),
)
def verify_batch(batch_id: str) -> Response:
    """Hold a batch against every invariant."""
    found = verification.verify(runtime(), owner(), ids.read("batch", batch_id))
    manifest = url_for("verification.get_manifest", batch_id=ids.show("batch", found.batch_id))
    return render.answer(VerificationOut.of(found, manifest))


@blueprint.get("/<batch_id>/manifest")
@Operation(
    summary="Fetch the hashes of all inputs and results, one job a line in input order, signed by the last line",
    auth="key",
    is_long=True,
    answers={200: Answer("A stream.", ManifestLineOut, NDJSON)},
    problems=(404,),
)
def get_manifest(batch_id: str) -> Response:
    """The manifest of a batch, written as it is read."""
    return render.lines(manifests.stream(runtime(), owner(), ids.read("batch", batch_id)))
