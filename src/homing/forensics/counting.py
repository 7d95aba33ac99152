"""How many deliveries a log has, how many of them went nowhere, and which: for `verify` and `impact`.

The reading and the judging are those of an investigation, where the log lives; the search for a
cause is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import ibis
import msgspec

from homing.forensics.cases import CROSSINGS
from homing.forensics.investigation import reading
from homing.forensics.judged import judged_log
from homing.forensics.judging import Verdict, Why
from homing.forensics.options import Options
from homing.forensics.reading.files import Progress
from homing.forensics.rows import row, rows
from homing.forensics.traces import dropped_names, late_names, names_of
from homing.insight.firing import Minute, Past
from homing.insight.verification import Arm, Count, Window

#: column → feature of deliveries that is counted, by its name among the suspects of an investigation
STRATA: Final = CROSSINGS | {
    "bad": "an attempt failed",
    "bad_again": "two or more attempts failed",
    "taken_again": "it was taken more than once",
}
#: what tells one traffic from another
_MIX: Final = ("endpoint", "app", "event_type")
_MIX_VALUES_MAX: Final = 2_000
_MINUTE_US: Final = 60_000_000
_OPEN: Final = (int(Verdict.OPEN), int(Verdict.LATER))


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What one log comes to."""

    arm: Arm
    accepted: int  #: all, also those too young to judge
    drops: tuple[str, ...]  #: names of the dropped, in the order of the log
    first_us: int
    last_us: int
    #: of the whole log, whatever part of it is counted
    log_first_us: int
    log_accepted: int
    #: names of the deliveries that came late, and how late in seconds, in the order of the log
    late: tuple[tuple[str, float], ...] = ()
    #: of all that are counted, where that was asked for
    names: frozenset[str] = frozenset()
    past: Past | None = None  #: when each came to its end, where that was asked for


def count(
    patterns: Sequence[str],
    options: Options,
    progress: Progress = lambda step, share: None,
    *,
    since_us: int | None = None,
    late_s: float | None = None,
    has_past: bool = False,
    has_names: bool = False,
) -> Counted:
    """Count a log.

    Args:
        patterns: files and globs; with another engine than DuckDB here, names of its tables.
        since_us: only deliveries accepted from then on; None: all.
        late_s: also name what was delivered so many seconds after it was accepted, or later.
        has_past: also say what came to its end in each minute.
        has_names: also name all that are counted.

    Raises:
        Unreadable: a file or a table cannot be read.
        ConfigError: the mapping does not fit, or a warehouse does not answer.
    """
    with reading(patterns, options, progress) as (raw, engine):
        events, judged, _, _ = judged_log(raw, engine, options, progress)
        since = judged.filter(judged.accepted_at >= (since_us or 0))
        accepted = int(row(since.aggregate(n=since.count())).n)
        first_us = max(events.first_us, since_us or 0)
        arm = _arm(since, events.names)
        return Counted(
            arm=msgspec.structs.replace(
                arm,
                window=Window(first_us=first_us, last_us=events.last_us),
                too_young=accepted - arm.all.n,
            ),
            accepted=accepted,
            drops=tuple(dropped_names(engine, since_us or 0)),
            first_us=first_us,
            last_us=events.last_us,
            log_first_us=events.first_us,
            log_accepted=int(row(judged.aggregate(n=judged.count())).n),
            names=frozenset(names_of(engine, since)) if has_names else frozenset(),
            late=() if late_s is None else tuple(late_names(engine, since, late_s)),
            past=_past(since) if has_past else None,
        )


def _past(judged: Any) -> Past:
    """What came to its end in each minute.

    One that is dropped is lost from its last line on, or from the time at which it was due or its
    lease ended after that: until then something was still to come.
    """
    is_lost = judged.verdict == int(Verdict.DROPPED)
    to_come = ibis.greatest(
        ibis.coalesce(judged.last_due, judged.last_at),
        ibis.coalesce(judged.last_lease, judged.last_at),
        judged.last_at,
    )
    waits = is_lost & (judged.why != int(Why.NEVER_DUE))
    ended = judged.mutate(end_us=ibis.ifelse(waits, to_come, judged.last_at), is_lost=is_lost)
    ended = ended.filter(
        ended.verdict.isin([int(Verdict.DELIVERED), int(Verdict.DEAD), int(Verdict.DROPPED)])
    )
    minutes = ended.group_by(minute=(ended.end_us // _MINUTE_US).cast("int64")).aggregate(
        delivered=ended.count(where=ended.verdict == int(Verdict.DELIVERED)),
        dead=ended.count(where=ended.verdict == int(Verdict.DEAD)),
        lost=ended.count(where=ended.is_lost),
    )
    lost = ended.filter(ended.is_lost)
    first = row(lost.aggregate(accepted=lost.accepted_at.min(), end=lost.end_us.min()))
    return Past(
        minutes=tuple(
            Minute(int(r.minute) * _MINUTE_US, int(r.delivered), int(r.dead), int(r.lost))
            for r in rows(minutes.order_by("minute"))
        ),
        first_us=None if first.accepted is None else int(first.accepted),
        lost_us=None if first.end is None else int(first.end),
    )


#: column → number → text
Names = dict[str, dict[int, str]]


def _arm(judged: Any, names: Names) -> Arm:
    settled = judged.filter(judged.verdict.notin(_OPEN))
    tests = {name: settled[name] for name in CROSSINGS} | {
        "bad": settled.bad > 0,
        "bad_again": settled.bad > 1,
        "taken_again": settled.takes > 1,
    }
    groups = settled.mutate(
        all_=True, **{f"in_{name}": test.fill_null(False) for name, test in tests.items()}
    )
    lost = groups.verdict == int(Verdict.DROPPED)
    sums: dict[str, Any] = {}
    for name in ("all_", *(f"in_{name}" for name in STRATA)):
        sums[f"n_{name}"] = groups.count(where=groups[name])
        sums[f"k_{name}"] = groups.count(where=groups[name] & lost)
    found = row(groups.aggregate(**sums))
    return Arm(
        all=Count(n=found["n_all_"], k=found["k_all_"]),
        strata={
            text: Count(n=found[f"n_in_{name}"], k=found[f"k_in_{name}"])
            for name, text in STRATA.items()
        },
        mix={kind: mix for kind in _MIX if (mix := _mix(settled, kind, names.get(kind, {})))},
    )


def _mix(settled: Any, kind: str, texts: dict[int, str]) -> dict[str, int]:
    """Deliveries by value, if there are several and not too many."""
    named = settled.filter(settled[kind].notnull())
    found = rows(named.group_by(kind).aggregate(n=named.count()).limit(_MIX_VALUES_MAX + 1))
    mix = {texts[one[kind]]: int(one.n) for one in found if one[kind] in texts}
    return mix if 1 < len(found) <= _MIX_VALUES_MAX else {}
