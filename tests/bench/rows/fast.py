"""The same two measurements with the fast sender, where it is installed."""

from dataclasses import replace
from importlib.util import find_spec

from app.config import Settings
from tests.bench.designs import Design
from tests.bench.rows import end_to_end, flow
from tests.bench.rows.plan import Measured, Plan

SETTING, VALUE = "SENDER", "pycurl"
CONNECTIONS = 64
"""At least: to this sender each costs a socket, not a thread."""


def unavailable() -> str | None:
    """Why it can't be measured here; None if it can."""
    if SETTING.lower() not in Settings.model_fields:
        return "the service has no second sender"
    if find_spec("pycurl") is None:
        return "pycurl is not installed (the extra `fast` brings it)"
    return None


def submit(design: Design, plan: Plan) -> Measured:
    """As `flow`."""
    return _renamed(flow.measure(_tuned(design), plan), "submit")


def through(design: Design, plan: Plan) -> Measured:
    """As `end_to_end`."""
    return _renamed(end_to_end.measure(_tuned(design), plan), "end_to_end")


def _tuned(design: Design) -> Design:
    tuning = design.tuning
    settings = {**tuning.settings, SETTING: VALUE}
    design.tuning = replace(tuning, settings=settings, connections=max(CONNECTIONS, tuning.connections))
    return design


def _renamed(measured: Measured, name: str) -> Measured:
    return replace(measured, figures={f"{name}_fast": measured.figures[name]})
