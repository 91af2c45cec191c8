"""Exports: the results of a batch as lines of a file, for whoever opens it elsewhere."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from app.ids import show
from app.services.views import ResultLine

Format = Literal["ndjson", "csv"]

COLUMNS = ("custom_id", "state", "text", "error_code", "error_message", "attempts", "position", "job_id")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def lines(results: Iterable[ResultLine], written_as: Format) -> Iterator[str]:
    """Each job as a line with its end: as JSON in the words of the API, or as a row of a table with a head (RFC 4180).

    A spreadsheet takes a cell that begins like a formula for one (OWASP, CSV Injection): it gets an apostrophe before.
    """
    return _json_lines(results) if written_as == "ndjson" else _rows(results)


def _json_lines(results: Iterable[ResultLine]) -> Iterator[str]:
    for line in results:
        yield json.dumps(_as_json(line), ensure_ascii=False, separators=(",", ":"), default=dict) + "\n"


def _as_json(line: ResultLine) -> Mapping[str, object]:
    job, result = line.job, line.result
    told: dict[str, object] = {
        "custom_id": job.custom_id,
        "job_id": show("job", job.id),
        "position": job.position,
        "state": job.state,
        "attempts": job.attempts,
    }
    if result is not None:
        told["text"] = result.text
    if job.error_code is not None:
        told["error"] = {"code": job.error_code, "message": job.error_message}
    if result is not None:
        told |= {"source": result.source, "details": result.details}
    return told


def _rows(results: Iterable[ResultLine]) -> Iterator[str]:
    yield _row(COLUMNS)
    for line in results:
        job, text = line.job, line.result.text if line.result else ""
        cells = (job.custom_id, job.state, text, job.error_code or "", job.error_message or "")
        yield _row([*map(_harmless, cells), str(job.attempts), str(job.position), show("job", job.id)])


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _row(cells: Iterable[str]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue()
