"""The doorbell: it never fails and never makes anybody wait; many rings become few; a lost one is counted."""

import logging
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from celery import Celery

from app.queue import DRAIN, CeleryDoorbell, SilentDoorbell, make_celery, try_ring
from tests.conftest import make_settings
from tests.servers import free_port

WAIT_SECONDS = 20.0
MakeDoorbell = Callable[[Celery], CeleryDoorbell]


class Recorder(Celery):  # type: ignore[misc]  # Celery has no types
    """An app whose messages stand still until they are let go, and are then remembered instead of sent."""

    def __init__(self) -> None:
        super().__init__("recorder", broker="memory://")
        self.sent: list[tuple[str, list[str], float]] = []
        self.is_sending = threading.Event()
        self.may_go_on = threading.Event()
        self.fails = False

    def send_task(self, name: str, args: list[str], expires: float) -> None:
        self.is_sending.set()
        assert self.may_go_on.wait(WAIT_SECONDS)
        if self.fails:
            raise OSError("no broker")
        self.sent.append((name, args, expires))


def until(is_so: Callable[[], bool]) -> None:
    """Return as soon as the doorbell's thread has made it so."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        threading.Event().wait(0.001)


@pytest.fixture
def make_doorbell() -> Iterator[MakeDoorbell]:
    made: list[CeleryDoorbell] = []

    def make(celery: Celery) -> CeleryDoorbell:
        made.append(CeleryDoorbell(celery))
        return made[-1]

    yield make
    for doorbell in made:
        doorbell.close()


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    made = Recorder()
    yield made
    made.may_go_on.set()


def test_a_ring_sends_one_message_that_names_the_provider(recorder: Recorder, make_doorbell: MakeDoorbell) -> None:
    recorder.may_go_on.set()
    make_doorbell(recorder).ring("hive_v2")
    until(lambda: bool(recorder.sent))
    assert recorder.sent == [(DRAIN, ["hive_v2"], 60)]


def test_the_last_ring_is_known_and_whether_the_broker_heard_it(
    recorder: Recorder, make_doorbell: MakeDoorbell
) -> None:
    recorder.may_go_on.set()
    doorbell = make_doorbell(recorder)
    assert doorbell.last is None
    doorbell.ring("hive_v2")
    until(lambda: doorbell.last is not None and doorbell.last.is_heard)
    recorder.fails = True
    doorbell.ring("hive_v2")
    until(lambda: doorbell.last is not None and not doorbell.last.is_heard)


def test_a_ring_returns_while_the_broker_is_still_thinking(recorder: Recorder, make_doorbell: MakeDoorbell) -> None:
    make_doorbell(recorder).ring("hive_v2")
    assert recorder.is_sending.wait(WAIT_SECONDS)
    assert recorder.sent == []
    recorder.may_go_on.set()


def test_rings_that_come_while_one_is_sent_become_one_more(recorder: Recorder, make_doorbell: MakeDoorbell) -> None:
    doorbell = make_doorbell(recorder)
    doorbell.ring("hive_v2")
    assert recorder.is_sending.wait(WAIT_SECONDS)
    for _ in range(1000):
        doorbell.ring("hive_v2")
    doorbell.ring("another")
    recorder.may_go_on.set()
    until(lambda: len(recorder.sent) == 3)
    assert sorted(args[0] for _, args, _ in recorder.sent) == ["another", "hive_v2", "hive_v2"]
    assert doorbell._wanted == set()


def test_a_lost_ring_is_counted_and_logged_and_the_next_is_sent(
    recorder: Recorder, make_doorbell: MakeDoorbell, caplog: pytest.LogCaptureFixture
) -> None:
    doorbell = make_doorbell(recorder)
    recorder.fails = True
    recorder.may_go_on.set()
    doorbell.ring("hive_v2")
    until(lambda: doorbell.failures == 1)
    recorder.fails = False
    doorbell.ring("hive_v2")
    until(lambda: bool(recorder.sent))
    assert doorbell.failures == 1
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == ["ring_failed"]


def test_after_close_nothing_rings(recorder: Recorder, make_doorbell: MakeDoorbell) -> None:
    recorder.may_go_on.set()
    doorbell = make_doorbell(recorder)
    doorbell.ring("hive_v2")
    until(lambda: bool(recorder.sent))
    doorbell.close()
    doorbell.ring("hive_v2")
    doorbell.close()
    assert len(recorder.sent) == 1
    assert doorbell._thread is not None
    assert not doorbell._thread.is_alive()


def test_a_doorbell_that_never_rang_closes_without_a_thread(recorder: Recorder, make_doorbell: MakeDoorbell) -> None:
    doorbell = make_doorbell(recorder)
    doorbell.close()
    doorbell.ring("hive_v2")
    assert doorbell._thread is None


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_is_down_costs_a_count_and_no_error(scheme: str, make_doorbell: MakeDoorbell) -> None:
    celery = make_celery(make_settings(broker_url=f"{scheme}://127.0.0.1:{free_port()}/"))
    doorbell = make_doorbell(celery)
    doorbell.ring("hive_v2")
    until(lambda: doorbell.failures == 1)
    assert doorbell.failures == 1


@pytest.mark.parametrize("url", ["nonsense://x", "redis://[", "://"])
def test_a_broker_url_that_makes_no_sense_costs_a_count_and_no_error(url: str, make_doorbell: MakeDoorbell) -> None:
    doorbell = make_doorbell(make_celery(make_settings(broker_url=url)))
    doorbell.ring("hive_v2")
    until(lambda: doorbell.failures == 1)
    assert doorbell.failures == 1


def test_a_ring_reaches_a_queue_in_memory(make_doorbell: MakeDoorbell) -> None:
    celery = make_celery(make_settings())
    make_doorbell(celery).ring("hive_v2")
    with celery.connection_for_read() as connection, connection.SimpleQueue("hivebatch") as queue:
        message = queue.get(timeout=WAIT_SECONDS)
        message.ack()
    assert message.headers["task"] == DRAIN
    assert message.content_type == "application/json"
    assert message.payload[0] == ["hive_v2"]


# --- one ring, to see whether it goes ---


def test_a_ring_that_is_tried_reaches_the_queue() -> None:
    settings = make_settings()
    assert try_ring(settings, "hive_v2") is None
    with make_celery(settings).connection_for_read() as connection, connection.SimpleQueue("hivebatch") as queue:
        message = queue.get(timeout=WAIT_SECONDS)
        message.ack()
    assert (message.headers["task"], message.payload[0]) == (DRAIN, ["hive_v2"])


@pytest.mark.parametrize("url", ["redis://127.0.0.1:{}/", "amqp://127.0.0.1:{}/", "nonsense://x", "redis://[", "://"])
def test_of_a_ring_that_can_not_be_sent_the_reason_is_told(url: str) -> None:
    assert try_ring(make_settings(broker_url=url.format(free_port())), "hive_v2")


def test_a_silent_doorbell_does_nothing() -> None:
    doorbell = SilentDoorbell()
    doorbell.ring("hive_v2")
    doorbell.close()
    assert not vars(doorbell)


# --- the Celery app ---


def test_messages_are_json_and_nothing_else_is_accepted() -> None:
    conf = make_celery(make_settings()).conf
    assert (conf.task_serializer, conf.accept_content) == ("json", ["json"])


def test_the_broker_is_trusted_with_nothing() -> None:
    conf = make_celery(make_settings()).conf
    assert conf.task_acks_late is True
    assert conf.worker_prefetch_multiplier == 1
    assert conf.task_ignore_result is True
    assert conf.result_backend is None
    assert conf.beat_schedule == {}
    assert conf.worker_pool == "threads"
    assert conf.worker_hijack_root_logger is False
    assert conf.task_publish_retry_policy["max_retries"] == 1
    assert conf.broker_pool_acquire_timeout == 2


def test_an_in_memory_broker_is_looked_into_often_and_redis_by_its_own_options() -> None:
    in_memory = make_celery(make_settings(broker_url="memory://localhost/")).conf.broker_transport_options
    redis = make_celery(make_settings(broker_url="redis://redis:6379/0")).conf.broker_transport_options
    assert in_memory == {"polling_interval": 0.01}
    assert redis == {
        "visibility_timeout": 120,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "unacked_mutex_expire": 15,
        "socket_timeout": 5,
        "socket_connect_timeout": 2,
        "socket_keepalive": True,
        "health_check_interval": 25,
    }
