"""The one pure function that moves jobs and attempts. The letters are those of docs/states.md."""

from collections.abc import Callable

from app.states import Case
from app.transitions import endings, results, submits
from app.transitions.endings import put_off
from app.transitions.events import (
    Acked,
    AlarmRang,
    Answered,
    AnsweredByHand,
    Cancelled,
    Claimed,
    Event,
    Expired,
    MarkedFailed,
    Matched,
    OutcomeUnknown,
    Refused,
    Rejected,
    Retried,
    Salvaged,
    StillRunning,
    TaskFailed,
)
from app.transitions.steps import Moment, Step

__all__ = [
    "Acked",
    "AlarmRang",
    "Answered",
    "AnsweredByHand",
    "Cancelled",
    "Claimed",
    "Event",
    "Expired",
    "MarkedFailed",
    "Matched",
    "Moment",
    "OutcomeUnknown",
    "Refused",
    "Rejected",
    "Retried",
    "Salvaged",
    "Step",
    "StillRunning",
    "TaskFailed",
    "put_off",
    "transition",
]


def transition(case: Case, event: Event, moment: Moment) -> Step:
    """What `event` makes of `case`.

    Pure. An event that the case has no use for any more is `late`: it still leaves what it tells about its own
    attempt (task id, cost), and moves nothing else.
    """
    move: Callable[[Case, Event, Moment], Step] = _MOVES[type(event)]
    return move(case, event, moment)


_MOVES: dict[type, Callable[..., Step]] = {
    Claimed: submits.claimed,
    Acked: submits.acked,
    OutcomeUnknown: submits.outcome_unknown,
    Refused: submits.refused,
    Rejected: submits.rejected,
    Answered: results.answered,
    TaskFailed: results.task_failed,
    StillRunning: results.still_running,
    AlarmRang: endings.alarm_rang,
    Cancelled: endings.cancelled,
    Expired: endings.expired,
    Retried: endings.retried,
    Salvaged: results.salvaged,
    Matched: results.matched,
    AnsweredByHand: results.answered_by_hand,
    MarkedFailed: endings.marked_failed,
}
