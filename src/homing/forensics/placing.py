"""Which of two lines of one delivery is the earlier, where their times are equal: Ibis, any engine."""

from __future__ import annotations

from typing import Any, Final

import ibis

from homing.forensics.operations import Op
from homing.forensics.reading.files import Raw
from homing.forensics.reading.order import Order

#: which of two lines of one delivery is first if their times are equal and their places say nothing
_NATURAL: Final = (
    (Op.ACCEPTED,),
    (Op.QUEUED, Op.RESUMED),
    (Op.CLAIMED,),
    (Op.SENT,),
    (Op.ATTEMPTED,),
    (Op.FAILED, Op.SUCCEEDED),
    (Op.LAPSED, Op.WRITTEN, Op.NOTED, Op.RELEASED),
    (Op.RETRY, Op.POSTPONED),
    (Op.EXHAUSTED,),
)


def placed(raw: Raw, lines: Any) -> tuple[Any, list[Any]]:
    """The lines, and by what those of one time are put in order: by their place in the log, as far as that
    says anything, and by the order of a life."""
    by_line = [lines.line.desc() if raw.order is Order.NEWEST_FIRST else lines.line, lines.part]
    if raw.order is not Order.MIXED:
        return lines, by_line
    if raw.leader is not None:
        return lines, [_beside(lines, raw.leader), *by_line]
    lines = lines.mutate(life=_of_life(lines))
    if raw.runs:
        # within a file that is in order, no line is before another that stands above it
        in_file = ibis.cumulative_window(
            group_by=[lines.d, lines.at_us, _run(lines, raw.runs)],
            order_by=[lines.line, lines.part],
        )
        lines = lines.mutate(life=lines.life.max().over(in_file))
    return lines, [lines.life, lines.line, lines.part]


def _run(lines: Any, runs: list[range]) -> Any:
    """The file of a line, if it is one of those in order; else a number of its own."""
    return ibis.cases(
        *[(lines.line.between(run.start, run.stop - 1), n) for n, run in enumerate(runs)],
        else_=-1 - lines.line,
    )


def _beside(lines: Any, leader: range) -> Any:
    """Where the lines of tables stand beside those of the file that tells what happened: an acceptance
    before them, and anything else behind."""
    is_of_leader = lines.line.between(leader.start, leader.stop - 1)
    return ibis.cases((is_of_leader, 1), (lines["op"] == int(Op.ACCEPTED), 0), else_=2)


def _of_life(lines: Any) -> Any:
    """The place of a line in the order of a life, one attempt after the other."""
    ranks = [(lines["op"].isin([int(op) for op in ops]), rank) for rank, ops in enumerate(_NATURAL)]
    is_first = lines["op"].isin([int(Op.ACCEPTED), int(Op.QUEUED), int(Op.RESUMED)])
    attempt = ibis.coalesce(lines.attempt, is_first.ifelse(0, 9999))
    return attempt.cast("int64") * 100 + ibis.cases(*ranks, else_=len(_NATURAL))
