"""Two plots as inline SVG: the drop rate over time, and the suspects by lift. Pure."""

from __future__ import annotations

import math
from datetime import datetime
from html import escape
from typing import Any, Final

_WIDTH: Final = 900
_LEFT: Final = 64
_BARS: Final = 90


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _merged(windows: list[dict[str, Any]]) -> list[tuple[float, int, int]]:
    """At most 90 bars, so that each has enough deliveries for a rate."""
    start, end = _seconds(windows[0]["start"]), _seconds(windows[-1]["start"])
    width = max((end - start) / _BARS, 1e-6)
    bars: dict[int, list[int]] = {}
    for window in windows:
        bar = bars.setdefault(int((_seconds(window["start"]) - start) / width), [0, 0])
        bar[0] += window["accepted"]
        bar[1] += window["dropped"]
    return [(start + i * width, n, k) for i, (n, k) in sorted(bars.items())]


def rate_over_time(windows: list[dict[str, Any]], since: dict[str, Any] | None) -> str:
    """Deliveries as grey bars, their drop rate in red, the change point with its interval."""
    bars = _merged(windows)
    first, last = bars[0][0], bars[-1][0]
    span = max(last - first, 1e-6) * (1 + 1 / max(len(bars), 1))
    most = max(n for _, n, _ in bars)
    top_rate = max((k / n for _, n, k in bars if n), default=0.0) or 0.01
    height, base = 260, 220
    width = max(2.0, (_WIDTH - _LEFT) / (_BARS + 1) - 1.5)

    def x(at: float) -> float:
        return _LEFT + (at - first) / span * (_WIDTH - _LEFT - 4)

    parts = [f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="drop rate over time">']
    if since and since["is_change"]:
        low, high = (min(max(_seconds(since[k]), first), last) for k in ("low", "high"))
        parts.append(
            f'<rect class="span" x="{x(low):.1f}" y="10" width="{max(x(high) - x(low), 2):.1f}" height="{base - 10}"/>'
        )
    for at, n, k in bars:
        tall = 90 * n / most
        parts.append(
            f'<rect class="bar" x="{x(at):.1f}" y="{base - tall:.1f}" width="{width:.1f}" height="{tall:.1f}"/>'
        )
        if k:
            high = 190 * (k / n) / top_rate
            title = f"{k} of {n} dropped ({k / n:.2%})"
            parts.append(
                f'<rect class="drop" x="{x(at):.1f}" y="{base - high:.1f}" width="{width:.1f}" height="{max(high, 2):.1f}">'
                f"<title>{title}</title></rect>"
            )
    if since and since["is_change"]:
        at = min(max(_seconds(since["at"]), first), last)
        parts.append(f'<line class="edge" x1="{x(at):.1f}" x2="{x(at):.1f}" y1="10" y2="{base}"/>')
    parts.append(f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH}" y1="{base}" y2="{base}"/>')
    for share in (0.5, 1.0):
        y = base - 190 * share
        parts.append(
            f'<text x="{_LEFT - 8}" y="{y + 4:.0f}" text-anchor="end">{top_rate * share:.2%}</text>'
        )
    parts += [_label(x, first, last, i) for i in range(5)]
    return "".join(parts) + "</svg>"


def _label(x: Any, first: float, last: float, i: int) -> str:
    from datetime import UTC

    at = first + (last - first) * i / 4
    form = "%d %b %H:%M" if last - first > 6 * 3_600 else "%H:%M:%S"
    anchor = ("start", "middle", "middle", "middle", "end")[i]
    return f'<text x="{x(at):.1f}" y="240" text-anchor="{anchor}">{datetime.fromtimestamp(at, UTC).strftime(form)}</text>'


def lifts(suspects: list[dict[str, Any]]) -> str:
    """One bar a suspect, on a logarithmic scale, with its interval."""
    row, top = 26, 8
    height = top + row * len(suspects) + 24
    left = 380
    most = max(s["lift"] * s["high"] / max(s["risk"], 1e-12) for s in suspects)
    scale = (_WIDTH - left - 60) / max(math.log10(max(most, 10)), 1e-9)

    def x(lift: float) -> float:
        return left + max(0.0, math.log10(max(lift, 1.0))) * scale

    parts = [f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="suspects by lift">']
    for i, s in enumerate(suspects):
        y = top + i * row
        per = s["lift"] / max(s["risk"], 1e-12)
        tone = "drop" if s["coverage"] >= 0.8 else "bar"
        name = s["name"] if len(s["name"]) < 58 else s["name"][:56] + "…"
        parts.append(
            f'<text class="ink" x="{left - 10}" y="{y + 15}" text-anchor="end">{escape(name)}</text>'
        )
        parts.append(
            f'<rect class="{tone}" x="{left}" y="{y + 4}" width="{max(x(s["lift"]) - left, 1):.1f}" height="14"/>'
        )
        parts.append(
            f'<line class="whisker" x1="{x(s["low"] * per):.1f}" x2="{x(s["high"] * per):.1f}" y1="{y + 11}" y2="{y + 11}"/>'
        )
        parts.append(f'<text x="{x(s["high"] * per) + 6:.1f}" y="{y + 15}">{s["lift"]:.1f}x</text>')
    for lift in (1, 10, 100, 1_000):
        if x(lift) <= _WIDTH:
            parts.append(
                f'<text x="{x(lift):.1f}" y="{height - 4}" text-anchor="middle">{lift}x</text>'
            )
    return "".join(parts) + "</svg>"
