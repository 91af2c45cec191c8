"""A spool: validated jobs on their way to one short transaction, on disk when they are many."""

import json
from collections.abc import Iterator
from tempfile import SpooledTemporaryFile
from typing import Self

from app.services.views import NewJob

_IN_MEMORY_BYTES = 4_000_000


class JobSpool:
    """Jobs with their position in the input, written once and read once. A context manager."""

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 - closed by __exit__
        self.total = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, position: int, job: NewJob) -> None:
        row = [position, job.custom_id, job.text_data, dict(job.options)]
        self._file.write(json.dumps(row, separators=(",", ":")).encode() + b"\n")
        self.total += 1

    def chunks(self, size: int) -> Iterator[list[tuple[int, NewJob]]]:
        """All jobs in their order, at most `size` at a time."""
        self._file.seek(0)
        chunk = []
        for line in self._file:
            position, custom_id, text_data, options = json.loads(line)
            chunk.append((position, NewJob(custom_id, text_data, options)))
            if len(chunk) == size:
                yield chunk
                chunk = []
        if chunk:
            yield chunk
