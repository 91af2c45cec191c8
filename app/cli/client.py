"""A thin client of the REST API, for the commands that people use."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from decimal import Decimal
from types import TracebackType
from typing import IO, Any, Self, TypeVar
from urllib.parse import quote

import click
import requests

from app import config
from app.cli.home import Home
from app.provider_settings import is_loopback

Command = TypeVar("Command", bound=Callable[..., Any])

_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 120.0
_CHUNK_BYTES = 65536
_NDJSON = "application/x-ndjson"


@dataclass(frozen=True, slots=True)
class Batch:
    """What the API says of a batch. `cost` is in the provider's currency; `expected_end` has `from` and `to`."""

    id: str
    status: str
    total: int
    counts: Mapping[str, int]
    retries: int
    late: int
    duplicates: int
    cost: Decimal
    finalized_at: str | None
    expected_end: Mapping[str, str] | None = None

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Self:
        """The fields that are shown here, out of those of the API."""
        return cls(**{field.name: body[field.name] for field in fields(cls)} | {"cost": Decimal(body["cost"])})

    @property
    def is_final(self) -> bool:
        """Whether nothing of it is open."""
        return self.finalized_at is not None

    @property
    def is_all_completed(self) -> bool:
        """Whether every job has its answer."""
        return self.counts["completed"] == self.total


class Unreachable(click.ClickException):
    """The service does not answer as it should."""


class Client:
    """A session with one service. A context manager. Whatever goes wrong is an error that a person can read."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url.rstrip("/")
        self._key = key
        self._session = requests.Session()
        # A proxy of the environment does not know this machine's ports.
        self._session.trust_env = not is_loopback(url)
        # As a callable, because a .netrc would replace a plain header.
        self._session.auth = self._sign

    def submit(self, jobs: IO[bytes], name: str | None = None, idempotency_key: str | None = None) -> Batch:
        """Make a batch of NDJSON, one job a line, read from the beginning of an open file."""
        headers = {"Content-Type": _NDJSON}
        if idempotency_key:
            headers["Idempotency-Key"] = idempotency_key
        with self._answer("POST", "", data=jobs, headers=headers, params={"name": name} if name else {}) as response:
            return Batch.of(response.json())

    def batch(self, batch_id: str) -> Batch:
        """How far a batch is."""
        with self._answer("GET", f"/{quote(batch_id, safe='')}") as response:
            return Batch.of(response.json())

    def pause(self, batch_id: str, reason: str) -> Batch:
        """Submit nothing more from a batch."""
        with self._answer("POST", f"/{quote(batch_id, safe='')}/pause", json={"reason": reason}) as response:
            return Batch.of(response.json())

    def resume(self, batch_id: str) -> Batch:
        """Go on with a batch that was paused."""
        with self._answer("POST", f"/{quote(batch_id, safe='')}/resume") as response:
            return Batch.of(response.json())

    def change_budget(self, batch_id: str, budget: str) -> Batch:
        """Say what a batch may cost in all."""
        with self._answer("POST", f"/{quote(batch_id, safe='')}/budget", json={"budget": budget}) as response:
            return Batch.of(response.json())

    def why(self, shown: str) -> Sequence[Mapping[str, Any]]:
        """Why a job or a batch waits, as the API says it."""
        of = "jobs" if shown.startswith("job_") else "batches"
        with self._answer("GET", f"/{quote(shown, safe='')}/why", of) as response:
            found: Sequence[Mapping[str, Any]] = response.json()["reasons"]
            return found

    def save_results(self, batch_id: str, file: IO[bytes]) -> bool:
        """Write the results so far, NDJSON in input order, to an open file; whether they are complete."""
        with self._answer("GET", f"/{quote(batch_id, safe='')}/results", stream=True) as response:
            for chunk in response.iter_content(_CHUNK_BYTES):
                file.write(chunk)
            return response.headers.get("X-Complete") == "true"

    def save_manifest(self, batch_id: str, file: IO[bytes]) -> None:
        """Write the signed manifest, as far as the batch is, to an open file."""
        with self._answer("GET", f"/{quote(batch_id, safe='')}/manifest", stream=True) as response:
            for chunk in response.iter_content(_CHUNK_BYTES):
                file.write(chunk)

    def delete(self, batch_id: str) -> None:
        """Remove a finished batch with all that it holds."""
        with self._answer("DELETE", f"/{quote(batch_id, safe='')}"):
            pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._session.close()

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request

    @contextmanager
    def _answer(self, method: str, path: str, of: str = "batches", **arguments: Any) -> Iterator[requests.Response]:
        url = f"{self._url}/api/{of}{path}"
        try:
            with self._session.request(
                method, url, timeout=(_CONNECT_SECONDS, _ANSWER_SECONDS), allow_redirects=False, **arguments
            ) as response:
                if response.status_code not in (200, 201, 202, 204):
                    raise click.ClickException("\n".join(_complaint(response)))
                yield response
        except requests.RequestException as error:
            raise Unreachable(f"{self._url} does not answer as it should: {error}") from error


def client_options(command: Command) -> Command:
    """Adds `--url` and `--key`, from which `connected` makes a client."""
    url = click.option("--url", envvar="HIVEBATCH_URL", help="The service; http://127.0.0.1:8000 by default.")
    key = click.option(
        "--key",
        envvar=["HIVEBATCH_API_KEY", "HIVEBATCH_DEV_KEY"],
        help="API key; by default that of the data directory here.",
    )
    return url(key(command))


def connected(url: str | None, key: str | None) -> Client:
    """A client; what is not given is that of the `hivebatch up` of this directory.

    Raises:
        click.UsageError: there is no key.
    """
    settings = config.load()
    has_home = (settings.data_dir / "secrets.json").exists()
    key = key or (Home(settings.data_dir).secrets()["dev_key"] if has_home else None)
    if not key:
        raise click.UsageError(f"no API key: give --key, set HIVEBATCH_API_KEY, or run where {settings.data_dir}/ is")
    return Client(url or f"http://{settings.host}:{settings.port}", key)


def _complaint(response: requests.Response) -> Sequence[str]:
    """An error of the API (RFC 9457) as lines."""
    try:
        problem = response.json()
        first = f"{problem['status']} {problem['title']}: {problem['detail']}"
    except (ValueError, KeyError, TypeError):
        return [f"{response.status_code} {response.reason}: {response.text[:500]}"]
    items = problem.get("errors", [])
    unlisted = problem.get("errors_total", len(items)) - len(items)
    return [first, *(f"  {_item(item)}" for item in items), *([f"  and {unlisted} more"] if unlisted else [])]


def _item(item: Mapping[str, Any]) -> str:
    place = [f"line {item['line']}" if "line" in item else "", item.get("pointer", "")]
    facts = [f"{name} {_shown(item[name])}" for name in ("limit", "value") if name in item]
    where = ", ".join(part for part in place if part)
    return (f"{where}: " if where else "") + str(item["message"]) + (f" ({', '.join(facts)})" if facts else "")


def _shown(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else repr(value)
