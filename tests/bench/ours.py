"""Hivebatch itself, run as its Procfile says."""

import subprocess
from collections.abc import Mapping

import requests

from tests.bench import bodies
from tests.bench.designs import Design
from tests.bench.machine import python_environment, wait_for
from tests.e2e.procfile import PROCESSES


class Ours(Design):
    """One web process, and as many workers as the tuning says."""

    name = "ours"
    web_line = PROCESSES["web"]
    SUBMITTED = "SELECT count(*) FROM attempts WHERE acked_at IS NOT NULL"
    STORED = "SELECT count(*) FROM job_results"
    BOOKS = """
        SELECT a.provider_task_id, 'job_' || replace(j.id::text, '-', ''), j.state, r.text,
               (SELECT coalesce(sum(times), 0) FROM callbacks c WHERE c.attempt_id = a.id AND c.outcome = 'applied')
        FROM jobs j LEFT JOIN attempts a ON a.job_id = j.id LEFT JOIN job_results r ON r.attempt_id = a.id
    """

    @property
    def environment(self) -> Mapping[str, str]:
        settings = {
            "MODE": "production",
            "DATABASE_URL": self.database_url,
            "BROKER_URL": self.machine.redis.url,
            "SECRET_KEY": "0123456789abcdef" * 4,
            "ADMIN_PASSWORD": "of-the-benchmark",
            "HIVE_KEY": "of-the-benchmark",
            "HIVE_URL": self.machine.provider.url,
            "PUBLIC_URL": self.url,
            "MAX_IN_FLIGHT": str(self.tuning.in_flight),
            "CONNECTIONS": str(self.tuning.connections),
            **self.tuning.settings,
        }
        named = {f"HIVEBATCH_{name}": text for name, text in settings.items()}
        return python_environment() | named | {"PORT": str(self.port)}

    @property
    def batches_url(self) -> str:
        return f"{self.url}/api/batches"

    @property
    def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self._key}", "Content-Type": "application/x-ndjson"}

    def body(self, jobs: int) -> bytes:
        return bodies.ndjson(jobs)

    def _start_web(self) -> None:
        self._finish(PROCESSES["release"])
        self._key = self._finish("exec hivebatch keys create bench")
        self._run("web", self.web_line)
        wait_for(f"{self.url}/healthz")

    def _start_workers(self) -> None:
        for number in range(self.tuning.workers):
            self._run(f"worker-{number}", PROCESSES["worker"])

    def _is_ready(self) -> bool:
        swept = [each["worker"] for each in requests.get(f"{self.url}/readyz", timeout=5).json()["workers"]]
        return all(any(f"-{worker.pid}@" in name for name in swept) for worker in self.processes[1:])

    def _finish(self, line: str) -> str:
        """Run a shell line to its end; what it printed."""
        done = subprocess.run(
            ["sh", "-c", line], env=self.environment, capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout.strip()
