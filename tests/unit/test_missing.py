"""What a machine lacks is left out, and fails where everything has to be there."""

import pytest

from tests import missing


@pytest.mark.parametrize(("is_ci", "outcome"), [(True, pytest.fail.Exception), (False, pytest.skip.Exception)])
def test_what_is_missing_is_left_out_but_never_in_ci(
    monkeypatch: pytest.MonkeyPatch, is_ci: bool, outcome: type[BaseException]
) -> None:
    monkeypatch.setattr(missing, "IS_CI", is_ci)
    with pytest.raises(outcome, match="no such server"):
        missing.leave_out("no such server")
