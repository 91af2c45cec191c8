"""Verification over REST: one answer about a whole batch, and a manifest that holds what was downloaded to it."""

import hashlib
import json
import re
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from freezegun.api import FrozenDateTimeFactory
from sqlalchemy import delete, select, update

from app import canonicaljson
from app.models import callbacks, job_results, jobs
from app.providers.base import Accepted
from app.runtime import Runtime
from app.services import doctor, manifests
from app.services.manifests import is_signed
from app.store import invariants
from app.tokens import ManifestSigner
from tests.factories import deliver, drain, record, submit, sweep, take, take_one
from tests.fakes import FakeProvider, failure, success
from tests.integration.rest import Rest, body_of, foreign, unknown
from tests.project import document


@pytest.fixture
def api(client: FlaskClient, api_key: str) -> Rest:
    return Rest(client, api_key)


@pytest.fixture
def batch(runtime: Runtime, api: Rest, clock: FrozenDateTimeFactory) -> dict[str, Any]:
    """`job-0` answered at its second submit, and the first one's answer came late; `job-1` failed, `job-2` is open."""
    made = api.submit("a", "bß", "c", options={"temperature": 1.0, "max_tokens": 5})
    first, second, third = take(runtime)
    record(runtime, first, Accepted("task-1", 200))
    deliver(runtime, second.submission, failure("9"))
    clock.tick(30)
    record(runtime, third, Accepted("task-3", 200))
    clock.tick(30)
    sweep(runtime)
    clock.tick(10)
    again = take_one(runtime)
    deliver(runtime, again.submission, success("yes", charge="0.002"))
    deliver(runtime, first.submission, success("too late", charge="0.001"))
    deliver(runtime, third.submission, b"?")
    return made


def verified(api: Rest, batch_id: str) -> dict[str, Any]:
    response = api.get(f"/api/batches/{batch_id}/verify")
    assert response.status_code == 200, response.text
    return body_of(response)


def manifest_of(api: Rest, batch_id: str) -> bytes:
    response = api.get(f"/api/batches/{batch_id}/manifest")
    assert response.status_code == 200, response.text
    return response.data


# --- verify ---


def test_a_verification_says_what_became_of_every_job_every_callback_and_the_money(
    api: Rest, batch: dict[str, Any]
) -> None:
    found = verified(api, batch["id"])
    assert (found["batch_id"], found["total"], found["open_jobs"], found["is_sound"]) == (batch["id"], 3, 1, True)
    assert {state: number for state, number in found["counts"].items() if number} == {
        "completed": 1,
        "failed": 1,
        "waiting": 1,
    }
    assert found["callbacks"] == {"applied": 2, "late": 1, "invalid": 1, "conflict": 0, "orphan": 0}
    # The failed task told no cost.
    assert found["cost"] == {"useful": "0.002", "wasted": "0.001", "unpriced_attempts": 1}
    assert len(found["findings"]) == len(invariants.ALL) + len(doctor.OF_BODIES)
    assert all(finding["promise"].endswith(".") and not finding["violations"] for finding in found["findings"])


def test_a_verification_says_where_its_manifest_is(api: Rest, batch: dict[str, Any]) -> None:
    found = verified(api, batch["id"])
    *_, end = api.get(found["manifest"]).data.splitlines()
    assert (json.loads(end)["batch_id"], json.loads(end)["jobs"]) == (batch["id"], found["total"])


def test_a_verification_names_what_is_broken_and_how(api: Rest, runtime: Runtime) -> None:
    batch_id = submit(runtime, "a")
    deliver(runtime, take_one(runtime).submission, success())
    shown = body_of(api.get("/api/batches"))["items"][0]["id"]
    with runtime.database.transaction() as connection:
        kept = connection.execute(select(job_results)).one()
        connection.execute(delete(job_results))
        connection.execute(update(callbacks).values(body=b"another"))
        (body,) = connection.execute(select(callbacks.c.id)).scalars()
        job_id = connection.execute(select(jobs.c.id).where(jobs.c.batch_id == batch_id)).scalar_one()
    found = verified(api, shown)
    broken = {each["name"]: each["violations"] for each in found["findings"] if each["violations"]}
    assert broken == {
        "completed_has_one_result": [{"id": f"job_{job_id.hex}", "reason": "it is completed and has no result"}],
        "bodies_are_as_they_came": [
            {"id": f"callback_{body.hex}", "reason": "it does not have the hash under which it was kept"}
        ],
    }
    assert found["is_sound"] is False
    with runtime.database.transaction() as connection:  # whole again, as every test leaves it
        connection.execute(job_results.insert(), kept._asdict())
        connection.execute(update(callbacks).values(body=success()))
    assert verified(api, shown)["is_sound"] is True


