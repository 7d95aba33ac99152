"""What the lines with a word of a log do: where in a delivery they stand, and what they tell. Ibis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

import ibis
from ibis import _

from homing.forensics.rows import rows
from homing.forensics.words import Behaviour

#: so many rows tell which habits a log has: how its words follow one another
LOOKED_THROUGH: Final = 1_000_000
#: more different words are no words
WORDS_MAX: Final = 5_000
#: nor do more pairs of words tell which follows which; the most frequent do
_PAIRS_MAX: Final = 100_000
#: of the rows with a status, so many tell of which attempt it is
_NUMBERED_MIN: Final = 0.3
#: of the lines, so many are signed by one who works
_SIGNS_MAX: Final = 0.02


def name_of(table: Any) -> Any:
    """What a row's delivery is called: itself, or its message and endpoint."""
    whole = table.message + ibis.coalesce("/" + table.endpoint, ibis.literal(""))
    return ibis.coalesce(table.delivery, whole)


class Behaviours:
    """How the words of a table's columns behave; everything is counted once, when it is first asked for.

    Args:
        table: raw rows, each of which names a delivery.
        rows: how many they are at most, if it is known.
    """

    def __init__(self, table: Any, rows: int | None = None) -> None:
        self.table = table
        self._rows = rows
        self._kept: dict[tuple[str, str], Any] = {}

    def first(self) -> Behaviours:
        """Those of its first rows, as many as tell which habits a log has."""
        if self._rows is not None and self._rows <= LOOKED_THROUGH:
            return self
        return Behaviours(self.table.filter(self.table["rowid"] < LOOKED_THROUGH), LOOKED_THROUGH)

    def in_order(self, column: str = "op_raw") -> tuple[Any, Any]:
        """The words of the lines, and the window of each delivery's in their order."""
        t = self.table
        at = ibis.coalesce(t.changed_us, t.at_us, t.finished_us, 0)
        lines = t.select(k=name_of(t), word=t[column], at=at, row=t["rowid"])
        return lines, ibis.window(group_by="k", order_by=["at", "row"])

    def words(self, column: str) -> list[str]:
        """The words of a column, as far as they are not too many."""
        if ("of", column) in self._kept:
            return list(self._all(column))
        # of a long log whose words are all known, what they do is hardly asked
        words = self.table.select(word=self.table[column]).distinct()
        words = words.filter(words.word.notnull()).order_by("word").limit(WORDS_MAX)
        return [one.word for one in rows(words)]

    def of(self, column: str, texts: Iterable[str]) -> dict[str, Behaviour]:
        """What lines with each of the words are like: first or last of a delivery, answered how."""
        wanted = set(texts)
        if not wanted:
            return {}
        return {text: one for text, one in self._all(column).items() if text in wanted}

    def preceders(
        self, texts: Sequence[str], column: str = "op_raw"
    ) -> dict[str, Counter[str | None]]:
        """Word → what its delivery's line before says, and how often; None: it was the first."""
        return self._beside("before", column, texts)

    def followers(
        self, texts: Sequence[str], column: str = "op_raw"
    ) -> dict[str, Counter[str | None]]:
        """Word → what its delivery's next line says, and how often; None: it was the last."""
        return self._beside("after", column, texts)

    def _beside(
        self, side: str, column: str, texts: Sequence[str]
    ) -> dict[str, Counter[str | None]]:
        if not texts:
            return {}
        if (side, column) not in self._kept:
            lines, window = self.in_order(column)
            near = lines.word.lag() if side == "before" else lines.word.lead()
            lines = lines.mutate(near=near.over(window))
            pairs = lines.filter(lines.word.notnull()).group_by(["word", "near"])
            pairs = pairs.aggregate(n=_.count()).order_by(ibis.desc("n"), "word", "near")
            found: dict[str, Counter[str | None]] = {}
            for one in rows(pairs.limit(_PAIRS_MAX)):
                found.setdefault(one.word, Counter())[one.near] += int(one.n)
            self._kept[side, column] = found
        kept = self._kept[side, column]
        return {text: Counter(kept.get(text, ())) for text in texts}

    def _all(self, column: str) -> dict[str, Behaviour]:
        if ("of", column) not in self._kept:
            self._kept["of", column] = self._behaviours(column)
        found: dict[str, Behaviour] = self._kept["of", column]
        return found

    def _busy(self) -> list[str]:
        """Who signs much of the log: they are at work on deliveries, and decide nothing by it."""
        if ("busy", "actor") not in self._kept:
            signed = self.table.group_by("actor").aggregate(n=_.count())
            signed = signed.mutate(all_=signed.n.sum().over(ibis.window()))
            signed = signed.filter(signed.actor.notnull() & (signed.n >= _SIGNS_MAX * signed.all_))
            self._kept["busy", "actor"] = [one.actor for one in rows(signed.order_by("actor"))]
        found: list[str] = self._kept["busy", "actor"]
        return found

    def _behaviours(self, column: str) -> dict[str, Behaviour]:
        lines = self._lines(column)
        firsts, lasts = _ends(lines)
        total = max(1, sum(firsts.values()))
        is_good = lines.status.between(200, 299)
        answered = lines.status.notnull()
        tests = {
            "ok": is_good.fill_null(False),
            "bad": (~is_good).fill_null(False),
            "due": lines.is_due,
            "held": lines.is_held,
            "numbered": lines.is_numbered,
            "signed": lines.is_signed,
            "told": answered & lines.is_numbered,
        }
        counts = {name: test.cast("int64").sum() for name, test in tests.items()}
        found = lines.group_by("word").aggregate(n=lines.count(), **counts)
        found = found.mutate(
            **{f"all_{c}": found[c].sum().over(ibis.window()) for c in ("n", *counts)}
        )
        found = found.filter(found.word.notnull()).order_by("word").limit(WORDS_MAX)
        return {
            one.word: Behaviour(
                int(one.n),
                firsts[one.word] / one.n,
                lasts[one.word] / one.n,
                one.ok / one.n,
                one.bad / one.n,
                lasts[one.word] / total,
                one.due / one.n,
                one.held / one.n if one.all_held else None,
                one.numbered / one.n
                if one.all_told > _NUMBERED_MIN * (one.all_ok + one.all_bad)
                else None,
                one.signed / one.n,
                firsts[one.word] / total,
                one.all_due / one.all_n,
            )
            for one in rows(found)
        }

    def _lines(self, column: str) -> Any:
        t, busy = self.table, self._busy()
        at = ibis.coalesce(t.changed_us, t.at_us, t.finished_us, 0)
        is_signed = t.actor.notnull()
        return t.select(
            k=name_of(t),
            word=t[column],
            status=t.status,
            is_due=t.due_us.notnull(),
            is_held=t.worker.notnull(),
            is_signed=is_signed & ~t.actor.isin(busy) if busy else is_signed,
            is_numbered=t.attempt.notnull() | t.retries.notnull(),
            # times and places as texts of one length: their order is that of both, on every engine
            place=at.cast("string").lpad(20, "0") + t["rowid"].cast("string").lpad(20, "0"),
        )


def _ends(lines: Any) -> tuple[Counter[str | None], Counter[str | None]]:
    """How many deliveries begin, and how many end, with each word."""
    ends = lines.group_by("k").aggregate(
        first_word=lines.word.argmin(lines.place), last_word=lines.word.argmax(lines.place)
    )
    pairs = ends.group_by(["first_word", "last_word"]).aggregate(n=ends.count())
    firsts: Counter[str | None] = Counter()
    lasts: Counter[str | None] = Counter()
    for one in rows(pairs):
        firsts[one.first_word] += int(one.n)
        lasts[one.last_word] += int(one.n)
    return firsts, lasts
