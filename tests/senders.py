"""The senders that the tests run with: each of them, or in CI none is left out."""

import os
from importlib.util import find_spec

import pytest

SENDERS = ("requests", "pycurl")


def skip_if_missing(name: str) -> None:
    """Skips the test if this sender's client isn't installed; in CI the test fails by itself."""
    if find_spec(name) is None and not os.environ.get("CI"):
        pytest.skip(f"{name} is not installed")
