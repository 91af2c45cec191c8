"""Asking V2 for a task, which it may not support; and the registry."""

from pathlib import Path

import pytest

from app.config import load
from app.providers import registry
from app.providers.base import Finished, NoReply, NotKnown, Running
from app.providers.hive_v2 import HiveV2
from tests.unit.providers.conftest import Serve, Waiting
from tests.unit.providers.servers import Act, answer, reset, says

TASK_PATH = "/api/v2/task?task_id={task_id}"
RESULT = {"id": "t-1", "status": [{"status": {"code": "0"}}]}


def hive(url: str, *keys: str) -> HiveV2:
    return HiveV2(url, keys or ("k_1",), task_path=TASK_PATH)


def test_a_task_with_a_status_array_is_finished(serve: Serve, sender: Waiting) -> None:
    server = serve(answer(200, b'{"id": "t-1", "status": [{}]}'))
    assert sender.hold(hive(server.url).look_up("t-1")) == Finished(b'{"id": "t-1", "status": [{}]}')
    assert (server.received[0].method, server.received[0].path) == ("GET", "/api/v2/task?task_id=t-1")
    assert server.received[0].headers["authorization"] == "Token k_1"


@pytest.mark.parametrize(
    "fields", [{"message": "in progress"}, {}, {"status": "queued"}, {"status": None}, {"status": []}]
)
def test_any_other_success_is_a_task_that_runs(serve: Serve, sender: Waiting, fields: object) -> None:
    assert sender.hold(hive(serve(says(fields)).url).look_up("t-1")) == Running()


@pytest.mark.parametrize("act", [says(RESULT, 404), says(RESULT, 405), says(RESULT, 410), says(RESULT, 400)])
def test_a_provider_that_has_no_such_task_says_so(serve: Serve, sender: Waiting, act: Act) -> None:
    assert isinstance(sender.hold(hive(serve(act).url).look_up("t-1")), NotKnown)


@pytest.mark.parametrize(
    "act",
    [
        answer(200, b"<html>"),
        answer(200, b"[]"),
        says({"status": [], "return_code": 500}),
        says(RESULT, 401),
        says(RESULT, 429),
        says(RESULT, 503),
        says(RESULT, 302),
        reset,
    ],
)
def test_anything_else_tells_nothing(serve: Serve, sender: Waiting, act: Act) -> None:
    assert isinstance(sender.hold(hive(serve(act).url).look_up("t-1")), NoReply)


def test_a_server_that_is_not_there_tells_nothing(sender: Waiting) -> None:
    assert isinstance(sender.hold(hive("http://nowhere.invalid").look_up("t-1")), NoReply)


def test_an_id_can_not_change_the_path(serve: Serve, sender: Waiting) -> None:
    server = serve(says({}))
    sender.hold(hive(server.url).look_up("a/../b&c={d}#e"))
    assert server.received[0].path == "/api/v2/task?task_id=a%2F..%2Fb%26c%3D%7Bd%7D%23e"


def test_a_refused_key_is_followed_by_the_other_one(serve: Serve, sender: Waiting) -> None:
    server = serve(says({}, 401), says(RESULT))
    assert isinstance(sender.hold(hive(server.url, "one", "two").look_up("t-1")), Finished)
    assert [request.headers["authorization"] for request in server.received] == ["Token one", "Token two"]


@pytest.mark.parametrize(("status", "asked"), [(404, ["t-1", "t-2", "t-3"]), (405, ["t-1"])])
def test_a_provider_that_can_not_be_asked_is_not_asked_again(
    serve: Serve, sender: Waiting, status: int, asked: list[str]
) -> None:
    server = serve(says({}, status))
    provider = hive(server.url)
    assert provider.can_read_back
    assert {type(sender.hold(provider.look_up(f"t-{number}"))) for number in range(1, 6)} == {NotKnown}
    assert [request.path.partition("task_id=")[2] for request in server.received] == asked
    assert not provider.can_read_back


def test_one_task_that_is_forgotten_does_not_end_the_asking(serve: Serve, sender: Waiting) -> None:
    provider = hive(serve(says({}, 404)).url)
    assert [type(sender.hold(provider.look_up("t-1"))) for _ in range(5)] == [NotKnown] * 5
    assert provider.can_read_back


def test_a_404_after_a_success_speaks_of_one_task_only(serve: Serve, sender: Waiting) -> None:
    server = serve(says({}), says({}, 404), says(RESULT))
    provider = hive(server.url)
    assert [type(sender.hold(provider.look_up("t-1"))) for _ in range(3)] == [Running, NotKnown, Finished]
    assert provider.can_read_back


def test_a_404_inside_a_2xx_speaks_of_one_task_only(serve: Serve, sender: Waiting) -> None:
    provider = hive(serve(says({"return_code": 404, "message": "no such task"})).url)
    assert sender.hold(provider.look_up("t-1")) == NotKnown("HTTP 404: no such task")
    assert provider.can_read_back


@pytest.mark.parametrize("status", [401, 429, 500, 302])
def test_a_passing_fault_does_not_end_the_asking(serve: Serve, sender: Waiting, status: int) -> None:
    provider = hive(serve(says({}, status)).url)
    sender.hold(provider.look_up("t-1"))
    assert provider.can_read_back


def test_without_a_path_nothing_is_asked(serve: Serve, sender: Waiting) -> None:
    server = serve(says(RESULT))
    provider = HiveV2(server.url, ("k_1",))
    assert not provider.can_read_back
    assert isinstance(sender.hold(provider.look_up("t-1")), NotKnown)
    assert server.received == []


def test_without_a_key_nothing_is_asked(serve: Serve, sender: Waiting) -> None:
    server = serve(says(RESULT))
    assert isinstance(sender.hold(HiveV2(server.url, (), task_path=TASK_PATH).look_up("t-1")), NotKnown)
    assert server.received == []


def test_the_registry_holds_what_the_settings_configure(serve: Serve, sender: Waiting, tmp_path: Path) -> None:
    server = serve(says(RESULT))
    settings = load(data_dir=tmp_path, hive_url=server.url + "/", hive_key="k_1", hive_task_path=TASK_PATH)
    providers = registry(settings)
    assert list(providers) == ["hive_v2"]
    assert (providers["hive_v2"].name, providers["hive_v2"].can_read_back) == ("hive_v2", True)
    assert isinstance(sender.hold(providers["hive_v2"].look_up("t-1")), Finished)
