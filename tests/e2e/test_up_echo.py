"""`hivebatch up` behind a public URL that leads nowhere: nothing is spent, the reason is shown, and it mends itself."""

from pathlib import Path

import requests

from tests.e2e.processes import Processes, Up, eventually, ledger
from tests.e2e.relay import Relay
from tests.servers import free_port

JOBS = {f"river-{number}": f"Name river number {number}." for number in range(5)}


def reasons(up: Up) -> list[str]:
    return [hold["reason"] for hold in up.request("GET", "/readyz").json()["holds"]]


def test_jobs_wait_for_a_way_to_us_and_then_run_by_themselves(processes: Processes, tmp_path: Path) -> None:
    sandbox = processes.sandbox(tmp_path, "--profile", "calm")
    port = free_port()
    settings = {
        "HIVEBATCH_HIVE_URL": sandbox,
        "HIVEBATCH_HIVE_KEY": "a-key",
        "HIVEBATCH_PUBLIC_URL": f"http://127.0.0.1:{port}",
    }
    up = processes.up(tmp_path, **settings)
    batch_id = up.submit(JOBS)
    eventually(lambda: reasons(up) == ["echo_failed"], 20, "the provider is held")
    asked = f"GET http://127.0.0.1:{port}/callbacks/echo/...: ConnectionRefusedError"
    told = processes.hivebatch("holds", "list", folder=tmp_path, name="holds", **settings)
    assert told.wait(20) == 0, told.stderr
    assert "provider hive_v2 echo_failed  until the echo comes back" in told.stdout
    assert asked in told.stdout
    assert asked in page(up)
    assert up.batch(batch_id)["counts"]["queued"] == len(JOBS)
    assert ledger(sandbox)["entries"] == []

    with Relay(port, target=int(up.port)):
        assert up.finished(batch_id, seconds=70)["counts"]["completed"] == len(JOBS)
        assert reasons(up) == []
    assert len(ledger(sandbox)["entries"]) == len(JOBS)
    assert up.process.stop() == 0
    assert "ERROR" not in up.process.stderr


def page(up: Up) -> str:
    """What the admin page says, once somebody has logged in."""
    with requests.Session() as browser:
        form = browser.get(f"{up.url}/admin/login", timeout=20).text
        token = form.partition('name="token" value="')[2].partition('"')[0]
        answer = browser.post(
            f"{up.url}/admin/login", data={"token": token, "password": up.password}, timeout=20, allow_redirects=True
        )
        return answer.text
