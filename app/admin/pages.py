"""Each page as a function of what it shows."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from flask import render_template, request

from app import clock
from app.admin import batchfilter, charts, jobcode, possible
from app.admin.lifelines import lifeline
from app.admin.signs import BAR_ORDER, BATCH_ORDER
from app.admin.timeline import timeline
from app.config import Settings
from app.services import batchlists, batchpages, clocks
from app.services.batchlists import BatchFilter, BatchList
from app.services.batchpages import BatchStory
from app.services.overviews import Overview
from app.services.reparse import NOT_RECOGNISED
from app.services.retries import RETRYABLE
from app.services.verification import Verification
from app.services.views import BatchView, JobDetail, JobView, Page, Readiness, ReasonView
from app.states import OPEN_JOB_STATES, JobState

CUT_CHARS = 600


def login(*, can_log_in: bool = True, problem: str | None = None) -> str:
    """The password field; without a configured password only how to set one."""
    return render_template("admin/login.html", can_log_in=can_log_in, problem=problem)


def overview(found: Overview, readiness: Readiness, settings: Settings) -> str:
    """How all stands, and what keeps it."""
    return render_template(
        "admin/overview.html",
        overview=found,
        bars=charts.bars([(minute.completed, minute.failed) for minute in found.minutes], ("good", "bad")),
        peak=max(minute.completed + minute.failed for minute in found.minutes),
        readiness=readiness,
        is_sweep_stale=_is_stale(readiness.last_sweep_at, settings.sweep_seconds),
        is_clock_off=clocks.is_off(readiness.clock_off_seconds),
        held_batches=sum(hold.scope == "batch" for hold in readiness.holds),
        base_url=request.host_url.rstrip("/"),
    )


def batches(page: BatchList, asked: BatchFilter) -> str:
    """The list of batches that are as asked."""
    return render_template(
        "admin/batches.html",
        page=page,
        chosen=batchfilter.kept(asked),
        statuses=BATCH_ORDER,
        looked_at=batchlists.LOOKED_AT,
        is_first_page="cursor" not in request.args,
        base_url=request.host_url.rstrip("/"),
    )


def batch(
    view: BatchView,
    jobs: Page[JobView],
    states: Sequence[str],
    reasons: Sequence[ReasonView] = (),
    story: BatchStory | None = None,
) -> str:
    """One batch, what happened to it, why it waits, and a page of its jobs, of all states or of `states`."""
    told = story or BatchStory()
    return render_template(
        "admin/batch.html",
        batch=view,
        story=told,
        entries=lifeline(view, told.done),
        bars=charts.bars([(each.answers,) for each in told.latencies], ("wait",)),
        answers=sum(each.answers for each in told.latencies),
        most_failed=batchpages.MOST_FAILED,
        jobs=jobs,
        states=states,
        reasons=reasons,
        job_states=[state.value for state in BAR_ORDER],
        open_jobs=possible.open_jobs(view),
        failed_jobs=view.counts.get(JobState.FAILED, 0),
        cancelled_jobs=view.counts.get(JobState.CANCELLED, 0),
        can_pause=possible.can_pause(view),
        can_resume=possible.can_resume(view),
        is_first_page="cursor" not in request.args,
    )


def verification(found: Verification, batch: BatchView) -> str:
    """What a look through a batch came to."""
    return render_template("admin/verify.html", found=found, batch=batch)


def job(detail: JobDetail, batch: BatchView, reasons: Sequence[ReasonView] = (), *, with_texts: bool = False) -> str:
    """One job: what it waits for, what happened to it, and, if it is asked for, what it asks and was answered."""
    state, base_url = detail.job.state, request.host_url.rstrip("/")
    return render_template(
        "admin/job.html",
        detail=detail,
        job=detail.job,
        batch=batch,
        reasons=reasons,
        entries=timeline(detail),
        can_retry=state in RETRYABLE,
        can_reparse=state == JobState.FAILED and detail.job.error_code == NOT_RECOGNISED,
        is_open=state in OPEN_JOB_STATES,
        with_texts=with_texts,
        cut_chars=CUT_CHARS,
        raw=jobcode.as_json(detail),
        asking=jobcode.asking(base_url, detail),
        submitting=jobcode.submitting(base_url, detail, batch) if with_texts else None,
    )


def failure(title: str, message: str) -> str:
    """What went wrong, and the way back."""
    return render_template("admin/failure.html", title=title, message=message)


def _is_stale(last_sweep_at: datetime | None, sweep_seconds: float) -> bool:
    patience = timedelta(seconds=max(30.0, 3 * sweep_seconds))
    return last_sweep_at is None or clock.now() - last_sweep_at > patience
