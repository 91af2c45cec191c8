"""An installation that meets trouble with its database, seen by submitters, the provider and operators."""

import html
import re
from dataclasses import replace
from random import Random
from string import ascii_letters
from typing import Any

import pytest
from flask.testing import FlaskClient

from app import create_app
from app.providers.base import Submission
from app.runtime import Runtime, build
from app.services import keys
from migrations import runner
from tests.conftest import make_settings
from tests.factories import drain, inbox_rows, states, submit, token_of
from tests.fakes import FakeProvider, RecordingDoorbell, success
from tests.integration.conformance import checked_client
from tests.integration.rest import Rest, jobs


def noise(size: int) -> str:
    """So many characters that no database can store in much fewer."""
    return "".join(Random(1).choices(ascii_letters, k=size))  # noqa: S311 - no secret


LARGE = jobs(*[noise(60_000)] * 4)


class Site:
    """An installation with one job under way, and its client."""

    def __init__(self, url: str) -> None:
        self.provider = FakeProvider()
        built = build(make_settings(database_url=url), RecordingDoorbell())
        self.runtime: Runtime = replace(built, providers={"hive_v2": self.provider})
        runner.upgrade(self.runtime.database)
        self.client: FlaskClient = checked_client(create_app(self.runtime))
        self.page = create_app(self.runtime).test_client()
        _log_in(self.page)
        self.key = keys.create(self.runtime, "alice", "tests").secret
        self.alice = Rest(self.client, self.key)
        self.batch_id = submit(self.runtime, "a")
        drain(self.runtime)

    def close(self) -> None:
        self.runtime.close()

    @property
    def submitted(self) -> Submission:
        return self.provider.submissions[0]

    def call_back(self, size: int = 10) -> Any:
        return self.client.post(f"/callbacks/hive/{token_of(self.submitted)}", data=success(noise(size)))

    def assert_troubled(self, words: str) -> None:
        """Nothing is taken, whoever asks is told to come again, and operators are told why."""
        for response in (self.alice.post("/api/batches", {"jobs": LARGE}), self.call_back(200_000)):
            assert response.status_code == 503, response.text
            assert int(response.headers["Retry-After"]) > 0
        response = self.client.get("/readyz")
        assert response.status_code == 503
        assert response.json is not None
        assert words in response.json["reason"]
        assert words.lower() in html.unescape(self.page.get("/admin/").text).lower()

    def assert_well(self) -> None:
        """It goes on by itself, with all that was accepted and nothing that was not."""
        assert self.client.get("/readyz").status_code == 200
        assert (len(inbox_rows(self.runtime)), states(self.runtime, self.batch_id)) == (0, ["waiting"])
        assert self.call_back().status_code == 200
        assert states(self.runtime, self.batch_id) == ["completed"]
        assert self.alice.submit("c")["total"] == 1


def _log_in(browser: FlaskClient) -> None:
    token = re.search(r'name="token" value="([^"]+)"', browser.get("/admin/login").text)
    assert token is not None
    assert browser.post("/admin/login", data={"token": token[1], "password": "a-password"}).status_code == 303


def told(caplog: pytest.LogCaptureFixture) -> set[str]:
    """What the log says is wrong with the database."""
    return {record.__dict__["trouble"] for record in caplog.records if record.__dict__.get("trouble")}
