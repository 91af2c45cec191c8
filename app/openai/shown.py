"""A batch in OpenAI's words."""

from app import ids
from app.errors import Problem
from app.openai.errors import param_of
from app.openai.schemas import (
    OpenAiBatch,
    OpenAiBatchFault,
    OpenAiBatchFaults,
    OpenAiCounts,
    OpenAiInputDetails,
    OpenAiOutputDetails,
    OpenAiUsage,
    Status,
    seconds,
    seconds_or_none,
)
from app.runtime import Runtime
from app.services import resultfiles
from app.services.views import BatchView, ResultKind, UsageView
from app.states import OPEN_JOB_STATES, JobState

_OF_THE_WHOLE = frozenset({"too_many_tasks", "empty_file"})


def shown(runtime: Runtime, view: BatchView, used: UsageView | None = None) -> OpenAiBatch:
    """A batch as this API writes it, whichever face it came through."""
    status = status_of(view)
    ended_at = seconds_or_none(view.finalized_at)
    return OpenAiBatch(
        id=ids.show("batch", view.id),
        model=None if used is None else used.model,
        errors=_errors(view) if status == "failed" else None,
        input_file_id=view.input_file_id or ids.show("file", view.id),
        status=status,
        output_file_id=_file(runtime, view, "output"),
        error_file_id=_file(runtime, view, "errors"),
        created_at=seconds(view.created_at),
        in_progress_at=None if status == "failed" else seconds(view.created_at),
        expires_at=seconds(view.expires_at),
        finalizing_at=ended_at if status in ("completed", "expired") else None,
        completed_at=ended_at if status == "completed" else None,
        failed_at=ended_at if status == "failed" else None,
        expired_at=ended_at if status == "expired" else None,
        cancelling_at=seconds_or_none(view.cancel_requested_at),
        cancelled_at=ended_at if status == "cancelled" else None,
        request_counts=_counts(view),
        usage=_usage(used),
        metadata=dict(view.metadata),
    )


def status_of(view: BatchView) -> Status:
    """The word for how far a batch is; a paused one is in progress to whoever has no word for it."""
    if view.status == "in_progress" or view.status == "paused":  # noqa: PLR1714 - in words that mypy can follow
        has_open = any(view.counts[state] for state in OPEN_JOB_STATES)
        return "in_progress" if has_open else "finalizing"
    return view.status


def _counts(view: BatchView) -> OpenAiCounts:
    failed = view.counts[JobState.FAILED] + view.counts[JobState.CANCELLED]
    return OpenAiCounts(total=view.total, completed=view.counts[JobState.COMPLETED], failed=failed)


def _file(runtime: Runtime, view: BatchView, kind: ResultKind) -> str | None:
    found = resultfiles.view(runtime, view, kind)
    return None if found is None else found.id


def _errors(view: BatchView) -> OpenAiBatchFaults:
    return OpenAiBatchFaults(data=[_fault(problem) for problem in view.line_errors])


def _fault(problem: Problem) -> OpenAiBatchFault:
    param = None if problem.code in _OF_THE_WHOLE else param_of(problem.pointer)
    return OpenAiBatchFault(code=problem.code, line=problem.line, message=problem.message, param=param)


def _usage(used: UsageView | None) -> OpenAiUsage | None:
    if used is None or not used.told:
        return None
    return OpenAiUsage(
        input_tokens=used.input_tokens,
        input_tokens_details=OpenAiInputDetails(cached_tokens=used.cached_tokens),
        output_tokens=used.output_tokens,
        output_tokens_details=OpenAiOutputDetails(reasoning_tokens=used.reasoning_tokens),
        total_tokens=used.input_tokens + used.output_tokens,
    )
