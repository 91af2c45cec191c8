"""The data directory of a local installation: its lock, and the secrets that it makes for itself once."""

import fcntl
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from app.errors import UnsafeConfiguration

SANDBOX = "the sandbox"  # as the note `provider` has it

_SECRETS = "secrets.json"
_LOCK = "lock"


class Home:
    """A data directory held by this process. A context manager; the lock goes with the process, however it ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: IO[str] | None = None

    def __enter__(self) -> Self:
        """Take the directory, making it if need be.

        Raises:
            UnsafeConfiguration: another process has it.
        """
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (self.path / _LOCK).open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise UnsafeConfiguration(
                f"{self.path} is in use by another hivebatch; set HIVEBATCH_DATA_DIR to have a second one"
            ) from error
        self._lock = lock
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if self._lock is not None:
            self._lock.close()

    @property
    def is_made(self) -> bool:
        """Whether a service was started here before."""
        return (self.path / _SECRETS).exists()

    def secrets(self) -> Mapping[str, str]:
        """`secret_key`, `admin_password` and `dev_key`: made on the first start, the same ever after."""
        path = self.path / _SECRETS
        if path.exists():
            found: dict[str, str] = json.loads(path.read_text())
            return found
        made = {
            "secret_key": secrets.token_urlsafe(48),
            "admin_password": secrets.token_urlsafe(12),
            "dev_key": f"hb_{secrets.token_urlsafe(32)}",
        }
        _write_private(path, json.dumps(made, indent=2) + "\n")
        return made

    def note(self, name: str) -> str | None:
        """What was noted under this name; None if nothing was."""
        path = self.path / name
        return path.read_text().strip() if path.exists() else None

    def keep_note(self, name: str, text: str) -> Path:
        """Note something for the next start; where it stands."""
        _write_private(self.path / name, text + "\n")
        return self.path / name


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    unfinished = path.with_suffix(".new")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
