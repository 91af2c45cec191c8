"""`hivebatch orphans`, as an operator uses it on the database of the installation."""

import pytest
from click.testing import CliRunner, Result

from app import ids
from app.cli import hivebatch
from app.errors import Conflict, NotFound
from app.ids import show
from app.runtime import Runtime
from app.services import callbacks, orphans
from app.tokens import CallbackSubject
from tests.factories import job, states, submit
from tests.fakes import success


def run(runtime: Runtime, *arguments: str) -> Result:
    """The command on the runtime's database."""
    variables = {
        "HIVEBATCH_DATABASE_URL": runtime.settings.resolved_database_url,
        "HIVEBATCH_SECRET_KEY": runtime.settings.secret_keys[0],
    }
    return CliRunner(env=variables).invoke(hivebatch, ["orphans", *arguments])


@pytest.fixture
def orphan(runtime: Runtime) -> str:
    """The shown id of the only orphan."""
    token = runtime.signer.sign(CallbackSubject(ids.new_id(), ids.new_id()))
    callbacks.receive(runtime, token, success("found", metadata=show("job", ids.new_id())))
    return show("callback", orphans.listing(runtime).items[0].id)


def test_they_are_listed(runtime: Runtime, orphan: str) -> None:
    listed = run(runtime, "list").stdout
    assert orphan in listed
    assert "no such attempt" in listed


def test_one_is_matched_to_a_job_and_is_listed_no_more(runtime: Runtime, orphan: str) -> None:
    batch_id = submit(runtime, "a")
    job_id = show("job", job(runtime, batch_id).job.id)
    refused = run(runtime, "match", orphan, job_id, "--reason", "seen")
    assert isinstance(refused.exception, Conflict)
    matched = run(runtime, "match", orphan, job_id, "--reason", "seen", "--anyway")
    assert matched.stdout == f"{job_id} is completed with {orphan}.\n"
    assert (states(runtime, batch_id), run(runtime, "list").stdout) == (["completed"], "There is none.\n")


def test_one_is_discarded_once(runtime: Runtime, orphan: str) -> None:
    assert run(runtime, "discard", orphan, "--reason", "not ours").stdout == f"{orphan} is discarded.\n"
    assert isinstance(run(runtime, "discard", orphan, "--reason", "not ours").exception, NotFound)


def test_nothing_is_done_without_a_reason(runtime: Runtime, orphan: str) -> None:
    assert run(runtime, "discard", orphan).exit_code == 1
    assert orphan in run(runtime, "list").stdout
