"""The system: with what settings, versions and database this process runs; secrets stay hidden."""

import platform
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from pydantic import SecretStr

from app.config import SECRETS, Settings
from app.errors import DatabaseUnavailable
from app.runtime import Runtime
from app.services import health
from app.services.views import Readiness
from app.store import schema

LIBRARIES = ("celery", "flask", "pydantic", "requests", "sqlalchemy", "uvicorn")
HIDDEN = "hidden"


@dataclass(frozen=True, slots=True)
class SettingView:
    """A setting as its variable; `value` as text, None: none, `HIDDEN` for a secret. `is_set`: it is no default."""

    name: str
    value: str | None
    is_set: bool
    description: str


@dataclass(frozen=True, slots=True)
class SystemView:
    """What this process runs with. `database` names kind and version, None while it is away; `needs`: the revision of
    the schema that this code was written for."""

    settings: tuple[SettingView, ...]
    versions: tuple[tuple[str, str], ...]
    database: str | None
    needs: str
    readiness: Readiness


def describe(runtime: Runtime) -> SystemView:
    """All of it, as it is now."""
    versions = [("hivebatch", version("hivebatch")), ("python", platform.python_version())]
    versions += [(name, version(name)) for name in LIBRARIES]
    settings = tuple(_settings(runtime.settings))
    return SystemView(settings, tuple(versions), _database(runtime), schema.HEAD, health.readiness(runtime))


def _database(runtime: Runtime) -> str | None:
    try:
        with runtime.database.reading() as connection:
            return f"{'SQLite' if runtime.database.is_sqlite else 'PostgreSQL'} {schema.version(connection)}"
    except DatabaseUnavailable:
        return None


def _settings(settings: Settings) -> Iterator[SettingView]:
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        shown = HIDDEN if value and name in SECRETS else _text(value)
        is_set = name in settings.model_fields_set and value != field.default
        yield SettingView(f"HIVEBATCH_{name.upper()}", shown, is_set, field.description or "")


def _text(value: Any) -> str | None:
    if value is None or value == ():
        return None
    if isinstance(value, SecretStr):  # one that SECRETS has forgotten
        return HIDDEN
    if isinstance(value, tuple):
        return ", ".join(filter(None, map(_text, value)))
    return f"{value:.12g}" if isinstance(value, float) else str(value)
