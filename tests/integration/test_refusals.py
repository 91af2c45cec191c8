"""Refused settings: a worker that starts with the same submits nothing; one that starts with others tries them."""

import pytest
from sqlalchemy import select, update

from app.models import holds as table
from app.providers.base import Held
from app.runtime import Runtime
from app.services import holds, sweeps
from app.services.audit import By
from tests.conftest import MakeRuntime, make_settings
from tests.factories import PROVIDER, held, record, submit, take, take_one, with_settings

KEY_REFUSED = Held("key_refused", "HTTP 403", needs_operator=True)
REDIRECTED = Held("misconfigured", "HTTP 302", needs_operator=True)
SECRET = "a-secret-key-for-tests-of-32-chars"
NEXT_SECRET = "another-secret-key-for-tests-of-32"


def refused(make_runtime: MakeRuntime, refusal: Held, **settings: object) -> Runtime:
    """A worker whose only submit was refused so."""
    runtime = make_runtime(**settings)
    submit(runtime, "a")
    record(runtime, take_one(runtime), refusal)
    return runtime


def begin(runtime: Runtime, **settings: object) -> list[str]:
    """Why nothing is submitted once a worker has started with these settings."""
    chosen = make_settings(database_url=runtime.settings.database_url, **settings)
    sweeps.begin(with_settings(runtime, chosen))
    return [hold.reason for hold in held(runtime)]


def test_a_worker_that_starts_with_the_refused_key_submits_nothing(make_runtime: MakeRuntime) -> None:
    runtime = refused(make_runtime, KEY_REFUSED, hive_key="key-1")
    assert [begin(runtime, hive_key="key-1") for _ in range(3)] == [["key_refused"]] * 3
    assert len(take(runtime)) == 0


def test_a_worker_that_starts_with_another_key_goes_on(make_runtime: MakeRuntime) -> None:
    runtime = refused(make_runtime, KEY_REFUSED, hive_key="key-1")
    assert begin(runtime, hive_key="key-2") == []
    assert len(take(runtime)) == 1


@pytest.mark.parametrize(
    ("before", "after", "left"),
    [
        ("key-1,key-2", "key-1,key-2", ["key_refused"]),
        ("key-1,key-2", "key-2,key-1", ["key_refused"]),
        ("key-1,key-2", "key-1,key-3", []),
        ("key-1,key-2", "key-3,key-2", []),
        ("key-1", "key-2,key-1", []),
        ("", "", ["key_refused"]),
        ("", "key-1", []),
    ],
)
def test_of_two_keys_either_may_be_changed(make_runtime: MakeRuntime, before: str, after: str, left: list[str]) -> None:
    runtime = refused(make_runtime, KEY_REFUSED, hive_key=before)
    assert begin(runtime, hive_key=after) == left


def test_another_address_is_no_other_key_and_another_key_no_other_address(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime(hive_key="key-1", hive_url="http://127.0.0.1:9")
    submit(runtime, "a", "b")
    for claimed, refusal in zip(take(runtime), (KEY_REFUSED, REDIRECTED), strict=True):
        record(runtime, claimed, refusal)
    both = {"key_refused", "misconfigured"}
    assert set(begin(runtime, hive_key="key-1", hive_url="http://127.0.0.1:9")) == both
    assert begin(runtime, hive_key="key-1", hive_url="http://127.0.0.1:10") == ["key_refused"]
    assert begin(runtime, hive_key="key-2", hive_url="http://127.0.0.1:10") == []


def test_a_redirect_outlasts_another_key(make_runtime: MakeRuntime) -> None:
    runtime = refused(make_runtime, REDIRECTED, hive_key="key-1")
    assert begin(runtime, hive_key="key-2") == ["misconfigured"]


def test_a_key_that_is_refused_in_its_turn_is_the_one_that_counts(make_runtime: MakeRuntime) -> None:
    runtime = refused(make_runtime, KEY_REFUSED, hive_key="key-1")
    begin(runtime, hive_key="key-2")
    other = make_runtime(hive_key="key-2")
    record(other, take_one(other), KEY_REFUSED)
    assert begin(runtime, hive_key="key-2") == ["key_refused"]
    assert begin(runtime, hive_key="key-1") == []


def test_the_last_of_two_workers_to_be_refused_is_the_one_that_counts(make_runtime: MakeRuntime) -> None:
    old, new = make_runtime(hive_key="key-1"), make_runtime(hive_key="key-2")
    submit(old, "a", "b")
    first, second = take(old)
    record(old, first, KEY_REFUSED)
    record(new, second, KEY_REFUSED)
    assert begin(old, hive_key="key-2") == ["key_refused"]
    assert begin(old, hive_key="key-1") == []


def test_what_only_time_ends_no_start_ends(make_runtime: MakeRuntime) -> None:
    runtime = refused(make_runtime, Held("rate_limited", "HTTP 429", retry_after_seconds=60))
    assert begin(runtime, hive_key="key-2", hive_url="http://127.0.0.1:10") == ["rate_limited"]


def test_an_operator_ends_a_hold_whatever_the_key(make_runtime: MakeRuntime) -> None:
    runtime = refused(make_runtime, KEY_REFUSED)
    holds.lift(runtime, "provider", PROVIDER, "key_refused", By("tests"))
    assert len(take(runtime)) == 1


def test_a_signing_key_that_is_rotated_hides_no_refused_key(make_runtime: MakeRuntime) -> None:
    runtime = refused(make_runtime, KEY_REFUSED, secret_key=SECRET)
    assert begin(runtime, secret_key=f"{NEXT_SECRET},{SECRET}") == ["key_refused"]


def test_a_hold_of_a_version_that_noted_no_key_ends_as_it_did_then(make_runtime: MakeRuntime) -> None:
    runtime = refused(make_runtime, KEY_REFUSED)
    with runtime.database.transaction() as connection:
        connection.execute(update(table).values(fingerprint=None))
    assert begin(runtime) == []


def test_nothing_of_a_key_is_kept_and_another_installation_keeps_something_else(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime(hive_key="key-1,key-2")
    other = with_settings(runtime, make_settings(secret_key=NEXT_SECRET, hive_key="key-1,key-2"))
    submit(runtime, "a", "b")
    kept = []
    for who, claimed in zip((runtime, other), take(runtime), strict=True):
        record(who, claimed, KEY_REFUSED)
        with runtime.database.reading() as connection:
            kept.append(connection.execute(select(table)).one())
    assert "key-1" not in str(kept)
    assert "key-2" not in str(kept)
    ours, theirs = (row.fingerprint for row in kept)
    assert ours != theirs
    assert len(ours) == len(theirs) == 40
