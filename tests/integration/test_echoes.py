"""Echoes: nothing is submitted before this installation has reached itself at its public URL."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from freezegun.api import FrozenDateTimeFactory

from app import create_app
from app.clock import now
from app.errors import NotFound
from app.runtime import Runtime
from app.services import echoes, holds, sweeps
from app.services.audit import By
from tests.conftest import MakeRuntime
from tests.factories import PROVIDER, counts, drain, held, states, submit, sweep, take
from tests.fakes import FakeOutside, FakeProvider, RecordingDoorbell
from tests.statements import emitting

REFUSED = "ConnectionRefusedError: [Errno 111] Connection refused"

Worker = tuple[Runtime, FakeOutside]


@pytest.fixture
def make_worker(make_runtime: MakeRuntime) -> Callable[..., Worker]:
    """Makes a worker that has begun and sees the installation from outside."""

    def make(broken: str | None = None, **settings: object) -> Worker:
        outside = FakeOutside()
        outside.broken = broken
        worker = replace(make_runtime(**{"echo": "on"} | settings), outside=outside)
        sweeps.begin(worker)
        return worker, outside

    return make


def reasons(runtime: Runtime) -> list[str]:
    return [hold.reason for hold in held(runtime)]


def asked_at(worker: Runtime, outside: FakeOutside, clock: FrozenDateTimeFactory, seconds: int) -> list[int]:
    """After how many seconds each echo was asked for, when a sweep comes every second."""
    found = []
    for second in range(seconds):
        before = len(outside.asked)
        sweep(worker)
        found += [second] * (len(outside.asked) - before)
        clock.tick(1)
    return found


def rings(runtime: Runtime) -> list[str]:
    assert isinstance(runtime.doorbell, RecordingDoorbell)
    return runtime.doorbell.rings


# --- before the first submit ---


def test_nothing_is_submitted_before_the_first_echo_is_back(make_worker: Callable[..., Worker]) -> None:
    worker, outside = make_worker()
    batch_id = submit(worker, "a")
    drain(worker)
    assert (states(worker, batch_id), outside.asked) == (["queued"], [])
    sweep(worker)
    assert rings(worker)[-1] == PROVIDER
    drain(worker)
    assert states(worker, batch_id) == ["waiting"]
    (asked,) = outside.asked
    assert asked.startswith("http://127.0.0.1:8000/callbacks/echo/")


def test_one_worker_asks_and_the_others_submit_after_it(make_worker: Callable[..., Worker]) -> None:
    (one, from_one), (other, from_other) = make_worker(), make_worker()
    batch_id = submit(other, "a")
    sweep(one)
    sweep(other)
    drain(other)
    assert (len(from_one.asked), len(from_other.asked)) == (1, 0)
    assert states(other, batch_id) == ["waiting"]


def test_a_worker_that_begins_lets_nobody_submit_until_it_has_been_asked_again(
    make_worker: Callable[..., Worker], clock: FrozenDateTimeFactory
) -> None:
    running, _ = make_worker()
    sweep(running)
    clock.tick(61)
    begun, outside = make_worker(broken=REFUSED)
    batch_id = submit(running, "a")
    drain(running)
    sweep(begun)
    drain(running)
    assert (states(running, batch_id), len(outside.asked)) == (["queued"], 1)


def test_a_worker_that_begins_again_and_again_does_not_keep_the_others_from_submitting(
    make_worker: Callable[..., Worker], clock: FrozenDateTimeFactory
) -> None:
    running, _ = make_worker()
    sweep(running)
    submitted = []
    for second in range(59):
        clock.tick(1)
        make_worker()  # and dies before its first sweep
        batch_id = submit(running, "a")
        drain(running)
        submitted += states(running, batch_id)
        if second == 30:
            sweep(running)
    assert submitted == ["waiting"] * 59


def test_a_worker_that_begins_with_a_wrong_clock_does_not_keep_the_others_from_submitting(
    make_worker: Callable[..., Worker], clock: FrozenDateTimeFactory
) -> None:
    running, outside = make_worker()
    sweep(running)
    clock.tick(timedelta(days=1))
    make_worker()
    clock.tick(timedelta(days=-1, seconds=1))
    batch_id = submit(running, "a")
    sweep(running)
    drain(running)
    assert (len(outside.asked), states(running, batch_id)) == (2, ["waiting"])


def test_a_clock_that_is_set_back_puts_off_no_echo(
    make_worker: Callable[..., Worker], clock: FrozenDateTimeFactory
) -> None:
    worker, outside = make_worker()
    sweep(worker)
    clock.tick(timedelta(days=-1))
    sweep(worker)
    assert len(outside.asked) == 2


def test_a_worker_that_dies_while_it_asks_is_replaced_by_another(
    make_worker: Callable[..., Worker], clock: FrozenDateTimeFactory
) -> None:
    dying, _ = make_worker()
    other, outside = make_worker()
    assert echoes._take(dying, PROVIDER, is_needed=False)
    sweep(other)
    assert outside.asked == []
    clock.tick(echoes.LEASE)
    sweep(other)
    assert len(outside.asked) == 1


def moved(worker: Runtime) -> Runtime:
    """Another worker, that was told of another public URL."""
    settings = worker.settings.model_copy(update={"public_url": "http://127.0.0.1:8001"})
    return replace(worker, settings=settings, echo_needed=threading.Event(), sweeping_due=threading.Event())


def test_the_answer_of_another_address_is_not_this_ones(make_worker: Callable[..., Worker]) -> None:
    one, _ = make_worker()
    sweep(one)
    other = moved(one)
    batch_id = submit(other, "a")
    drain(other)
    assert (states(other, batch_id), other.sweeping_due.is_set()) == (["queued"], True)


def test_workers_of_two_addresses_take_turns_but_not_by_the_millisecond(
    make_worker: Callable[..., Worker], clock: FrozenDateTimeFactory
) -> None:
    one, outside = make_worker()
    sweep(one)
    other = moved(one)
    for worker in (other, one, other):
        batch_id = submit(worker, "a")
        drain(worker)
        asked = len(outside.asked)
        sweep(worker)
        assert len(outside.asked) == asked
        clock.tick(1)
        drain(worker)
        sweep(worker)
        drain(worker)
        assert (len(outside.asked), states(worker, batch_id)) == (asked + 1, ["waiting"])


PROVIDERS = """
[another]
kind = "hive_v2"
base_url = "http://127.0.0.1:9"
keys = ["key"]

