"""How a state looks: its word stays the API's, a symbol and a tone go with it, so that colour never says it alone."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.states import JobState

BAR_ORDER = (
    JobState.COMPLETED,
    JobState.FAILED,
    JobState.CANCELLED,
    JobState.WAITING,
    JobState.SUBMITTING,
    JobState.QUEUED,
)
BATCH_ORDER = ("in_progress", "paused", "cancelling", "completed", "expired", "cancelled", "failed")
_NARROWEST = 1.0  # per cent: one failed job of 50,000 must be seen


@dataclass(frozen=True, slots=True)
class Sign:
    """A symbol and the tone that the style sheet knows."""

    symbol: str
    tone: str


_SIGNS = {
    # jobs; attempts share some of the words
    "queued": Sign("○", "idle"),
    "submitting": Sign("↑", "busy"),
    "waiting": Sign("◐", "wait"),
    "completed": Sign("✓", "good"),
    "failed": Sign("✕", "bad"),
    "cancelled": Sign("⊘", "off"),
    "overdue": Sign("◔", "warn"),  # a word for some that are waiting
    # attempts
    "unknown": Sign("?", "warn"),
    "timed_out": Sign("!", "warn"),
    "refused": Sign("↩", "off"),
    "superseded": Sign("»", "off"),
    # batches
    "in_progress": Sign("◐", "wait"),
    "paused": Sign("‖", "warn"),
    "cancelling": Sign("⊘", "warn"),
    "expired": Sign("!", "bad"),
    # providers
    "going": Sign("✓", "good"),
    "trying": Sign("◔", "warn"),
    "held": Sign("‖", "warn"),
    # callbacks
    "applied": Sign("✓", "good"),
    "late": Sign("»", "wait"),
    "conflict": Sign("✕", "bad"),
    "invalid": Sign("✕", "bad"),
    "orphan": Sign("?", "warn"),
    # deliveries and endpoints of webhooks
    "pending": Sign("◐", "wait"),
    "delivered": Sign("✓", "good"),
    "enabled": Sign("✓", "good"),
    "failing": Sign("!", "warn"),
    "disabled": Sign("⊘", "off"),
    # API keys
    "active": Sign("✓", "good"),
    "ending": Sign("!", "warn"),
    "revoked": Sign("⊘", "off"),
    # the doctor's findings
    "well": Sign("✓", "good"),
    "wrong": Sign("✕", "bad"),
}


def sign(word: str) -> Sign:
    """The sign of a state, of an attempt's state, of a batch's status or of a callback's outcome."""
    return _SIGNS.get(word, Sign("•", "idle"))


@dataclass(frozen=True, slots=True)
class Segment:
    """One piece of a progress bar; `left` and `width` in per cent."""

    state: str
    count: int
    left: float
    width: float


def segments(counts: Mapping[str, int]) -> tuple[Segment, ...]:
    """The bar of these counts, without gaps and without empty pieces."""
    present = [(state.value, counts[state]) for state in BAR_ORDER if counts.get(state)]
    total = sum(count for _, count in present)
    widths = [max(100 * count / total, _NARROWEST) for _, count in present]
    scale = 100 / sum(widths) if widths else 0
    pieces: list[Segment] = []
    for (state, count), width in zip(present, widths, strict=True):
        left = sum(piece.width for piece in pieces)
        pieces.append(Segment(state, count, round(left, 3), round(width * scale, 3)))
    return tuple(pieces)
