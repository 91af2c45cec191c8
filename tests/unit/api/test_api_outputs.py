"""Views leave as JSON of one form: ids with a prefix, UTC with a Z, costs as decimal strings."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from freezegun import freeze_time

from app.api.schemas.health import ReadyOut
from app.api.schemas.outputs import AttemptOut, JobDetailOut, JobOut, ResultLineOut
from app.services.views import AttemptView, JobDetail, JobView, Readiness, ResultLine, ResultView

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ID = UUID(int=10)
JOB = JobView(ID, ID, 4, "a", "failed", 2, 3, None, "timed_out", "No callback came in time.", AT, AT)
ATTEMPT = AttemptView(ID, 1, "completed", "hive_v2", "t-1", AT, AT, AT, AT, 200, None, None, Decimal("1E+2"))
RESULT = ResultView("Hi", "callback", {"model": "m"}, AT)


def test_a_job_shows_its_error_as_one_object() -> None:
    shown = JobOut.model_validate(JOB).model_dump(mode="json")
    assert shown["id"] == "job_0000000000000000000000000000000a"
    assert shown["batch_id"] == "batch_0000000000000000000000000000000a"
    assert shown["finished_at"] == "2026-01-02T03:04:05Z"
    assert shown["error"] == {"code": "timed_out", "message": "No callback came in time."}
    assert "error_code" not in shown


def test_costs_are_plain_decimals() -> None:
    costs = [Decimal("1E+2"), Decimal(0).scaleb(-9), Decimal(200_000).scaleb(-9), None]
    shown = [AttemptOut.model_validate(replace(ATTEMPT, cost=cost)).model_dump(mode="json")["cost"] for cost in costs]
    assert shown == ["100", "0", "0.0002", None]


def test_all_of_a_job_stands_side_by_side() -> None:
    detail = JobDetail(JOB, "Hello", {"top_p": 0}, RESULT, (ATTEMPT,), ())
    shown = JobDetailOut.of(detail).model_dump(mode="json")
    assert (shown["text_data"], shown["options"], shown["state"]) == ("Hello", {"top_p": 0}, "failed")
    assert shown["result"]["text"] == "Hi"
    assert [attempt["provider_task_id"] for attempt in shown["attempts"]] == ["t-1"]
    assert shown["callbacks"] == []


def test_a_result_line_leaves_out_what_is_absent() -> None:
    waiting = replace(JOB, state="waiting", error_code=None, error_message=None)
    shown = ResultLineOut.of(ResultLine(waiting, None)).model_dump(mode="json", exclude_none=True)
    assert shown == {
        "custom_id": "a",
        "job_id": "job_0000000000000000000000000000000a",
        "position": 4,
        "state": "waiting",
        "attempts": 2,
    }


def test_a_result_line_carries_the_answer_or_the_error() -> None:
    completed = replace(JOB, state="completed", error_code=None, error_message=None)
    shown = ResultLineOut.of(ResultLine(completed, RESULT)).model_dump(mode="json", exclude_none=True)
    assert (shown["text"], shown["source"], shown["details"]) == ("Hi", "callback", {"model": "m"})
    failed = ResultLineOut.of(ResultLine(JOB, None)).model_dump(mode="json", exclude_none=True)
    assert failed["error"]["code"] == "timed_out"


@freeze_time("2026-01-02T03:04:10Z")
def test_readiness_says_how_long_ago_the_last_sweep_was() -> None:
    shown = ReadyOut.of(Readiness(True, None, "0001", (), AT, (), 0.0))
    assert shown.last_sweep_age_seconds == 5
    assert ReadyOut.of(Readiness(False, "no schema", None, (), None, (), None)).last_sweep_age_seconds is None
