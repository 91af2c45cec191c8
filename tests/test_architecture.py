"""What people forget: each thing has one place, every state its word, every door its lock. Without a database."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import cast
from uuid import uuid4

import pytest
from flask import Flask
from werkzeug.routing import Rule

from app import create_app
from app.admin.blueprint import OPEN_ENDPOINTS
from app.api.operations import declared
from app.models import metadata
from app.queue import DRAIN, SilentDoorbell, make_celery
from app.runtime import Runtime, build
from app.states import AttemptState, Case, JobState, Outcome
from app.transitions import _MOVES, Event, Moment, transition
from tests.conftest import make_settings
from tests.project import ROOT, calls, document, last_name, modules, tracked
from tests.simulation.moves import drawn, listed
from tests.unit.test_transitions import EVENTS, FOR_AN_ATTEMPT, TIMING, at, new_job
from workers.attaching import attach

PRODUCT = ("app", "workers", "migrations")


# --- one place for each thing ---


def test_only_the_store_of_jobs_writes_jobs() -> None:
    writers = {name for name, tree in modules(*PRODUCT).items() if any(map(_writes_jobs, calls(tree)))}
    assert writers == {"app/store/jobs.py"}
    spoken = re.compile(r"\b(?:insert\s+into|update)\s+\"?jobs\b", re.IGNORECASE)
    assert not [name for name in modules(*PRODUCT) if spoken.search((ROOT / name).read_text())]


def _writes_jobs(call: ast.Call) -> bool:
    name, owner = last_name(call.func), last_name(call.func.value) if isinstance(call.func, ast.Attribute) else None
    names_jobs = any(last_name(argument) == "jobs" for argument in call.args)
    if owner == "bulk":
        return name in {"add", "change"} and names_jobs
    return name in {"insert", "update"} and (owner == "jobs" or names_jobs)


def test_three_loops_outlive_every_exception_and_nothing_else_does() -> None:
    found = Counter(name for name, tree in modules(*PRODUCT).items() for node in ast.walk(tree) if _swallows_all(node))
    # The loop of the group commit has two: what a group is, and what follows from it.
    assert found == {"app/queue.py": 1, "workers/sweeper.py": 1, "app/commits.py": 2}


def _swallows_all(node: ast.AST) -> bool:
    everything = {None, "Exception", "BaseException"}
    if isinstance(node, ast.ExceptHandler):
        kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        last = node.body[-1]
        is_handed_over = isinstance(last, ast.Expr) and isinstance(last.value, ast.Call)
        is_handed_over = is_handed_over and last_name(last.value.func) == "set_exception"
        is_passed_on = is_handed_over or (isinstance(last, ast.Raise) and last.exc is None)
        return not is_passed_on and any(kind is None or last_name(kind) in everything for kind in kinds)
    suppresses = isinstance(node, ast.Call) and last_name(node.func) == "suppress"
    return suppresses and any(last_name(argument) in everything for argument in cast("ast.Call", node).args)


def test_the_time_is_asked_for_in_one_place() -> None:
    asking = {"now", "utcnow", "today"}
    found = {
        name
        for name, tree in modules("app", "workers").items()
        for call in calls(tree)
        if isinstance(call.func, ast.Attribute)
        and (
            (call.func.attr in asking and last_name(call.func.value) in {"datetime", "date"})
            or (call.func.attr in {"time", "time_ns"} and last_name(call.func.value) == "time")
        )
        and not name.startswith("app/sandbox/")  # it imports nothing of the product
    }
    assert found <= {"app/clock.py", "app/logs.py"}
    assert "app/clock.py" in found


def test_the_database_makes_no_times_and_no_values_of_its_own() -> None:
    columns = [column for table in metadata.sorted_tables for column in table.columns]
    assert columns
    assert not [str(column) for column in columns if column.server_default is not None or column.onupdate is not None]


# --- states ---


@pytest.mark.parametrize("state", [*JobState, *AttemptState, *Outcome])
def test_every_state_is_explained(state: str) -> None:
    assert f"`{state}`" in document("docs/states.md")


@pytest.mark.parametrize("event", Event.__args__, ids=lambda event: event.__name__)
def test_every_event_has_a_move_and_is_explained(event: type) -> None:
    assert event in _MOVES
    assert f"`{event.__name__}`" in document("docs/states.md")


def test_no_move_is_left_over() -> None:
    assert set(_MOVES) == set(Event.__args__)


@cache
def steps() -> tuple[tuple[Case, Case], ...]:
    """Every step that a job can take from its creation on, with up to three attempts: before and after."""
    found: list[tuple[Case, Case]] = []
    new = [new_job(max_attempts=2)]
    seen = {_shape(new[0])}
    while new:
        before = new.pop()
        for after in _next(before):
            found.append((before, after))
            if _shape(after) not in seen and len(after.attempts) <= 3:
                seen.add(_shape(after))
                new.append(after)
    return tuple(found)


def _shape(case: Case) -> tuple[str, ...]:
    return (case.job.state, str(case.job.attempts), *(attempt.state for attempt in case.attempts.values()))


def _next(case: Case) -> Iterator[Case]:
    moment = Moment(case.job.due_at or at(0).now, TIMING)
    for name, make in EVENTS.items():
        for attempt_id in case.attempts if name in FOR_AN_ATTEMPT else [uuid4()]:
            yield transition(case, make(attempt_id), moment).case


def test_the_diagram_shows_exactly_the_moves_that_the_code_makes() -> None:
    made = {(before.job.state.value, after.job.state.value) for before, after in steps()}
    assert drawn() == {(before, after) for before, after in made if before != after}


def test_the_table_of_attempts_lists_exactly_the_moves_that_the_code_makes() -> None:
    made = {
        (attempt.state.value, after.attempts[attempt.id].state.value)
        for before, after in steps()
        for attempt in before.attempts.values()
    }
    assert listed() == {(before, after) for before, after in made if before != after}


def test_every_state_is_reached_from_queued() -> None:
    assert {after.job.state for _, after in steps()} == set(JobState)
    assert {attempt.state for _, after in steps() for attempt in after.attempts.values()} == set(AttemptState)


# --- doors ---

WITHOUT_A_KEY = {
    "callbacks.receive_hive": "token",
    "callbacks.receive_unproven": "none",
    "callbacks.echo": "token",
    "health.healthz": "none",
    "health.readyz": "none",
    "health.openapi_document": "none",
}


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Flask]:
    runtime = build(make_settings(data_dir=tmp_path / "none"), SilentDoorbell())
    yield create_app(runtime)
    runtime.close()


def rules(web: Flask) -> list[Rule]:
    return [rule for rule in web.url_map.iter_rules() if not rule.endpoint.startswith("admin.")]


def test_every_route_of_the_api_says_who_may_call_it(web: Flask) -> None:
    for rule in rules(web):
        operation = declared(web.view_functions[rule.endpoint])
        assert operation is not None, rule
        assert operation.auth == WITHOUT_A_KEY.get(rule.endpoint, "key"), rule
    assert set(WITHOUT_A_KEY) <= {rule.endpoint for rule in rules(web)}


def test_every_route_that_takes_a_key_refuses_whoever_has_none(web: Flask) -> None:
    tried = 0
    for rule in rules(web):
        if rule.endpoint not in WITHOUT_A_KEY:
            built = rule.build(dict.fromkeys(rule.arguments, "x"))
            assert built is not None
            for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
                response = web.test_client().open(built[1], method=method)
                assert response.status_code == 401, (method, built[1])
                tried += 1
    assert tried >= 10


def test_every_page_but_the_login_is_behind_it(web: Flask) -> None:
    pages = {rule.endpoint for rule in web.url_map.iter_rules() if rule.endpoint.startswith("admin.")}
    assert pages > OPEN_ENDPOINTS
    assert {"admin.login", "admin.sign_in", "admin.static"} == OPEN_ENDPOINTS


# --- messages ---


def test_every_task_that_is_rung_for_is_registered() -> None:
    celery = make_celery(make_settings())
    attach(celery, cast("Runtime", object()))
    ours = {name for name in celery.tasks if not name.startswith("celery.")}
    assert ours == {DRAIN}
    sent = [
        (name, last_name(call.args[0]) if call.args else None)
        for name, tree in modules(*PRODUCT).items()
        for call in calls(tree)
        if last_name(call.func) in {"send_task", "apply_async", "delay", "signature"}
    ]
    assert sent == [("app/queue.py", "DRAIN")]


# --- the tests themselves ---


def test_no_unit_test_sleeps_and_none_puts_a_mock_in_our_place() -> None:
    for name, tree in modules("tests/unit").items():
        for call in calls(tree):
            is_sleep = isinstance(call.func, ast.Attribute) and call.func.attr == "sleep"
            assert not is_sleep, f"{name}:{call.lineno}"
            replaced = call.args[0] if last_name(call.func) == "setattr" and call.args else None
            is_ours = isinstance(replaced, ast.Constant) and str(replaced.value).startswith(("app.", "workers."))
            assert not is_ours, f"{name}:{call.lineno}"
    mocking = re.compile(r"\bunittest\.mock\b|\bmock[e]r\b")
    tests = [path for path in tracked() if path.suffix == ".py" and path.is_relative_to(ROOT / "tests")]
    assert not [path for path in tests if mocking.search(path.read_text())]


def test_every_test_module_has_a_name_of_its_own() -> None:
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, times in names.items() if times > 1] == []
