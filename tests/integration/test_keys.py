"""API keys: each is made once, and that it was made is written down."""

from click.testing import CliRunner
from sqlalchemy import select

from app.cli import hivebatch
from app.models import audit_events
from app.runtime import Runtime
from app.services import keys
from app.states import Scope


def actions(runtime: Runtime) -> list[str]:
    with runtime.database.reading() as connection:
        return list(connection.execute(select(audit_events.c.action).order_by(audit_events.c.id)).scalars())


def test_a_key_that_is_made_is_audited_and_one_that_is_there_is_not_made_again(runtime: Runtime) -> None:
    made = keys.create(runtime, "alice", "tests")
    assert actions(runtime) == ["key.create"]
    assert keys.ensure(runtime, "alice", "tests", made.secret).id == made.key.id
    assert actions(runtime) == ["key.create"]


def test_that_a_key_was_revoked_is_written_down_once(runtime: Runtime) -> None:
    made = keys.create(runtime, "alice", "tests")
    for _ in range(2):
        keys.revoke(runtime, made.key.id)
    assert actions(runtime) == ["key.create", "key.revoke"]


def test_the_command_makes_keys_for_reading_only_and_lists_what_each_is_for(runtime: Runtime) -> None:
    variables = {
        "HIVEBATCH_DATABASE_URL": runtime.settings.resolved_database_url,
        "HIVEBATCH_SECRET_KEY": runtime.settings.secret_keys[0],
    }
    command = CliRunner(env=variables)
    made = [command.invoke(hivebatch, ["keys", "create", "alice", *more]).stdout for more in ([], ["--read-only"])]
    assert all(printed.startswith("hb_") for printed in made)
    assert [key.scopes for key in keys.listing(runtime)] == [tuple(Scope), (Scope.READ,)]
    whole, reading = command.invoke(hivebatch, ["keys", "list"]).stdout.splitlines()
    assert "read+write  active  never used" in whole
    assert "read        active  never used" in reading
