"""The chart of the README: each rate as a part of what the machine could do, ours above the obvious design's."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

LABELS = {
    "accept": "accept a batch",
    "callbacks": "callbacks stored and applied",
    "submit": "submits stored",
    "submit_fast": "submits stored, fast sender",
    "end_to_end": "end to end",
    "end_to_end_fast": "end to end, fast sender",
}
_WIDTH, _LEFT, _RIGHT = 760, 210, 20
_TOP, _STEP, _BAR = 58, 52, 14
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.small { font-size: 11px; fill: #57606a }
.limit { fill: #d8dee4 } .ours { fill: #1f6feb } .obvious { fill: #bc8c00 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .small { fill: #9198a1 }
  .limit { fill: #30363d } .ours { fill: #4c8dff } .obvious { fill: #d4a72c }
}
"""


def write(rows: Sequence[Mapping[str, object]], caption: Sequence[str], path: Path) -> None:
    """Draw the rows that are rates; `caption` says, in lines, where they were taken."""
    path.write_text(draw([row for row in rows if row["name"] in LABELS], caption))


def draw(rows: Sequence[Mapping[str, object]], caption: Sequence[str]) -> str:
    """The SVG."""
    below = _TOP + _STEP * len(rows) + 14
    height = below + 16 * len(caption)
    bars = "".join(_row(row, _TOP + _STEP * number) for number, row in enumerate(rows))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="Jobs a second, this service and the obvious design beside the limit of the machine">'
        f"<style>{_STYLE}</style>{_legend()}{bars}"
        f"{_caption(caption, below)}</svg>\n"
    )


def _legend() -> str:
    parts = (("ours", "Hivebatch"), ("obvious", "the obvious design"), ("limit", "what the machine could do"))
    marks = []
    for (name, words), x in zip(parts, (_LEFT, _LEFT + 120, _LEFT + 290), strict=True):
        marks.append(f'<rect class="{name}" x="{x}" y="20" width="12" height="12" rx="2"/>')
        marks.append(f'<text x="{x + 18}" y="31">{words}</text>')
    return "".join(marks)


def _caption(lines: Sequence[str], y: int) -> str:
    shown = [
        f'<text class="small" x="12" y="{y + 16 * number}">{escape(line)}</text>' for number, line in enumerate(lines)
    ]
    return "".join(shown)


def _row(row: Mapping[str, object], y: int) -> str:
    ours, obvious, limit = (_number(row[name]) for name in ("ours", "obvious", "limit"))
    whole = max(ours, obvious, limit) or 1.0
    ratio = f", {_number(row['ratio']):.1f} times" if row["ratio"] else ""
    return (
        f'<text x="12" y="{y + 18}">{LABELS[str(row["name"])]}</text>'
        f"{_limit(limit, whole, y)}"
        f"{_bar('ours', ours, whole, y, ratio)}{_bar('obvious', obvious, whole, y + _BAR + 2, '')}"
    )


def _limit(value: float, whole: float, y: int) -> str:
    if not value:
        return ""
    return (
        f'<rect class="limit" x="{_LEFT}" y="{y}" width="{_span(value / whole)}" height="{2 * _BAR + 2}" rx="3"/>'
        f'<text class="small" x="{_WIDTH - _RIGHT}" y="{y + 2 * _BAR + 14}" text-anchor="end">{_words(value)}/s</text>'
    )


def _bar(name: str, value: float, whole: float, y: int, suffix: str) -> str:
    if not value:
        return ""
    width = _span(value / whole)
    is_inside = width > 200
    at = _LEFT + width - 6 if is_inside else _LEFT + width + 6
    style = 'text-anchor="end" style="fill:#fff"' if is_inside else ""
    return (
        f'<rect class="{name}" x="{_LEFT}" y="{y}" width="{width}" height="{_BAR}" rx="3"/>'
        f'<text class="small" x="{at}" y="{y + 11}" {style}>{_words(value)}/s{suffix}</text>'
    )


def _span(share: float) -> float:
    return round((_WIDTH - _LEFT - _RIGHT) * share, 1)


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


def _words(value: float) -> str:
    return f"{float(f'{value:.3g}'):,.0f}"
