"""Its web process: batches come in, callbacks come in. `python -m tests.bench.naive.web --port PORT`."""

import argparse
from datetime import UTC, datetime

from flask import Flask, abort, request
from werkzeug.wrappers.response import Response

from app.api.bridge import Bridge
from app.cli import serving
from tests.bench.naive import API_KEY
from tests.bench.naive.models import Base, Batch, Job, Session, engine
from tests.bench.naive.tasks import submit_job

app = Flask(__name__)

Answer = tuple[dict[str, object], int] | Response


@app.get("/health")
def health() -> Answer:
    """It runs."""
    return {"status": "ok"}, 200


@app.post("/batches")
def create_batch() -> Answer:
    """Store the jobs, then queue a task for each."""
    if request.headers.get("Authorization") != f"Bearer {API_KEY}":
        abort(401)
    jobs = [_job(fields) for fields in request.get_json()["jobs"]]
    with Session() as session:
        batch = Batch(jobs=jobs)
        session.add_all([batch, *jobs])
        session.flush()
        batch_id, job_ids = batch.id, [job.id for job in jobs]
        session.commit()
    for job_id in job_ids:
        submit_job.delay(job_id)
    return {"id": batch_id}, 201


@app.post("/callbacks/<int:job_id>")
def receive_callback(job_id: int) -> Answer:
    """Store the result of one job."""
    entry = request.get_json()["status"][0]
    with Session() as session:
        job = session.get(Job, job_id)
        if job is None:
            abort(404)
        if entry["status"]["code"] == "0":
            job.status = "completed"
            job.result = entry["response"]["output"][0]["choices"][0]["message"]["content"]
        else:
            job.status = "failed"
            job.error = entry["status"]["message"]
        job.completed_at = datetime.now(UTC)
        session.commit()
    return {"status": "ok"}, 200


def _job(fields: dict[str, object]) -> Job:
    if not fields.get("custom_id") or not fields.get("text_data"):
        abort(400)
    return Job(custom_id=fields["custom_id"], text_data=fields["text_data"], options=fields.get("options", {}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    Base.metadata.create_all(engine)
    serving.Server(Bridge(app, threads=64, max_body_bytes=200_000_000)).answer(serving.listen("127.0.0.1", port))
