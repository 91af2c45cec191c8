"""Delivering: an event is sent until its receiver has it, or until nobody can hope that it ever will."""

import json
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import openai
import pytest
import standardwebhooks
from freezegun.api import FrozenDateTimeFactory

from app.clock import now
from app.ids import show
from app.outbound import schedule
from app.outbound.webhooks import Message, Reply
from app.runtime import Runtime
from app.services import deliveries, endpointchanges, endpoints, resending
from app.services.endpointchanges import Changes
from app.states import DeliveryState, EventType
from tests.conftest import MakeRuntime
from tests.factories import batch, counts, database_is_away, drain, interposed, side_by_side, submit, sweep, take_one
from tests.factories import deliver as call_back
from tests.fakes import FakeReceivers, success
from tests.webhooks import URL, endpoint, on_their_way, only_delivery, register, send_due

DAY = timedelta(days=1)
LEASE_SECONDS = deliveries.LEASE.total_seconds()


def end_a_batch(runtime: Runtime) -> str:
    """A batch that has completed; its shown id."""
    batch_id = submit(runtime, "a")
    call_back(runtime, take_one(runtime).submission, success("x"))
    return show("batch", batch_id)


def tick_to_the_next_try(runtime: Runtime, clock: FrozenDateTimeFactory) -> None:
    due_at = only_delivery(runtime).delivery.due_at
    assert due_at is not None
    clock.move_to(due_at)


# --- what is sent ---


def test_the_receiver_gets_what_both_worlds_read(runtime: Runtime, receivers: FakeReceivers) -> None:
    endpoint_id = register(runtime)
    batch_id = end_a_batch(runtime)
    assert send_due(runtime) == 1
    (message,) = receivers.received
    delivery = only_delivery(runtime).delivery
    event_id, content = show("evt", delivery.event_id), json.loads(message.body)
    assert (message.url, message.headers["webhook-id"]) == (URL, event_id)
    assert datetime.fromisoformat(content.pop("timestamp")) == at_milliseconds(delivery.happened_at)
    assert content == {
        "id": event_id,
        "object": "event",
        "type": "batch.completed",
        "created_at": int(delivery.happened_at.timestamp()),
        "data": {"id": batch_id},
    }
    secret = endpoints.secret(runtime, "alice", endpoint_id).secret
    assert standardwebhooks.Webhook(secret).verify(message.body, dict(message.headers))["id"] == event_id
    unwrapped = openai.OpenAI(api_key="unused").webhooks.unwrap(message.body, dict(message.headers), secret=secret)
    assert (type(unwrapped).__name__, unwrapped.data.id) == ("BatchCompletedWebhookEvent", batch_id)


