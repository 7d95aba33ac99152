"""Plots as inline SVG: deliveries and their drop rate over time, and the suspects by lift. Pure."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable
from datetime import UTC, datetime
from html import escape
from itertools import pairwise
from typing import Any, Final, NamedTuple

from homing.insight.rates import wilson

_WIDTH: Final = 900
_LEFT: Final = 90
_BARS: Final = 90
_TICKS: Final = 7
#: lengths of time that a clock has names for, in seconds: of a bar, and between two marks
_LENGTHS: Final = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800),
    *(3_600, 7_200, 10_800, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800),
)
#: the two panels, from top to bottom: deliveries, and under them the rate
_COUNT_TOP, _COUNT_BASE = 34, 104
_RATE_TOP, _RATE_BASE = 146, 276
#: an interval that goes far beyond the highest rate is cut off at so many times that
_OVER: Final = 2.0
#: an interval narrower than this, in units of the plot, is hardly seen
SEEN_MIN: Final = 6.0


class _Bar(NamedTuple):
    """Deliveries accepted in a stretch of time."""

    at: float
    n: int
    k: int  #: dropped
    seen: float  #: accepted in just that time: a window across its edge is shared out by time

    @property
    def rate(self) -> float:
        """The share that was dropped."""
        return self.k / self.n if self.n else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """95% of the rate."""
        found = wilson(self.k, self.n)
        return found.low, found.high


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _merged(windows: list[dict[str, Any]]) -> tuple[list[_Bar], int]:
    """At most some 90 bars, so that each has enough deliveries for a rate, which begin at full hours
    or the like; and the seconds of one."""
    starts = [_seconds(one["start"]) for one in windows]
    length = min((b - a for a, b in pairwise(starts)), default=1.0)
    width = _length(max((starts[-1] + length - starts[0]) / _BARS, length))
    bars: dict[int, list[float]] = {}
    for start, window in zip(starts, windows, strict=True):
        bar = bars.setdefault(int(start // width), [0, 0, 0.0])
        bar[0] += window["accepted"]
        bar[1] += window["dropped"]
        inside = min(1.0, ((start // width + 1) * width - start) / length)
        bar[2] += window["accepted"] * inside
        if inside < 1.0:
            after = bars.setdefault(int(start // width) + 1, [0, 0, 0.0])
            after[2] += window["accepted"] * (1 - inside)
    return [
        _Bar(i * width, int(n), int(k), seen) for i, (n, k, seen) in sorted(bars.items())
    ], width


def _length(seconds: float) -> int:
    """The shortest named length of time that is not shorter; beyond a week, whole weeks."""
    weeks = _LENGTHS[-1] * math.ceil(seconds / _LENGTHS[-1])
    return next((one for one in _LENGTHS if one >= seconds * (1 - 1e-9)), weeks)


def length_text(seconds: float) -> str:
    """A length of time for a reader: 45 s, 12 min, 1.9 h, 3 d."""
    for unit, each in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 1.5 * each:
            return f"{seconds / each:.3g} {unit}"
    return f"{seconds:.3g} s"


def interval_width(windows: list[dict[str, Any]], since: dict[str, Any]) -> float:
    """How wide the interval of the beginning is in the plot, in its units."""
    first, last = _seconds(windows[0]["start"]), _seconds(windows[-1]["start"])
    length = _seconds(since["high"]) - _seconds(since["low"])
    return (_WIDTH - _LEFT) * length / max(last - first, 1e-6)


def rate_over_time(windows: list[dict[str, Any]], since: dict[str, Any] | None) -> str:
    """Two panels with one axis of time: deliveries in each stretch, and the share of them that was
    dropped with its interval; across both the beginning, with its interval shaded."""
    bars, seconds = _merged(windows)
    first, last = bars[0].at, bars[-1].at + seconds

    def x(at: float) -> float:
        return _LEFT + (at - first) / (last - first) * (_WIDTH - _LEFT - 4)

    label = "deliveries over time, and under them the share that was dropped"
    parts = [f'<svg class="time" viewBox="0 0 {_WIDTH} 314" role="img" aria-label="{label}">']
    is_change = since is not None and since["is_change"]
    if since is not None and is_change:
        low, high = (min(max(_seconds(since[key]), first), last) for key in ("low", "high"))
        parts.append(
            f'<rect class="span" x="{x(low):.1f}" y="{_COUNT_TOP}" width="{max(x(high) - x(low), 2):.1f}" '
            f'height="{_RATE_BASE - _COUNT_TOP}"/>'
        )
    wide = max(2.0, x(first + seconds) - x(first) - 1.5)
    parts += _counts(bars, x, wide, length_text(seconds))
    parts += _rates(bars, x, wide)
    if since is not None and is_change:
        at = min(max(_seconds(since["at"]), first), last)
        parts.append(
            f'<line class="edge" x1="{x(at):.1f}" x2="{x(at):.1f}" y1="{_COUNT_TOP}" y2="{_RATE_BASE}"/>'
        )
    parts += _ticks(x, first, last)
    return "".join(parts) + "</svg>"


def _axis(title: str, base: int, marks: list[tuple[float, str]]) -> list[str]:
    """The line below a panel, its title above it, and marks at their heights."""
    top = min(y for y, _ in marks)
    parts = [
        f'<text class="ink" x="{_LEFT}" y="{top - 10:.0f}">{escape(title)}</text>',
        f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH}" y1="{base}" y2="{base}"/>',
    ]
    for y, text in marks:
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
        if y < base:
            parts.append(
                f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
            )
    return parts


def _counts(bars: list[_Bar], x: Callable[[float], float], wide: float, length: str) -> list[str]:
    most = max(bar.seen for bar in bars) or 1
    marks = [(float(_COUNT_TOP), f"{most:,.0f}"), (float(_COUNT_BASE), "0")]
    parts = _axis(f"deliveries accepted per {length}", _COUNT_BASE, marks)
    for bar in bars:
        tall = (_COUNT_BASE - _COUNT_TOP) * bar.seen / most
        parts.append(
            f'<rect class="bar" x="{x(bar.at):.1f}" y="{_COUNT_BASE - tall:.1f}" width="{wide:.1f}" '
            f'height="{tall:.1f}"><title>{bar.seen:,.0f} accepted</title></rect>'
        )
    return parts


def _rates(bars: list[_Bar], x: Callable[[float], float], wide: float) -> list[str]:
    rate_max = max((bar.rate for bar in bars), default=0.0) or 0.01
    top = min(max(bar.interval[1] for bar in bars if bar.n), _OVER * rate_max)
    tall = _RATE_BASE - _RATE_TOP
    marks = [(_RATE_BASE - tall * share, f"{top * share:.2%}") for share in (1.0, 0.5)]
    parts = _axis(
        "share of them that was dropped, with its 95% interval",
        _RATE_BASE,
        [*marks, (float(_RATE_BASE), "0")],
    )
    for bar in bars:
        if not bar.n:
            continue
        low, high = (_RATE_BASE - tall * min(one, top) / top for one in bar.interval)
        at, middle = _RATE_BASE - tall * bar.rate / top, x(bar.at) + wide / 2
        title = f"{bar.k:,} of {bar.n:,} dropped ({bar.rate:.2%})"
        if bar.k:
            parts.append(
                f'<rect class="drop" x="{x(bar.at):.1f}" y="{at:.1f}" width="{wide:.1f}" '
                f'height="{max(_RATE_BASE - at, 1):.1f}"><title>{title}</title></rect>'
            )
        parts.append(
            f'<line class="whisker thin" x1="{middle:.1f}" x2="{middle:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>'
        )
    return parts


def _ticks(x: Callable[[float], float], first: float, last: float) -> list[str]:
    """Marks at midnights, full hours or the like."""
    step = _length((last - first) / _TICKS)
    form = "%-d %b" if step >= 86_400 else "%H:%M" if step >= 60 else "%H:%M:%S"
    if step < 86_400 < last - first:
        form = "%-d %b %H:%M"
    parts = []
    for i, number in enumerate(range(math.ceil(first / step), int(last // step) + 1)):
        at = x(number * step)
        text = datetime.fromtimestamp(number * step, UTC).strftime(form)
        anchor = "start" if at < _LEFT + 30 else "end" if at > _WIDTH - 40 else "middle"
        #: on a narrow screen there is no room for all
        tone = ' class="aside"' if i % 3 else ""
        parts.append(
            f'<line class="axis" x1="{at:.1f}" x2="{at:.1f}" y1="{_RATE_BASE}" y2="{_RATE_BASE + 5}"/>'
            f'<text x="{at:.1f}" y="{_RATE_BASE + 24}" text-anchor="{anchor}"{tone}>'
            f"{text}{'' if i else ' UTC'}</text>"
        )
    return parts


#: the plot of lifts: as wide as a name of so many letters, which stands above its bar
#: of the same on a telephone
_NARROW_WIDTH: Final = 340
_LIFTS_WIDTH: Final = 720
_NAME_LETTERS: Final = 100
_LINE: Final = 16


def lifts(suspects: list[dict[str, Any]], *, is_narrow: bool = False) -> str:
    """A bar for each suspect, on a logarithmic scale, with its interval; above it its name, whole.

    Args:
        is_narrow: for a telephone, whose whole width it takes with letters that can be read.
    """
    width = _NARROW_WIDTH if is_narrow else _LIFTS_WIDTH
    letters = _NAME_LETTERS * width // _LIFTS_WIDTH
    names = [textwrap.wrap(s["name"], letters) or [""] for s in suspects]
    height = sum(_LINE * len(name) + 28 for name in names) + 24
    most = max(s["lift"] * s["high"] / max(s["risk"], 1e-12) for s in suspects)
    scale = (width - 70) / max(math.log10(max(most, 10)), 1e-9)

    def x(lift: float) -> float:
        return 4 + max(0.0, math.log10(max(lift, 1.0))) * scale

    parts = [
        f'<svg class="lifts{" narrow" if is_narrow else ""}" viewBox="0 0 {width} {height}" role="img" '
        'aria-label="suspects by lift">'
    ]
    for lift in (1, 10, 100, 1_000):
        if x(lift) <= width - 20:
            anchor = "start" if lift == 1 else "middle"
            parts.append(
                f'<line class="axis" x1="{x(lift):.1f}" x2="{x(lift):.1f}" y1="0" y2="{height - 20}"/>'
                f'<text x="{x(lift):.1f}" y="{height - 4}" text-anchor="{anchor}">{lift:,}x</text>'
            )
    y = 0
    for s, name in zip(suspects, names, strict=True):
        for line in name:
            y += _LINE
            parts.append(f'<text class="ink" x="4" y="{y - 3}">{escape(line)}</text>')
        per = s["lift"] / max(s["risk"], 1e-12)
        tone = "drop" if s["coverage"] >= 0.8 else "bar"
        low, high = x(s["low"] * per), x(s["high"] * per)
        parts.append(
            f'<rect class="{tone}" x="4" y="{y + 2}" width="{max(x(s["lift"]) - 4, 1):.1f}" height="14"/>'
            f'<line class="whisker" x1="{low:.1f}" x2="{high:.1f}" y1="{y + 9}" y2="{y + 9}"/>'
            f'<text x="{high + 6:.1f}" y="{y + 13}">{s["lift"]:.1f}x</text>'
        )
        y += 28
    return "".join(parts) + "</svg>"
