"""Brakes over HTTP: what its owner does to hold a batch, and to let it go."""

from decimal import Decimal

from flask import Blueprint, Response, request

from app import ids
from app.api import render
from app.api.body import JSON, received
from app.api.context import owner, runtime
from app.api.operations import Answer, Operation
from app.api.problems import parsed
from app.api.schemas.inputs import BudgetIn, PauseIn
from app.api.schemas.outputs import BatchOut
from app.services import budgets, pausing, status

blueprint = Blueprint("brakes", __name__, url_prefix="/api/batches")


@blueprint.post("/<batch_id>/pause")
@Operation(
    summary="Submit nothing more from a batch until it is resumed",
    auth="key",
    bodies={JSON: PauseIn},
    needs_body=True,
    answers={200: Answer("It is paused.", BatchOut)},
    problems=(404, 409, 413, 415),
)
def pause_batch(batch_id: str) -> Response:
    """Pause a batch; what the provider has already goes on."""
    with received(request, {JSON: runtime().settings.max_line_bytes}) as body:
        wanted = parsed(PauseIn, body.json())
    pausing.pause(runtime(), owner(), ids.read("batch", batch_id), wanted.reason)
    return _shown(batch_id)


@blueprint.post("/<batch_id>/resume")
@Operation(
    summary="Go on with a paused batch",
    auth="key",
    answers={200: Answer("It is not paused by anybody.", BatchOut)},
    problems=(404,),
)
def resume_batch(batch_id: str) -> Response:
    """Resume a batch; it does not matter whether it was paused."""
    pausing.resume(runtime(), owner(), ids.read("batch", batch_id))
    return _shown(batch_id)


@blueprint.post("/<batch_id>/budget")
@Operation(
    summary="Give a batch another budget; one that was paused for it goes on if there is something left",
    auth="key",
    bodies={JSON: BudgetIn},
    needs_body=True,
    answers={200: Answer("It has the budget.", BatchOut)},
    problems=(404, 413, 415),
)
def change_budget(batch_id: str) -> Response:
    """Say what a batch may cost in all."""
    with received(request, {JSON: runtime().settings.max_line_bytes}) as body:
        wanted = parsed(BudgetIn, body.json())
    budgets.change(runtime(), owner(), ids.read("batch", batch_id), Decimal(wanted.budget))
    return _shown(batch_id)


def _shown(batch_id: str) -> Response:
    view = status.batch(runtime(), owner(), ids.read("batch", batch_id))
    return render.answer(BatchOut.model_validate(view))
