"""Who presses a button, and why: what each change writes down."""

from flask import request

from app.admin import sessions
from app.services.audit import By

MAX_REASON_CHARS = 500


def by() -> By:
    """Whoever is logged in, with the field `reason` of the form, if there is one and it says something.

    Only behind the door: a stranger has no name.
    """
    return By(sessions.role() or "nobody", reason())


def reason() -> str | None:
    """The field `reason`, as much as is kept of it; None if it says nothing."""
    return field("reason")[:MAX_REASON_CHARS] or None


def field(name: str) -> str:
    """A field of the form on one line; empty if there is none. U+0000, which no database keeps, becomes a space."""
    return " ".join(request.form.get(name, "").replace("\x00", " ").split())
