"""What has to hold when a run is over, whatever happened to it: client, provider and database tell one story."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from itertools import pairwise
from typing import Any

from app.sandbox.results import answer_for
from tests.e2e.books import Books
from tests.e2e.client import Asked, Client
from tests.e2e.procfile import TIMES

COUNTED_NOT = "refused"
_CALLBACK = timedelta(seconds=float(TIMES["CALLBACK_TIMEOUT_SECONDS"]))


def every_accepted_job_is_there_once(client: Client, books: Books) -> None:
    stored = Counter((f"batch_{row.batch_id.hex}", row.custom_id) for row in books.jobs)
    assert stored == Counter((batch, custom_id) for custom_id, batch in client.accepted.items())


def every_job_ended_as_it_must(asked: Sequence[Asked], books: Books) -> None:
    """An unlucky prompt is served at the latest at its third submit; one with a fate of its own never is."""
    fates = {job.custom_id: job.fate for job in asked}
    wrong = [row for row in books.jobs if row.state != ("failed" if fates[row.custom_id] else "completed")]
    assert not wrong, wrong[:5]
    failed = [row for row in books.jobs if row.state == "failed"]
    # A submit whose outcome was lost with its worker may have been the last one that the job had.
    assert [row for row in failed if row.error_code not in (fates[row.custom_id], "timed_out")] == []
    assert [row for row in failed if row.error_code != "http_422" and row.attempts < row.max_attempts] == []


def every_answer_is_that_of_its_prompt(client: Client, asked: Sequence[Asked], books: Books) -> None:
    right = {job.custom_id: answer_for(job.text_data, job.system_prompt) for job in asked if job.fate is None}
    told = {custom_id: line["text"] for custom_id, line in client.results().items() if line["state"] == "completed"}
    assert told == right
    assert {row.custom_id: row.text for row in books.jobs if row.text is not None} == right


def no_invariant_is_broken(books: Books) -> None:
    """Also: every job has one result or none, no attempt is left open, every count is that of the rows."""
    assert books.doctor["is_well"], books.doctor


def every_sale_is_covered_by_an_attempt_that_counts(asked: Sequence[Asked], books: Books) -> None:
    prompts = {job.custom_id: sha256(job.text_data.encode()).hexdigest() for job in asked}
    for sale in books.sales:
        assert sale.job in books.job, sale
        assert sale.prompt_sha256 == prompts[books.job[sale.job].custom_id], sale
    for shown, row in books.job.items():
        assert books.sold[shown] <= row.attempts <= row.max_attempts, row


def every_known_task_and_its_cost_are_the_providers(books: Books) -> None:
    """A price is known of what was delivered, so the database never knows of more than was billed."""
    sold = {sale.task_id: sale for sale in books.sales}
    for shown, attempts in books.attempts.items():
        for each in attempts:
            if each.provider_task_id is not None:
                assert sold[each.provider_task_id].job == shown, each
            if each.cost_nano is not None:
                assert Decimal(each.cost_nano).scaleb(-9) == sold[each.provider_task_id].charge, each
    assert books.told <= books.billed
    task_ids = [each.provider_task_id for each in books.all_attempts if each.provider_task_id is not None]
    assert len(task_ids) == len(set(task_ids)), "two attempts with one task"


def no_more_was_refused_than_the_provider_refused(books: Books) -> None:
    refused = [each for each in books.all_attempts if each.state == COUNTED_NOT and each.http_status == 429]
    assert len(refused) <= sum(entry["status"] == 429 for entry in books.refused)


def every_further_submit_had_a_reason(books: Books) -> None:
    """Before a job is submitted again its last attempt has failed, or was waited for as long as is promised."""
    for attempts in books.attempts.values():
        for before, after in pairwise(attempts):
            assert before.state in ("refused", "failed", "timed_out") or _was_late(before, after), (before, after)
            if before.state == "timed_out":
                assert before.finished_at - before.created_at >= _patience(before), before
                assert after.created_at >= before.finished_at, (before, after)
            assert not books.was_given_up_unasked(before, after, _CALLBACK), before


def every_callback_that_was_answered_is_kept(books: Books) -> None:
    """What was read back may have been called back too, and is then one body that came so often."""
    answered = Counter(status for sale in books.sales for status in sale.statuses)
    came = [row for row in books.callbacks if row.source == "callback"]
    kept = sum(row.times for row in books.callbacks) - (len(books.callbacks) - len(came))
    assert answered[200] <= kept, (answered, kept)
    assert len(came) <= answered.total(), (answered, len(came))
    assert {row.outcome for row in books.callbacks} <= {"applied", "late", "invalid"}


def the_api_says_the_same(batches: Sequence[Mapping[str, Any]], books: Books) -> None:
    states: Counter[str] = Counter()
    for batch in batches:
        states.update(batch["counts"])
    assert +states == Counter(row.state for row in books.jobs)
    assert sum(Decimal(str(batch["cost"])) for batch in batches) == books.told


def every_batch_verifies(client: Client, books: Books) -> None:
    found = client.verifications()
    assert [each for each in found if not each["is_sound"] or each["open_jobs"]] == []
    spent = {name: sum(Decimal(each["cost"][name]) for each in found) for name in ("useful", "wasted")}
    kept = sum(each.cost_nano or 0 for each in books.all_attempts if each.state == "completed")
    assert spent == {"useful": Decimal(kept).scaleb(-9), "wasted": books.told - Decimal(kept).scaleb(-9)}


def all_of_it(client: Client, asked: Sequence[Asked], books: Books) -> None:
    """Every check of this module."""
    every_accepted_job_is_there_once(client, books)
    every_job_ended_as_it_must(asked, books)
    every_answer_is_that_of_its_prompt(client, asked, books)
    no_invariant_is_broken(books)
    every_sale_is_covered_by_an_attempt_that_counts(asked, books)
    every_known_task_and_its_cost_are_the_providers(books)
    no_more_was_refused_than_the_provider_refused(books)
    every_further_submit_had_a_reason(books)
    every_callback_that_was_answered_is_kept(books)
    the_api_says_the_same(client.batches(), books)
    every_batch_verifies(client, books)


def _was_late(before: Any, after: Any) -> bool:
    """Its answer came when the job had been submitted again; it won, and its reason to be given up is not kept."""
    return bool(before.state == "completed" and before.finished_at > after.created_at)


def _patience(attempt: Any) -> timedelta:
    waits = ["CALLBACK_TIMEOUT_SECONDS" if attempt.acked_at else "UNKNOWN_GRACE_SECONDS"] * (1 + attempt.had_more_time)
    if attempt.error_code == "lease_expired":
        waits.append("LEASE_SECONDS")
    return timedelta(seconds=sum(float(TIMES[name]) for name in waits))
