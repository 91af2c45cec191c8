"""The buttons for several batches at once: first what will happen to which of them, then that, one by one."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from app import ids
from app.admin import batchactions, batchfilter, possible
from app.admin.blueprint import admin
from app.admin.context import runtime
from app.errors import Conflict, InvalidInput, NotFound, Problem
from app.services import status
from app.services.views import BatchView

MOST_CHOSEN = 50


@dataclass(frozen=True, slots=True)
class Deed:
    """What may be done to several batches. `is_possible`: whether to this one; `act` does it, or raises Conflict."""

    word: str
    past: str
    consequence: str
    tone: str
    is_possible: Callable[[BatchView], object]
    act: Callable[[UUID], str]


DEEDS: Mapping[str, Deed] = {
    "pause": Deed(
        "Pause",
        "paused",
        "None of their queued jobs is submitted until they are resumed. What the provider has goes on.",
        "primary",
        possible.can_pause,
        batchactions.pause,
    ),
    "resume": Deed(
        "Resume",
        "resumed",
        "Their queued jobs are submitted again.",
        "primary",
        possible.can_resume,
        batchactions.resume,
    ),
    "retry": Deed(
        "Retry",
        "retried",
        "Their failed and cancelled jobs are submitted again, and the provider bills them again. "
        "Late answers that are already stored are taken instead, at no cost.",
        "primary",
        possible.retryable_jobs,
        batchactions.retry,
    ),
    "cancel": Deed(
        "Cancel",
        "cancelled",
        "Nothing more of them is submitted. What the provider already has is still billed; its answers are kept, "
        "and a retry takes them.",
        "danger",
        possible.open_jobs,
        batchactions.cancel,
    ),
}


@admin.get("/batches/change")
def ask_batches() -> Response | str:
    """What is about to happen, and to which of those that were selected."""
    deed, chosen = _order(request.args)
    if not chosen:
        flash("No batch was selected.", "refused")
        return _to_list(request.args)
    found = [status.batch(runtime(), None, batch_id) for batch_id in chosen]
    return render_template(
        "admin/manybatches.html",
        name=request.args["do"],
        deed=deed,
        meant=[batch for batch in found if deed.is_possible(batch)],
        others=[batch for batch in found if not deed.is_possible(batch)],
        open_jobs=possible.open_jobs,
        retryable_jobs=possible.retryable_jobs,
        kept=_kept(request.args),
    )


@admin.post("/batches/change")
def change_batches() -> Response:
    """Do it, and say to how many; those that are something else by now are told."""
    deed, chosen = _order(request.form)
    states = [_do(deed, batch_id) for batch_id in chosen]
    done, stale = states.count(None), Counter(state for state in states if state is not None)
    words = [f"{done} {'batch' if done == 1 else 'batches'} {deed.past}."] if done else []
    if stale:
        now = ", ".join(f"{count} {'are' if count > 1 else 'is'} {state}" for state, count in sorted(stale.items()))
        words.append(f"Nothing was done to the others: {now} now.")
    flash(" ".join(words) or "No batch was selected.", "done" if done else "refused")
    return _to_list(request.form)


def _do(deed: Deed, batch_id: UUID) -> str | None:
    """None if it is done; else what the batch is, which leaves nothing to do."""
    try:
        before = status.batch(runtime(), None, batch_id)
        if not deed.is_possible(before):
            return before.status
        deed.act(batch_id)
    except NotFound:
        return "gone"
    except Conflict:  # it became something else between the two
        return status.batch(runtime(), None, batch_id).status
    return None


def _order(said: MultiDict[str, str]) -> tuple[Deed, list[UUID]]:
    """Raises InvalidInput: a form that was edited."""
    name = said.get("do", "")
    if name not in DEEDS:
        raise InvalidInput([Problem("There is nothing of this name to be done to batches.", "/do", value=name[:80])])
    return DEEDS[name], [ids.read("batch", shown) for shown in dict.fromkeys(said.getlist("batch")[:MOST_CHOSEN])]


def _kept(said: MultiDict[str, str]) -> dict[str, Any]:
    return batchfilter.kept(batchfilter.read(said))


def _to_list(said: MultiDict[str, str]) -> Response:
    return redirect(url_for("admin.batches", **_kept(said)), 303)
