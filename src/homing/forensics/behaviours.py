"""How the lines with a word of a log behave: where in a delivery they stand, and what they tell. Ibis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import ibis
from ibis import _

from homing.forensics.rows import row, rows
from homing.forensics.words import Behaviour

#: so many rows tell which habits a log has: how its words follow one another
LOOKED_THROUGH: Final = 1_000_000
#: more different words are no words
WORDS_MAX: Final = 5_000


def name_of(table: Any) -> Any:
    """What a row's delivery is called: itself, or its message and endpoint."""
    whole = table.message + ibis.coalesce("/" + table.endpoint, ibis.literal(""))
    return ibis.coalesce(table.delivery, whole)


def in_order(table: Any, column: str = "op_raw") -> tuple[Any, Any]:
    """The words of the lines, and the window of each delivery's in their order."""
    at = ibis.coalesce(table.changed_us, table.at_us, table.finished_us, 0)
    lines = table.select(k=name_of(table), word=table[column], at=at, row=table["rowid"])
    return lines, ibis.window(group_by="k", order_by=["at", "row"])


def preceders(
    table: Any, texts: Sequence[str], column: str = "op_raw"
) -> dict[str, Counter[str | None]]:
    """Word → what its delivery's line before says, and how often; None: it was the first."""
    lines, window = in_order(table, column)
    return _near(lines.mutate(near=lines.word.lag().over(window)), texts)


def followers(
    table: Any, texts: Sequence[str], column: str = "op_raw"
) -> dict[str, Counter[str | None]]:
    """Word → what its delivery's next line says, and how often; None: it was the last."""
    lines, window = in_order(table, column)
    return _near(lines.mutate(near=lines.word.lead().over(window)), texts)


def _near(lines: Any, texts: Sequence[str]) -> dict[str, Counter[str | None]]:
    """Word → what stands beside its lines in `near`, and how often."""
    lines = lines.filter(lines.word.isin(texts))
    found: dict[str, Counter[str | None]] = {text: Counter() for text in texts}
    for one in rows(lines.group_by(["word", "near"]).aggregate(n=lines.count())):
        found[one.word][one.near] += int(one.n)
    return found


#: of the rows with a status, so many tell of which attempt it is
_NUMBERED_MIN: Final = 0.3


#: of the lines, so many are signed by one who works
_SIGNS_MAX: Final = 0.02


def _busy(table: Any) -> list[str]:
    """Who signs much of the log: they are at work on deliveries, and decide nothing by it."""
    signed = table.filter(table.actor.notnull()).group_by("actor").aggregate(n=_.count())
    least = _SIGNS_MAX * int(row(table.aggregate(n=table.count())).n)
    return [one.actor for one in rows(signed.filter(signed.n >= least).order_by("actor"))]


def behaviours(table: Any, column: str, unknown: Sequence[str]) -> dict[str, Behaviour]:
    """What lines with each of the words are like: first or last of a delivery, answered how."""
    if not unknown:
        return {}
    at = ibis.coalesce(table.changed_us, table.at_us, table.finished_us, 0)
    busy = _busy(table)
    lines = table.select(
        k=name_of(table),
        word=table[column],
        status=table.status,
        is_due=table.due_us.notnull(),
        is_held=table.worker.notnull(),
        is_signed=table.actor.notnull() & ~table.actor.isin(busy)
        if busy
        else table.actor.notnull(),
        is_numbered=(table.attempt.notnull() | table.retries.notnull()),
        # times and places as texts of one length: their order is that of both, on every engine
        place=at.cast("string").lpad(20, "0") + table["rowid"].cast("string").lpad(20, "0"),
    )
    ends = lines.group_by("k").aggregate(
        first_word=lines.word.argmin(lines.place), last_word=lines.word.argmax(lines.place)
    )
    firsts, lasts = (
        {
            one.word: int(one.n)
            for one in rows(ends.group_by(word=ends[end]).aggregate(n=ends.count()))
        }
        for end in ("first_word", "last_word")
    )
    total = sum(firsts.values())
    is_good = lines.status.between(200, 299)
    seen = lines.filter(lines.word.isin(unknown))
    found = seen.group_by("word").aggregate(
        n=seen.count(),
        ok=is_good.fill_null(False).cast("int64").sum(),
        bad=(~is_good).fill_null(False).cast("int64").sum(),
        due=seen.is_due.cast("int64").sum(),
        held=seen.is_held.cast("int64").sum(),
        numbered=seen.is_numbered.cast("int64").sum(),
        signed=seen.is_signed.cast("int64").sum(),
    )
    answered = lines.status.notnull()
    told = row(
        lines.aggregate(
            held=lines.is_held.cast("int64").sum(),
            due=lines.is_due.cast("int64").mean(),
            answers=answered.cast("int64").sum(),
            numbered=(answered & lines.is_numbered).cast("int64").sum(),
        )
    )
    are_numbered = int(told.numbered or 0) > _NUMBERED_MIN * int(told.answers or 0)
    return {
        one.word: Behaviour(
            int(one.n),
            firsts.get(one.word, 0) / one.n,
            lasts.get(one.word, 0) / one.n,
            one.ok / one.n,
            one.bad / one.n,
            lasts.get(one.word, 0) / max(total, 1),
            one.due / one.n,
            one.held / one.n if told.held else None,
            one.numbered / one.n if are_numbered else None,
            one.signed / one.n,
            firsts.get(one.word, 0) / max(total, 1),
            float(told.due),
        )
        for one in rows(found.order_by("word"))
    }
