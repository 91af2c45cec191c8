"""The buttons for many jobs at once: first what will happen and to how many, then that, in steps if they are many."""

from dataclasses import dataclass
from typing import Any, cast, get_args
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from app import ids
from app.admin import acting, asked
from app.admin.blueprint import admin
from app.admin.context import runtime
from app.errors import InvalidInput, Problem
from app.services import bulk, joblists
from app.services.bulk import Action, Done
from app.services.joblists import JobFilter, Matching

MOST_CHOSEN = 200
_MAX_DIGITS = 9


@dataclass(frozen=True, slots=True)
class _Order:
    """What is to be done to which jobs: those that were chosen, or all that the filter means."""

    action: Action
    is_all: bool
    job_ids: tuple[UUID, ...]
    kept: dict[str, Any]

    @property
    def filter(self) -> JobFilter:
        return asked.read(_fields()) if self.is_all else JobFilter(ids=self.job_ids)


@admin.get("/jobs/change")
def ask_jobs() -> Response | str:
    """What is about to happen, and to how many jobs."""
    order = _order()
    if not order.is_all and not order.job_ids:
        flash("No job was selected.", "refused")
        return _to_list(order)
    wanted = bulk.narrowed(order.action, order.filter)
    found = joblists.matching(runtime(), wanted) if wanted is not None else Matching(0, is_all=True)
    return render_template("admin/manyjobs.html", order=order, found=found, most=bulk.AT_ONCE)


@admin.post("/jobs/change")
def change_jobs() -> Response | str:
    """Do it, or the next part of it."""
    order = _order()
    if not order.is_all:
        _tell(order.action, bulk.chosen(runtime(), order.action, order.job_ids, acting.by()))
        return _to_list(order)
    before = Done(_number("queued"), _number("salvaged"), _number("cancelled"))
    cursor = _fields().get("cursor") or None
    done, cursor = bulk.matching(runtime(), order.action, order.filter, cursor, acting.by())
    done += before
    if cursor is not None:
        return render_template("admin/manyjobs_more.html", order=order, done=done, cursor=cursor, of=_number("of"))
    _tell(order.action, done)
    return _to_list(order)


def _order() -> _Order:
    """Raises InvalidInput: a form that was edited."""
    said = _fields()
    action, _, scope = said.get("do", "").partition("-")
    if action not in get_args(Action) or scope not in {"", "all"}:
        raise InvalidInput([Problem("There is nothing of this name to be done to jobs.", "/do", value=action[:80])])
    job_ids = tuple(ids.read("job", shown) for shown in said.getlist("job")[:MOST_CHOSEN])
    return _Order(cast("Action", action), scope == "all", job_ids, asked.kept(said))


def _fields() -> MultiDict[str, str]:
    return request.form if request.method == "POST" else request.args


def _number(name: str) -> int:
    word = request.form.get(name, "")
    return int(word) if word.isascii() and word.isdigit() and len(word) <= _MAX_DIGITS else 0


def _to_list(order: _Order) -> Response:
    return redirect(url_for("admin.jobs", **order.kept), 303)


def _tell(action: Action, done: Done) -> None:
    """What became of the jobs, those that were stale among them."""
    parts = [
        f"{_jobs(done.queued)} queued again." if done.queued else "",
        f"{_jobs(done.salvaged)} completed with an answer that was stored, at no cost." if done.salvaged else "",
        f"{_jobs(done.cancelled)} cancelled." if done.cancelled else "",
        _stale(done),
    ]
    words = " ".join(part for part in parts if part)
    flash(words or f"There was nothing to {action} any more.", "done" if done.changed else "refused")


def _stale(done: Done) -> str:
    now = ", ".join(f"{count:,} {'are' if count > 1 else 'is'} {state}" for state, count in sorted(done.stale.items()))
    return f"Nothing was done to the others: {now} now." if now else ""


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count:,} jobs"
