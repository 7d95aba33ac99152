"""Names that a guess took for deliveries and that are none: none of their kind is ever tried, or most are lost
with no answer, and what is told of them is told of no other. Ibis, any engine."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import ibis
from ibis import _

from homing.forensics.behaviours import LOOKED_THROUGH, WORDS_MAX
from homing.forensics.engine import Engine
from homing.forensics.judging import Verdict
from homing.forensics.operations import Op
from homing.forensics.rows import rows

#: of the names of one kind, so many at least are of no delivery: where more of the messages are of one, the
#: others may be lost
_ALONE_MIN: Final = 0.2
_ALONE_FEWEST: Final = 3
_A_WORD: Final = "a word"
#: of strangers so many at most show a try
_TRIED_MAX: Final = 0.1
#: or so many of them would be lost with no answer: more than of any kind of deliveries
_LOST_MIN: Final = 0.5
#: fewer deliveries, and lines, show nothing of the others
_FEWEST: Final = 20
#: of the lines of strangers, so many at most say what lines of deliveries say
_SHARED_MAX: Final = 0.1
#: of the kind that is delivered, so many are
_DELIVERED_MIN: Final = 0.5
#: by which a worker tries, or has it to try
_TRIES: Final = (Op.CLAIMED, Op.SENT, Op.ATTEMPTED)

#: what deliveries are called by their own names: `delivery/3Fq`, beside `worker/w1`
_DELIVERIES: Final = re.compile(r"(web_?hook_?)?(delivery|deliveries|dispatch)", re.IGNORECASE)
#: and whatever else is called something
_NAMED: Final = re.compile(r"[A-Za-z]{1,12}")


class Strangers(NamedTuple):
    """Names of one kind that are no deliveries."""

    kind: str  #: as `_kind` calls it
    names: int
    example: str


def strangers(engine: Engine, column: str) -> list[Strangers]:
    """The kinds of names that are no deliveries, beside one that is delivered.

    That all deliveries of one kind are lost makes none of it, so long as the log says of them what it
    says of the others; nor does it that no delivery was made of a message, where of most some was.

    Args:
        column: the one of the words, operations or states.
    """
    some = engine.table("raw").filter(_["rowid"] < LOOKED_THROUGH)
    events = engine.table("events").filter(_.line < LOOKED_THROUGH)
    is_try = events.act.isin([int(op) for op in _TRIES]) | events.status.notnull()
    lines = events.group_by("d", "line").aggregate(tries=is_try.max())
    named = some.select(
        row=some["rowid"], name=ibis.coalesce(some.delivery, some.message), own=some.delivery
    )
    told = lines.inner_join(named, lines.line == named.row)
    by_delivery = told.group_by("d").aggregate(
        name=ibis.coalesce(told.own.max(), told.name.max()), tried=told.tries.max()
    )
    judged = engine.table("judged")
    no_answer = (judged.good == 0) & (judged.bad == 0) & (judged.said == 0)
    came = judged.select(
        of="d",
        lost=(judged.verdict == int(Verdict.DROPPED)) & no_answer,
        delivered=judged.verdict == int(Verdict.DELIVERED),
    )
    both = by_delivery.inner_join(came, by_delivery.d == came["of"])
    both = both.mutate(kind=_kind(both.name))
    counted = rows(
        both.group_by("kind").aggregate(
            n=both.count(),
            tried=both.tried.cast("int64").sum(),
            lost=both.lost.cast("int64").sum(),
            delivered=both.delivered.cast("int64").sum(),
            example=both.name.min(),
        )
    )
    every = ibis.union(
        some.select(name=some.delivery), some.select(name=some.message), distinct=True
    )
    every = every.filter(every.name.notnull())
    total = {
        one.kind: int(one.n)
        for one in rows(every.group_by(kind=_kind(every.name)).aggregate(n=every.count()))
    }
    ours = max(counted, key=lambda one: int(one.delivered), default=None)
    if ours is None or int(ours.delivered) < max(_FEWEST, _DELIVERED_MIN * total[ours.kind]):
        return []
    # where deliveries are called so by their own names, all that is called something else is none
    named = {one.kind for one in counted if _NAMED.fullmatch(one.kind)}
    named = named if _DELIVERIES.fullmatch(ours.kind) else set()
    others = {
        one.kind: one
        for one in counted
        if one.kind != ours.kind
        if one.kind in named
        or int(one.tried) <= _TRIED_MAX * int(one.n)
        or int(one.lost) >= max(_FEWEST, _LOST_MIN * total.get(one.kind, 0))
        if int(one.n) >= max(_fewest(one.kind), _ALONE_MIN * total.get(one.kind, 0))
    }
    says = _words_by_kind(told, some, column) if others else {}
    return [
        Strangers(kind, int(one.n), one.example)
        for kind, one in others.items()
        if kind in named or _shared(says[kind], says[ours.kind]) <= _SHARED_MAX
    ]


def without(engine: Engine, table: Any, strange: Sequence[Strangers]) -> Any:
    """The raw rows but those whose only name is of one of these kinds, and of no delivery's message."""
    if not strange:
        return table
    both = table.filter(table.delivery.notnull() & table.message.notnull())
    linked = engine.keep("linked", both.select(linked="message").distinct())
    alone = table.delivery.isnull() | table.message.isnull()
    name = ibis.coalesce(table.delivery, table.message)
    table = table.mutate(strange=alone & _kind(name).isin([one.kind for one in strange]))
    table = table.left_join(linked, table.strange & (table.message == linked.linked))
    is_ours = ~table.strange.fill_null(False) | table.linked.notnull()
    return table.filter(is_ours).drop("strange", "linked")


def _fewest(kind: str) -> int:
    """How many names make a kind: one word is one, beside names that have numbers."""
    return 1 if kind == _A_WORD else _ALONE_FEWEST


def _kind(name: Any) -> Any:
    """What a name looks like: by the letters before its mark (`evt` of `evt_3Fq`), as a path, a number, a
    word, or as anything else."""
    prefix = name.re_extract(r"^([A-Za-z]{1,12})[_:/-]", 1)
    return ibis.cases(
        (name.re_search("^[0-9]+$"), "a number"),
        (name.re_search("/.*/"), "a path"),
        (name.re_search("^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-"), ""),
        (name.re_search("^[a-z]+$"), _A_WORD),
        (prefix.length() > 0, prefix),
        else_="",
    )


def _words_by_kind(told: Any, some: Any, column: str) -> dict[str, Counter[str]]:
    """How many lines of each kind of names have which word."""
    words = some.select(at=some["rowid"], word=some[column])
    lines = told.inner_join(words, told.row == words["at"])
    counted = lines.group_by(kind=_kind(lines.name), word=lines.word).aggregate(n=lines.count())
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for one in rows(counted.order_by(ibis.desc("n")).limit(WORDS_MAX)):
        found[one.kind][one.word or ""] += int(one.n)
    return found


def _shared(theirs: Counter[str], ours: Counter[str]) -> float:
    """The share of lines whose word lines of the other kind have."""
    known = {word for word, n in ours.items() if word and n >= _FEWEST}
    return sum(n for word, n in theirs.items() if word in known) / max(1, theirs.total())
