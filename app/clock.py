"""The only source of time: aware UTC instants, so that tests can freeze them."""

from datetime import UTC, datetime


def now() -> datetime:
    """The current instant, aware, in UTC."""
    return datetime.now(UTC)
