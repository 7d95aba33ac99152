"""Which words of a log tell of other things than deliveries, where these are named in the same column: the
streams of processes and endpoints in a store of events. Ibis, any engine."""

from __future__ import annotations

from typing import Any, Final

from homing.forensics.behaviours import LOOKED_THROUGH, WORDS_MAX, name_of
from homing.forensics.rows import row, rows
from homing.forensics.vocabulary import Op, meaning

#: of the names, so many must have been accepted within the log
_ACCEPTED_MIN: Final = 0.8
#: of a word's lines, so many must be of names that have no word of a delivery
_APART_MIN: Final = 0.95


def word_column(has_op: bool) -> str:
    """The column of words by which rows are told apart: operations, or states where no row has one."""
    return "op_raw" if has_op else "to_raw"


def words_of_others(table: Any, column: str) -> list[str]:
    """The words that no delivery has that was accepted within the log, nor any other that has a word of
    one; none where few are accepted within it.

    Args:
        table: the raw rows that name something.
        column: the one of the words.
    """
    # a table's row is the last word of a delivery whose changes the log may lack
    some = table.filter((table["rowid"] < LOOKED_THROUGH) & (table.layout == "events"))
    some = some.filter(some[column].notnull())
    texts = [one[column] for one in rows(some.select(column).distinct().limit(WORDS_MAX))]
    accepting = sorted(t for t in texts if meaning(t).op is Op.ACCEPTED)
    if not accepting:
        return []
    lines = some.select(k=name_of(some), word=some[column])
    lines = lines.mutate(begins=lines.word.isin(accepting))
    names = lines.group_by("k").aggregate(accepted=lines.begins.max())
    counted = row(names.aggregate(n=names.count(), k=names.accepted.cast("int64").sum()))
    if int(counted.k or 0) < _ACCEPTED_MIN * int(counted.n) or counted.k == counted.n:
        return []
    theirs = lines.semi_join(names.filter(names.accepted), "k")
    ours = [one.word for one in rows(theirs.select("word").distinct().limit(WORDS_MAX))]
    rest = lines.anti_join(names.filter(names.accepted), "k")
    rest = rest.mutate(is_ours=rest.word.isin(ours))
    mixed = rest.filter(rest.is_ours).select("k").distinct()
    foreign = rest.filter(~rest.is_ours)
    alone = foreign.anti_join(mixed, "k")
    apart = alone.group_by("word").aggregate(apart=alone.count())
    found = foreign.group_by("word").aggregate(n=foreign.count()).inner_join(apart, "word")
    return sorted(one.word for one in rows(found) if one.apart >= _APART_MIN * one.n)
