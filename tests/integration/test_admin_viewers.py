"""A viewer: every page opens, none shows a prompt or an answer, and none has a button."""

import io
import re
from collections.abc import Mapping

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app import ids
from app.admin.blueprint import OPEN_ENDPOINTS
from app.admin.sessions import Role
from app.runtime import Runtime
from app.services import callbacks, creation, drafts, orphans
from app.services.views import NewBatch, NewJob
from app.tokens import CallbackSubject
from tests.factories import deliver, job, take
from tests.fakes import success, unrecognised
from tests.integration.browsers import logged_in
from tests.webhooks import on_their_way, register, send_due

CANARY = "canary"
SEEN = {"admin.nothing", "admin.search"}
"""Pages that show what the address says, and nothing of their own."""

KINDS = {"batches": "batch", "jobs": "job", "orphans": "callback", "callbacks": "callback", "webhooks": "webhook"}
KINDS |= {"deliveries": "delivery", "drafts": "file"}
"""Of what a page is, by the part of its path before the id."""

_PLACE = re.compile(r"(\w+)/<shown>")

NEEDED = {"/admin/jobs/change": "do=cancel-all", "/admin/batches/change": "do=cancel&batch={batch}"}
"""What an address asks for, where it can't go without."""


@pytest.fixture
def shown(runtime: Runtime) -> Mapping[str, str]:
    """One of each thing that has a page, with texts wherever there may be some: its shown id by its kind."""
    webhook = register(runtime)
    options = {"system_prompt": CANARY, "prompt_history": [{"role": "user", "content": CANARY}]}
    jobs = [NewJob(f"job-{number}", f"{CANARY} {number}", options) for number in range(2)]
    batch_id = creation.create(runtime, NewBatch("alice", options=options, max_attempts=1), jobs).batch.id
    answered, unread = take(runtime)
    deliver(runtime, answered.submission, success(CANARY))
    deliver(runtime, unread.submission, unrecognised().replace(b"??", CANARY.encode()))
    send_due(runtime)
    callbacks.receive(runtime, runtime.signer.sign(CallbackSubject(ids.new_id(), ids.new_id())), success(CANARY))
    return {
        "batch": ids.show("batch", batch_id),
        "job": ids.show("job", job(runtime, batch_id).job.id),
        "callback": ids.show("callback", orphans.listing(runtime).items[0].id),
        "webhook": ids.show("webhook", webhook),
        "delivery": ids.show("delivery", on_their_way(runtime)[0].id),
        "file": drafts.keep(runtime, "brought.txt", io.BytesIO(CANARY.encode())).id,
    }


def every_page(runtime: Runtime, shown: Mapping[str, str], role: Role) -> dict[str, TestResponse]:
    """What each address of the page answers to somebody in this role, whole and as its live part, by the address."""
    with logged_in(runtime, role) as browser:
        paths = _paths(browser.application, shown)
        return {path: browser.get(path) for each in paths for path in (each, f"{each}&part=live")}


def _paths(app: Flask, shown: Mapping[str, str]) -> list[str]:
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("admin.")]
    asked = [rule for rule in rules if "GET" in (rule.methods or ()) and rule.endpoint not in OPEN_ENDPOINTS | SEEN]
    names = [_PLACE.sub(lambda part: f"{part[1]}/{shown[KINDS[part[1]]]}", rule.rule) for rule in asked]
    return [f"{name}?{NEEDED.get(name, '').format(**shown)}" for name in names]


def buttons(page: TestResponse) -> set[str]:
    """Where the forms of a page lead that change something."""
    forms = [form for form in re.findall(r"<form [^>]*>", page.text) if 'method="post"' in form]
    return {action for form in forms for action in re.findall(r'action="([^"]+)"', form)}


def test_a_viewer_sees_no_prompt_no_answer_and_no_button(runtime: Runtime, shown: Mapping[str, str]) -> None:
    pages = every_page(runtime, shown, Role.VIEWER)
    assert len(pages) >= 26
    for path, page in pages.items():
        assert page.status_code in {200, 403}, (path, page.text)
        assert CANARY not in page.text, path
        actions = re.findall(
            r'<form method="post" action="([^"]+)"|<form [^>]*method="post"[^>]*action="([^"]+)"', page.text
        )
        assert {"".join(found) for found in actions} <= {"/admin/logout"}, path


def test_an_operator_sees_buttons(runtime: Runtime, shown: Mapping[str, str]) -> None:
    pages = every_page(runtime, shown, Role.OPERATOR)
    assert {page.status_code for page in pages.values()} == {200}
    assert len(set().union(*map(buttons, pages.values()))) > 10
