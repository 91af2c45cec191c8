"""A browser that is logged in to the admin page of a runtime."""

import dataclasses
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from typing import Any

from flask.testing import FlaskClient
from pydantic import SecretStr
from werkzeug.test import TestResponse

from app import create_app
from app.runtime import Runtime

HOSTILE = "<script>alert(1)</script>\u202e\u0645\u0631\u062d\u0628\u0627"


@contextmanager
def browsing(runtime: Runtime) -> Iterator[FlaskClient]:
    """One that may do everything."""
    settings = runtime.settings.model_copy(update={"admin_password": SecretStr("open sesame")})
    with create_app(dataclasses.replace(runtime, settings=settings)).test_client() as browser:
        form = {"token": token_of(browser.get("/admin/login")), "password": "open sesame"}
        assert browser.post("/admin/login", data=form).status_code == 303
        yield browser


def token_of(response: TestResponse) -> str:
    """The token that the forms of a page carry."""
    found = re.search(r'name="token" value="([^"]+)"', response.text)
    assert found, response.text
    return found.group(1)


def press(browser: FlaskClient, path: str, **fields: Any) -> TestResponse:
    """Send the form at `path`, and follow it to the page that it leads to."""
    return browser.post(path, data={"token": token_of(browser.get("/admin/jobs")), **fields}, follow_redirects=True)


def links(response: TestResponse, beginning: str) -> list[str]:
    """Where the links of a page lead that begin like this."""
    found = [unescape(link) for link in re.findall(r'href="([^"]*)"', response.text)]
    return [link for link in found if link.startswith(beginning)]
