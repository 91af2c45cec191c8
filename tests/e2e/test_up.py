"""`hivebatch up` as people start and stop it: what it prints, what it keeps, and what a stop in the middle costs."""

import re
import stat
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import requests

from tests.e2e.processes import STOP_SECONDS, Processes, Up, eventually, ledger
from tests.senders import SENDERS, skip_if_missing

TIMES = {
    "HIVEBATCH_CALLBACK_TIMEOUT_SECONDS": "2",
    "HIVEBATCH_UNKNOWN_GRACE_SECONDS": "2",
    "HIVEBATCH_SUBMIT_TIMEOUT_SECONDS": "4",
    "HIVEBATCH_LEASE_SECONDS": "6",
    "HIVEBATCH_BACKOFF_BASE_SECONDS": "0.2",
    "HIVEBATCH_SWEEP_SECONDS": "0.5",
}
JOBS = 120


def prompts(count: int, word: str = "river") -> dict[str, str]:
    return {f"{word}-{number}": f"Tell me about {word} number {number}." for number in range(count)}


def settings_of_a_slow_provider(sandbox: str) -> Mapping[str, str]:
    """A provider in another process, and a rate that leaves time to stop in the middle of a batch."""
    return {
        **TIMES,
        "HIVEBATCH_HIVE_URL": sandbox,
        "HIVEBATCH_HIVE_KEY": "a-key",
        "HIVEBATCH_HIVE_TASK_PATH": "/api/v2/task?task_id={task_id}",
        "HIVEBATCH_RATE_PER_SECOND": "30",
    }


def is_underway(up: Up, batch_id: str) -> bool:
    counts = up.batch(batch_id)["counts"]
    return bool(counts["completed"] >= 10 and counts["queued"] >= 10)


def test_the_banner_names_all_that_a_first_job_needs(processes: Processes, tmp_path: Path) -> None:
    up = processes.up(tmp_path, "--sandbox", "--profile", "calm", "--port", "0")
    curl = re.search(r"(curl .*\n.*\n.*'\n)", up.process.stdout)
    assert curl is not None
    done = processes.run(["sh", "-c", curl[1]], tmp_path, {"PATH": "/usr/bin:/bin"}, name="curl")
    assert done.wait(20) == 0, done.stderr
    batch_id = re.search(r"batch_[0-9a-f]{32}", done.stdout)
    assert batch_id is not None, done.stdout
    assert up.finished(batch_id[0])["counts"]["completed"] == 1
    assert requests.get(f"{up.url}/admin/", timeout=20).status_code == 200
    assert up.process.stop() == 0
    assert "ERROR" not in up.process.stderr


def test_a_job_is_submitted_at_once_and_not_by_the_next_sweep(processes: Processes, tmp_path: Path) -> None:
    up = processes.up(tmp_path, "--sandbox", "--profile", "calm", "--port", "0", HIVEBATCH_SWEEP_SECONDS="600")
    assert up.finished(up.submit(prompts(3)), seconds=20)["counts"]["completed"] == 3
    assert "ERROR" not in up.process.stderr


def test_the_key_is_made_once_and_kept_for_the_owner_only(processes: Processes, tmp_path: Path) -> None:
    first = processes.up(tmp_path, name="first")
    secrets = tmp_path / "var" / "secrets.json"
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o600
    assert stat.S_IMODE(secrets.parent.stat().st_mode) == 0o700
    assert first.process.stop() == 0
    second = processes.up(tmp_path, name="second")
    assert (second.key, second.password) == (first.key, first.password)
    assert second.request("GET", "/api/batches").status_code == 200


def test_scripts_can_fix_key_password_port_and_directory(processes: Processes, tmp_path: Path) -> None:
    found = processes.up(tmp_path, name="found")
    port = found.port
    assert found.process.stop() == 0
    fixed = {
        "HIVEBATCH_DEV_KEY": "a-key-of-my-own",
        "HIVEBATCH_ADMIN_PASSWORD": "a-password-of-my-own",
        "HIVEBATCH_PORT": port,
        "HIVEBATCH_DATA_DIR": "elsewhere",
    }
    up = processes.up(tmp_path, "--sandbox", name="fixed", **fixed)
    assert (up.key, up.password, up.port) == ("a-key-of-my-own", "a-password-of-my-own", port)
    assert up.request("GET", "/api/batches").status_code == 200
    assert (tmp_path / "elsewhere" / "hivebatch.db").exists()
    assert "a-key-of-my-own" not in (tmp_path / "elsewhere" / "secrets.json").read_text()


