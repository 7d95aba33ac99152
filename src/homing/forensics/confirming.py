"""Whether receivers that answer 202 say later what has become of it: then that answer is none yet.
Ibis, any engine.

By RFC 9110 a 202 says that a request was accepted for processing, and nothing of how that will end; but
most receivers of webhooks mean no more by it than by 200, so that a log has to show the difference.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import ibis
from ibis import _

from homing.forensics.acks import acked_anyway
from homing.forensics.behaviours import LOOKED_THROUGH, name_of
from homing.forensics.operations import Op
from homing.forensics.rows import row, rows
from homing.forensics.vocabulary import meaning

#: this status says that a request was put by
PUT_BY: Final = 202
#: fewer deliveries show no habit
_FEWEST: Final = 20
#: of the deliveries with such a word, so many were answered by a 202
_OF_PUT_MIN: Final = 0.95
#: of those with the first word, so many have it at once and have the second; which comes later, but is
#: mostly there
_MOST: Final = 0.8
#: what whoever sends says of the 202 itself comes sooner after it
_AT_ONCE_US: Final = 100_000


class Confirmed(NamedTuple):
    """By which words a log tells of receivers that report later what became of their 202."""

    promise: str  #: right after the 202
    reports: tuple[str, ...]  #: what the receiver says later, alone or with more behind it
    said: tuple[str, ...]  #: by which these deliveries are called delivered
    interim: tuple[str, ...] = ()  #: what it says before that: it has it, and has not done with it


def confirming(table: Any) -> Confirmed | None:
    """The words that only deliveries with a 202 have, one at once and another later; None if there are none.

    Args:
        table: the raw rows.
    """
    lines = table.filter((table["rowid"] < LOOKED_THROUGH) & (table.layout == "events"))
    answers = rows(lines.filter(lines.status == PUT_BY).group_by("op_raw").aggregate(n=_.count()))
    # by such a 202 the service itself has answered whoever gave it the delivery
    own_words = [one.op_raw for one in answers if meaning(one.op_raw).op is Op.ACCEPTED]
    if sum(int(one.n) for one in answers if one.op_raw not in own_words) < _FEWEST:
        return None
    is_own = lines.op_raw.isin(own_words).fill_null(False)
    lines = lines.select(
        k=name_of(lines),
        word=lines.op_raw,
        at=ibis.coalesce(lines.changed_us, lines.at_us, 0),
        is_put=(lines.status == PUT_BY).fill_null(False) & ~is_own,
    )
    put = lines.group_by("k").aggregate(put_at=lines["at"].min(where=lines.is_put))
    lines = lines.filter(lines.word.notnull()).inner_join(put, "k")
    firsts = lines.group_by("k", "word").aggregate(at=lines["at"].min(), put_at=lines.put_at.min())
    soon = (firsts["at"] - firsts.put_at).between(0, _AT_ONCE_US).fill_null(False)
    counted = rows(
        firsts.group_by("word").aggregate(
            n=firsts.count(), put=firsts.put_at.count(), soon=soon.cast("int64").sum()
        )
    )
    said = {one.word for one in counted if meaning(one.word).op is Op.SUCCEEDED}
    own = {
        one.word: one
        for one in counted
        if int(one.n) >= _FEWEST and int(one.put) >= _OF_PUT_MIN * int(one.n)
    }
    promises = [w for w, one in own.items() if int(one.soon) >= _MOST * int(one.n)]
    if not promises or len(own) < 2:
        return None
    promise = max(promises, key=lambda w: (int(own[w].n), w not in said, w))
    begun = firsts.filter(firsts.word == promise).select("k", promised_at="at")
    after = firsts.inner_join(begun, "k")
    later = (after["at"] - after.promised_at > _AT_ONCE_US).cast("int64").sum()
    waited = (after["at"] - after.promised_at).mean()
    found = rows(
        after.group_by("word")
        .aggregate(n=after.count(), later=later, waited=waited)
        .order_by("word")
    )
    reports = [
        one
        for one in found
        if one.word in own
        and int(one.n) >= _MOST * int(own[promise].n)
        and int(one.later) >= _MOST * int(one.n)
    ]
    put = firsts.k.nunique(where=firsts.put_at.notnull())
    named = row(firsts.aggregate(n=firsts.k.nunique(), put=put))
    is_usual = int(named.put) > _MOST * int(named.n)  # then any line may look like a report
    if not reports or (is_usual and len(reports) > 1):
        return None
    *interim, report = (one.word for one in sorted(reports, key=lambda one: one.waited))
    ends = sorted(one.word for one in found if one.word in said - own.keys())
    of_turns = acked_anyway(table, ends)
    ends = [word for word in ends if word not in of_turns]
    same = [w for w in own if w.split()[:2] == report.split()[:2] and meaning(w).result >= 0]
    said_later = tuple(sorted({report, *same} - {*interim}))
    return Confirmed(promise, said_later, tuple(ends), tuple(interim))


def promised(table: Any, confirmed: Confirmed) -> Any:
    """The deliveries, a row each with its name in `promised`, of which a receiver reports later."""
    named = table.select(promised=name_of(table), word=table.op_raw)
    named = named.filter((named.word == confirmed.promise) & named.promised.notnull())
    return named.select("promised").distinct()
