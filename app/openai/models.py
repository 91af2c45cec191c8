"""Models in OpenAI's words: those of every provider, owned by whom they are asked of; what we named, by us."""

from collections.abc import Iterator

from flask import Blueprint, Response

from app.api import render
from app.api.context import runtime
from app.api.operations import Answer
from app.errors import NotFound
from app.openai.operations import declare
from app.openai.schemas import OpenAiModel, OpenAiModelList

blueprint = Blueprint("openai_models", __name__)

OWNER = "hivebatch"
CREATED = 1735689600
"""The SDKs want a number; when a provider's model was made, nobody has said."""


@blueprint.get("/models")
@declare(summary="List the models that are served here", answers={200: Answer("All of them.", OpenAiModelList)})
def list_models() -> Response:
    """What can be asked for."""
    return render.answer(OpenAiModelList(data=list(_served())))


@blueprint.get("/models/<path:model>")
@declare(
    summary="See one model",
    answers={200: Answer("The model.", OpenAiModel)},
    problems=(404,),
)
def get_model(model: str) -> Response:
    """One model; its id may hold slashes."""
    for served in _served():
        if served.id == model:
            return render.answer(served)
    raise NotFound("model", model)


def _served() -> Iterator[OpenAiModel]:
    for model, provider in sorted(runtime().settings.served.items()):
        yield OpenAiModel(id=model, created=CREATED, owned_by=provider.name if provider.models else OWNER)
