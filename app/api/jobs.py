"""Single jobs over HTTP: submit one, see all of one."""

from flask import Blueprint, Response, request, url_for

from app import ids
from app.api import render
from app.api.body import JSON, received
from app.api.context import owner, runtime
from app.api.intake import read_job
from app.api.operations import Answer, Operation
from app.api.schemas.inputs import SingleJobIn
from app.api.schemas.outputs import JobDetailOut
from app.api.submissions import HEADERS, REPLAYED, submit, terms
from app.services import status

blueprint = Blueprint("jobs", __name__, url_prefix="/api/jobs")


@blueprint.post("")
@Operation(
    summary="Submit one job, as a batch of its own",
    auth="key",
    bodies={JSON: SingleJobIn},
    needs_body=True,
    headers=HEADERS,
    answers={
        201: Answer("The job is stored.", JobDetailOut, headers={"Location": "Where it is."}),
        200: Answer("It was stored before.", JobDetailOut, headers={"Location": "Where it is.", **REPLAYED}),
    },
    problems=(409, 413, 415),
)
def create_job() -> Response:
    """Store one job."""
    with received(request, {JSON: runtime().settings.max_line_bytes}) as body:
        created = submit(body, request.headers, lambda: read_job(body, terms()))
    (first,) = status.jobs(runtime(), owner(), created.batch.id, limit=1).items
    view = JobDetailOut.of(status.job(runtime(), owner(), first.id))
    headers = {"Location": url_for("jobs.get_job", job_id=ids.show("job", first.id))}
    if created.is_replay:
        return render.answer(view, 200, headers=headers | REPLAYED)
    return render.answer(view, 201, headers=headers)


@blueprint.get("/<job_id>")
@Operation(
    summary="See all of one job: its texts, its attempts, what the provider sent",
    auth="key",
    answers={200: Answer("The job.", JobDetailOut)},
    problems=(404,),
)
def get_job(job_id: str) -> Response:
    """One job with its attempts and callbacks."""
    return render.answer(JobDetailOut.of(status.job(runtime(), owner(), ids.read("job", job_id))))
