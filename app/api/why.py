"""Why it waits, over HTTP: of a job, and of a batch."""

from collections.abc import Sequence

from flask import Blueprint, Response

from app import ids
from app.api import render
from app.api.context import owner, runtime
from app.api.operations import Answer, Operation
from app.api.schemas.outputs import ReasonOut, WhyOut
from app.services import why
from app.services.views import ReasonView

blueprint = Blueprint("why", __name__, url_prefix="/api")


@blueprint.get("/jobs/<job_id>/why")
@Operation(
    summary="Ask why a job waits, and what ends that",
    auth="key",
    answers={200: Answer("The reasons, what matters most first; none for a job that is over.", WhyOut)},
    problems=(404,),
)
def why_job(job_id: str) -> Response:
    """Why one job waits."""
    return _answer(why.job(runtime(), owner(), ids.read("job", job_id)))


@blueprint.get("/batches/<batch_id>/why")
@Operation(
    summary="Ask why the open jobs of a batch wait, and what ends that",
    auth="key",
    answers={200: Answer("The reasons, what matters most first; none for a batch that is over.", WhyOut)},
    problems=(404,),
)
def why_batch(batch_id: str) -> Response:
    """Why the open jobs of a batch wait."""
    return _answer(why.batch(runtime(), owner(), ids.read("batch", batch_id)))


def _answer(found: Sequence[ReasonView]) -> Response:
    return render.answer(WhyOut(reasons=[ReasonOut.model_validate(reason) for reason in found]))
