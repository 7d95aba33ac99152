"""By what line of the log each delivery ended that was neither delivered nor dropped: Ibis, any engine."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import ibis

from homing.core.plurals import plural
from homing.forensics.engine import Engine
from homing.forensics.judging import Verdict
from homing.forensics.operations import Stand
from homing.forensics.rows import rows

#: what ended otherwise than by success, and not without a word
ENDED: Final = (Verdict.DEAD, Verdict.CANCELLED, Verdict.PARKED)
_STANDS: Final = (Stand.DEAD, Stand.CANCELLED, Stand.PARKED, Stand.GONE, Stand.EXHAUSTED)
#: kinds of lines that are told apart, the commonest first
_KINDS_MAX: Final = 2_000


class Ending(NamedTuple):
    """Deliveries that ended alike."""

    verdict: Verdict
    word: str  #: the log's own word of the line by which they ended
    by: str | None  #: who it says did it; None: it does not say
    reason: str | None  #: the commonest that it gives; None: it gives none
    deliveries: int


def endings(engine: Engine, judged: Any) -> list[Ending]:
    """How deliveries ended that are neither delivered, nor dropped, nor under way, the commonest first.

    What this analysis counts as ended on purpose rests on such a line: whoever knows the service sees at
    once whether somebody meant it.
    """
    events, raw = engine.table("events"), engine.table("raw")
    ended = judged.filter(judged.verdict.isin([int(one) for one in ENDED]))
    last = events.filter(events.stand.isin([int(one) for one in _STANDS])).semi_join(ended, "d")
    last = last.group_by("d").aggregate(line=last.line.argmax(last.pos))
    worded = raw.select(
        rowid="rowid",
        word=ibis.coalesce(raw.op_raw, raw.to_raw, raw.outcome_raw),
        actor="actor",
        reason="reason",
    )
    lines = last.join(worded, last.line == worded["rowid"]).join(ended.select("d", "verdict"), "d")
    kinds = lines.group_by(["verdict", "word", "actor", "reason"]).aggregate(n=lines.count())
    counts: dict[tuple[Verdict, str, str | None], int] = {}
    reasons: dict[tuple[Verdict, str, str | None], Counter[str]] = {}
    order = (kinds.n.desc(), "verdict", "word", "actor", "reason")
    for one in rows(kinds.order_by(*order).limit(_KINDS_MAX)):
        key = (Verdict(int(one.verdict)), str(one.word), one.actor)
        counts[key] = counts.get(key, 0) + int(one.n)
        if one.reason is not None:
            reasons.setdefault(key, Counter())[str(one.reason)] += int(one.n)
    found = [
        Ending(*key, reasons[key].most_common(1)[0][0] if key in reasons else None, n)
        for key, n in counts.items()
    ]
    return sorted(found, key=lambda one: (-one.deliveries, one.verdict, one.word, one.by or ""))


#: a reason that names who decided
_SIGNED: Final = re.compile(r"\b(by|of|for) \w|@", re.IGNORECASE)
_TOLD_MAX: Final = 3


def unsigned_told(found: Sequence[Ending]) -> list[str]:
    """Of what counts as ended on purpose, what nobody signed: in sentences."""
    unsigned: Counter[str] = Counter()
    for one in found:
        is_signed = one.by is not None or _SIGNED.search(one.reason or "") is not None
        if one.verdict is Verdict.CANCELLED and not is_signed:
            unsigned[one.word] += one.deliveries
    return [
        f"no line says who decided that {plural(n, 'delivery')} ended by {word!r}: if nobody did, "
        f"{'it was' if n == 1 else 'they were'} dropped"
        for word, n in unsigned.most_common(_TOLD_MAX)
    ]
