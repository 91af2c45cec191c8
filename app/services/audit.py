"""The audit: who did what to what, and why, as far as they said."""

from dataclasses import dataclass

from app.runtime import Runtime
from app.store import audit


@dataclass(frozen=True, slots=True)
class By:
    """Who acts, and why in their own words; None: they gave no reason."""

    actor: str
    reason: str | None = None

    @property
    def said(self) -> dict[str, str]:
        """The reason as a detail of what is written down; nothing if there is none."""
        return {} if self.reason is None else {"reason": self.reason}


def by_owner(owner: str | None) -> By:
    """An owner who does it without a word; None: whoever runs the service."""
    return By(owner or "admin")


def note(runtime: Runtime, by: By, action: str, subject: str) -> None:
    """Write down what changes no row: that somebody came in, or is about to see texts. `subject` is a shown id.

    Raises:
        DatabaseUnavailable: it can't be written down, so nothing may be shown.
    """
    now = runtime.moment().now
    with runtime.database.transaction() as connection:
        audit.add(connection, now, by.actor, action, subject, **by.said)
