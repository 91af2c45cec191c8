"""What is fetched again and again, and the scripts that do it."""

import hashlib
import json
import re
from pathlib import Path

import pytest
from flask import Flask
from freezegun.api import FrozenDateTimeFactory

from app.admin import live, pages
from app.services.batchlists import BatchFilter, BatchList
from app.services.views import BatchView
from tests.project import ROOT
from tests.unit.admin.values import a_batch

STATIC = ROOT / "app/admin/static"
TEMPLATES = sorted((ROOT / "app/admin/templates/admin").glob("*.html"))
HTMX_SHA256 = "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717"
"""Of htmx.min.js in the package htmx.org 2.0.11."""


def _page(*items: BatchView) -> str:
    return pages.batches(BatchList(items, None, is_cut=False, newer=0), BatchFilter())


def _tag(app: Flask, *counts: dict[str, int], known: str | None = None) -> tuple[int, str]:
    headers = {"If-None-Match": known} if known else {}
    with app.test_request_context("/admin/batches?part=live", headers=headers):
        response = live.answer(_page(*map(a_batch, counts)))
    assert response.headers["Cache-Control"] == "private, no-cache"
    return response.status_code, response.headers["ETag"]


def test_a_live_part_is_the_piece_that_changes_alone(app: Flask) -> None:
    with app.test_request_context("/admin/batches?part=live"):
        part = _page(a_batch())
    assert part.strip().startswith('<p class="news"')
    assert "<html" not in part
    with app.test_request_context("/admin/batches"):
        assert part.strip() in _page(a_batch())


def test_who_has_a_live_part_already_is_told_so_without_it(app: Flask, clock: FrozenDateTimeFactory) -> None:
    status, tag = _tag(app, {"completed": 1})
    assert (status, _tag(app, {"completed": 1}, known=tag)) == (200, (304, tag))
    clock.tick(60)
    assert _tag(app, {"completed": 1}, known=tag)[0] == 304, "only how long ago things were has changed"
    assert _tag(app, {"completed": 2}, known=tag)[0] == 200


def test_a_whole_page_has_no_tag(app: Flask) -> None:
    with app.test_request_context("/admin/batches"):
        assert "ETag" not in live.answer("<html>").headers


def test_a_live_part_is_asked_for_with_the_filters_of_its_page(app: Flask) -> None:
    with app.test_request_context("/admin/batches?status=failed&status=paused&part=x"):
        assert live.part_url() == "/admin/batches?status=failed&status=paused&part=live"
        assert live.part_url(status="paused") == "/admin/batches?status=paused&part=live"


def test_htmx_is_the_file_that_was_published() -> None:
    assert hashlib.sha256((STATIC / "htmx.min.js").read_bytes()).hexdigest() == HTMX_SHA256
    assert "Zero-Clause BSD" in (STATIC / "htmx.LICENSE.txt").read_text()


def test_htmx_may_neither_evaluate_nor_write_styles_nor_ask_others(app: Flask) -> None:
    with app.test_request_context("/admin/"):
        page = pages.login()
    found = re.search(r'<meta name="htmx-config" content="([^"]+)">', page)
    assert found
    config = json.loads(found[1].replace("&#34;", '"'))
    assert not config["allowEval"] | config["includeIndicatorStyles"] | config["allowScriptTags"]
    assert config["selfRequestsOnly"]


@pytest.mark.parametrize(
    "file", sorted((ROOT / "app/admin/templates/admin").glob("*.html")), ids=lambda file: file.name
)
def test_no_template_asks_htmx_for_what_would_need_evaluation(file: Path) -> None:
    assert not re.search(r"hx-on|hx-vars|js:|hx-trigger=\"[^\"]*\[", file.read_text())


def test_our_own_script_is_short_and_evaluates_nothing() -> None:
    script = (STATIC / "admin.js").read_text()
    assert len(script.splitlines()) <= 200
    assert not re.search(r"\beval\b|new Function|innerHTML|insertAdjacent|\.style\b", script)
