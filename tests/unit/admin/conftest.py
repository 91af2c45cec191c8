"""The admin page alone, in a small application without a database."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from freezegun import freeze_time
from freezegun.api import FrozenDateTimeFactory
from werkzeug.test import TestResponse

from app.admin import register_admin
from app.config import load
from app.queue import SilentDoorbell
from app.runtime import build
from tests.unit.admin.values import NOW

PASSWORD = "open sesame"
VIEWERS_PASSWORD = "a look is free"

MakeApp = Callable[..., Flask]
Login = Callable[..., TestResponse]


@pytest.fixture
def clock() -> Iterator[FrozenDateTimeFactory]:
    with freeze_time(NOW) as frozen:
        yield frozen  # type: ignore[misc]  # freeze_time() is annotated as giving any of its factories


@pytest.fixture
def make_app(tmp_path: Path, clock: FrozenDateTimeFactory) -> Iterator[MakeApp]:
    """Makes an application with these settings; nothing answers behind the page."""
    runtimes = []

    def make(**settings: Any) -> Flask:
        passwords = {"admin_password": PASSWORD, "viewer_password": VIEWERS_PASSWORD}
        given = {"secret_key": "k" * 40, "data_dir": tmp_path / "none"} | passwords | settings
        app = Flask("admin")
        app.secret_key = str(given["secret_key"])
        app.extensions["hivebatch"] = build(load(**given), SilentDoorbell())
        runtimes.append(app.extensions["hivebatch"])
        register_admin(app)
        return app

    yield make
    for runtime in runtimes:
        runtime.close()


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    return make_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def token_of(response: TestResponse) -> str:
    found = re.search(r'name="token" value="([^"]+)"', response.text)
    assert found, response.text
    return found.group(1)


def log_in(client: FlaskClient, password: str = PASSWORD, path: str = "/admin/login", **kwargs: Any) -> TestResponse:
    form = {"token": token_of(client.get(path)), "password": password}
    return client.post(path, data=form, **kwargs)
