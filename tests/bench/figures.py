"""The figures of a run: medians, ratios and shares, and how they are written down."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.bench.rows import growth

HONEST_JOBS = 80.0
"""Below so many jobs a second the obvious design is taken to be broken, on a machine that is not slow."""
FAST_COPY = 60_000.0


@dataclass(frozen=True, slots=True)
class Goal:
    """What a row is to reach; times and memory are better when lower."""

    unit: str
    goal: float | None
    is_lower_better: bool = False


GOALS: Mapping[str, Goal] = {
    "accept": Goal("jobs/s", 20_000),
    "accept_50k_s": Goal("s", 3, is_lower_better=True),
    "callbacks": Goal("1/s", 3_000),
    "callback_p99_ms": Goal("ms", 50, is_lower_better=True),
    "submit": Goal("jobs/s", 2_000),
    "submit_fast": Goal("jobs/s", 6_000),
    "end_to_end": Goal("jobs/s", 1_400),
    "end_to_end_fast": Goal("jobs/s", 2_700),
    "latency_ms": Goal("ms", 15, is_lower_better=True),
    "latency_p99_ms": Goal("ms", 40, is_lower_better=True),
    "rss_mb": Goal("MB", 300, is_lower_better=True),
    "rss_first_mb": Goal("MB", None, is_lower_better=True),
    "rss_last_mb": Goal("MB", None, is_lower_better=True),
    **{name: Goal("ms", 5, is_lower_better=True) for name in growth.NAMES},
    "growth_page_ms": Goal("ms", 100, is_lower_better=True),
    "growth_page_kb": Goal("KB", 60, is_lower_better=True),
    "growth_removal_ms": Goal("ms", 20, is_lower_better=True),  # nobody waits for it
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One row."""

    name: str
    ours: float
    obvious: float | None
    limit: float | None

    @property
    def ratio(self) -> float | None:
        """How many times better than the obvious design."""
        return self._times(self.obvious)

    @property
    def share_of_limit(self) -> float | None:
        """How near the limit, 1 being there."""
        return self._times(self.limit)

    def row(self, *, has_ratio: bool) -> dict[str, object]:
        """As `bench.json` has it."""
        goal = GOALS[self.name]
        return {
            "name": self.name,
            "unit": goal.unit,
            "ours": _rounded(self.ours),
            "obvious": _rounded(self.obvious),
            "ratio": _rounded(self.ratio) if has_ratio else None,
            "limit": _rounded(self.limit),
            "share_of_limit": _rounded(self.share_of_limit),
            "goal": goal.goal,
        }

    def _times(self, other: float | None) -> float | None:
        if other is None or not other or not self.ours:
            return None
        return other / self.ours if GOALS[self.name].is_lower_better else self.ours / other


class Samples:
    """What the rounds gave, by design and row."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], list[float]] = {}

    def add(self, design: str, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            self._values.setdefault((design, name), []).append(value)

    def figures(self) -> list[Figure]:
        """The medians, in the order of the table."""
        measured = [name for name in GOALS if ("ours", name) in self._values]
        return [self._figure(name) for name in measured]

    def _figure(self, name: str) -> Figure:
        ours = median(self._values["ours", name])
        return Figure(name, ours, self._median("obvious", name), self._median("limit", name))

    def _median(self, design: str, name: str) -> float | None:
        if design == "obvious":
            name = name.removesuffix("_fast")  # it has one sender
        values = self._values.get((design, name))
        return median(values) if values else None


def rows_of(figures: Sequence[Figure]) -> list[dict[str, object]]:
    """All rows; without ratios if the obvious design did not do what it should."""
    is_honest = not any(_is_too_slow(figure, figures) for figure in figures)
    return [figure.row(has_ratio=is_honest) for figure in figures]


def _is_too_slow(figure: Figure, figures: Sequence[Figure]) -> bool:
    is_slow = figure.name == "end_to_end" and (figure.obvious or HONEST_JOBS) < HONEST_JOBS
    return is_slow and any(each.name == "accept" and (each.limit or 0) >= FAST_COPY for each in figures)


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """The rows for people."""
    titles = ("name", "unit", "ours", "obvious", "ratio", "limit", "share_of_limit", "goal")
    lines = [titles, *([_shown(row[title]) for title in titles] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(titles))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def write(rows: Sequence[Mapping[str, object]], path: Path) -> None:
    """As JSON."""
    path.write_text(json.dumps(rows, indent=1) + "\n")


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def _shown(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:,.10g}" if isinstance(value, (int, float)) else str(value)
