"""Logs: one event a line, with a stable name and ids; never prompts, answers, keys or tokens."""

import logging
import sys
import traceback
from datetime import UTC, datetime
from types import TracebackType

from app.errors import HivebatchError

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
_STANDARD = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {"message", "asctime", "taskName"}


class EventFormatter(logging.Formatter):
    """`2026-01-31T12:00:00.000Z INFO job_moved job_id=... before=waiting after=completed`."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        fields = " ".join(f"{key}={value}" for key, value in record.__dict__.items() if key not in _STANDARD)
        line = f"{at} {record.levelname} {record.getMessage()} {fields}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802 - logging's name
        """Where it was raised and by what. Foreign words stay out: an error of a database or a parser quotes data."""
        error = ei[1]
        told = []
        while error is not None:
            told += [
                f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
            ]
            told.append(
                f"{type(error).__name__}: {error}" if isinstance(error, HivebatchError) else type(error).__name__
            )
            error = error.__cause__ or error.__context__
        return "\n".join(told)


def configure(level: str) -> None:
    """Send our events to standard error from `level` on, and other libraries' from WARNING on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(EventFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in ("app", "workers"):
        logging.getLogger(name).setLevel(level)
