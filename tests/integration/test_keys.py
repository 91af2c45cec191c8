"""API keys: each is made once, and that it was made is written down."""

from sqlalchemy import select

from app.models import audit_events
from app.runtime import Runtime
from app.services import keys


def actions(runtime: Runtime) -> list[str]:
    with runtime.database.reading() as connection:
        return list(connection.execute(select(audit_events.c.action).order_by(audit_events.c.id)).scalars())


def test_a_key_that_is_made_is_audited_and_one_that_is_there_is_not_made_again(runtime: Runtime) -> None:
    made = keys.create(runtime, "alice", "tests")
    assert actions(runtime) == ["key.create"]
    assert keys.ensure(runtime, "alice", "tests", made.secret).id == made.key.id
    assert actions(runtime) == ["key.create"]
