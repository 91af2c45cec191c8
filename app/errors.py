"""The errors that services raise; the web and the CLI turn each into its own words once."""

from collections.abc import Sequence
from dataclasses import dataclass


class HivebatchError(Exception):
    """Something the caller can be told about."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with what was sent: where (line or pointer), what, and the limit that it broke.

    `code` is the word of the OpenAI Batch API for it, where that has one.
    """

    message: str
    pointer: str | None = None
    line: int | None = None
    limit: float | str | None = None
    value: object = None
    code: str | None = None


class InvalidInput(HivebatchError):
    """The input can't be accepted; nothing was stored."""

    def __init__(self, problems: Sequence[Problem], total: int | None = None) -> None:
        super().__init__(problems[0].message if problems else "invalid input")
        self.problems = tuple(problems)
        self.total = len(problems) if total is None else total


class InputTooLarge(HivebatchError):
    """The body is larger than the limit; nothing was stored."""

    def __init__(self, limit: int, what: str = "body", hint: str | None = None) -> None:
        words = f"The {what} is larger than {limit} bytes."
        super().__init__(f"{words} {hint}" if hint else words)
        self.limit = limit


class NotFound(HivebatchError):
    """No such thing, or it belongs to somebody else."""

    def __init__(self, kind: str, shown: str) -> None:
        super().__init__(f"No {kind} found with id '{shown[:80]}'.")
        self.kind = kind


class Conflict(HivebatchError):
    """The request contradicts what is stored."""


class NotAuthenticated(HivebatchError):
    """The API key is missing, unknown or revoked."""


class NotAllowed(HivebatchError):
    """The API key is valid, but not for this."""


class DatabaseUnavailable(HivebatchError):
    """The database can't keep anything now; try again later.

    `trouble` says why, in words that name no host, user or row, so that anybody may read them.
    """

    def __init__(self, message: str = "", trouble: str = "the database can't be reached or written") -> None:
        super().__init__(message)
        self.trouble = trouble


class DatabaseBusy(DatabaseUnavailable):
    """Another transaction was in the way (a lock, a deadlock); the same again may well succeed at once."""


class QuarantineFull(HivebatchError):
    """Too much that proves nothing waits to be looked at; nothing was stored."""


class TooManyAtOnce(HivebatchError):
    """As many requests as may wait for somebody else, or stream, do so already; nothing was stored, try again soon."""


class UnsafeConfiguration(HivebatchError):
    """These settings would lose money or data; nothing was started."""
