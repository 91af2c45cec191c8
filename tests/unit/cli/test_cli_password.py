"""`hivebatch password`: the hash that it prints is the one that the login takes."""

import pytest
from click.testing import CliRunner

from app.admin.passwords import is_right
from app.cli import hivebatch
from app.config import load, reveal


@pytest.mark.parametrize("password", ["open sesame", " sésame ☂ "])
def test_the_hash_of_a_password_can_be_configured_and_opens_the_page(password: str) -> None:
    done = CliRunner().invoke(hivebatch, ["password"], input=f"{password}\n")
    assert done.exit_code == 0
    (printed,) = done.stdout.splitlines()
    configured = reveal(load(admin_password=printed).admin_password)
    assert is_right(password, configured)
    assert not is_right(password + "x", configured)


def test_the_same_password_has_another_hash_each_time() -> None:
    one, other = (CliRunner().invoke(hivebatch, ["password"], input="x\n").stdout for _ in range(2))
    assert one != other


@pytest.mark.parametrize("given", ["", "\n"])
def test_no_password_has_no_hash(given: str) -> None:
    done = CliRunner().invoke(hivebatch, ["password"], input=given)
    assert done.exit_code == 2
    assert "empty" in done.stderr