def test_two_installations_side_by_side_keep_apart(processes: Processes, tmp_path: Path) -> None:
    one, other = (
        processes.up(tmp_path / name, "--sandbox", "--profile", "calm", "--port", "0") for name in ("one", "other")
    )
    assert one.key != other.key
    batches = [(one, one.submit(prompts(20, "lake"))), (other, other.submit(prompts(20, "hill")))]
    for up, batch_id in batches:
        assert up.finished(batch_id)["counts"]["completed"] == 20
        assert [item["id"] for item in up.request("GET", "/api/batches").json()["items"]] == [batch_id]
    assert all("lake" in line["text"] for line in one.results(batches[0][1]))
    assert all("hill" in line["text"] for line in other.results(batches[1][1]))
    assert (
        requests.get(f"{one.url}/api/batches", headers={"Authorization": f"Bearer {other.key}"}, timeout=20).status_code
        == 401
    )


def test_a_second_one_in_the_same_directory_refuses_to_start(processes: Processes, tmp_path: Path) -> None:
    first = processes.up(tmp_path)
    second = processes.hivebatch("up", "--port", "0", folder=tmp_path, name="second")
    assert second.wait(STOP_SECONDS) != 0
    assert "var is in use by another hivebatch; set HIVEBATCH_DATA_DIR" in second.stderr
    assert "Traceback" not in second.stderr
    assert first.request("GET", "/api/batches").status_code == 200


def test_a_port_in_use_is_an_error_that_says_so(processes: Processes, tmp_path: Path) -> None:
    first = processes.up(tmp_path / "first")
    second = processes.hivebatch("up", "--port", first.port, folder=tmp_path / "second")
    assert second.wait(STOP_SECONDS) != 0
    assert first.port in second.stderr
    assert "Traceback" not in second.stderr


def test_a_provider_elsewhere_gets_nothing_while_it_can_not_reach_us(processes: Processes, tmp_path: Path) -> None:
    elsewhere = {"HIVEBATCH_HIVE_URL": "https://provider.invalid", "HIVEBATCH_HIVE_KEY": "a-key"}
    up = processes.up(tmp_path, **elsewhere, HIVEBATCH_SWEEP_SECONDS="0.2")
    up.process.wait_for(r"Nothing is submitted: HIVEBATCH_PUBLIC_URL is http://127\.0\.0\.1:\d+")
    batch = up.batch(up.submit(prompts(3)))

    def is_swept() -> bool:
        return bool(up.request("GET", "/readyz").json()["last_sweep_at"] > batch["created_at"])

    eventually(is_swept, 20, "a sweep after the batch")
    assert up.batch(batch["id"])["counts"]["queued"] == 3
    jobs = up.request("GET", f"/api/batches/{batch['id']}/jobs").json()["items"]
    assert [job["attempts"] for job in jobs] == [0, 0, 0]


def stopped(up: Up) -> None:
    assert up.process.stop(STOP_SECONDS) == 0
    assert "ERROR" not in up.process.stderr


def killed(up: Up) -> None:
    up.process.kill()


@pytest.mark.parametrize("end", [stopped, killed])
@pytest.mark.parametrize("sender", SENDERS)
def test_a_batch_that_was_cut_off_is_finished_after_a_restart(
    processes: Processes, tmp_path: Path, sender: str, end: Callable[[Up], None]
) -> None:
    skip_if_missing(sender)
    sandbox = processes.sandbox(tmp_path, "--profile", "calm")
    settings = {**settings_of_a_slow_provider(sandbox), "HIVEBATCH_SENDER": sender}
    first = processes.up(tmp_path, name="first", **settings)
    batch_id = first.submit(prompts(JOBS))
    eventually(lambda: is_underway(first, batch_id), 20, "the batch is in the middle")
    end(first)
    second = processes.up(tmp_path, "--port", first.port, name="second", **settings)
    batch = second.finished(batch_id)
    results = second.results(batch_id)
    booked = Counter(entry["metadata"] for entry in ledger(sandbox)["entries"])
    assert batch["counts"]["completed"] == JOBS
    assert {line["custom_id"]: line["text"].partition("asked: ")[2] for line in results} == prompts(JOBS)
    assert booked.keys() == {line["job_id"] for line in results}
    if end is stopped:
        # Whatever was under way was acked, so what its callback could not deliver was asked for.
        assert booked.total() == JOBS
        assert batch["retries"] == 0
    else:
        # A submit whose answer died with the process may have been taken; only such a job is paid twice.
        attempts = {line["job_id"]: line["attempts"] for line in results}
        assert all(booked[job_id] <= attempts[job_id] for job_id in booked)
        assert batch["retries"] == sum(attempts.values()) - JOBS
