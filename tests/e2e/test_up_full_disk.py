"""`hivebatch up` on a disk that is full: it says so, promises nothing, and goes on when there is room again."""

from pathlib import Path

from tests.e2e.processes import Processes, Up, eventually, full_disk


def statuses(up: Up, job: str) -> tuple[int, int]:
    """What readiness and a submit are answered."""
    submitted = up.request("POST", "/api/batches", json={"jobs": [{"custom_id": job, "text_data": "Name a river."}]})
    return up.request("GET", "/readyz").status_code, submitted.status_code


def test_a_full_disk_is_not_ready_accepts_nothing_and_loses_nothing(processes: Processes, tmp_path: Path) -> None:
    up = processes.up(tmp_path, "--sandbox", "--profile", "calm", "--port", "0", HIVEBATCH_SWEEP_SECONDS="0.5")
    before = up.submit({"slow": "Name a lake. [[sandbox delay=1]]"})
    with full_disk(up.process.pid):
        assert statuses(up, "refused") == (503, 503)
    assert statuses(up, "accepted") == (200, 201)
    eventually(lambda: all(batch["finalized_at"] for batch in batches(up)), 30, "every batch is over")
    assert [batch["counts"]["completed"] for batch in batches(up)] == [1, 1]
    assert up.batch(before)["counts"]["completed"] == 1
    assert up.process.stop() == 0


def batches(up: Up) -> list[dict[str, object]]:
    found: list[dict[str, object]] = up.request("GET", "/api/batches").json()["items"]
    return found
