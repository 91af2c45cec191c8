"""Batches over HTTP: submit, look, fetch results, cancel, retry, remove."""

from flask import Blueprint, Response, request, url_for

from app import ids
from app.api import queries, render
from app.api.body import JSON, NDJSON, received
from app.api.context import owner, runtime
from app.api.intake import read_batch
from app.api.operations import Answer, Operation
from app.api.problems import parsed
from app.api.schemas.inputs import (
    BatchHead,
    BatchIn,
    BatchListQuery,
    ChosenIn,
    JobIn,
    JobListQuery,
    StateQuery,
)
from app.api.schemas.outputs import BatchOut, BatchPageOut, CancelledOut, JobPageOut, ResultLineOut, RetriedOut
from app.api.submissions import HEADERS, REPLAYED, submit, terms
from app.services import batches, results, status

blueprint = Blueprint("batches", __name__, url_prefix="/api/batches")


@blueprint.post("")
@Operation(
    summary="Submit a batch: one JSON document, or one job a line with the rest in the query",
    auth="key",
    bodies={JSON: BatchIn, NDJSON: JobIn},
    needs_body=True,
    query=BatchHead,
    headers=HEADERS,
    answers={
        201: Answer("The batch is stored.", BatchOut, headers={"Location": "Where it is."}),
        200: Answer("It was stored before.", BatchOut, headers={"Location": "Where it is.", **REPLAYED}),
    },
    problems=(409, 413, 415),
)
def create_batch() -> Response:
    """Store a batch, all of it or nothing."""
    settings = runtime().settings
    with received(request, {JSON: settings.max_json_bytes, NDJSON: settings.max_body_bytes}) as body:
        created = submit(body, request.headers, lambda: read_batch(body, request.args, terms()))
    batch = BatchOut.model_validate(created.batch)
    headers = {"Location": url_for("batches.get_batch", batch_id=ids.show("batch", created.batch.id))}
    if created.is_replay:
        return render.answer(batch, 200, headers=headers | REPLAYED)
    return render.answer(batch, 201, headers=headers)


@blueprint.get("")
@Operation(
    summary="List batches, the newest first",
    auth="key",
    query=BatchListQuery,
    answers={200: Answer("One page.", BatchPageOut)},
)
def list_batches() -> Response:
    """One page of the owner's batches."""
    query = queries.read(BatchListQuery, request.args)
    with queries.as_parameters():
        page = status.batches(runtime(), owner(), query.cursor, query.limit)
    return render.answer(BatchPageOut.model_validate(page))


@blueprint.get("/<batch_id>")
@Operation(
    summary="See how far a batch is",
    auth="key",
    answers={200: Answer("The batch.", BatchOut)},
    problems=(404,),
)
def get_batch(batch_id: str) -> Response:
    """One batch."""
    view = status.batch(runtime(), owner(), ids.read("batch", batch_id))
    return render.answer(BatchOut.model_validate(view))


@blueprint.delete("/<batch_id>")
@Operation(
    summary="Remove a finished batch with all that it holds",
    auth="key",
    answers={204: Answer("It is gone.")},
    problems=(404, 409),
)
def delete_batch(batch_id: str) -> Response:
    """Remove a batch that is over."""
    batches.delete(runtime(), owner(), ids.read("batch", batch_id))
    return render.nothing()


@blueprint.get("/<batch_id>/jobs")
@Operation(
    summary="List the jobs of a batch in input order",
    auth="key",
    query=JobListQuery,
    answers={200: Answer("One page.", JobPageOut)},
    problems=(404,),
)
def list_jobs(batch_id: str) -> Response:
    """One page of a batch's jobs."""
    query = queries.read(JobListQuery, request.args)
    with queries.as_parameters():
        page = status.jobs(
            runtime(),
            owner(),
            ids.read("batch", batch_id),
            states=query.state,
            custom_id=query.custom_id,
            cursor=query.cursor,
            limit=query.limit,
        )
    return render.answer(JobPageOut.model_validate(page))


@blueprint.get("/<batch_id>/results")
@Operation(
    summary="Fetch the results so far, one job a line in input order",
    auth="key",
    is_long=True,
    query=StateQuery,
    answers={
        200: Answer(
            "A stream.", ResultLineOut, NDJSON, headers={"X-Complete": "`true` if no job was open when it began."}
        )
    },
    problems=(404,),
)
def get_results(batch_id: str) -> Response:
    """The results of a batch, written as they are read."""
    query = queries.read(StateQuery, request.args)
    found = results.stream(runtime(), owner(), ids.read("batch", batch_id), query.state)
    lines = (ResultLineOut.of(line) for line in found.lines)
    return render.stream(lines, {"X-Complete": "true" if found.is_complete else "false"})


@blueprint.post("/<batch_id>/cancel")
@Operation(
    summary="Cancel what is still open of a batch, all of it or the named jobs",
    auth="key",
    bodies={JSON: ChosenIn},
    answers={200: Answer("They are cancelled.", CancelledOut)},
    problems=(404, 409, 413, 415),
)
def cancel_batch(batch_id: str) -> Response:
    """Cancel all or some of a batch's open jobs."""
    with received(request, {JSON: runtime().settings.max_json_bytes}) as body:
        wanted = parsed(ChosenIn, body.json(default={}))
    cancelled = batches.cancel(runtime(), owner(), ids.read("batch", batch_id), wanted.custom_ids)
    return render.answer(CancelledOut(cancelled=cancelled))


@blueprint.post("/<batch_id>/retry")
@Operation(
    summary="Try failed and cancelled jobs again, in place",
    auth="key",
    bodies={JSON: ChosenIn},
    answers={200: Answer("What it did.", RetriedOut)},
    problems=(404, 409, 413, 415),
)
def retry_batch(batch_id: str) -> Response:
    """Retry all or some of a batch's failed and cancelled jobs."""
    with received(request, {JSON: runtime().settings.max_json_bytes}) as body:
        wanted = parsed(ChosenIn, body.json(default={}))
    retried = batches.retry(runtime(), owner(), ids.read("batch", batch_id), wanted.custom_ids)
    return render.answer(RetriedOut.model_validate(retried))
