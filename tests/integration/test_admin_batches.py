"""The pages of batches in a browser: the list, and one batch."""

import re
from collections.abc import Iterator
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from app.runtime import Runtime
from app.services import creation
from app.services.views import NewBatch, NewJob
from tests.integration.browsers import links, logged_in


@pytest.fixture
def page(runtime: Runtime) -> Iterator[FlaskClient]:
    with logged_in(runtime) as browser:
        yield browser


def _store(runtime: Runtime, *texts: str, name: str | None = "spring") -> UUID:
    jobs = [NewJob(f"sku-{number}", text, {}) for number, text in enumerate(texts)]
    return creation.create(runtime, NewBatch(owner="dev", name=name), jobs).batch.id


def test_the_filter_of_the_list_stands_in_its_address_and_in_every_link(page: FlaskClient, runtime: Runtime) -> None:
    for number in range(27):
        _store(runtime, "a prompt", name=f"spring {number}")
    _store(runtime, "a prompt", name="autumn")
    first = page.get("/admin/batches?status=in_progress&name=SPRING&owner=dev")
    (following,) = links(first, "/admin/batches?cursor")
    second = page.get(following)
    assert {"status=in_progress", "name=SPRING", "owner=dev"} < set(following.split("?")[1].split("&"))
    shown = re.findall(r'href="/admin/batches/(batch_\w+)"', first.text + second.text)
    assert len(set(shown)) == len(shown) == 27
    assert "autumn" not in first.text + second.text
    assert "No batch is as asked" in page.get("/admin/batches?status=failed").text
    assert page.get("/admin/batches?status=asleep").status_code == 400


def test_new_batches_are_told_above_the_list_and_move_nothing_in_it(page: FlaskClient, runtime: Runtime) -> None:
    _store(runtime, "a prompt", name="first")
    whole = page.get("/admin/batches").text
    (poll,) = re.findall(r'hx-get="([^"]+)"', whole)
    poll = poll.replace("&amp;", "&")
    assert "new batch" not in page.get(poll).text
    _store(runtime, "a prompt", name="second")
    part = page.get(poll)
    assert '1 new batch <a href="/admin/batches">Show</a>' in part.text
    assert "first" in part.text
    assert "second" not in part.text
    assert "second" in page.get("/admin/batches").text
