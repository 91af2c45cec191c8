"""`hivebatch up` and its provider: open jobs go to the one they were meant for, and none waits for a sweep."""

from pathlib import Path

from tests.e2e.processes import STOP_SECONDS, Processes, Up, eventually

ELSEWHERE = {
    "HIVEBATCH_HIVE_URL": "https://hive.invalid",
    "HIVEBATCH_HIVE_KEY": "a-key",
    "HIVEBATCH_PUBLIC_URL": "https://batches.example.com",
    "HIVEBATCH_ECHO": "off",  # so nothing leaves this machine
}
SANDBOX = ("--sandbox", "--profile", "calm", "--port", "0")


def is_waiting(up: Up, batch_id: str) -> bool:
    return bool(up.batch(batch_id)["counts"]["waiting"])


def test_open_jobs_of_the_sandbox_are_not_bought_from_a_provider(processes: Processes, tmp_path: Path) -> None:
    first = processes.up(tmp_path, *SANDBOX, name="first")
    batch_id = first.submit({"slow": "Name a river. [[sandbox delay=600]]"})
    eventually(lambda: is_waiting(first, batch_id), 20, "the job is at the sandbox")
    assert first.process.stop() == 0

    refused = processes.hivebatch("up", "--port", "0", folder=tmp_path, name="refused", **ELSEWHERE)
    assert refused.wait(STOP_SECONDS) == 2
    assert "var has open batches for the sandbox" in refused.stderr
    assert "would submit them to https://hive.invalid: finish or cancel them first" in refused.stderr
    assert "HIVEBATCH_DATA_DIR" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert "Hivebatch runs at" not in refused.stdout

    second = processes.up(tmp_path, *SANDBOX, name="second")
    assert is_waiting(second, batch_id)
    assert second.request("POST", f"/api/batches/{batch_id}/cancel").status_code in {200, 202}
    assert second.finished(batch_id, seconds=20)["counts"]["cancelled"] == 1
    assert second.process.stop() == 0

    third = processes.up(tmp_path, name="third", **ELSEWHERE)
    assert "https://hive.invalid" in third.process.stdout
    assert third.batch(batch_id)["status"] == "cancelled"


def test_open_jobs_of_a_provider_are_not_answered_by_the_sandbox(processes: Processes, tmp_path: Path) -> None:
    unreachable = ELSEWHERE | {"HIVEBATCH_PUBLIC_URL": "http://10.0.0.1"}
    first = processes.up(tmp_path, name="first", **unreachable)
    batch_id = first.submit({"1": "Name a river."})
    assert first.process.stop() == 0
    refused = processes.hivebatch("up", *SANDBOX, folder=tmp_path, name="refused")
    assert refused.wait(STOP_SECONDS) == 2
    assert "var has open batches for https://hive.invalid" in refused.stderr
    again = processes.up(tmp_path, name="again", **unreachable)
    assert again.batch(batch_id)["counts"]["queued"] == 1


def test_room_that_comes_free_is_used_at_once_and_not_by_the_next_sweep(processes: Processes, tmp_path: Path) -> None:
    seldom = {"HIVEBATCH_SWEEP_SECONDS": "60", "HIVEBATCH_MAX_IN_FLIGHT": "5"}
    up = processes.up(tmp_path, *SANDBOX, **seldom)
    batch_id = up.submit({f"river-{number}": f"Name river number {number}." for number in range(40)})
    assert up.finished(batch_id, seconds=25)["counts"]["completed"] == 40
    assert up.process.stop() == 0
    assert "ERROR" not in up.process.stderr
    assert "Traceback" not in up.process.stderr
