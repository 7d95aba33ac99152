"""What dropped deliveries have in common with those accepted next to them. Ibis, any engine.

Two ways to get lost show in no delivery alone: an endpoint whose deliveries are left out for a while
loses all that come in that time, while others come through; and a poller that has gone past a number
loses what is committed with a lower one.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import ibis

from homing.forensics.judging import Verdict
from homing.forensics.operations import Op
from homing.forensics.rows import row, rows

#: deliveries that are looked at, from the first drop on
_LOOKED_AT_MAX: Final = 2_000_000
_BLOCKS_MAX: Final = 5_000
#: no transaction stays open for longer: what overtook the first drop was accepted that long before
_BEFORE_US: Final = 7_200_000_000
#: of the numbers, so many must rise with the acceptances, and so many must be there
_RISING_MIN: Final = 0.7
_NUMBERED_MIN: Final = 0.9


class Block(NamedTuple):
    """A time in which all deliveries of an endpoint were dropped."""

    endpoint: str
    since_us: int  #: acceptance of the first
    until_us: int  #: acceptance of the last
    passed: int  #: so many were accepted between them, for other endpoints, and came through


class Neighbours(NamedTuple):
    """Shares of the dropped deliveries that nobody had tried, 0 to 1."""

    own: float = 0.0  #: the one before or after it for the same endpoint was dropped too
    others: float = 0.0  #: the one before or after it was for another endpoint, and dropped too
    blocks: tuple[Block, ...] = ()
    #: accepted after one of a higher number; None: no number rises with the acceptances
    overtaken: float | None = None
    overtaken_fine: float = 0.0  #: the same, of those that came through
    #: and by longer than clocks and writers differ: their lines are written at the commit
    overtaken_fine_long: float = 0.0
    is_counted: bool = (
        False  #: the number is a count, and not the time of a clock that may be wrong
    )
    #: created, by the clock of whoever did, before one of a lower number; 0 where nothing numbers them
    behind: float = 0.0
    behind_fine: float = 0.0  #: the same, of those that came through


def look(judged: Any, events: Any, raw: Any, endpoints: dict[int, str]) -> Neighbours:
    """The neighbours of the dropped deliveries.

    Args:
        judged: the table of deliveries with their verdict.
        endpoints: code → name.
    """
    lost = judged.verdict == int(Verdict.DROPPED)
    first = row(judged.aggregate(at=judged.accepted_at.min(where=lost))).at
    if first is None:
        return Neighbours()
    found = _beside(_accepted_from(judged, int(first)), endpoints)
    late = _overtaken(_accepted_from(judged, int(first) - _BEFORE_US), events, raw)
    return (
        found
        if late is None
        else late._replace(own=found.own, others=found.others, blocks=found.blocks)
    )


def _accepted_from(judged: Any, at_us: int) -> Any:
    """What was accepted from a time on, whether it was lost, and whether nobody had tried it."""
    c = judged.filter(judged.accepted_at >= at_us)
    c = c.mutate(lost=c.verdict == int(Verdict.DROPPED))
    is_untried = (c.takes == 0) & (c.bad == 0) & (c.attempt.fill_null(0) == 0)
    c = c.mutate(untried=c.lost & is_untried)
    c = c.select("d", "accepted_at", "endpoint", "lost", "untried")
    return c.order_by("accepted_at", "d").limit(_LOOKED_AT_MAX)


def _beside(few: Any, endpoints: dict[int, str]) -> Neighbours:
    one = ibis.window(group_by="endpoint", order_by=["accepted_at", "d"])
    all_ = ibis.window(order_by=["accepted_at", "d"])
    f = few.filter(few.endpoint.notnull())
    f = f.mutate(
        own_before=f.lost.lag().over(one).fill_null(False),
        own_after=f.lost.lead().over(one).fill_null(False),
        before=(f.lost.lag().over(all_) & (f.endpoint.lag().over(all_) != f.endpoint)),
        after=(f.lost.lead().over(all_) & (f.endpoint.lead().over(all_) != f.endpoint)),
        fine_so_far=(~f.lost)
        .cast("int64")
        .sum()
        .over(ibis.cumulative_window(group_by="endpoint", order_by=["accepted_at", "d"])),
        all_so_far=(~f.lost)
        .cast("int64")
        .sum()
        .over(ibis.cumulative_window(order_by=["accepted_at", "d"])),
    )
    drops = f.filter(f.untried)
    counts = row(
        drops.aggregate(
            n=drops.count(),
            own=(drops.own_before | drops.own_after).cast("int64").sum(),
            others=(drops.before | drops.after).fill_null(False).cast("int64").sum(),
        )
    )
    if not counts.n:
        return Neighbours()
    grouped = drops.group_by("endpoint", "fine_so_far").aggregate(
        since=drops.accepted_at.min(),
        until=drops.accepted_at.max(),
        n=drops.count(),
        passed=drops.all_so_far.max() - drops.all_so_far.min(),
    )
    blocks = grouped.filter(grouped.n > 1).order_by(ibis.desc("n"), "since").limit(_BLOCKS_MAX)
    return Neighbours(
        own=int(counts.own) / int(counts.n),
        others=int(counts.others) / int(counts.n),
        blocks=tuple(
            Block(endpoints.get(int(b.endpoint), "?"), int(b.since), int(b.until), int(b.passed))
            for b in rows(blocks)
        ),
    )


#: what one clock writes of rows that begin together may be out of order by so much
_ONE_CLOCK_US: Final = 200_000
#: and what several write
_LONG_US: Final = 1_000_000


def _overtaken(few: Any, events: Any, raw: Any) -> Neighbours | None:
    """Of the dropped ones and of the others: the share accepted after one of a higher number, or created
    before one of a lower; None where nothing numbers them, nor those that nobody had tried."""
    accepted = events.filter(events.act == int(Op.ACCEPTED))
    # a table that has a row of it as well numbers it anew
    accepted = accepted.group_by("d").aggregate(
        pos=accepted.pos.min(), line=accepted.line.argmin(accepted.pos)
    )
    accepted = accepted.semi_join(few, "d")
    # a number, or the time at which the row itself began to be, before it could be seen
    line_us = ibis.coalesce(raw.changed_us, raw.at_us, raw.accepted_us)
    rows_ = raw.select("accepted_us", "at_us", "number", line_us=line_us, row=raw["rowid"])
    numbered = accepted.join(rows_, accepted.line == rows_.row)
    numbered = numbered.inner_join(few.select("d", "lost", "untried"), "d")
    told = row(
        numbered.aggregate(
            n=numbered.count(),
            k=numbered.number.count(),
            untried=numbered.untried.cast("int64").sum(),
            counted=(numbered.untried & numbered.number.notnull()).cast("int64").sum(),
        )
    )
    # one of two ways by which deliveries come may number them, the one on which they are lost
    is_theirs = int(told.counted or 0) > _NUMBERED_MIN * int(told.untried or 0)
    is_counted = is_theirs or int(told.k) > _NUMBERED_MIN * int(told.n)
    numbered = numbered.mutate(created=ibis.coalesce(numbered.accepted_us, numbered.at_us))
    numbered = numbered.mutate(number=numbered.number if is_counted else numbered.accepted_us)
    numbered = numbered.filter(numbered.number.notnull())
    before = ibis.window(order_by="pos", preceding=(None, 1))
    order = ibis.window(order_by="pos")
    lower = ibis.window(order_by="number", preceding=(None, 1))
    after = ibis.window(order_by="number")
    n = numbered.mutate(
        lag=numbered.line_us - numbered.line_us.lead().over(after),
        late=(numbered.number < numbered.number.max().over(before)).fill_null(False),
        rises=(numbered.number > numbered.number.lag().over(order)).fill_null(False),
        behind=(numbered.created + _ONE_CLOCK_US < numbered.created.max().over(lower)).fill_null(
            False
        ),
    )
    counts = row(
        n.aggregate(
            n=n.count(),
            rising=n.rises.cast("int64").sum(),
            lost=n.lost.cast("int64").sum(),
            untried=n.untried.cast("int64").sum(),
            untried_late=(n.untried & n.late).cast("int64").sum(),
            fine_late=(~n.lost & n.late).cast("int64").sum(),
            fine_long=(~n.lost & n.late & (n.lag > _LONG_US)).cast("int64").sum(),
            untried_behind=(n.untried & n.behind).cast("int64").sum(),
            fine_behind=(~n.lost & n.behind).cast("int64").sum(),
        )
    )
    all_ = int(row(few.aggregate(n=few.count())).n)
    total, untried = int(counts.n), int(counts.untried or 0)
    fine = total - int(counts.lost or 0)
    is_told = total > _NUMBERED_MIN * all_ or is_theirs
    is_number = is_told and int(counts.rising or 0) > _RISING_MIN * total
    if not is_number or not untried or not fine:
        return None
    return Neighbours(
        overtaken=int(counts.untried_late or 0) / untried,
        overtaken_fine=int(counts.fine_late or 0) / fine,
        overtaken_fine_long=int(counts.fine_long or 0) / fine,
        is_counted=is_counted,
        behind=int(counts.untried_behind or 0) / untried if is_counted else 0.0,
        behind_fine=int(counts.fine_behind or 0) / fine if is_counted else 0.0,
    )
