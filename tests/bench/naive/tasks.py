"""Its Celery worker: one task submits one job."""

import os
from datetime import UTC, datetime

import requests
from celery import Celery

from tests.bench.naive.models import Job, Session

PROVIDER_URL = os.environ["NAIVE_PROVIDER_URL"]
PUBLIC_URL = os.environ["NAIVE_PUBLIC_URL"]

app = Celery("naive", broker=os.environ["NAIVE_BROKER_URL"])
app.conf.update(task_ignore_result=True)

http = requests.Session()
http.headers["Authorization"] = "Token of-the-benchmark"


@app.task(bind=True, max_retries=3)  # type: ignore[untyped-decorator]  # Celery has no types
def submit_job(self, job_id: int) -> None:  # type: ignore[no-untyped-def]  # Celery has no types
    """Send one job to the provider; try again later if that fails."""
    with Session() as session:
        job = session.get_one(Job, job_id)
        job.status = "submitting"
        session.commit()
        try:
            task_id = _submit(job)
        except requests.RequestException as error:
            raise self.retry(exc=error, countdown=2) from error
        job.task_id = task_id
        job.status = "submitted"
        job.submitted_at = datetime.now(UTC)
        session.commit()


def _submit(job: Job) -> str:
    body = {
        "text_data": job.text_data,
        "options": job.options,
        "metadata": str(job.id),
        "callback_url": f"{PUBLIC_URL}/callbacks/{job.id}",
    }
    answer = http.post(f"{PROVIDER_URL}/api/v2/task/async", json=body, timeout=30)
    answer.raise_for_status()
    task_id: str = answer.json()["task_id"]
    return task_id
