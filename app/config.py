"""Every setting: its name, default and meaning, and which combinations are refused."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from app.errors import UnsafeConfiguration
from app.latencies import Patience
from app.provider_settings import (
    LEASE_MARGIN_SECONDS,
    Connections,
    Count,
    ProviderSettings,
    Rate,
    Seconds,
    is_loopback,
    naming_a_task,
    read_file,
    without_slash,
)
from app.retry import Timing

HIVE_V2 = "hive_v2"
"""The provider of the `HIVEBATCH_HIVE_*` settings."""

_ARGON2ID = re.compile(r"\$argon2id\$v=\d+\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Settings(BaseSettings):
    """Read from `HIVEBATCH_*` in the environment; a secret also from the file named by `HIVEBATCH_*_FILE`."""

    model_config = SettingsConfigDict(env_prefix="HIVEBATCH_", extra="ignore", frozen=True, hide_input_in_errors=True)

    mode: Literal["local", "production"] = Field("local", description="`production` refuses default secrets.")
    database_url: str | None = Field(
        None, description="SQLite or PostgreSQL; by default a SQLite file in the data directory."
    )
    broker_url: str = Field(
        "memory://localhost/", description="The Celery broker that carries the wake-up calls; Redis in production."
    )
    data_dir: Path = Field(Path("var"), description="Where the local service keeps its database and its secrets.")
    host: str = Field("127.0.0.1", description="The address that `up` listens on; loopback only.")
    port: int = Field(8000, ge=0, le=65535, description="The port that `up` listens on; 0 picks a free one.")
    web_threads: Count = Field(
        64,
        description="Threads that answer HTTP requests in one process, a quarter of them at most those that wait or "
        "stream; callbacks need none.",
    )
    call_timeout_seconds: Seconds = Field(
        60.0, description="How long `/v1/chat/completions` waits for an answer before it says where to find it later."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="The least severe event that is logged."
    )

    secret_key: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (), description="Signs callback URLs and logins; several, comma-separated: the first signs, all are accepted."
    )
    admin_password: SecretStr | None = Field(
        None, description="Opens the admin page to an operator: the password, or what `hivebatch password` makes of it."
    )
    viewer_password: SecretStr | None = Field(
        None, description="The same for viewers, who see no prompts and no answers, and change nothing."
    )
    dev_key: SecretStr | None = Field(
        None, description="The API key that `up` makes sure of (owner `dev`); loopback only."
    )

    public_url: str | None = Field(
        None, description="Where the provider reaches this service; `up` knows its own address."
    )
    echo: Literal["on", "off"] = Field(
        "on", description="Submit only while this service reaches itself at its public URL; `off`: submit blindly."
    )
    hive_url: str = Field("https://api.thehive.ai", description="Base URL of the V2 API.")
    hive_key: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (), description="V2 project key; two, comma-separated, while one is rotated."
    )
    hive_task_path: str | None = Field(
        None, description="Path that reads a task back, as `/api/v2/task?task_id={task_id}`; unset: never asked."
    )
    hive_permanent_codes: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Task status codes, comma-separated, that are not worth a retry."
    )

    unauthenticated_callbacks: Literal["refuse", "quarantine"] = Field(
        "refuse",
        description="`quarantine` keeps callbacks without a token that name a task or a job of ours, for a person to "
        "judge; anybody may send them.",
    )

    providers: Path | None = Field(
        None, description="A TOML file with further providers, one a table: V2, V3 or compatible with OpenAI."
    )

    callback_timeout_seconds: Seconds = Field(
        600.0,
        description="How long an accepted task may take to call back. Set, it always holds; unset, it is the default "
        "until enough callbacks have come to learn it from.",
    )
    callback_timeout_factor: Annotated[float, Field(ge=1, le=100)] = Field(
        3.0, description="The learned time-out is this many times what 99 of 100 callbacks take."
    )
    callback_timeout_floor_seconds: Seconds = Field(60.0, description="The learned time-out is at least this.")
    callback_timeout_ceiling_seconds: Seconds = Field(3600.0, description="The learned time-out is at most this.")
    callback_timeout_samples: Count = Field(
        100, description="Callbacks of the last days that have to be known before anything is learned from them."
    )
    submit_timeout_seconds: Seconds = Field(15.0, description="How long the provider may take to answer a submit.")
    unknown_grace_seconds: Seconds = Field(
        300.0, description="How long a submit of unknown outcome waits for a callback."
    )
    lease_seconds: Seconds = Field(
        30.0,
        description="How long a claim holds: the submit time-out and 15 s, or half of it again if that is less.",
    )
    backoff_base_seconds: Seconds = Field(2.0, description="Wait before the first retry; doubles with each.")
    backoff_max_seconds: Seconds = Field(300.0, description="The longest wait before a retry.")
    sweep_seconds: Annotated[float, Field(gt=0, le=600)] = Field(
        5.0, description="Longest pause between two sweeps of a worker."
    )
    max_attempts: Count = Field(
        4, description="Submits of one job that may reach the provider, unless the batch says otherwise."
    )
    batch_expires_seconds: Seconds = Field(
        7 * 86400.0, description="When a batch is given up, unless it says otherwise."
    )

    retention_days: Annotated[int, Field(ge=1, le=36500)] | None = Field(
        None, description="Days after its end at which a batch is removed with all that it holds; unset: never."
    )

    max_in_flight: Count = Field(100, description="Tasks that the provider may have of ours at once, over all workers.")
    rate_per_second: Rate | None = Field(None, description="Submits a second, over all workers; unset: no limit.")
    connections: Connections = Field(16, description="Submits that one worker process sends at once.")
    sender: Literal["requests", "pycurl"] = Field(
        "requests", description="The client that submits; `pycurl`, of the extra `fast`, does more with the same CPU."
    )

    breaker_faults: Count = Field(
        10, description="Submits in a row without a usable answer, after which the provider is left alone for a while."
    )

    max_jobs: Count = Field(50_000, description="Jobs in one batch.")
    max_body_bytes: Count = Field(200_000_000, description="Bytes of one request that brings jobs.")
    max_json_bytes: Count = Field(
        32_000_000, description="Bytes of one JSON document, which is read whole; lines (NDJSON) are read one by one."
    )
    max_line_bytes: Count = Field(1_000_000, description="Bytes of one job.")
    max_text_chars: Count = Field(
        64_000, description="Characters of prompt, system prompt and history of one job together."
    )
    max_output_tokens: Count = Field(2048, description="Upper bound of `max_tokens`.")
    max_callback_bytes: Count = Field(
        4_000_000, description="Bytes of one callback; of a larger one the first 64 KB are kept."
    )

    webhook_private_networks: Annotated[tuple[Network, ...], NoDecode] = Field(
        (),
        description="Networks, comma-separated, as `10.1.0.0/16`, that webhooks may be sent to though they are not "
        "public.",
    )

    @field_validator("secret_key", "hive_key", "hive_permanent_codes", "webhook_private_networks", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("public_url")
    @classmethod
    def _is_http(cls, value: str | None) -> str | None:
        if value is not None and (urlsplit(value).scheme not in {"http", "https"} or not urlsplit(value).hostname):
            raise ValueError("must be an http or https URL")
        return value.rstrip("/") if value else value

    @field_validator("admin_password", "viewer_password")
    @classmethod
    def _is_a_whole_hash(cls, value: SecretStr | None) -> SecretStr | None:
        given = reveal(value)
        if given.startswith("$argon2") and not _ARGON2ID.fullmatch(given):
            raise ValueError("is no whole Argon2id hash: each of its $ has to arrive, so put it in single quotes")
        return value

    @field_validator("hive_url")
    @classmethod
    def _keeps_the_key_secret(cls, value: str) -> str:
        return without_slash(value)

    @field_validator("hive_key")
    @classmethod
    def _is_at_most_a_pair(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if len(value) > 2:
            raise ValueError("takes two keys at most, the one in use and the one to come")
        return value

    @field_validator("hive_task_path")
    @classmethod
    def _names_a_task(cls, value: str | None) -> str | None:
        return naming_a_task(value)

    @field_validator("database_url")
    @classmethod
    def _is_a_known_database(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("sqlite:", "postgres:", "postgresql:", "postgresql+psycopg:")):
            raise ValueError("must be a sqlite: or postgresql: URL")
        return value

    @model_validator(mode="after")
    def _lease_outlives_submit(self) -> Self:
        margin = min(LEASE_MARGIN_SECONDS, self.submit_timeout_seconds / 2)
        if self.lease_seconds < self.submit_timeout_seconds + margin - 1e-9:
            raise ValueError(
                f"HIVEBATCH_LEASE_SECONDS is {self.lease_seconds:g}; with a submit time-out of "
                f"{self.submit_timeout_seconds:g} it must be at least {self.submit_timeout_seconds + margin:g}, "
                "or a slow answer would be taken for a dead worker"
            )
        return self

    @model_validator(mode="after")
    def _a_viewer_is_no_operator(self) -> Self:
        if self.viewer_password and reveal(self.viewer_password) == reveal(self.admin_password):
            raise ValueError("HIVEBATCH_VIEWER_PASSWORD is HIVEBATCH_ADMIN_PASSWORD, which opens everything")
        return self

    @model_validator(mode="after")
    def _floor_is_below_the_ceiling(self) -> Self:
        if self.callback_timeout_floor_seconds > self.callback_timeout_ceiling_seconds:
            raise ValueError(
                f"HIVEBATCH_CALLBACK_TIMEOUT_FLOOR_SECONDS is {self.callback_timeout_floor_seconds:g}, above the "
                f"ceiling of {self.callback_timeout_ceiling_seconds:g}"
            )
        return self

    @model_validator(mode="after")
    def _providers_are_whole(self) -> Self:
        try:
            both = HIVE_V2 in self.every_provider and self.hive_key and self.every_provider[HIVE_V2] != self._hive_v2
        except UnsafeConfiguration as error:
            raise ValueError(f"HIVEBATCH_PROVIDERS: {error}") from None  # pydantic would tell the whole of it
        if both:
            raise ValueError("HIVEBATCH_PROVIDERS has a provider hive_v2, which HIVEBATCH_HIVE_KEY configures too")
        return self

    @model_validator(mode="after")
    def _production_has_secrets(self) -> Self:
        if self.mode != "production":
            return self
        in_use = self.providers_in_use.values()
        needed = ["database_url", "secret_key", "admin_password"]
        needed += ["public_url"] if any(each.calls_back for each in in_use) else []
        needed += ["hive_key"] if any(each.name == HIVE_V2 and not each.keys for each in in_use) else []
        missing = [f"HIVEBATCH_{name.upper()}" for name in needed if not getattr(self, name)]
        if self.broker_url.startswith("memory:"):
            missing.append("HIVEBATCH_BROKER_URL (memory:// reaches one process only)")
        if any(len(key.get_secret_value()) < 32 for key in self.secret_key):
            missing.append("HIVEBATCH_SECRET_KEY (of at least 32 characters)")
        if self.dev_key:
            missing.append("no HIVEBATCH_DEV_KEY")
        if self.public_url:
            missing += [f"another address: {refusal}" for refusal in self.refusals.values()]
        if missing:
            raise ValueError("production needs " + ", ".join(missing))
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then the environment, then the files that it names."""
        return init_settings, env_settings, InitSettingsSource(settings_cls, _secrets_in_files(settings_cls))

    @property
    def timing(self) -> Timing:
        return Timing(
            lease_seconds=self.lease_seconds,
            callback_timeout_seconds=self.callback_timeout_seconds,
            unknown_grace_seconds=self.unknown_grace_seconds,
            backoff_base_seconds=self.backoff_base_seconds,
            backoff_max_seconds=self.backoff_max_seconds,
        )

    @cached_property
    def every_provider(self) -> Mapping[str, ProviderSettings]:
        """The providers by their names, that of the `HIVEBATCH_HIVE_*` settings first.

        Raises:
            UnsafeConfiguration: the file of the others can't be used.
        """
        named = {} if self.providers is None else read_file(self.providers, self._inherited)
        return {HIVE_V2: self._hive_v2, **named}

    @cached_property
    def timings(self) -> Mapping[str, Timing]:
        """The times that each provider may take."""
        return {
            name: replace(
                self.timing,
                lease_seconds=each.lease_seconds,
                callback_timeout_seconds=each.callback_timeout_seconds or self.callback_timeout_seconds,
                unknown_grace_seconds=each.unknown_grace_seconds,
            )
            for name, each in self.every_provider.items()
        }

    @cached_property
    def longest_lease_seconds(self) -> float:
        """How long a claim may hold at most, whichever provider it is for."""
        return max(each.lease_seconds for each in self.every_provider.values())

    @cached_property
    def most_output_tokens(self) -> int:
        """What some provider allows for `max_tokens`."""
        return max(each.max_output_tokens for each in self.every_provider.values())

    @cached_property
    def providers_in_use(self) -> Mapping[str, ProviderSettings]:
        """V2's provider is always there, for what came for it once; without a key it is not used where others are."""
        every = self.every_provider
        return {name: each for name, each in every.items() if name != HIVE_V2 or each.keys or len(every) == 1}

    @property
    def default_provider(self) -> str:
        """The provider of a batch that names neither a provider nor a model."""
        return next(iter(self.providers_in_use))

    @cached_property
    def served(self) -> Mapping[str, ProviderSettings]:
        """The models by which a provider is chosen, each with the first in use that has it."""
        found: dict[str, ProviderSettings] = {}
        for provider in self.providers_in_use.values():
            found = dict.fromkeys(provider.serves, provider) | found
        return found

    def provider_of(self, model: str) -> ProviderSettings | None:
        """Whom a job of this model goes to: where only one provider is in use, to that, whatever its models are."""
        if self._has_one_provider:
            return self.providers_in_use[self.default_provider]
        return self.served.get(model)

    def takes(self, provider: ProviderSettings, model: str) -> bool:
        """Whether this provider takes a job of this model."""
        return self._has_one_provider or model in provider.serves

    @property
    def _has_one_provider(self) -> bool:
        return len(self.providers_in_use) == 1

    @property
    def _inherited(self) -> Mapping[str, object]:
        """What a provider has of these settings unless it says otherwise."""
        return {
            "max_output_tokens": self.max_output_tokens,
            "max_in_flight": self.max_in_flight,
            "rate_per_second": self.rate_per_second,
            "connections": self.connections,
            "callback_timeout_seconds": self.callback_timeout_seconds if self.is_callback_timeout_fixed else None,
            "submit_timeout_seconds": self.submit_timeout_seconds,
            "unknown_grace_seconds": self.unknown_grace_seconds,
        }

    @property
    def _hive_v2(self) -> ProviderSettings:
        return ProviderSettings.model_validate(
            {
                **self._inherited,
                "name": HIVE_V2,
                "kind": "hive_v2",
                "base_url": self.hive_url,
                "keys": self.hive_key,
                "task_path": self.hive_task_path,
                "permanent_codes": self.hive_permanent_codes,
                "lease_margin_seconds": self.lease_seconds - self.submit_timeout_seconds,
            }
        )

    @property
    def patience(self) -> Patience:
        """How the callback time-out is learned."""
        return Patience(
            factor=self.callback_timeout_factor,
            floor=self.callback_timeout_floor_seconds,
            ceiling=self.callback_timeout_ceiling_seconds,
            least=self.callback_timeout_samples,
        )

    @property
    def is_callback_timeout_fixed(self) -> bool:
        """Whether somebody has set it, be it to its default."""
        return "callback_timeout_seconds" in self.model_fields_set

    @property
    def secret_keys(self) -> tuple[str, ...]:
        return tuple(key.get_secret_value() for key in self.secret_key)

    @property
    def resolved_database_url(self) -> str:
        """Where the truth is kept."""
        return self.database_url or f"sqlite:///{(self.data_dir / 'hivebatch.db').absolute()}"

    def refusal_to_submit(self, provider: str = HIVE_V2) -> str | None:
        """Why nothing must be submitted to this provider: it is gone; or from elsewhere it can't reach us, its answers
        would be paid for nothing."""
        told = self.every_provider.get(provider)
        if told is None:
            return f"There is no provider {provider} any more; HIVEBATCH_PROVIDERS has to name a file with its table."
        if not told.calls_back or (self.public_url is not None and is_loopback(told.base_url)):
            return None
        if self.public_url is None or urlsplit(self.public_url).scheme != "https" or not _is_public(self.public_url):
            return (
                f"HIVEBATCH_PUBLIC_URL is {self.public_url or 'not set'}, where {told.base_url} can't deliver its "
                "callbacks: set it to the public https URL of this service."
            )
        return None

    @property
    def refusals(self) -> Mapping[str, str]:
        """Why nothing must be submitted, by the provider in use of which that is so."""
        found = {name: self.refusal_to_submit(name) for name in self.providers_in_use}
        return {name: refusal for name, refusal in found.items() if refusal}

    @property
    def couriers(self) -> int:
        """How many webhooks one worker process sends at once: a quarter of what it submits at once."""
        return max(1, self.connections // 4)

    def asks_for_echo(self, provider: str) -> bool:
        """Whether this service has to reach itself at its public URL before it submits to this provider."""
        told = self.every_provider.get(provider)  # None: it is no longer configured
        if self.echo == "off" or told is None or not told.calls_back:
            return False
        return self.refusal_to_submit(provider) is None


SECRETS = ("secret_key", "admin_password", "viewer_password", "dev_key", "hive_key", "database_url", "broker_url")


def load(**overrides: object) -> Settings:
    """The settings of this process.

    Raises:
        UnsafeConfiguration: a value is wrong, or a combination would lose money or data.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        lines = [_in_words(each["loc"], each["msg"]) for each in error.errors()]
        raise UnsafeConfiguration("; ".join(lines)) from None  # its text may hold secrets


def _in_words(place: tuple[int | str, ...], message: str) -> str:
    name = f"HIVEBATCH_{str(place[0]).upper()}: " if place else ""
    return name + message.removeprefix("Value error, ")


def reveal(secret: SecretStr | None) -> str:
    """The text of a secret, empty if there is none."""
    return secret.get_secret_value() if secret else ""


def _secrets_in_files(settings_cls: type[BaseSettings]) -> dict[str, object]:
    import os  # noqa: PLC0415 - the environment is read here and nowhere else

    prefix = str(settings_cls.model_config["env_prefix"])
    named = {name: os.environ.get(f"{prefix}{name.upper()}_FILE") for name in SECRETS}
    return {name: _read_secret(name, path) for name, path in named.items() if path}


def _read_secret(name: str, path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UnsafeConfiguration(f"HIVEBATCH_{name.upper()}_FILE: {path} can't be read: {error}") from error


def _is_public(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith((".local", ".localhost", ".internal"))