@pytest.mark.parametrize("what", ["verify", "manifest"])
def test_nobody_verifies_another_owners_batch(
    api: Rest, client: FlaskClient, runtime: Runtime, batch: dict[str, Any], what: str
) -> None:
    assert foreign(client, runtime).get(f"/api/batches/{batch['id']}/{what}").status_code == 404
    assert api.get(f"/api/batches/{unknown('batch')}/{what}").status_code == 404


# --- manifest ---


def test_a_manifest_has_the_hashes_of_what_was_asked_and_answered_in_input_order(
    api: Rest, batch: dict[str, Any]
) -> None:
    lines = [json.loads(line) for line in manifest_of(api, batch["id"]).splitlines()]
    listed = body_of(api.get(f"/api/batches/{batch['id']}/jobs"))["items"]
    assert [(line["custom_id"], line["job_id"], line["state"]) for line in lines[:-1]] == [
        (job["custom_id"], job["id"], job["state"]) for job in listed
    ]
    assert [line["result_sha256"] for line in lines[:-1]] == [hashlib.sha256(b"yes").hexdigest(), None, None]
    asked = '{"options":{"max_tokens":5,"temperature":1},"text_data":"bß"}'
    assert lines[1]["input_sha256"] == hashlib.sha256(asked.encode()).hexdigest()
    for line, job in zip(lines[:-1], listed, strict=True):
        shown = body_of(api.get(f"/api/jobs/{job['id']}"))
        written = canonicaljson.dumps({name: shown[name] for name in ("text_data", "options")})
        assert line["input_sha256"] == hashlib.sha256(written.encode()).hexdigest()


def test_the_last_line_of_a_manifest_vouches_for_all_before_it(
    api: Rest, runtime: Runtime, batch: dict[str, Any]
) -> None:
    *before, last = manifest_of(api, batch["id"]).splitlines(keepends=True)
    end = json.loads(last)
    assert end["sha256"] == hashlib.sha256(b"".join(before)).hexdigest()
    assert (end["format"], end["batch_id"], end["jobs"], end["open"]) == ("hivebatch-manifest-1", batch["id"], 3, 1)
    signer = ManifestSigner(runtime.settings.secret_keys)
    assert is_signed(signer, end) is True
    assert is_signed(signer, end | {"jobs": 4}) is False
    assert is_signed(ManifestSigner(["another key"]), end) is None


def test_the_lines_of_a_manifest_say_the_same_each_time(api: Rest, batch: dict[str, Any]) -> None:
    first, second = (manifest_of(api, batch["id"]).splitlines()[:-1] for _ in range(2))
    assert first == second


def test_a_manifest_of_more_jobs_than_a_page_holds_has_them_all(api: Rest, runtime: Runtime) -> None:
    made = api.submit(*[f"text {number}" for number in range(450)])
    lines = manifest_of(api, made["id"]).splitlines()
    assert [json.loads(line)["custom_id"] for line in lines[:-1]] == [f"job-{number}" for number in range(450)]
    assert json.loads(lines[-1])["jobs"] == 450


def test_a_manifest_takes_no_more_memory_for_more_jobs(runtime: Runtime) -> None:
    peaks = []
    for size in (1000, 5000):
        batch_id = submit(runtime, *["x" * 500] * size)
        tracemalloc.start()
        lines = sum(1 for _ in manifests.stream(runtime, "alice", batch_id))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert lines == size + 1
    assert peaks[1] < 1.2 * peaks[0] + 200_000, peaks


def test_the_check_in_the_documents_finds_what_differs(
    api: Rest, runtime: Runtime, provider: FakeProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = api.submit("a", "b")
    drain(runtime)
    for submitted in provider.submissions:
        deliver(runtime, submitted, success(f"answer to {submitted.text_data}: \u2028 ß"))
    monkeypatch.chdir(tmp_path)
    manifest, results = Path("manifest.jsonl"), Path("results.jsonl")
    manifest.write_bytes(manifest_of(api, made["id"]))
    results.write_bytes(api.get(f"/api/batches/{made['id']}/results").data)
    (snippet,) = re.findall(r"```python\n(.*?)```", document("docs/reliability.md"), re.DOTALL)
    exec(snippet, {})  # noqa: S102 - it is our own
    whole = results.read_bytes()
    results.write_bytes(whole.replace(b"answer to a", b"answer to z"))
    with pytest.raises(AssertionError):
        exec(snippet, {})  # noqa: S102 - as above
    results.write_bytes(whole)
    manifest.write_bytes(manifest.read_bytes().replace(b"completed", b"cancelled", 1))
    with pytest.raises(AssertionError):
        exec(snippet, {})  # noqa: S102 - as above
