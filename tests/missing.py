"""What a machine may lack: without it the tests that need it are left out, but never in CI."""

import os
from typing import NoReturn

import pytest

IS_CI = bool(os.environ.get("CI"))


def leave_out(why: str) -> NoReturn:
    """Skips the test; in CI, where everything has to be there, it fails."""
    if IS_CI:
        pytest.fail(why)
    pytest.skip(why)
