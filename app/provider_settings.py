"""One configured provider: where it is, what it serves, how much of it may be used, and how long it may take."""

import ipaddress
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from app.errors import UnsafeConfiguration

Seconds = Annotated[float, Field(gt=0, le=30 * 86400)]
Count = Annotated[int, Field(gt=0)]
Rate = Annotated[float, Field(ge=0.001, le=1_000_000)]
Connections = Annotated[int, Field(gt=0, le=256)]
Kind = Literal["hive_v2", "hive_v3", "openai_chat"]

LEASE_MARGIN_SECONDS = 15.0

HIVE_MODELS = (
    "meta-llama/llama-3.2-1b-instruct",
    "meta-llama/llama-3.2-3b-instruct",
    "meta-llama/llama-3.1-8b-instruct",
    "meta-llama/llama-3.1-70b-instruct",
    "hive/vision-language-model",
)

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_OF_KIND: Mapping[str, Mapping[str, object]] = {
    "hive_v2": {"base_url": "https://api.thehive.ai"},
    "hive_v3": {"base_url": "https://api.thehive.ai/api/v3", "models": HIVE_MODELS},
}
_OF_CHATS: Mapping[str, object] = {
    "submit_timeout_seconds": 120.0,  # the answer comes in it
    "unknown_grace_seconds": 30.0,  # none comes after it
}


class ProviderSettings(BaseModel):
    """What is known of a provider before it is asked anything.

    The first of `models` is that of jobs that name none. `stream`: its answers come as streams only. Without
    `callback_timeout_seconds` nobody has set how long a callback may take, so that it is learned.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: str
    kind: Kind
    base_url: str
    keys: tuple[SecretStr, ...] = Field((), max_length=2)
    models: tuple[Annotated[str, Field(min_length=1, max_length=200)], ...] = ()
    stream: bool = False
    task_path: str | None = None
    permanent_codes: tuple[str, ...] = ()
    max_output_tokens: Count
    max_in_flight: Count
    rate_per_second: Rate | None
    connections: Connections
    callback_timeout_seconds: Seconds | None
    submit_timeout_seconds: Seconds
    unknown_grace_seconds: Seconds
    lease_margin_seconds: Seconds | None = None

    @field_validator("base_url")
    @classmethod
    def _keeps_the_key_secret(cls, value: str) -> str:
        return without_slash(value)

    @field_validator("task_path")
    @classmethod
    def _names_a_task(cls, value: str | None) -> str | None:
        return naming_a_task(value)

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        if self.kind == "openai_chat" and not self.models:
            raise ValueError("models: must name at least one")
        if self.kind != "openai_chat" and not self.keys and self.name != "hive_v2":
            raise ValueError("keys: must hold one, or key_file name a file that does")
        return self

    @property
    def serves(self) -> tuple[str, ...]:
        """The models by which it is chosen; where it has one without a name, as V2 has, that gets one from us."""
        return self.models or (f"hivebatch/{self.name}",)

    @property
    def calls_back(self) -> bool:
        """Whether its answers come later, to our address."""
        return self.kind == "hive_v2"

    @property
    def lease_seconds(self) -> float:
        """How long a claim of a job for it holds."""
        margin = self.lease_margin_seconds or min(LEASE_MARGIN_SECONDS, self.submit_timeout_seconds / 2)
        return self.submit_timeout_seconds + margin

    @property
    def revealed_keys(self) -> tuple[str, ...]:
        return tuple(key.get_secret_value() for key in self.keys)


def without_slash(url: str) -> str:
    """The base URL of a provider, as it is kept.

    Raises:
        ValueError: it is no URL that a key may be sent to.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an http or https URL")
    if parts.scheme == "http" and not is_loopback(url):
        raise ValueError("must be https: the key goes with every request")
    return url.rstrip("/")


def naming_a_task(path: str | None) -> str | None:
    """The path that reads a task back.

    Raises:
        ValueError: it isn't one.
    """
    if path is not None and not (path.startswith("/") and "{task_id}" in path):
        raise ValueError("must begin with / and hold {task_id}")
    return path


def is_loopback(url: str) -> bool:
    """Whether the host of `url` is this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_file(path: Path, inherited: Mapping[str, object]) -> Mapping[str, ProviderSettings]:
    """The providers of a TOML file, one a table, in its order; what a table leaves out is `inherited`.

    Raises:
        UnsafeConfiguration: all that is wrong with it, without the values, which may be secret.
    """
    try:
        tables = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise UnsafeConfiguration(f"{path} can't be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise UnsafeConfiguration(f"{path} is not valid TOML: {error}") from None  # it may quote a key
    found = {name: _provider(name, table, inherited, path.parent) for name, table in tables.items()}
    if wrong := [line for each in found.values() if not isinstance(each, ProviderSettings) for line in each]:
        raise UnsafeConfiguration("; ".join(f"{path.name}: {line}" for line in wrong))
    return {name: each for name, each in found.items() if isinstance(each, ProviderSettings)}


def _provider(
    name: str, table: object, inherited: Mapping[str, object], folder: Path
) -> ProviderSettings | Iterable[str]:
    """A provider, or what is wrong with it."""
    if not isinstance(table, dict):
        return [f"{name}: must be a table, as [{name}]"]
    if not _NAME.fullmatch(name):
        return [f"[{name[:64]}]: a name has up to 64 lower-case letters, digits, - and _"]
    kind = str(table.get("kind"))
    chats = {} if kind == "hive_v2" else _OF_CHATS
    try:
        given = {**inherited, **chats, **_OF_KIND.get(kind, {}), **_with_keys(table, folder), "name": name}
        return ProviderSettings.model_validate(given)
    except UnsafeConfiguration as error:
        return [f"[{name}] {error}"]
    except ValidationError as error:
        return list(_in_words(name, error))


def _with_keys(table: Mapping[str, Any], folder: Path) -> Mapping[str, object]:
    """The table with the keys of its `key_file`: one or two, on lines of their own or separated by a comma."""
    if "key_file" not in table:
        return table
    if "keys" in table:
        raise UnsafeConfiguration("key_file: the keys stand in keys already")
    path = folder / str(table["key_file"])
    try:
        keys = tuple(path.read_text().replace(",", "\n").split())
    except (OSError, UnicodeDecodeError) as error:
        raise UnsafeConfiguration(f"key_file: {path} can't be read: {error}") from error
    return {name: value for name, value in table.items() if name != "key_file"} | {"keys": keys}


def _in_words(name: str, error: ValidationError) -> Iterator[str]:
    for fault in error.errors():
        place = ".".join(map(str, fault["loc"]))
        yield f"[{name}] {place}{': ' if place else ''}" + fault["msg"].removeprefix("Value error, ")
