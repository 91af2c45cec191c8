"""Batches in OpenAI's words: make one of a file, look, list, cancel."""

from flask import Blueprint, Response, request

from app import ids
from app.api import render
from app.api.body import JSON, received
from app.api.context import owner, runtime
from app.api.operations import Answer
from app.api.submissions import HEADERS, REPLAYED, idempotency_key
from app.errors import NotFound
from app.openai.errors import InvalidRequest
from app.openai.making import make
from app.openai.operations import declare
from app.openai.reading import query, read
from app.openai.schemas import OpenAiBatch, OpenAiBatchList, OpenAiBatchListQuery, OpenAiNewBatch
from app.openai.shown import shown
from app.services import batches, status, usage
from app.services.views import BatchView

blueprint = Blueprint("openai_batches", __name__)


@blueprint.post("/batches")
@declare(
    summary="Make a batch of an uploaded file; what is wrong with the file fails the batch, not the request",
    bodies={JSON: OpenAiNewBatch},
    needs_body=True,
    headers=HEADERS,
    answers={200: Answer("It is stored, or was before.", OpenAiBatch)},
    problems=(409, 413, 415),
)
def create_openai_batch() -> Response:
    """Store a batch."""
    with received(request, {JSON: runtime().settings.max_line_bytes}) as body:
        key = idempotency_key(request.headers)
        created = make(runtime(), owner(), read(OpenAiNewBatch, body.json()), key, body.sha256)
    return render.answer(shown(runtime(), created.batch), headers=REPLAYED if created.is_replay else None)


@blueprint.get("/batches")
@declare(
    summary="List batches, the newest first",
    query=OpenAiBatchListQuery,
    answers={200: Answer("One page.", OpenAiBatchList)},
)
def list_openai_batches() -> Response:
    """One page of the owner's batches, whichever face they came through."""
    said = query(OpenAiBatchListQuery)
    if said.after is not None:
        _check_place(said.after)
    page = status.batches(runtime(), owner(), said.after, said.limit)
    data = [shown(runtime(), view) for view in page.items]
    first, last = (data[0].id, data[-1].id) if data else (None, None)
    has_more = page.next_cursor is not None
    return render.answer(OpenAiBatchList(data=data, has_more=has_more, first_id=first, last_id=last))


@blueprint.get("/batches/<batch>")
@declare(
    summary="See how far a batch is",
    answers={200: Answer("The batch.", OpenAiBatch)},
    problems=(404,),
)
def get_openai_batch(batch: str) -> Response:
    """One batch."""
    return _answer(status.batch(runtime(), owner(), ids.read("batch", batch)))


@blueprint.post("/batches/<batch>/cancel")
@declare(
    summary="Cancel what is still open of a batch",
    answers={200: Answer("It is cancelled, or was before.", OpenAiBatch)},
    problems=(404, 409),
)
def cancel_openai_batch(batch: str) -> Response:
    """Cancel a batch."""
    batches.cancel(runtime(), owner(), ids.read("batch", batch))
    return _answer(status.batch(runtime(), owner(), ids.read("batch", batch)))


def _check_place(after: str) -> None:
    try:
        ids.read_placed("batch", after)
    except NotFound as error:
        raise InvalidRequest(str(error), "after") from error


def _answer(view: BatchView) -> Response:
    used = usage.of_batch(runtime(), view.id) if view.finalized_at is not None else None
    return render.answer(shown(runtime(), view, used))