def at_milliseconds(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def test_what_is_delivered_is_not_sent_again(runtime: Runtime, receivers: FakeReceivers) -> None:
    register(runtime)
    end_a_batch(runtime)
    assert [send_due(runtime), send_due(runtime)] == [1, 0]
    delivered = only_delivery(runtime)
    assert (delivered.delivery.state, delivered.delivery.tries) == (DeliveryState.DELIVERED, 1)
    assert [(each.http_status, each.error, each.response_head) for each in delivered.log] == [
        (200, None, "HTTP/1.1 200")
    ]


@pytest.mark.parametrize("status", [100, 301, 302, 307, 400, 401, 404, 409, 500, 503])
def test_nothing_but_2xx_is_a_delivery(runtime: Runtime, receivers: FakeReceivers, status: int) -> None:
    register(runtime)
    end_a_batch(runtime)
    receivers.usual = status
    send_due(runtime)
    failed = only_delivery(runtime).delivery
    assert (failed.state, failed.http_status, failed.error) == (DeliveryState.PENDING, status, f"HTTP {status}")


# --- again and again ---


def test_it_is_tried_ten_times_over_three_days_with_the_same_id_and_a_new_time(
    runtime: Runtime, receivers: FakeReceivers, clock: FrozenDateTimeFactory
) -> None:
    register(runtime)
    end_a_batch(runtime)
    began_at, receivers.usual = now(), 500
    for pause in schedule.PAUSES:
        assert send_due(runtime) == 1
        assert send_due(runtime) == 0
        before = now()
        tick_to_the_next_try(runtime, clock)
        assert pause <= now() - before <= 1.1 * pause
    send_due(runtime)
    failed = only_delivery(runtime).delivery
    assert (failed.state, failed.tries, failed.due_at) == (DeliveryState.FAILED, 10, None)
    assert timedelta(hours=75) < now() - began_at < timedelta(hours=84)
    assert len({message.headers["webhook-id"] for message in receivers.received}) == 1
    assert len({message.body for message in receivers.received}) == 1
    assert len({message.headers["webhook-timestamp"] for message in receivers.received}) == 10


def test_no_answer_is_told_and_tried_again(
    runtime: Runtime, receivers: FakeReceivers, clock: FrozenDateTimeFactory
) -> None:
    register(runtime)
    end_a_batch(runtime)
    receivers.script.append(Reply(None, "TimeoutError: timed out", "POST / HTTP/1.1"))
    send_due(runtime)
    assert only_delivery(runtime).delivery.error == "TimeoutError: timed out"
    tick_to_the_next_try(runtime, clock)
    send_due(runtime)
    told = only_delivery(runtime)
    assert [each.error for each in told.log] == ["TimeoutError: timed out", None]
    assert told.delivery.state == DeliveryState.DELIVERED


def test_what_no_database_can_keep_of_an_answer_is_left_out(runtime: Runtime, receivers: FakeReceivers) -> None:
    register(runtime)
    end_a_batch(runtime)
    receivers.script.append(Reply(None, "BadStatusLine: \x00\x01\r\n" + "x" * 1000, ""))
    send_due(runtime)
    error = only_delivery(runtime).delivery.error
    assert error is not None
    assert (error.startswith("BadStatusLine: x"), len(error)) == (True, 500)


def test_the_sweep_says_what_is_due_and_comes_back_for_what_will_be(
    runtime: Runtime, receivers: FakeReceivers, clock: FrozenDateTimeFactory
) -> None:
    register(runtime)
    end_a_batch(runtime)
    assert sweep(runtime).due_webhooks == 1
    receivers.usual = 500
    send_due(runtime)
    clock.tick(3)
    swept = sweep(runtime)
    assert (swept.due_webhooks, swept.next_at) == (0, only_delivery(runtime).delivery.due_at)


def test_retry_after_is_honoured_for_everything_that_goes_there(
    runtime: Runtime, receivers: FakeReceivers, clock: FrozenDateTimeFactory
) -> None:
    endpoint_id = register(runtime)
    for _ in range(2):
        end_a_batch(runtime)
    receivers.script.append(Reply(503, None, "", "", retry_after="3600"))
    assert send_due(runtime) == 1
    end_a_batch(runtime)
    clock.tick(3599)
    assert (send_due(runtime), endpoint(runtime, endpoint_id).not_before) == (0, now() + timedelta(seconds=1))
    clock.tick(1)
    assert send_due(runtime) == 3


def test_what_it_asked_for_first_holds_though_it_asks_for_less_later(
    runtime: Runtime, make_runtime: MakeRuntime, receivers: FakeReceivers, clock: FrozenDateTimeFactory
) -> None:
    other = make_runtime()
    register(runtime)
    for _ in range(2):
        end_a_batch(runtime)
    began_at = now()

    def be_overtaken(_: Message) -> int:
        receivers_of(other).script.append(Reply(503, None, "", "", retry_after="3600"))
        send_due(other)
        return 500

    receivers.script.append(be_overtaken)
    send_due(runtime)
    assert {row.due_at for row in on_their_way(runtime)} == {began_at + timedelta(hours=1)}


def test_one_that_is_overloaded_is_left_alone_for_a_minute(
    runtime: Runtime, receivers: FakeReceivers, clock: FrozenDateTimeFactory
) -> None:
    register(runtime)
    end_a_batch(runtime)
    receivers.script.append(429)
    send_due(runtime)
    clock.tick(59)
    assert send_due(runtime) == 0
    clock.tick(1)
    assert send_due(runtime) == 1


# --- whoever dies on the way ---


def test_what_a_worker_took_that_died_is_sent_again_with_the_same_id(
    runtime: Runtime, receivers: FakeReceivers, clock: FrozenDateTimeFactory
) -> None:
    register(runtime)
    end_a_batch(runtime)

    def die(_: Message) -> int:
        raise KeyboardInterrupt

    receivers.script.append(die)
    with pytest.raises(KeyboardInterrupt):
        send_due(runtime)
    clock.tick(LEASE_SECONDS - 1)
    assert send_due(runtime) == 0, "it may still be at it"
    clock.tick(1)
    assert send_due(runtime) == 1
    assert len({message.headers["webhook-id"] for message in receivers.received}) == 1
    assert [(each.number, each.http_status) for each in only_delivery(runtime).log] == [(1, None), (2, 200)]


def test_what_was_sent_and_could_not_be_written_down_is_sent_again(
    runtime: Runtime, receivers: FakeReceivers, clock: FrozenDateTimeFactory
) -> None:
    register(runtime)
    end_a_batch(runtime)
    with pytest.raises(Exception, match="the test says so"):
        send_due(interposed(runtime, before={2: database_is_away}))
    clock.tick(LEASE_SECONDS)
    send_due(runtime)
    assert len(receivers.received) == 2
    assert only_delivery(runtime).delivery.state == DeliveryState.DELIVERED


def test_a_worker_that_wakes_too_late_does_not_undo_what_another_did(
    runtime: Runtime, make_runtime: MakeRuntime, receivers: FakeReceivers, clock: FrozenDateTimeFactory
) -> None:
    other = make_runtime()
    register(runtime)
    end_a_batch(runtime)

    def sleep_while_another_delivers(_: Message) -> int:
        clock.tick(LEASE_SECONDS)
        assert send_due(other) == 1
        return 500

    receivers.script.append(sleep_while_another_delivers)
    send_due(runtime)
    told = only_delivery(runtime)
    assert (told.delivery.state, told.delivery.tries) == (DeliveryState.DELIVERED, 2)
    assert [each.http_status for each in told.log] == [500, 200]


def test_several_couriers_in_two_processes_send_each_event_once(
    runtime: Runtime, make_runtime: MakeRuntime, receivers: FakeReceivers
) -> None:
    other = make_runtime()
    for number in range(4):
        register(runtime, f"{URL}/{number}")
    for _ in range(5):
        end_a_batch(runtime)
    side_by_side(*(partial(send_due, by) for by in (runtime, other, runtime, other)))
    while send_due(runtime):  # whoever found an endpoint crowded has left
        pass
    found = [*receivers.received, *receivers_of(other).received]
    assert len(found) == 20
    assert len({(message.url, message.headers["webhook-id"]) for message in found}) == 20
    assert {row.state for row in on_their_way(runtime)} == {DeliveryState.DELIVERED}


def receivers_of(runtime: Runtime) -> FakeReceivers:
    found = runtime.webhook_sender
    assert isinstance(found, FakeReceivers)
    return found


# --- endpoints that fail ---


def test_410_disables_an_endpoint_at_once_and_says_why(runtime: Runtime, receivers: FakeReceivers) -> None:
    endpoint_id = register(runtime)
    for _ in range(2):
        end_a_batch(runtime)
    receivers.script.append(410)
    assert send_due(runtime) == 1, "the other is given up"
    seen = endpoint(runtime, endpoint_id)
    assert (seen.disabled_reason, seen.disabled_at is not None) == ("It answered 410 Gone.", True)
    assert {row.state for row in on_their_way(runtime)} == {DeliveryState.FAILED}
    end_a_batch(runtime)
    assert len(on_their_way(runtime)) == 2, "nothing more is sent there"


def fail_for(
    runtime: Runtime, receivers: FakeReceivers, clock: FrozenDateTimeFactory, until: datetime, *, status: int = 500
) -> None:
    """A batch ends every twelve hours until then, and nothing can be delivered."""
    receivers.usual = status
    while now() < until:
        end_a_batch(runtime)
        send_due(runtime)
        clock.tick(12 * 3600)


def test_an_endpoint_that_fails_for_five_days_is_disabled_and_says_why(
    runtime: Runtime, receivers: FakeReceivers, clock: FrozenDateTimeFactory
) -> None:
    endpoint_id = register(runtime)
    began_at = now()
    fail_for(runtime, receivers, clock, began_at + 5 * DAY)
    failing = endpoint(runtime, endpoint_id)
    assert (failing.disabled_at, failing.failing_since) == (None, began_at)
    fail_for(runtime, receivers, clock, began_at + 5 * DAY + timedelta(hours=1))
    said = endpoint(runtime, endpoint_id).disabled_reason
    assert said == "Nothing could be delivered since 2026-03-01 12:00 UTC; the last try: HTTP 500"
    assert DeliveryState.PENDING not in {row.state for row in on_their_way(runtime)}


def test_one_delivery_between_begins_the_days_anew(
    runtime: Runtime, receivers: FakeReceivers, clock: FrozenDateTimeFactory
) -> None:
    endpoint_id = register(runtime)
    fail_for(runtime, receivers, clock, now() + 4 * DAY)
    receivers.usual = 200
    end_a_batch(runtime)
    send_due(runtime)
    assert endpoint(runtime, endpoint_id).failing_since is None
    fail_for(runtime, receivers, clock, now() + 4 * DAY)
    assert endpoint(runtime, endpoint_id).disabled_at is None


def test_an_endpoint_that_is_enabled_again_has_a_clean_record_and_what_failed_can_be_sent_again(
    runtime: Runtime, receivers: FakeReceivers, clock: FrozenDateTimeFactory
) -> None:
    endpoint_id = register(runtime)
    fail_for(runtime, receivers, clock, now() + 6 * DAY)
    lost = len(on_their_way(runtime))
    enabled = endpointchanges.change(runtime, "alice", endpoint_id, Changes(is_enabled=True))
    assert (enabled.disabled_at, enabled.disabled_reason, enabled.failing_since) == (None, None, None)
    receivers.usual = 200
    resent = resending.resend_failed(runtime, "alice", endpoint_id, now() - 30 * DAY)
    assert send_due(runtime) == resent == lost
    assert {row.state for row in on_their_way(runtime)} == {DeliveryState.DELIVERED}


def test_what_was_put_on_its_way_just_as_its_endpoint_was_disabled_is_not_sent(
    runtime: Runtime, receivers: FakeReceivers
) -> None:
    endpoint_id = register(runtime)
    end_a_batch(runtime)
    with runtime.database.transaction() as connection:
        endpoints.endpoints.change(connection, endpoint_id, disabled_at=now(), disabled_reason="no")
    send_due(runtime)
    assert (receivers.received, only_delivery(runtime).delivery.state) == ([], DeliveryState.FAILED)


# --- secrets ---


def verifies(message: Message, secret: str) -> bool:
    try:
        standardwebhooks.Webhook(secret).verify(message.body, dict(message.headers))
    except standardwebhooks.WebhookVerificationError:
        return False
    return True


def signed_by(runtime: Runtime, receivers: FakeReceivers, *secrets: str) -> list[bool]:
    """Which of these secrets signed what is sent now."""
    end_a_batch(runtime)
    send_due(runtime)
    return [verifies(receivers.received[-1], secret) for secret in secrets]


def test_for_a_day_after_a_rotation_both_secrets_sign(
    runtime: Runtime, receivers: FakeReceivers, clock: FrozenDateTimeFactory
) -> None:
    endpoint_id = register(runtime)
    old = endpoints.secret(runtime, "alice", endpoint_id).secret
    new = endpointchanges.rotate(runtime, "alice", endpoint_id, keeps_old=True).secret
    assert signed_by(runtime, receivers, old, new) == [True, True]
    clock.tick(24 * 3600 - 1)
    assert signed_by(runtime, receivers, old, new) == [True, True]
    clock.tick(1)
    assert signed_by(runtime, receivers, old, new) == [False, True]


def test_a_secret_that_got_about_can_be_ended_at_once(
    runtime: Runtime, receivers: FakeReceivers, clock: FrozenDateTimeFactory
) -> None:
    endpoint_id = register(runtime)
    old = endpoints.secret(runtime, "alice", endpoint_id).secret
    new = endpointchanges.rotate(runtime, "alice", endpoint_id, keeps_old=False).secret
    assert signed_by(runtime, receivers, old, new) == [False, True]


# --- by hand ---


def test_what_is_missing_is_sent_to_an_endpoint_that_came_later(runtime: Runtime, receivers: FakeReceivers) -> None:
    told = {end_a_batch(runtime), end_a_batch(runtime)}
    began_at = now() - DAY
    endpoint_id = register(runtime)
    assert resending.resend_missing(runtime, "alice", endpoint_id, began_at) == 2
    assert resending.resend_missing(runtime, "alice", endpoint_id, began_at) == 0
    assert send_due(runtime) == 2
    assert {body["data"]["id"] for body in receivers.bodies()} == told
    assert resending.resend_missing(runtime, "alice", register(runtime, URL + "/2"), now() + DAY) == 0


def test_one_is_sent_again_with_all_of_its_tries(
    runtime: Runtime, receivers: FakeReceivers, clock: FrozenDateTimeFactory
) -> None:
    register(runtime)
    end_a_batch(runtime)
    send_due(runtime)
    delivered = only_delivery(runtime).delivery
    receivers.usual = 500
    resending.resend(runtime, "alice", delivered.id)
    send_due(runtime)
    again = only_delivery(runtime).delivery
    assert (again.state, again.tries, again.event_id) == (DeliveryState.PENDING, 2, delivered.event_id)
    assert again.due_at is not None
    assert again.due_at - now() < timedelta(seconds=6), "as after a first try"


def test_a_test_is_sent_at_once_and_only_once_and_says_nothing_of_the_endpoint(
    runtime: Runtime, receivers: FakeReceivers
) -> None:
    endpoint_id = register(runtime)
    receivers.usual = 500
    tried = resending.test(runtime, "alice", endpoint_id, EventType.FAILED, None)
    assert (tried.delivery.state, tried.delivery.http_status, tried.delivery.due_at) == (
        DeliveryState.FAILED,
        500,
        None,
    )
    (body,) = receivers.bodies()
    assert (body["type"], body["data"]["test"]) == ("batch.failed", True)
    assert (send_due(runtime), endpoint(runtime, endpoint_id).failing_since) == (0, None)


# --- beside the work ---


def test_a_slow_receiver_stops_neither_submitting_nor_the_other_receivers(
    make_runtime: MakeRuntime, run_in_thread: Callable[[Callable[[], object]], threading.Thread]
) -> None:
    runtime = make_runtime(connections=8)  # so two couriers, and one for each receiver
    receivers, is_slow, goes_on = receivers_of(runtime), threading.Event(), threading.Event()
    register(runtime, f"{URL}/slow")
    register(runtime, f"{URL}/quick")

    def slowly(message: Message) -> int:
        if message.url.endswith("/slow"):
            is_slow.set()
            assert goes_on.wait(20)
        return 200

    receivers.script.extend([slowly] * 100)
    for _ in range(3):
        end_a_batch(runtime)
    couriers = [run_in_thread(partial(send_due, runtime)) for _ in range(runtime.settings.couriers)]
    assert is_slow.wait(10)
    batch_id = submit(runtime, "a", "b")
    drain(runtime)
    assert counts(runtime, batch_id) == {"waiting": 2}
    couriers[1].join(10)
    couriers[0].join(0.1)
    quick = [message for message in receivers.received if message.url.endswith("/quick")]
    slow = [message for message in receivers.received if message.url.endswith("/slow")]
    assert (len(quick), len(slow)) == (3, 1)
    assert batch(runtime, batch_id).status == "in_progress"
    goes_on.set()
    for courier in couriers:
        courier.join(20)
        assert not courier.is_alive()


@pytest.fixture
def run_in_thread() -> Callable[[Callable[[], object]], threading.Thread]:
    def run(action: Callable[[], object]) -> threading.Thread:
        thread = threading.Thread(target=action, daemon=True)
        thread.start()
        return thread

    return run
