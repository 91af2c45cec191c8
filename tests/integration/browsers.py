"""Browsers that are logged in to the admin page of a runtime."""

import dataclasses
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape

from flask.testing import FlaskClient
from pydantic import SecretStr
from werkzeug.test import TestResponse

from app import create_app
from app.admin.sessions import Role
from app.runtime import Runtime

HOSTILE = "<script>alert(1)</script>\u202e\u0645\u0631\u062d\u0628\u0627"

_PASSWORDS = {Role.OPERATOR: "open sesame", Role.VIEWER: "a look is free"}


@contextmanager
def logged_in(runtime: Runtime, role: Role = Role.OPERATOR) -> Iterator[FlaskClient]:
    """A browser of somebody in this role; the application's own runtime has passwords that its settings lack."""
    passwords = {
        "admin_password": SecretStr(_PASSWORDS[Role.OPERATOR]),
        "viewer_password": SecretStr(_PASSWORDS[Role.VIEWER]),
    }
    settings = runtime.settings.model_copy(update=passwords)
    with create_app(dataclasses.replace(runtime, settings=settings)).test_client() as browser:
        form = {"token": token_of(browser.get("/admin/login")), "password": _PASSWORDS[role]}
        assert browser.post("/admin/login", data=form).status_code == 303
        yield browser


def token_of(response: TestResponse) -> str:
    """The token that the forms of a page carry."""
    found = re.search(r'name="token" value="([^"]+)"', response.text)
    assert found, response.text
    return found.group(1)


def press(browser: FlaskClient, path: str, **fields: object) -> TestResponse:
    """Send the form at `path` with the token of this session, and follow it to the page that it leads to."""
    token = token_of(browser.get("/admin/nowhere"))
    return browser.post(path, data={"token": token, **fields}, follow_redirects=True)


def links(response: TestResponse, beginning: str) -> list[str]:
    """Where the links of a page lead that begin like this."""
    found = [unescape(link) for link in re.findall(r'href="([^"]*)"', response.text)]
    return [link for link in found if link.startswith(beginning)]


def fields_of(response: TestResponse, action: str) -> dict[str, list[str]]:
    """What the hidden fields of the first form with this action carry."""
    form = response.text.partition(action)[2].partition("</form>")[0]
    said: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form):
        said.setdefault(name, []).append(unescape(value))
    return said
