"""The Procfile's own lines, on real servers, through a hostile provider and the faults of a bad day."""

import os
import shlex
import socket
import time
from collections.abc import Iterator, Mapping

import psycopg
import pytest
import yaml

from tests.e2e import audit, books
from tests.e2e.client import Asked, Client
from tests.e2e.procfile import ROOT, Production, until
from tests.senders import SENDERS, skip_if_missing

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

FATES: Mapping[int, tuple[str, str | None]] = {
    13: ("[[sandbox fail=5]]", "5"),
    37: ("[[sandbox lost]]", None),  # it is asked for, each time
    57: ("[[sandbox lost ack=none]]", "timed_out"),  # there is no id to ask with
    77: ("[[sandbox status=422]]", "http_422"),
}
STALLED = "[[sandbox lost ack_delay=2 times=1]]"
"""At its first submit nothing is heard of the job for two seconds, and no callback comes."""
STALLING = range(500, 560)


@pytest.fixture(params=SENDERS)
def production(request: pytest.FixtureRequest) -> Iterator[Production]:
    """PostgreSQL, Redis, a hostile sandbox, one web and two workers, which submit by each of the senders."""
    skip_if_missing(request.param)
    with Production(profile="hostile", workers=2, SENDER=request.param) as running:
        yield running


def test_a_thousand_jobs_end_right_though_redis_is_flushed_in_the_middle(
    production: Production, capsys: pytest.CaptureFixture[str]
) -> None:
    asked, client = _jobs(1000), Client.of(production)
    began = time.monotonic()
    client.submit(asked[:500])
    until(lambda: client.ended() >= 250, 60, "a quarter of the jobs is over")
    assert production.redis.command("FLUSHALL") == b"+OK\r\n"
    client.submit(asked[500:])
    client.wait_until_over(120)
    _audited(production, client, asked, began, capsys)


def test_a_thousand_jobs_end_right_though_a_worker_is_killed_in_the_middle(
    production: Production, capsys: pytest.CaptureFixture[str]
) -> None:
    asked, client = _jobs(1000), Client.of(production)
    began = time.monotonic()
    client.submit(asked[:500])
    until(lambda: client.ended() >= 250, 60, "a quarter of the jobs is over")
    # One worker alone claims the stalled ones, so that the one which is killed has some of them.
    assert production.workers[1].stop() == 0
    client.submit(asked[500:750])
    until(lambda: _submitting(production, "ack_delay") > 0, 30, "a worker waits for an answer")
    production.workers[0].kill()
    production.workers[1].start()
    client.submit(asked[750:])
    time.sleep(2)
    production.workers[0].start()
    client.wait_until_over(120)
    read = _audited(production, client, asked, began, capsys)
    abandoned = [each for each in read.all_attempts if each.error_code == "lease_expired"]
    assert abandoned, "the worker was killed while it had nothing under way"


def test_web_and_workers_told_to_stop_end_cleanly_and_the_next_ones_go_on(production: Production) -> None:
    asked, client = [job for job in _jobs(300) if job.fate is None], Client.of(production)
    client.submit(asked)
    until(lambda: _submitting(production) > 0, 30, "jobs are being submitted")
    assert [process.stop() for process in production.workers] == [0, 0]
    assert _submitting(production) == 0, "a worker that stops hands back what it did not send"
    assert production.web.stop() == 0
    for process in (production.web, *production.workers):
        assert "Traceback" not in process.printed
        process.start()
    production.wait_until_ready()
    client.wait_until_over(90)
    audit.all_of_it(client, asked, books.read(production))


def test_the_health_checks_of_compose_pass_here() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    checks = [shlex.join(services[name]["healthcheck"]["test"][1:]) for name in ("web", "worker")]
    with Production(profile="calm", workers=1) as running:
        assert [running.run(check).returncode for check in checks] == [0, 0]
        running.web.kill()
        with psycopg.connect(running.dsn) as connection:
            connection.execute("UPDATE worker_beats SET worker = 'elsewhere'")
        running.workers[0].kill()
        assert [running.run(check).returncode for check in checks] == [1, 1]


def test_a_ring_reaches_the_worker_also_after_redis_has_lost_everything() -> None:
    with Production(profile="calm", workers=1, SWEEP_SECONDS="60") as running:
        client = Client.of(running)
        for number in range(4):
            client.submit([Asked(f"job-{number}", f"Question {number}")])
            client.wait_until_over(10)  # far less than the sweep would need
            assert running.redis.command("FLUSHALL") == b"+OK\r\n"


def test_a_stopped_installation_leaves_nothing_behind() -> None:
    with Production(profile="calm", workers=1) as running:
        processes = [running.web, running.sandbox, *running.workers]
        folders = [running.folder, running.postgres.folder, running.redis.folder]
        ports = running.ports
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.killpg(process.pid, 0)
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=2)
    assert [folder for folder in folders if folder.exists()] == []


def _jobs(number: int) -> list[Asked]:
    """Varied prompts, all different; three of a hundred can't be answered, one is answered only when asked for."""
    return [_job(position) for position in range(number)]


def _job(position: int) -> Asked:
    directive, fate = FATES.get(position % 100, (STALLED if position in STALLING else "", None))
    text = f"Question {position}: who is number {position}? Größe {position} 東京 {directive}".strip()
    return Asked(f"job/{position}", text, "Answer in one line." if position % 7 == 0 else None, fate)


def _submitting(production: Production, having: str = "") -> int:
    """How many jobs are in the hands of workers; of those with such a word in their prompt."""
    counted = (
        "SELECT count(*) FROM jobs JOIN job_inputs ON id = job_id WHERE state = 'submitting' AND text_data LIKE %s"
    )
    with psycopg.connect(production.dsn) as connection:
        row = connection.execute(counted, [f"%{having}%"]).fetchone()
    assert row is not None
    return int(row[0])


def _audited(
    production: Production, client: Client, asked: list[Asked], began: float, capsys: pytest.CaptureFixture[str]
) -> books.Books:
    """Read the books, print the figures, check everything."""
    took = time.monotonic() - began
    read = books.read(production)
    with capsys.disabled():
        print(f"\n{len(client.accepted)} jobs accepted, all over in {took:.0f} s\n{read.figures()}")
    audit.all_of_it(client, asked, read)
    assert read.saved >= sum(job.fate is None and "[[sandbox lost]]" in job.text_data for job in asked)
    return read
