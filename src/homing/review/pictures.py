"""The plots of a review as inline SVG: the drop rate, the lanes of a schedule, what moves the loss.

Pure. Colours are the page's; `tornado_svg` brings its own, for a file that stands alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from homing.forensics.plots import lifts, rate_over_time
from homing.review.impact import Loss

_WIDTH: Final = 860
_LEFT: Final = 90
_ROW: Final = 62
_STYLE: Final = (
    "<style>svg{background:#fff}text{font:14px system-ui,sans-serif;fill:#5d6b7e;font-size:12px}"
    ".ink{fill:#1c2430;font-size:14px}.measured{fill:#2f8f5b}.declared{fill:#2f7f9f}"
    ".assumed{fill:#c98a1b}line{stroke:#1c2430;stroke-dasharray:5 4}"
    "@media(prefers-color-scheme:dark){svg{background:#12161c}text{fill:#93a1b5}"
    ".ink{fill:#e6ebf2}line{stroke:#e6ebf2}}</style>"
)


def rate_plot(windows: list[dict[str, Any]], since: dict[str, Any] | None) -> str:
    """Deliveries over time, their drop rate, the change point."""
    return rate_over_time(windows, since)


def suspects_plot(suspects: list[dict[str, Any]]) -> str:
    """What the drops have in common, by how much more frequent it is among them; n >= 1."""
    return lifts(suspects)


def tornado_svg(loss: Loss) -> str:
    """What moves the loss, as a file of its own, light and dark."""
    return _tornado(loss, _STYLE)


def sensitivity_plot(loss: Loss) -> str:
    """The same within a page."""
    return _tornado(loss, "")


def _tornado(loss: Loss, style: str) -> str:
    """One bar an input, widest first; each goes out from the line: every input in its middle."""
    middle = loss.p50 if loss.middle is None else loss.middle
    scale = max((one.high for one in loss.swings), default=0.0) or 1.0
    height = 104 + _ROW * len(loss.swings)

    def x(value: float) -> float:
        return _LEFT + value / scale * (_WIDTH - _LEFT - 104)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="what moves the loss">{style}',
        f'<text x="12" y="24" class="ink" font-weight="600">Loss a week, {escape(loss.currency)}: '
        f"{loss.p50:,.0f} (90% between {loss.p5:,.0f} and {loss.p95:,.0f})</text>",
        '<text x="12" y="44" class="aside">one input alone at its 5% and 95% end; '
        "green measured, blue declared, amber assumed</text>",
    ]
    for row, one in enumerate(loss.swings):
        y = 60 + row * _ROW
        low, high = x(one.low), x(one.high)
        has_range = f"{one.low:,.0f}" != f"{one.high:,.0f}"
        if not has_range:  # a mark on the line, with one label beside it
            low, high = low - 3, high + 3
        left = (
            f'<text x="{low - 6:.1f}" y="{y + 40}" text-anchor="end">{one.low:,.0f}</text>'
            if has_range
            else ""
        )
        right = f"{one.high:,.0f}" if has_range else "no range"
        parts.append(
            f'<text x="12" y="{y + 16}" class="ink">{escape(one.name)}</text>'
            f'<rect class="{one.basis}" x="{low:.1f}" y="{y + 23}" width="{high - low:.1f}" '
            f'height="24" rx="3"/>{left}'
            f'<text x="{high + 6:.1f}" y="{y + 40}">{right}</text>'
        )
    at = x(middle)
    anchor = "start" if at < _WIDTH / 3 else "end" if at > _WIDTH * 0.7 else "middle"
    parts.append(
        f'<line class="middle" x1="{at:.1f}" x2="{at:.1f}" y1="56" y2="{height - 30}"/>'
        f'<text x="{at:.1f}" y="{height - 12}" text-anchor="{anchor}">'
        f"every input in its middle: {middle:,.0f}</text></svg>\n"
    )
    return "\n".join(parts)


def example_plot(rows: Sequence[Mapping[str, Any]]) -> str:
    """The lines of one delivery, a lane for each worker.

    Args:
        rows: as an investigation gives them, n >= 1, with `after_s`, `lane` (a letter, or empty
            for nobody in particular), `what`, `is_crossing`.
    """
    letters = sorted({str(row["lane"]) for row in rows if row["lane"]})
    lanes = [*letters, *([""] if any(not row["lane"] for row in rows) else [])]
    drawn = [
        {
            "at_s": float(row["after_s"]),
            "cells": [str(row["what"]) if row["lane"] == lane else "" for lane in lanes],
            "is_crossing": bool(row["is_crossing"]),
        }
        for row in rows
    ]
    return lanes_plot([f"worker {one}" if one else "others" for one in lanes], drawn)


def lanes_plot(lanes: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """A lane each from top to bottom, what happens from left to right, evenly spaced.

    Args:
        lanes: names, n >= 1.
        rows: with `at_s`, `cells` (a text for each lane, one of them not empty), `is_crossing`.
    """
    left, top, gap = 110, 26, 52
    height = top + gap * len(lanes) + 22
    step = (_WIDTH - left - 30) / max(len(rows), 1)

    def x(index: int) -> float:
        return left + step * (index + 0.5)

    parts = [f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="the schedule in lanes">']
    for i, lane in enumerate(lanes):
        y = top + gap * i + gap / 2
        parts.append(
            f'<text class="ink" x="8" y="{y + 4:.1f}">{escape(lane)}</text>'
            f'<line class="lane" x1="{left}" x2="{_WIDTH - 8}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
    before, labels = None, 0
    for i, row in enumerate(rows):
        for j, cell in enumerate(row["cells"]):
            if not cell:
                continue
            y = top + gap * j + gap / 2
            tone, size = ("crossing", 11) if row["is_crossing"] else ("held", 7)
            parts.append(
                f'<circle class="{tone}" cx="{x(i):.1f}" cy="{y:.1f}" r="{size}">'
                f"<title>{row['at_s']:.1f} s: {escape(cell)}</title></circle>"
            )
        at = f"{row['at_s']:.1f} s"
        if at != before:
            tone = ' class="aside"' if labels % 2 else ""  # no room for it on a narrow screen
            place = f'x="{x(i):.1f}" y="{height - 6}" text-anchor="middle"'
            parts.append(f"<text {place}{tone}>{at}</text>")
            labels += 1
        before = at
    return "".join(parts) + "</svg>"
