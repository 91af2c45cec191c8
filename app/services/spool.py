"""A spool: validated jobs on their way to one short transaction, on disk when they are many."""

import pickle
from collections.abc import Iterator
from tempfile import SpooledTemporaryFile
from typing import Self

from app.services.views import NewJob

_IN_MEMORY_BYTES = 500_000
_CHUNK = 500

Positioned = tuple[int, NewJob]


class JobSpool:
    """Jobs with their position in the input, written once and read once. A context manager."""

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 - closed by __exit__
        self._chunk: list[Positioned] = []
        self.total = 0
        self.faults = 0
        self.models: list[str] = []  # the first two

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, position: int, job: NewJob) -> None:
        self._chunk.append((position, job))
        self.total += 1
        self.faults += job.fault is not None
        model = job.options.get("model")
        if isinstance(model, str) and len(self.models) < 2 and model not in self.models:
            self.models.append(model)
        if len(self._chunk) == _CHUNK:
            self._flush()

    def chunks(self) -> Iterator[list[Positioned]]:
        """All jobs in their order, a thousand at a time."""
        self._flush()
        self._file.seek(0)
        for _ in range(0, self.total, _CHUNK):
            chunk: list[Positioned] = pickle.load(self._file)  # noqa: S301 - nobody else can write our temporary file
            yield chunk

    def _flush(self) -> None:
        if self._chunk:
            pickle.dump(self._chunk, self._file, pickle.HIGHEST_PROTOCOL)
            self._chunk = []
