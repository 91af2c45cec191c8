"""Where the provider delivers: the path proves who the callback is for, everything else is for the service to judge."""

from flask import Blueprint, Response, abort, request

from app.api import render
from app.api.body import chunks
from app.api.context import runtime
from app.api.operations import Answer, Operation
from app.api.schemas.health import EchoOut, OkOut
from app.errors import NotFound
from app.services import callbacks, echoes, quarantine

blueprint = Blueprint("callbacks", __name__, url_prefix="/callbacks")


@blueprint.post("/hive/<token>")
@Operation(
    summary="Take the result of a V2 task",
    auth="token",
    bodies={"*/*": None},
    answers={200: Answer("It is kept, whatever it said.", OkOut)},
    problems=(400, 404, 413),
)
def receive_hive(token: str) -> Response:
    """Keep one callback; the answer leaves after the commit that holds it."""
    body = b"".join(chunks(request, runtime().settings.max_callback_bytes + 1))
    try:
        callbacks.receive(runtime(), token, body)
    except NotFound:
        # The same words as for a path that leads nowhere: a bad token learns nothing from its answer.
        abort(404)
    return render.answer(OkOut())


@blueprint.post("/hive")
@Operation(
    summary="Hand in a result without a token",
    auth="none",
    bodies={"*/*": None},
    answers={200: Answer("It names a task or a job of ours, and waits for a person to judge it.", OkOut)},
    problems=(400, 404, 413, 429, 503),
)
def receive_unproven() -> Response:
    """Keep one callback that proves nothing, where the settings allow that."""
    body = b"".join(chunks(request, quarantine.MOST_BYTES + 1))
    try:
        quarantine.keep(runtime(), body)
    except NotFound:
        abort(404)
    return render.answer(OkOut())


@blueprint.get("/echo/<token>")
@Operation(
    summary="Prove to this installation that it was reached",
    auth="token",
    answers={200: Answer("The proof that the token asks for.", EchoOut)},
    problems=(404,),
)
def echo(token: str) -> Response:
    """Answer a question that a worker asked through the public URL; the database is not asked."""
    proof = echoes.prove(runtime(), token)
    if proof is None:
        abort(404)
    return proven(proof)


def proven(proof: str) -> Response:
    """The answer to a question of ours, for this once."""
    return render.answer(EchoOut(proof=proof), headers={"Cache-Control": "no-store"})
