"""The page of the system: settings without secrets, versions, workers, and what the doctor finds."""

import re
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text as sql
from sqlalchemy import update

from app import ids
from app.admin.system import _SURGERY
from app.config import SECRETS
from app.models import batches
from app.runtime import Runtime
from app.services import sweeps, system
from app.store import invariants, schema
from tests.conftest import MakeRuntime
from tests.factories import submit
from tests.integration.browsers import logged_in, press


@pytest.fixture
def page(runtime: Runtime) -> Iterator[FlaskClient]:
    """A browser of an operator."""
    with logged_in(runtime) as browser:
        yield browser


def test_every_setting_is_shown_with_its_value(page: FlaskClient, runtime: Runtime) -> None:
    text = page.get("/admin/system").text
    for each in system.describe(runtime).settings:
        assert each.name in text
    assert re.search(
        r'HIVEBATCH_MAX_ATTEMPTS</span>.*\s*<td [^>]*><bdi class="mono">3</bdi> <span[^>]*>not the default', text
    )
    assert re.search(r'HIVEBATCH_CONNECTIONS</span>.*\s*<td [^>]*><bdi class="mono">4</bdi>', text)
    assert re.search(r"HIVEBATCH_RETENTION_DAYS</span>.*\s*<td [^>]*><span>not set", text)


def test_no_secret_is_shown(make_runtime: MakeRuntime) -> None:
    canary = "canary-" + "x" * 32
    given = {name: canary for name in SECRETS if name not in {"database_url", "broker_url", "viewer_password"}}
    runtime = make_runtime(**given, viewer_password="v" + canary, broker_url=f"redis://:{canary}@localhost/0")
    with logged_in(runtime) as page:
        text = page.get("/admin/system").text
    assert canary not in text
    assert text.count("set, hidden") == len(SECRETS)
    url = runtime.settings.resolved_database_url
    assert url not in text


def test_database_schema_and_versions_are_told(page: FlaskClient, runtime: Runtime) -> None:
    text = page.get("/admin/system").text
    assert re.search(r"<dd>(SQLite 3\.\d+|PostgreSQL 1\d\.\d+)", text)
    assert schema.HEAD in text
    for name in ("hivebatch", "python", *system.LIBRARIES):
        assert re.search(rf'<dt>{name}</dt><dd class="mono">\d+\.\d+', text), name


def test_a_worker_is_told_and_that_there_is_none_too(page: FlaskClient, runtime: Runtime) -> None:
    assert "No worker is alive" in page.get("/admin/system").text
    sweeps.sweep(runtime, "worker-1")
    text = page.get("/admin/system").text
    assert "worker-1" in text
    assert "No worker is alive" not in text


def test_the_doctor_says_what_is_well_and_his_last_word_is_kept(page: FlaskClient, runtime: Runtime) -> None:
    assert "never asked here" in page.get("/admin/system").text
    sweeps.sweep(runtime, "worker-1")
    found = press(page, "/admin/system/doctor", rows="1").text
    assert "All is well" in found
    assert f"{len(invariants.ALL)} promises held against every row" in found
    assert "found all well" in page.get("/admin/system").text


def test_the_doctor_checks_the_installation_alone_if_that_is_all_he_is_asked(
    page: FlaskClient, runtime: Runtime
) -> None:
    text = press(page, "/admin/system/doctor").text
    assert "1 of" in text
    assert "no worker has swept" in text
    assert "Every row" not in text
    assert "found workers" in page.get("/admin/system").text


def test_the_doctor_names_the_rows_that_break_a_promise(page: FlaskClient, runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    with runtime.database.transaction() as connection:
        connection.execute(update(batches).values(total=2))
    text = press(page, "/admin/system/doctor", rows="1").text
    assert ids.show("batch", batch_id) in text
    with runtime.database.transaction() as connection:
        connection.execute(update(batches).values(total=1))


def test_the_doctor_sees_one_at_a_time(page: FlaskClient) -> None:
    with page.application.extensions[_SURGERY]:
        assert "The doctor is at it already" in press(page, "/admin/system/doctor").text
    assert "checks of the installation" in press(page, "/admin/system/doctor").text


def stamp(runtime: Runtime, revision: str) -> None:
    """Make the database say that it is at this revision."""
    with runtime.database.transaction() as connection:
        connection.execute(sql("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


def test_a_database_of_another_version_is_told(page: FlaskClient, runtime: Runtime) -> None:
    stamp(runtime, "0001_initial")
    try:
        text = page.get("/admin/system").text
        checked = press(page, "/admin/system/doctor", rows="1").text
    finally:
        stamp(runtime, schema.HEAD)
    assert "This process can't keep what it is given" in text
    assert f"needs {schema.HEAD}" in text
    assert "1 of 1 are wrong" in checked