[chats]
kind = "openai_chat"
base_url = "http://127.0.0.1:9"
models = ["own/model"]
"""


def test_one_question_serves_all_providers_that_call_back(make_worker: Callable[..., Worker], tmp_path: Path) -> None:
    path = tmp_path / "providers.toml"
    path.write_text(PROVIDERS)
    worker, outside = make_worker(broken=REFUSED, providers=path)
    worker = replace(worker, providers={name: FakeProvider() for name in (PROVIDER, "another", "chats")})
    sweeps.begin(worker)
    sweep(worker)
    assert len(outside.asked) == 1
    assert sorted(hold.scope_id for hold in held(worker)) == ["another", PROVIDER]


# --- before the first submit of a batch ---


def test_a_new_batch_waits_for_an_echo_if_the_last_is_over_a_minute_old(
    make_worker: Callable[..., Worker], clock: FrozenDateTimeFactory
) -> None:
    worker, outside = make_worker()
    sweep(worker)
    clock.tick(61)
    batch_id = submit(worker, "a")
    worker.sweeping_due.clear()
    drain(worker)
    assert (states(worker, batch_id), len(outside.asked)) == (["queued"], 1)
    assert worker.sweeping_due.is_set()
    sweep(worker)
    assert (len(outside.asked), rings(worker)[-1]) == (2, PROVIDER)
    drain(worker)
    assert states(worker, batch_id) == ["waiting"]


def test_a_new_batch_of_which_no_echo_comes_back_costs_nothing(
    make_worker: Callable[..., Worker], clock: FrozenDateTimeFactory
) -> None:
    worker, outside = make_worker()
    sweep(worker)
    clock.tick(61)
    outside.broken = REFUSED
    batch_id = submit(worker, "a")
    for _ in range(3):
        drain(worker)
        sweep(worker)
        clock.tick(1)
    assert (states(worker, batch_id), reasons(worker)) == (["queued"], ["echo_failed"])


def test_an_echo_of_the_last_minute_serves_every_batch(
    make_worker: Callable[..., Worker], clock: FrozenDateTimeFactory
) -> None:
    worker, outside = make_worker()
    sweep(worker)
    for _ in range(10):
        clock.tick(6)
        batch_id = submit(worker, "a")
        drain(worker)
        sweep(worker)
        assert states(worker, batch_id) == ["waiting"]
    assert len(outside.asked) == 1


def test_batches_that_have_begun_do_not_wait_for_the_echo_of_a_new_one(
    make_worker: Callable[..., Worker], clock: FrozenDateTimeFactory
) -> None:
    worker, _ = make_worker(max_in_flight=1)
    older = submit(worker, "a", "b")
    sweep(worker)
    clock.tick(61)
    newer = submit(worker, "c")
    drain(worker)
    assert (sorted(states(worker, older)), states(worker, newer)) == (["queued", "waiting"], ["queued"])
    assert not worker.echo_needed.is_set()


def test_a_claim_asks_the_database_no_more_for_it(
    make_worker: Callable[..., Worker], make_runtime: MakeRuntime, clock: FrozenDateTimeFactory
) -> None:
    careless, (careful, _) = make_runtime(), make_worker()
    submit(careful, *"abcd")
    sweep(careful)

    def statements(worker: Runtime) -> int:
        with emitting(worker.database) as emitted:
            assert len(take(worker, 1)) == 1
        return len(emitted)

    first, fresh = statements(careless), statements(careful)
    clock.tick(61)
    assert [fresh, statements(careful)] == [first, first]


@pytest.mark.parametrize(
    "settings", [{"echo": "off"}, {"hive_url": "https://hive.invalid", "public_url": "http://10.0.0.1"}]
)
def test_where_none_is_wanted_or_none_could_help_none_is_asked_for(
    make_worker: Callable[..., Worker], settings: dict[str, str]
) -> None:
    worker, outside = make_worker(broken=REFUSED, **settings)
    sweep(worker)
    assert (outside.asked, "echo_failed" in reasons(worker)) == ([], False)


def test_switched_off_it_stops_nothing_and_clears_what_it_held(make_worker: Callable[..., Worker]) -> None:
    careful, _ = make_worker(broken=REFUSED)
    sweep(careful)
    assert reasons(careful) == ["echo_failed"]
    careless, _ = make_worker(broken=REFUSED, echo="off")
    batch_id = submit(careless, "a")
    drain(careless)
    assert (states(careless, batch_id), held(careless)) == (["waiting"], ())


# --- one that fails ---


def test_an_echo_that_fails_holds_the_provider_and_says_what_was_asked_and_what_went_wrong(
    make_worker: Callable[..., Worker], caplog: pytest.LogCaptureFixture
) -> None:
    worker, outside = make_worker(broken=REFUSED)
    batch_id = submit(worker, "a")
    sweep(worker)
    drain(worker)
    assert states(worker, batch_id) == ["queued"]
    (hold,) = held(worker)
    assert (hold.scope, hold.scope_id, hold.reason, hold.placed_by) == ("provider", PROVIDER, "echo_failed", "echo")
    assert (hold.until, hold.ends) == (None, "the echo comes back; it is asked for at least once a minute")
    assert hold.message == f"GET http://127.0.0.1:8000/callbacks/echo/...: {REFUSED}"
    question = outside.asked[0].rpartition("/")[2]
    assert "echo_failed" in caplog.messages
    assert question not in caplog.text


def test_a_message_longer_than_its_column_is_cut(make_worker: Callable[..., Worker]) -> None:
    worker, _ = make_worker(broken="x" * 1000)
    sweep(worker)
    assert len(held(worker)[0].message) == 500


def test_one_that_fails_is_asked_for_again_at_growing_intervals_up_to_a_minute(
    make_worker: Callable[..., Worker], clock: FrozenDateTimeFactory
) -> None:
    worker, outside = make_worker(broken=REFUSED)
    assert asked_at(worker, outside, clock, 250) == [0, 1, 2, 4, 8, 16, 32, 64, 124, 184, 244]


def test_the_sweep_comes_back_just_when_the_next_echo_is_due(
    make_worker: Callable[..., Worker], clock: FrozenDateTimeFactory
) -> None:
    worker, _ = make_worker(broken=REFUSED)
    assert sweep(worker).next_at == now() + timedelta(seconds=1)


def test_the_first_good_echo_ends_its_hold_and_no_other(
    make_worker: Callable[..., Worker], clock: FrozenDateTimeFactory
) -> None:
    worker, outside = make_worker(broken=REFUSED)
    batch_id = submit(worker, "a")
    sweep(worker)
    with worker.database.transaction() as connection:
        paused = {"scope": "batch", "scope_id": f"batch_{batch_id.hex}", "reason": "paused", "message": "by hand"}
        holds.holds.place(connection, paused | {"since": now(), "until": None, "placed_by": "tests"})
    outside.broken = None
    clock.tick(1)
    sweep(worker)
    assert reasons(worker) == ["paused"]


def test_after_a_good_echo_jobs_run_by_themselves(
    make_worker: Callable[..., Worker], clock: FrozenDateTimeFactory
) -> None:
    worker, outside = make_worker(broken=REFUSED)
    batch_id = submit(worker, "a", "b")
    sweep(worker)
    outside.broken = None
    clock.tick(1)
    assert sweep(worker).due_providers == (PROVIDER,)
    drain(worker)
    assert counts(worker, batch_id) == {"waiting": 2}


def test_a_good_echo_is_asked_for_again_after_an_hour_and_what_has_begun_does_not_wait_for_it(
    make_worker: Callable[..., Worker], clock: FrozenDateTimeFactory
) -> None:
    worker, outside = make_worker()
    batch_id = submit(worker, "a")
    sweep(worker)
    clock.tick(3599)
    sweep(worker)
    assert len(outside.asked) == 1
    clock.tick(1)
    drain(worker)
    assert states(worker, batch_id) == ["waiting"]
    outside.broken = REFUSED
    sweep(worker)
    assert (len(outside.asked), reasons(worker)) == (2, ["echo_failed"])


def test_what_came_back_while_it_was_held_is_not_refused(
    make_worker: Callable[..., Worker], clock: FrozenDateTimeFactory
) -> None:
    worker, outside = make_worker()
    sweep(worker)
    batch_id = submit(worker, "a")
    drain(worker)
    outside.broken = REFUSED
    clock.tick(3600)
    echoes.ask(worker)
    assert (reasons(worker), states(worker, batch_id)) == (["echo_failed"], ["waiting"])


def test_lifting_it_by_hand_asks_again_and_submits_nothing_blindly(
    make_worker: Callable[..., Worker], clock: FrozenDateTimeFactory
) -> None:
    worker, outside = make_worker(broken=REFUSED)
    batch_id = submit(worker, "a")
    asked_at(worker, outside, clock, 70)
    holds.lift(worker, "provider", PROVIDER, "echo_failed", By("tests"))
    drain(worker)
    assert (held(worker), states(worker, batch_id)) == ((), ["queued"])
    asked = len(outside.asked)
    sweep(worker)
    assert (len(outside.asked), reasons(worker)) == (asked + 1, ["echo_failed"])
    with pytest.raises(NotFound):
        holds.lift(worker, "provider", "nobody", "echo_failed", By("tests"))


# --- the side that answers ---


class ThroughTheApp:
    """The way from outside, when the web process of another runtime stands there."""

    def __init__(self, runtime: Runtime) -> None:
        self._client = create_app(runtime).test_client()

    def ask(self, url: str, proof: str) -> str | None:
        response = self._client.get(url.removeprefix("http://127.0.0.1:8000"))
        body = response.json or {}
        return None if body.get("proof") == proof else f"HTTP {response.status_code}"


def test_the_web_process_of_this_installation_answers(make_runtime: MakeRuntime) -> None:
    worker = make_runtime(echo="on")
    worker = replace(worker, outside=ThroughTheApp(make_runtime()))
    sweeps.begin(worker)
    batch_id = submit(worker, "a")
    sweep(worker)
    drain(worker)
    assert (states(worker, batch_id), held(worker)) == (["waiting"], ())


def test_the_web_process_of_another_installation_is_found_out(make_runtime: MakeRuntime) -> None:
    another = make_runtime(secret_key="another-secret-key-of-32-characters")
    worker = replace(make_runtime(echo="on"), outside=ThroughTheApp(another))
    sweeps.begin(worker)
    sweep(worker)
    assert [hold.message for hold in held(worker)] == ["GET http://127.0.0.1:8000/callbacks/echo/...: HTTP 404"]


def test_a_question_is_answered_without_a_key_and_kept_by_no_cache(runtime: Runtime, client: FlaskClient) -> None:
    question = runtime.echoes.question()
    response = client.get(f"/callbacks/echo/{question}")
    assert (response.status_code, response.json) == (200, {"proof": runtime.echoes.answer(question)})
    assert response.headers["Cache-Control"] == "no-store"


def test_every_other_question_gets_the_answer_of_a_path_that_leads_nowhere(
    runtime: Runtime, client: FlaskClient
) -> None:
    question = runtime.echoes.question()
    nowhere = client.get("/nothing/here")
    for wrong in ("hello", question[:-1], question + "A", "A" * len(question), "A" * 5_000, "%C3%A9" * 20):
        response = client.get(f"/callbacks/echo/{wrong}")
        assert (response.status, response.data, list(response.headers)) == (
            "404 NOT FOUND",
            nowhere.data,
            list(nowhere.headers),
        ), wrong


def test_an_echo_asks_nothing_of_the_database(runtime: Runtime, client: FlaskClient) -> None:
    runtime.database.close()
    away = replace(runtime, database=None)  # type: ignore[arg-type]  # nothing must touch it
    question = runtime.echoes.question()
    assert create_app(away).test_client().get(f"/callbacks/echo/{question}").status_code == 200


def test_a_provider_without_an_echo_is_not_ready_for_jobs_but_the_web_is(
    make_worker: Callable[..., Worker], provider: FakeProvider
) -> None:
    worker, _ = make_worker(broken=REFUSED)
    sweep(worker)
    response = create_app(worker).test_client().get("/readyz")
    assert response.status_code == 200
    assert response.json is not None
    (hold,) = response.json["holds"]
    assert (hold["reason"], hold["ends"]) == (
        "echo_failed",
        "the echo comes back; it is asked for at least once a minute",
    )
    assert "127.0.0.1" not in response.text


def test_a_process_that_is_told_to_stop_during_an_echo_asks_for_no_task_after_it(
    make_worker: Callable[..., Worker], clock: FrozenDateTimeFactory
) -> None:
    """One after the other they may take longer than a process has to end."""
    worker, _ = make_worker()
    provider = worker.providers[PROVIDER]
    assert isinstance(provider, FakeProvider)
    provider.can_read_back = True
    sweep(worker)
    submit(worker, "a")
    drain(worker)
    clock.tick(3601)  # both the next echo and the task are overdue

    class ToldToStop(FakeOutside):
        def ask(self, url: str, proof: str) -> str | None:
            worker.stopping.set()
            return super().ask(url, proof)

    outside = ToldToStop()
    sweep(replace(worker, outside=outside))
    assert (len(outside.asked), provider.asked) == (1, [])
    worker.stopping.clear()
    sweep(worker)
    assert provider.asked == ["task-1"]
