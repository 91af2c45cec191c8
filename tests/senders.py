"""The senders that the tests run with: each of them, or in CI none is left out."""

from importlib.util import find_spec

from tests.missing import leave_out

SENDERS = ("requests", "pycurl")


def skip_if_missing(name: str) -> None:
    """Skips the test if this sender's client isn't installed; in CI the test fails."""
    if find_spec(name) is None:
        leave_out(f"{name} is not installed")
