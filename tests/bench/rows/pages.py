"""The pages of the admin site over a full database, asked for as a browser would: their statements, time and size."""

import time
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from flask.testing import FlaskClient

from app.ids import show
from app.services import callbacklists
from tests.bench.filling import TASK, Filled

TIMES = 9

_FILTERS = (
    "",
    "state=failed",
    "state=queued&state=failed",
    "state=overdue",
    "error=timed_out",
    "attempts=3",
    "state=completed&finished=1h",
)


def visit(browser: FlaskClient, filled: Filled) -> None:
    """Open each of them once."""
    for path in paths(filled):
        _opened(browser, path)


def measure(browser: FlaskClient, filled: Filled) -> Mapping[str, float]:
    """Milliseconds of the server for the slowest page, the best of nine; kilobytes (1,000) of the largest."""
    found = {path: min(_opened(browser, path) for _ in range(TIMES)) for path in paths(filled)}
    sizes = [len(browser.get(path).data) for path in found]
    return {"growth_page_ms": 1000 * max(found.values()), "growth_page_kb": max(sizes) / 1000}


def paths(filled: Filled) -> Sequence[str]:
    """The overview, the lists by what they are asked for, a middle batch and the large one, a job, and searches.

    Neither the doctor nor the verification of a batch: they look at every row, when somebody asks for it.
    """
    large, middle, job = (
        show("batch", filled.large_batch),
        show("batch", filled.middle_batch),
        show("job", filled.some_job),
    )
    words = (job, large, "job-7", f"{TASK}7", "nothing")
    return [
        "/admin/",
        "/admin/batches",
        f"/admin/batches?cursor={middle}",
        "/admin/batches?status=in_progress",
        *(f"/admin/batches/{batch}{state}" for batch in (middle, large) for state in ("", "?state=waiting")),
        *(f"/admin/jobs?{each}" for each in (*_FILTERS, f"batch={large}")),
        f"/admin/jobs/change?do=cancel-all&batch={large}",
        f"/admin/jobs/{job}",
        *(f"/admin/callbacks?outcome={quote(tab)}" for tab in callbacklists.TABS),
        *(f"/admin/search?q={quote(word)}" for word in words),
        *(f"/admin/{name}" for name in ("batches/new", "webhooks", "keys", "audit", "system")),
    ]


def _opened(browser: FlaskClient, path: str) -> float:
    began = time.perf_counter()
    answer = browser.get(path, follow_redirects=False)
    took = time.perf_counter() - began
    assert answer.status_code in {200, 302, 303}, (path, answer.status)
    return took
