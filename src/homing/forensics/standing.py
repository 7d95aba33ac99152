"""How deliveries stand by a table beside a log of what was done: as of when. Ibis, any engine."""

from __future__ import annotations

from typing import Any, Final

import ibis

from homing.forensics.engine import Engine
from homing.forensics.operations import Op, Stand
from homing.forensics.reading.mapping import Mapping
from homing.forensics.rows import row
from homing.forensics.vocabulary import meaning
from homing.forensics.words import SAID

#: a table whose last time is within so much of the log's length of its end was written at its end
_AT_END: Final = 0.05
#: where a delivery stands that something is still to come of
_UNFINISHED: Final = (Stand.WAITING, Stand.LEASED, Stand.FAILED)


def with_told(engine: Engine, m: Any, *, is_mixed: bool) -> Any:
    """The rows with `told_us`: when the last line of their delivery was written, for rows of a table
    that show it unfinished, or thrown away at no known time, and were written at the log's end; nothing
    for all others.

    Such a row says how its delivery stands after all that was done, though its newest time is that
    of the last attempt's beginning.

    Args:
        is_mixed: there is such a table, and something else beside it.
    """
    nothing = ibis.null("int64")
    if not is_mixed:
        return m.mutate(told_us=nothing)
    at = ibis.coalesce(m.finished_us, m.changed_us, m.at_us, m.accepted_us)
    is_table = m.layout == "deliveries"
    ends = row(
        m.aggregate(
            table=at.max(where=is_table),
            told=at.max(where=~is_table),
            since=at.min(where=~is_table),
        )
    )
    if ends.table is None or ends.told is None:
        return m.mutate(told_us=nothing)
    if int(ends.told) - int(ends.table) > _AT_END * (int(ends.told) - int(ends.since)):
        return m.mutate(told_us=nothing)
    lines = m.filter(~is_table)
    when = ibis.coalesce(lines.finished_us, lines.changed_us, lines.at_us, lines.accepted_us)
    lasts = engine.keep("told", lines.group_by(told_d=lines.d).aggregate(told_us=when.max()))
    stands = [int(one) for one in _UNFINISHED]
    is_open = is_table & m.finished_us.isnull() & m.stand.isin(stands)
    # thrown away, and no time of the row says when
    is_open = is_open | (
        is_table & (m.stand == Stand.GONE) & m.finished_us.isnull() & m.changed_us.isnull()
    )
    m = m.left_join(lasts, is_open & (m.d == lasts.told_d)).drop("told_d")
    return engine.name("told_rows", m)


def is_of_letters(mapping: Mapping) -> bool:
    """Whether each row of a file is a dead letter, as its name says."""
    op = mapping.columns.get("op")
    return op is not None and op.value is not None and meaning(op.value).op is Op.DEAD


def standing(m: Any, *, has_letters: bool) -> dict[str, Any]:
    """What a row that only says how a delivery stands tells, beside rows that say what was done: by
    `pending` nobody queued it, by `processing` nobody took it anew, and its last error was told when
    it came.

    Args:
        has_letters: dead letters have a file of their own, so that to be called dead is to have had
            all attempts, and no dead letter.
    """
    is_open = m.told_us.notnull()
    is_dead = (m["op"] == int(Op.DEAD)) & ibis.literal(has_letters)
    is_spent = is_dead & (m.reason.notnull() | (m.attempt >= m.max_attempts).fill_null(False))
    op = ibis.cases(
        (is_spent, int(Op.EXHAUSTED)),
        (m["op"] == int(Op.QUEUED), int(Op.ACCEPTED)),
        (m["op"] == int(Op.CLAIMED), int(Op.WRITTEN)),
        ((m["op"] == int(Op.FAILED)) & is_open, int(Op.WRITTEN)),
        else_=m["op"],
    )
    # nor is the last status beside `delivered` an answer that came after the success
    is_stale = (m.stand == int(Stand.DELIVERED)) & (m.result == -1)
    # nor does what was never tried fail by an answer
    is_untried = (m.stand == int(Stand.FAILED)) & (m.attempt == 0) & m.status.isnull()
    is_none = ((m.result == -1) & is_open) | is_untried
    result = ibis.cases(
        (is_stale.fill_null(False), SAID), (is_none.fill_null(False), 0), else_=m.result
    )
    stand = ibis.ifelse(is_spent, int(Stand.EXHAUSTED), m.stand)
    return {
        "op": op.cast(m["op"].type()),
        "stand": stand.cast(m.stand.type()),
        "result": result.cast(m.result.type()),
    }
