"""Whether what was lost is what a clean-up found too old, where its lines name no delivery.

A clean-up that deletes what still waits for a retry takes those that are old when it runs, and spares
those that are as old between two of its runs: a poller that looks for the wrong ones does neither.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import ibis

from homing.forensics.ages import last_plan, taken_up
from homing.forensics.rows import rows
from homing.forensics.traces import Step, Trace
from homing.forensics.vocabulary import normal

#: what cleans up is called so, by its line or by its own name
_SWEEPING: Final = re.compile(
    r"purg|prun|sweep|clean|retention|janitor|house_?keep|scaveng|vacuum|expung|evict|delet|truncat|"
    r"(old|expired|finished|stale)_(\w+_)?(was_|were_)?remov|remov\w*_(\w+_)?(old|expired|finished|stale)(_|$)|"
    r"remov\w*_(\d+_)?(deliveries|rows|records|jobs|messages|webhooks)(_|$)"
)
_RUNS_MAX: Final = 50_000
_RUNS_FEWEST: Final = 3
#: of lines that name no delivery, so many kinds are looked at
_KINDS_MAX: Final = 500
#: so many of the lost must have seen a run, and so few may have been younger then than all the others
_SEEN_MIN: Final = 0.9
_YOUNGER_MAX: Final = 0.05
_LOST_FEWEST: Final = 8
#: for each that was lost, so many may have been kept although a run found them as old
_KEPT_MAX: Final = 0.02
#: and so many must have been kept that were as old between two runs
_SPARED_FEWEST: Final = 3


class Swept(NamedTuple):
    """By which runs of a clean-up deliveries were lost, and how old they were then at least."""

    runs_us: tuple[int, ...]  #: in their order
    age_us: int  #: from the acceptance to the run
    #: others were as old between two runs, and were spared: so it was the clean-up
    is_sure: bool

    def has(self, trace: Trace) -> bool:
        """Whether a run found it so old, between the plan of its last retry and when that was due."""
        plan = last_plan(trace)
        age = None if plan is None else _age_us(self.runs_us, trace, plan)
        return age is not None and age >= self.age_us


def runs(table: Any, others: Sequence[str] = ()) -> list[tuple[int, ...]]:
    """When each kind of clean-up ran, by the rows that name no delivery.

    Args:
        table: the raw rows.
        others: words of rows that name other things.
    """
    is_nameless = table.delivery.isnull() & table.message.isnull()
    said = ibis.coalesce(table.op_raw, table.to_raw)
    about = table.filter(is_nameless | said.isin(others)) if others else table.filter(is_nameless)
    at = ibis.coalesce(about.changed_us, about.at_us)
    said = ibis.coalesce(about.op_raw, about.to_raw, "")
    who = ibis.coalesce(about.worker, "")
    has_deleted = (about.rows_written != 0).fill_null(True)  # a run says how many rows it found
    lines = about.filter(has_deleted).select(said=said, word=said + " " + who, at=at)
    lines = lines.filter(lines["at"].notnull())
    kinds = lines.group_by("said", "word").aggregate(n=lines.count())
    found = rows(kinds.order_by(ibis.desc("n"), "word").limit(_KINDS_MAX))
    # a process has another name after each start, and its clean-up is the same
    names = {one.word: one.said if _cleans(one.said) else one.word for one in found}
    ours = [word for word in names if _cleans(word)]
    if not ours:
        return []
    lines = lines.filter(lines.word.isin(ours)).order_by("at").limit(_RUNS_MAX)
    times: defaultdict[str, list[int]] = defaultdict(list)
    for one in rows(lines.select("word", "at")):
        times[names[one["word"]]].append(int(one["at"]))
    return [tuple(at) for _, at in sorted(times.items()) if len(at) >= _RUNS_FEWEST]


def _cleans(word: str) -> bool:
    return _SWEEPING.search(normal(word)) is not None


def swept(
    fine: Sequence[Trace], dropped: Sequence[Trace], kinds: Iterable[tuple[int, ...]]
) -> Swept | None:
    """The clean-up that tells those that waited and were lost from those that were taken up; None: none."""
    lost = [(t, plan) for t in dropped if (plan := last_plan(t)) is not None]
    if len(lost) < _LOST_FEWEST:
        return None
    kept = [(trace, step) for trace, step, _ in taken_up(fine, dropped)]
    found = []
    for runs_us in kinds:
        ages = sorted(a for t, plan in lost if (a := _age_us(runs_us, t, plan)) is not None)
        if len(ages) < _SEEN_MIN * len(lost):
            continue
        age_us = ages[int(_YOUNGER_MAX * len(ages))]
        seen = [a for t, plan in kept if (a := _age_us(runs_us, t, plan)) is not None]
        as_old = sum((plan.due_us or 0) - t.accepted_us >= age_us for t, plan in kept)
        not_lost = sum(a >= age_us for a in seen)
        if not_lost <= _KEPT_MAX * len(lost):
            found.append(Swept(runs_us, age_us, as_old - not_lost >= _SPARED_FEWEST))
    return max(found, key=lambda one: one.is_sure, default=None)


def _age_us(runs_us: Sequence[int], trace: Trace, plan: Step) -> int | None:
    """How old it was at the last run between the plan of a retry and when that was due; None: no run."""
    place = bisect_right(runs_us, plan.due_us or 0)
    if not place or runs_us[place - 1] <= plan.at_us:
        return None
    return runs_us[place - 1] - trace.accepted_us
