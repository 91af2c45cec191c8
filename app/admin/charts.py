"""Charts as shapes in a square of 100 by 100; the style sheet and the table behind them say what they mean."""

from collections.abc import Sequence
from dataclasses import dataclass

_GAP = 0.2  # of the width of a bar
_LOWEST = 2.0  # so that one of many thousands can be seen


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a bar, `tone` for the style sheet; lengths in per cent of the chart, `top` from above."""

    tone: str
    top: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a chart with its pieces, the lowest first."""

    left: float
    width: float
    pieces: tuple[Piece, ...]


def bars(values: Sequence[Sequence[int]], tones: Sequence[str]) -> tuple[Bar, ...]:
    """A bar for each of these values that has anything, as high as its share of the highest; `tones` of its pieces."""
    peak = max((sum(each) for each in values), default=0)
    step = 100 / len(values) if values else 0.0
    return tuple(
        Bar(round(number * step, 2), round(step * (1 - _GAP), 2), _pieces(each, tones, peak))
        for number, each in enumerate(values)
        if any(each)
    )


def _pieces(counts: Sequence[int], tones: Sequence[str], peak: int) -> tuple[Piece, ...]:
    heights = [max(100 * count / peak, _LOWEST) if count else 0.0 for count in counts]
    scale = min(1.0, 100 / sum(heights))
    pieces: list[Piece] = []
    top = 100.0
    for tone, height in zip(tones, heights, strict=True):
        if height:
            top -= height * scale
            pieces.append(Piece(tone, round(top, 2), round(height * scale, 2)))
    return tuple(pieces)
