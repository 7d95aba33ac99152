"""From when to when a log goes, and rows whose clock was wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import ibis

from homing.forensics.engine import Engine
from homing.forensics.rows import rows

#: of the rows, those with a fraction of a second, if the clock has such
FINE_MIN: Final = 0.1
_DAY_US: Final = 86_400_000_000
#: rows that lie alone so long after all others, and by longer than these took, have a wrong clock
_ALONE_AFTER_US: Final = 2 * _DAY_US
#: the same, before all others: what has lain about since long ago is first in some tables
_ALONE_BEFORE_US: Final = 1_000 * _DAY_US
#: they are one in so many rows at most, on either side
_ODD_RARE: Final = 200


class Extent(NamedTuple):
    """From when to when a log goes, rows with a wrong clock left aside."""

    rows: int
    fine: int  #: rows with a fraction of a second
    first_us: int
    last_us: int
    odd: int = 0  #: rows that are outside
    odd_us: int = 0  #: the last of their times


def extent(lines: Any) -> Extent | None:
    """Of the lines, in one pass by day; None if no line has a time."""
    timed = lines.filter(lines.at_us.notnull())
    days = timed.group_by(day=timed.at_us // _DAY_US).aggregate(
        first=timed.at_us.min(),
        last=timed.at_us.max(),
        n=timed.count(),
        fine=(timed.at_us % 1_000_000 != 0).cast("int64").sum(),
    )
    found = [
        (int(one.first), int(one.last), int(one.n), int(one.fine))
        for one in rows(days.order_by("first"))
    ]
    return extent_of(found) if found else None


def extent_of(days: Sequence[tuple[int, int, int, int]]) -> Extent:
    """Of the days that have lines, in order: the first and last time of each, the lines, the fine ones."""
    rows, fine = sum(day[2] for day in days), sum(day[3] for day in days)
    low, high = _first_common(days, rows), len(days) - 1 - _first_common(days[::-1], rows)
    span_us = days[high][1] - days[low][0]
    start, end = 0, len(days) - 1
    for at in range(low, 0, -1):
        if days[at][0] - days[at - 1][1] > max(_ALONE_BEFORE_US, span_us):
            start = at
            break
    for at in range(high, end):
        if days[at + 1][0] - days[at][1] > max(_ALONE_AFTER_US, span_us):
            end = at
            break
    odd = [*days[:start], *days[end + 1 :]]
    return Extent(
        rows,
        fine,
        days[start][0],
        days[end][1],
        sum(day[2] for day in odd),
        odd[-1][1] if odd else 0,
    )


def _first_common(days: Sequence[tuple[int, int, int, int]], rows: int) -> int:
    """The place of the first day until which there are more rows than may be odd."""
    seen = 0
    for at, (_, _, count, _) in enumerate(days):
        seen += count
        if seen * _ODD_RARE > rows:
            return at
    return len(days) - 1


def set_clocks(engine: Engine, lines: Any, span: Extent) -> Any:
    """Give lines with a wrong clock the time of their delivery's nearest line; else, the log's end."""
    is_inside = lines.at_us.between(span.first_us, span.last_us)
    odd = lines.filter(~is_inside).select("line", "part", "d")
    near = lines.filter(is_inside).select("d", near_us="at_us", near_line="line")
    near = odd.left_join(near, "d")
    # of two that are as near, the one before
    away = 2 * (near.near_line - near.line).abs() + (near.near_line > near.line).ifelse(1, 0)
    clocks = near.group_by(odd_line=near.line, odd_part=near.part).aggregate(
        set_us=ibis.coalesce(near.near_us.argmin(away), span.last_us)
    )
    is_odd = (lines.line == clocks.odd_line) & (lines.part == clocks.odd_part)
    joined = lines.left_join(clocks, is_odd)
    told = joined.mutate(at_us=ibis.coalesce(joined.set_us, joined.at_us))
    kept = engine.keep("set_lines", told.drop("odd_line", "odd_part", "set_us"))
    engine.drop("lines")
    return kept
