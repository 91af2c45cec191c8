"""The obvious design (`naive/`), run on the same PostgreSQL and Redis, behind the same web server."""

from collections.abc import Mapping

from tests.bench import bodies
from tests.bench.designs import Design
from tests.bench.machine import python_environment, wait_for
from tests.bench.naive import API_KEY


class Obvious(Design):
    """One web process, and one Celery worker."""

    name = "obvious"
    SUBMITTED = "SELECT count(*) FROM jobs WHERE task_id IS NOT NULL"
    STORED = "SELECT count(*) FROM jobs WHERE result IS NOT NULL"
    BOOKS = "SELECT task_id, id::text, status, result, 1 FROM jobs"

    @property
    def environment(self) -> Mapping[str, str]:
        return python_environment() | {
            "NAIVE_DATABASE_URL": self.database_url,
            "NAIVE_BROKER_URL": self.machine.redis.url.replace("/0", "/1"),
            "NAIVE_PUBLIC_URL": self.url,
            "NAIVE_PROVIDER_URL": self.machine.provider.url,
        }

    @property
    def batches_url(self) -> str:
        return f"{self.url}/batches"

    @property
    def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json"}

    def body(self, jobs: int) -> bytes:
        return bodies.document(jobs)

    def _start_web(self) -> None:
        self._run("naive-web", f"exec python -m tests.bench.naive.web --port {self.port}")
        wait_for(f"{self.url}/health")

    def _start_workers(self) -> None:
        # Celery's default unless told otherwise: a process for each core, and one task at a time in each.
        options = f"--loglevel WARNING {self.tuning.obvious_worker}"
        self._run("naive-worker", f"exec celery --app tests.bench.naive.tasks worker {options}")

    def _is_ready(self) -> bool:
        # A worker takes what is in its queue when it is; a warm-up or the first submit shows that it is there.
        return True
