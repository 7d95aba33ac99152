"""The curve of what is accepted and not yet received, over time: a leak is a floor that stays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape

import msgspec

from bench.chaos.plan import Kind

#: seconds → a place in the picture
Scale = Callable[[float], float]


class Band(msgspec.Struct, frozen=True):
    """When a fault was really under way, seconds since the load began."""

    kind: str
    place: str  #: "node-1", "database"
    begin_s: float
    end_s: float


class Point(msgspec.Struct, frozen=True):
    """The counts at one moment."""

    at_s: float
    accepted: int
    received: int  #: of those accepted
    outstanding: int


def outstanding(
    intervals: Iterable[tuple[float, float | None]], *, until_s: float, points: int = 400
) -> list[Point]:
    """Samples at equal distances from 0 to `until_s`.

    Args:
        intervals: for each accepted delivery, when it was accepted and when it was received first
            (None: never), seconds. One received before its publisher knew is never outstanding.
    """
    step_s = until_s / points
    accepted, received = [0] * (points + 2), [0] * (points + 2)

    def place(at_s: float) -> int:
        return min(points + 1, max(0, -int(-at_s // step_s)))

    for begin_s, end_s in intervals:
        accepted[place(begin_s)] += 1
        if end_s is not None:
            received[place(max(begin_s, end_s))] += 1
    curve, ins, outs = [], 0, 0
    for number in range(points + 1):
        ins, outs = ins + accepted[number], outs + received[number]
        curve.append(Point(round(number * step_s, 3), ins, outs, ins - outs))
    return curve


def to_csv(curve: Sequence[Point]) -> str:
    """One line a point, with a heading."""
    lines = [f"{p.at_s:.3f},{p.accepted},{p.received},{p.outstanding}" for p in curve]
    return "\n".join(["at_s,accepted,received,outstanding", *lines, ""])


# ── the picture ──

_WIDTH, _LEFT, _RIGHT = 1_000, 76, 24
_TOP, _PLOT, _LANE = 84, 300, 22
#: one colour a kind, told apart by their names too
_HUES = dict(zip(Kind, (0, 28, 205, 165, 52, 95, 325, 265), strict=True))
_STYLE = """
svg { background: #fff; font: 13px system-ui, sans-serif; }
text { fill: #333; } .title { font-size: 18px; font-weight: 600; } .quiet { fill: #666; }
.axis { stroke: #999; } .grid { stroke: #e4e4e4; }
.curve { fill: none; stroke: #0b5cad; stroke-width: 2; } .under { fill: #0b5cad; opacity: .14; }
.band { opacity: .10; } .bar { opacity: .75; }
@media (prefers-color-scheme: dark) {
  svg { background: #16181c; } text { fill: #ddd; } .quiet { fill: #9a9a9a; }
  .axis { stroke: #777; } .grid { stroke: #2b2e34; }
  .curve { stroke: #6db3ff; } .under { fill: #6db3ff; opacity: .18; }
  .band { opacity: .20; } .bar { opacity: .85; }
}
"""


def to_svg(curve: Sequence[Point], bands: Sequence[Band], *, title: str, note: str) -> str:
    """A picture that stands alone, for light and dark: the curve, and below it who was broken."""
    until_s = curve[-1].at_s or 1.0
    top = _round_up(max(point.outstanding for point in curve))
    places = sorted({band.place for band in bands}, key=lambda name: (name == "database", name))
    height = _TOP + _PLOT + 46 + _LANE * len(places) + 40
    width = _WIDTH - _LEFT - _RIGHT

    def x(at_s: float) -> float:
        return _LEFT + width * min(1.0, max(0.0, at_s / until_s))

    def y(count: float) -> float:
        return _TOP + _PLOT * (1 - count / top)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        f'<text class="title" x="{_LEFT}" y="30">{escape(title)}</text>',
        f'<text class="quiet" x="{_LEFT}" y="52">{escape(note)}</text>',
    ]
    for band in bands:
        out.append(
            f'<rect class="band" fill="{_colour(band)}" x="{x(band.begin_s):.1f}" y="{_TOP}" '
            f'width="{_wide(band, x):.1f}" height="{_PLOT}"/>'
        )
    for number in range(5):
        count = top * number / 4
        out.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(count):.1f}" '
            f'y2="{y(count):.1f}"/><text x="{_LEFT - 8}" y="{y(count) + 4:.1f}" '
            f'text-anchor="end">{count:,.0f}</text>'
        )
    for at_s in _ticks(until_s):
        out.append(
            f'<line class="axis" x1="{x(at_s):.1f}" x2="{x(at_s):.1f}" y1="{_TOP + _PLOT}" '
            f'y2="{_TOP + _PLOT + 5}"/><text x="{x(at_s):.1f}" y="{_TOP + _PLOT + 20}" '
            f'text-anchor="middle">{at_s:g} s</text>'
        )
    line = " ".join(f"{x(p.at_s):.1f},{y(p.outstanding):.1f}" for p in curve)
    floor = f"{y(0):.1f}"
    out += [
        f'<polygon class="under" points="{_LEFT},{floor} {line} {_WIDTH - _RIGHT},{floor}"/>',
        f'<polyline class="curve" points="{line}"/>',
        _line("axis", y(0)),
        f'<text x="{_LEFT}" y="{_TOP - 10}">accepted and not yet received</text>',
        *_lanes(bands, places, x),
        "</svg>",
    ]
    return "\n".join(out) + "\n"


def _lanes(bands: Sequence[Band], places: Sequence[str], x: Scale) -> Iterable[str]:
    """A row for each node and the database, with a bar for each fault."""
    first = _TOP + _PLOT + 46
    for number, place in enumerate(places):
        middle = first + number * _LANE
        yield f'<text x="{_LEFT - 8}" y="{middle + 4}" text-anchor="end">{escape(place)}</text>'
        yield _line("grid", middle)
        for band in (one for one in bands if one.place == place):
            yield (
                f'<rect class="bar" fill="{_colour(band)}" x="{x(band.begin_s):.1f}" '
                f'y="{middle - 7}" width="{_wide(band, x):.1f}" height="14" rx="2">'
                f"<title>{escape(band.kind)} of {escape(place)}, {band.begin_s:.1f} to "
                f"{band.end_s:.1f} s</title></rect>"
            )
    left = float(_LEFT)
    base = first + len(places) * _LANE + 14
    for kind in dict.fromkeys(band.kind for band in bands):
        hue = _HUES[Kind(kind)]
        yield (
            f'<rect class="bar" fill="hsl({hue} 70% 50%)" x="{left:.0f}" y="{base - 10}" '
            f'width="12" height="12" rx="2"/><text x="{left + 17:.0f}" y="{base}">{kind}</text>'
        )
        left += 34 + 7.4 * len(kind)


def _line(kind: str, y: float) -> str:
    """From the left of the plot to its right."""
    return f'<line class="{kind}" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'


def _colour(band: Band) -> str:
    return f"hsl({_HUES[Kind(band.kind)]} 70% 50%)"


def _wide(band: Band, x: Scale) -> float:
    return max(3.0, x(band.end_s) - x(band.begin_s))


def _round_up(count: int) -> int:
    """The next number that divides well by four."""
    unit = 4
    while True:
        for factor in (1, 2, 5):
            if count <= unit * factor:
                return unit * factor
        unit *= 10


def _ticks(until_s: float) -> list[float]:
    step = next(s for s in (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 3_600) if until_s / s <= 12)
    return [float(number * step) for number in range(int(until_s // step) + 1)]
