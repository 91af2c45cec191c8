"""The form for a new batch: what is brought is looked at first, and is a batch when somebody has seen what it holds."""

import io
from collections.abc import Mapping
from dataclasses import replace
from typing import IO, Any

from flask import flash, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from app import ids
from app.admin import acting, lines
from app.admin.blueprint import admin, brings_texts, operators_only
from app.admin.context import runtime
from app.api.intake import Submission, Terms, read_values
from app.api.problems import parsed
from app.api.schemas.inputs import BatchHead
from app.errors import Conflict, InvalidInput, Problem
from app.services import audit, creation, drafts, files
from app.services.views import Checked

SHOWN_JOBS = 10
FIELDS = ("form", "owner", "name", "provider", "model", "max_tokens", "budget", "on_invalid")
_GUESSED = "guess"
FORMS = {
    _GUESSED: "as it looks",
    "jsonl": "JSONL: a job a line",
    "csv": "CSV: a table",
    "text": "text: a prompt a line",
}
_BEGINNING = 4096


@admin.get("/batches/new")
@operators_only
def new_batch() -> str:
    """The form."""
    return _form()


@admin.post("/batches/drafts")
@brings_texts
def draft_batch() -> Response | tuple[str, int]:
    """Keep what was brought for an hour, and look at it."""
    filename, content = _brought()
    if content is None:
        return _form("Paste prompts, or choose a file."), 400
    view = drafts.keep(runtime(), filename, content)
    audit.note(runtime(), acting.by(), "batch.draft", view.id)
    said = _said(request.form)
    if said.get("form", _GUESSED) == _GUESSED:
        content.seek(0)
        said["form"] = lines.guess(filename, content.read(_BEGINNING))
    return redirect(url_for("admin.show_draft", shown=view.id, **said), 303)


@admin.get("/batches/drafts/<shown>")
@operators_only
def show_draft(shown: str) -> str:
    """What would be made of a draft: its first jobs, and what is wrong with which lines."""
    file_id, view = drafts.find(runtime(), shown)
    said = _said(request.args)
    found, problem = Checked("", 0, (), (), 0), None
    with files.reader(runtime(), file_id) as file:
        try:
            submission = _submission(said, file)
            found = creation.check(runtime(), submission.batch, submission.lines, SHOWN_JOBS)
        except InvalidInput as error:
            found = replace(found, problems=tuple(error.problems), problems_total=error.total)
            problem = error.problems[0].message
    return render_template("admin/draft.html", draft=view, said=said, found=found, problem=problem, fields=FIELDS)


@admin.post("/batches/drafts/<shown>")
def create_batch(shown: str) -> Response:
    """Make the batch, once, however often it is pressed."""
    file_id, _ = drafts.find(runtime(), shown)
    said = _said(request.form)
    key, sha256 = drafts.once(file_id, said)
    try:
        with files.reader(runtime(), file_id) as file:
            submission = _submission(said, file)
            new = replace(submission.batch, idempotency_key=key, request_sha256=sha256)
            created = creation.create(runtime(), new, submission.lines)
    except (InvalidInput, Conflict) as refused:
        words = refused.problems[0].message if isinstance(refused, InvalidInput) else str(refused)
        flash(f"No batch was made: {words}", "refused")
        return redirect(url_for("admin.show_draft", shown=shown, **said), 303)
    batch = ids.show("batch", created.batch.id)
    if not created.is_replay:
        audit.note(runtime(), acting.by(), "batch.create", batch)
        flash(f"The batch is made, of {created.batch.total:,} job{'' if created.batch.total == 1 else 's'}.", "done")
    return redirect(url_for("admin.batch", shown=batch), 303)


def _form(problem: str | None = None) -> str:
    providers = list(runtime().settings.every_provider)
    return render_template(
        "admin/newbatch.html",
        problem=problem,
        owners=drafts.owners(runtime()),
        default_owner=drafts.DEFAULT_OWNER,
        providers=providers,
        forms=FORMS,
        most_jobs=runtime().settings.max_jobs,
    )


def _brought() -> tuple[str, IO[bytes] | None]:
    """The file, or else what was pasted; browsers send every line end of that as two characters."""
    part = request.files.get("file")
    if part is not None and part.filename:
        return part.filename.replace("\x00", ""), part.stream
    pasted = request.form.get("pasted", "").replace("\r\n", "\n")
    return "pasted", io.BytesIO(pasted.encode()) if pasted.strip() else None


def _said(fields: MultiDict[str, str]) -> dict[str, Any]:
    """What the form says of the batch beside its jobs."""
    return {name: word for name in FIELDS if (word := fields.get(name, "").replace("\x00", "").strip()[:200])}


def _submission(said: Mapping[str, str], file: IO[bytes]) -> Submission:
    """Raises InvalidInput: the form says what can't be."""
    form, settings = said.get("form", ""), runtime().settings
    if form not in lines.FORMS:
        raise InvalidInput([Problem("Unknown form.", "/form", value=form[:80])])
    owner = said.get("owner", drafts.DEFAULT_OWNER)[:64]
    head = parsed(BatchHead, _head(said))
    return read_values(head, lines.values(file, form, settings.max_line_bytes), Terms(settings, owner))


def _head(said: Mapping[str, str]) -> Mapping[str, object]:
    options: dict[str, Any] = {"model": said["model"]} if "model" in said else {}
    if "max_tokens" in said:
        word = said["max_tokens"]
        options["max_tokens"] = int(word) if word.isascii() and word.isdigit() and len(word) < 9 else word
    named = {name: said[name] for name in ("name", "provider", "budget", "on_invalid") if name in said}
    return {**named, "options": options}
