"""The V3 route, for any client that speaks to an OpenAI-compatible server."""

from datetime import UTC, datetime

from flask import Blueprint, Response, request

from app.sandbox.chats import read_chat
from app.sandbox.completions import chat_error
from app.sandbox.ledger import Refused
from app.sandbox.refusals import Refusal
from app.sandbox.views import json_fields, render, this_sandbox

v3 = Blueprint("v3", __name__, url_prefix="/api/v3")


@v3.post("/chat/completions")
def complete() -> Response:
    """Book a task and answer with its text, whole or streamed."""
    this_sandbox().keys.check(request.headers.get("Authorization"), "Bearer")
    return render(this_sandbox().chat(read_chat(json_fields(), this_sandbox().config)))


@v3.errorhandler(Refusal)
def refused(refusal: Refusal) -> Response:
    """Answer a refusal, and write it down."""
    this_sandbox().ledger.refuse(Refused(datetime.now(UTC), refusal.status, refusal.message))
    return render(chat_error(refusal.status, refusal.message))
