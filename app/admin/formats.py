"""How instants, durations, sums and values are written on the page."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal

from app import clock, ids
from app.admin.blueprint import admin
from app.admin.forgery import form_token
from app.admin.live import htmx_config, layout, part_url
from app.admin.navigation import places
from app.admin.sessions import is_operator, is_signed_in, role
from app.admin.signs import segments, sign


def ago(at: datetime) -> str:
    """An instant as seen from now: `12 s ago`, `in 3 min`."""
    seconds = (clock.now() - at).total_seconds()
    if abs(seconds) < 1:
        return "just now" if seconds >= 0 else "in a moment"
    return f"{_rough(seconds)} ago" if seconds > 0 else f"in {_rough(-seconds)}"


def _rough(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= (2 * length if unit == "d" else length):
            return f"{int(seconds // length)} {unit}"
    return f"{int(seconds)} s"


def utc(at: datetime) -> str:
    """An instant to the millisecond, as ISO 8601 in UTC."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def duration(seconds: float) -> str:
    """A length of time: `0.42 s`, `12.0 s`, `3 m 04 s`, `2 h 05 m`."""
    if round(seconds, 1) < 60:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} m {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} m"


def number(value: int) -> str:
    """A count with thousands separators."""
    return f"{value:,}"


def money(value: Decimal) -> str:
    """A sum without idle zeros, to the nano that attempts are kept in; its currency is the provider's."""
    return f"{value:,.9f}".rstrip("0").rstrip(".")


def pretty(value: object) -> str:
    """A JSON value over several lines, its text readable."""
    return json.dumps(value, ensure_ascii=False, indent=2, default=_plain)


def told(value: object) -> str:
    """A detail of an action in a line."""
    if isinstance(value, list):
        return ", ".join(map(told, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else str(value)


_FILTERS: tuple[Callable[..., object], ...] = (ago, utc, duration, number, money, pretty, segments, sign, told)
_GLOBALS: tuple[Callable[..., object], ...] = (
    form_token,
    htmx_config,
    is_operator,
    is_signed_in,
    layout,
    part_url,
    places,
    role,
)

for _function in _FILTERS:
    admin.add_app_template_filter(_function)
for _function in _GLOBALS:
    admin.add_app_template_global(_function)
admin.add_app_template_global(ids.show, "show_id")
admin.add_app_template_global(clock.now, "now")
