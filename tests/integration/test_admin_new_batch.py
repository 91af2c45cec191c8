"""The form for a new batch: nothing is made before somebody has seen what it holds, and then it is made once."""

import io
import json
from collections.abc import Iterator
from html import unescape

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from app.models import audit_events, batches
from app.runtime import Runtime
from app.services import keys, status
from tests.integration.browsers import HOSTILE, fields_of, logged_in, press


@pytest.fixture
def page(runtime: Runtime) -> Iterator[FlaskClient]:
    with logged_in(runtime) as browser:
        yield browser


def look(page: FlaskClient, pasted: str = "", **fields: object) -> TestResponse:
    """The page that shows what would be made of it."""
    return press(page, "/admin/batches/drafts", pasted=pasted, **fields)


def make(page: FlaskClient, looked: TestResponse) -> TestResponse:
    """Press the button under it."""
    return page.post(
        looked.request.path, data=fields_of(looked, 'action="/admin/batches/drafts'), follow_redirects=True
    )


def made(runtime: Runtime) -> int:
    with runtime.database.reading() as connection:
        return connection.execute(select(func.count()).select_from(batches)).scalar_one()


def jobs(runtime: Runtime) -> list[tuple[str, str, dict[str, object]]]:
    """Name, prompt and options of each job of the one batch."""
    (batch,) = status.batches(runtime, None, None, 10).items
    found = [status.job(runtime, None, each.id) for each in status.jobs(runtime, None, batch.id).items]
    return [(each.job.custom_id, each.text_data, dict(each.options)) for each in found]


def test_pasted_prompts_are_shown_then_made_a_batch_once(page: FlaskClient, runtime: Runtime) -> None:
    assert "New batch" in page.get("/admin/batches").text
    assert "Look at it" in page.get("/admin/batches/new").text
    looked = look(page, "Name three rivers.\r\n\r\nName three lakes.\r\n", name="geography", max_tokens="64")
    assert "<h1>2 jobs</h1>" in looked.text
    assert "Name three lakes." in looked.text
    assert made(runtime) == 0
    done = make(page, looked)
    assert "The batch is made, of 2 jobs." in done.text
    again = make(page, looked)
    assert again.request.path == done.request.path
    assert made(runtime) == 1
    rivers, lakes = {"max_tokens": 64}, {"max_tokens": 64}
    assert jobs(runtime) == [("line-1", "Name three rivers.", rivers), ("line-3", "Name three lakes.", lakes)]
    (batch,) = status.batches(runtime, None, None, 10).items
    assert (batch.name, batch.owner) == ("geography", "admin")
    with runtime.database.reading() as connection:
        audited = connection.execute(select(audit_events.c.action)).scalars().all()
    assert list(audited).count("batch.create") == 1


TABLE = 'custom_id;prompt;max_tokens;temperature\na;"two\nlines; one job";5;0.5\n;plain;;\n'


def test_a_table_becomes_jobs_with_their_options(page: FlaskClient, runtime: Runtime) -> None:
    looked = look(page, file=(io.BytesIO(TABLE.encode()), "prompts.csv"))
    assert "<h1>2 jobs</h1>" in looked.text
    make(page, looked)
    assert jobs(runtime) == [
        ("a", "two\nlines; one job", {"max_tokens": 5, "temperature": 0.5}),
        ("line-4", "plain", {}),
    ]


def test_a_file_of_jobs_is_read_as_the_api_reads_it(page: FlaskClient, runtime: Runtime) -> None:
    said = [{"custom_id": "a", "text_data": "one", "options": {"top_p": 0}}, {"custom_id": "b", "text_data": "two"}]
    content = "\n".join(json.dumps(line) for line in said).encode()
    make(page, look(page, file=(io.BytesIO(content), "jobs.jsonl"), owner="admin"))
    assert jobs(runtime) == [("a", "one", {"top_p": 0}), ("b", "two", {})]


def test_lines_that_are_wrong_are_told_with_their_numbers_and_left_out_only_if_somebody_says_so(
    page: FlaskClient, runtime: Runtime
) -> None:
    good = json.dumps({"custom_id": "a", "text_data": "one"})
    looked = look(page, "\n".join([good, "{", good, json.dumps({"custom_id": "b", "text_data": ""})]))
    text = looked.text
    assert "<h1>1 job, 3 problems</h1>" in text
    for line in ("2", "3", "4"):
        assert f'<td data-label="Line" class="num">{line}</td>' in text
    assert "Another job of the batch has this custom_id." in text
    assert "Make a batch of the other 1 job" in text
    fields = fields_of(looked, 'action="/admin/batches/drafts')
    strict = page.post(looked.request.path, data={**fields, "on_invalid": "reject"}, follow_redirects=True)
    assert "No batch was made:" in strict.text
    assert made(runtime) == 0
    assert "The batch is made, of 1 job." in make(page, looked).text
    assert jobs(runtime) == [("a", "one", {})]


@pytest.mark.parametrize(
    ("content", "said", "words"),
    [
        ("custom_id,answer\na,b", {"form": "csv"}, "names no column of prompts"),
        ("prompt,colour\na,red", {"form": "csv"}, "Unknown column."),
        ("a prompt", {"provider": "nobody"}, "Unknown provider"),
        ("a prompt", {"max_tokens": "many"}, "valid integer"),
        ("a prompt", {"budget": "much"}, "should match pattern"),
        ("a prompt", {"form": "pdf"}, "Unknown form."),
    ],
)
def test_what_makes_no_batch_says_why(
    page: FlaskClient, runtime: Runtime, content: str, said: dict[str, str], words: str
) -> None:
    looked = look(page, content, **said)
    assert words in unescape(looked.text)
    assert 'class="primary">Make' not in looked.text
    assert made(runtime) == 0


def test_nothing_brought_is_said_and_kept_nowhere(page: FlaskClient, runtime: Runtime) -> None:
    response = look(page, " \r\n")
    assert response.status_code == 400
    assert "Paste prompts, or choose a file." in response.text


def test_hostile_and_long_lines_are_shown_harmlessly(page: FlaskClient, runtime: Runtime) -> None:
    looked = look(page, f"{HOSTILE}\n{'x' * 30_000}\n" + "y" * (runtime.settings.max_line_bytes + 1), name=HOSTILE)
    assert "<script>alert" not in looked.text
    assert "All 30,000 characters" in looked.text
    assert "A line takes at most" in looked.text
    assert "2 jobs, 1 problem" in looked.text


def test_a_batch_is_made_for_whoever_has_a_key(page: FlaskClient, runtime: Runtime) -> None:
    keys.create(runtime, "alice", "tests")
    assert ">alice</option>" in page.get("/admin/batches/new").text
    make(page, look(page, "a prompt", owner="alice"))
    assert [batch.owner for batch in status.batches(runtime, "alice", None, 10).items] == ["alice"]


def test_a_table_that_is_not_utf_8_is_told_with_the_line(page: FlaskClient, runtime: Runtime) -> None:
    looked = look(page, file=(io.BytesIO(b"prompt,custom_id\ngood,a\n\xff\xfe,b\n"), "x.csv"))
    assert "not UTF-8" in looked.text


def test_a_draft_is_gone_when_nobody_has_it(page: FlaskClient) -> None:
    assert page.get("/admin/batches/drafts/file-0190000000007000800000000000000a").status_code == 404
    assert page.get("/admin/batches/drafts/x").status_code == 404
