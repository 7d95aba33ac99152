"""Which columns of a log are which of the times of a row. Pure."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

from homing.forensics.reading.columns import (
    Seen,
    fits,
    instant,
    name_score,
    varies_within,
)
from homing.forensics.reading.lines import Row
from homing.forensics.reading.mapping import Column
from homing.forensics.reading.naming import best_named
from homing.forensics.vocabulary import normal


def choose_times(
    rows: Sequence[Row],
    seen: dict[str, Seen],
    take: Any,
    taken: set[str],
    key: list[str],
    repeated: bool,
    chosen: dict[str, Column],
) -> None:
    """The time of the row first: where deliveries have several rows, it is what differs in them."""
    times = {p: s for p, s in seen.items() if p not in taken and fits("at", s)}
    if any(s.is_calendar for s in times.values()):
        # beside dates `next_attempt = 3` is the number of one
        times = {p: s for p, s in times.items() if s.is_calendar}
    # when each change was committed is the time of its row, and none of the delivery's
    moving = {p for p in times if repeated and varies_within(rows, key, p) >= _MOVING_MIN}
    for name in ("ready_at", "due", "lease_until", "committed_at"):
        left = {p: s for p, s in times.items() if p not in taken}
        left = {p: s for p, s in left.items() if name != "committed_at" or p not in moving}
        take(name, best_named(name, left, set(), 60.0))
    free = {p: s for p, s in times.items() if p not in taken}
    is_due_open = not any(
        p in taken and (name_score("due", p) >= 60 or name_score("ready_at", p) >= 60) for p in seen
    )
    if not repeated:
        _choose_steps(free, take)
        if "to_state" in chosen:  # a row that says how it stands may be gone all the same
            take("removed_at", best_named("removed_at", free, set(), 60.0))
        for name in (
            "finished_at",
            "dead_at",
            "cancelled_at",
            "started_at",
            "changed_at",
            "accepted_at",
        ):
            take(
                name,
                best_named(name, {p: s for p, s in free.items() if p not in taken}, set(), 60.0),
            )
    else:
        scored = [
            (
                name_score("at", p)
                + 40 * varies_within(rows, key, p)
                + 40 * s.filled / s.rows
                - 10 * (name_score("started_at", p) >= 60),  # of a span the end says more
                -i,
                p,
            )
            for i, (p, s) in enumerate(free.items())
            if s.is_calendar or name_score("at", p) > 0
            if p in moving or not (_is_of_commits(free, moving) or _is_of_changes(free, moving))
        ]
        best = max(scored, default=(0.0, 0, ""))
        has_time = best[0] > 20
        take("at", best[2] if has_time else None)
        for name in ("accepted_at", "finished_at", "started_at", "changed_at"):
            take(
                name,
                best_named(name, {p: s for p, s in free.items() if p not in taken}, set(), 60.0),
            )
        if has_time:
            left = {p: s for p, s in free.items() if p not in taken}
            take("due", _later(rows, left, free[best[2]]) if is_due_open else None)
            _tell_apart(rows, seen, left, free[best[2]], key, chosen, take)
            return
    _fill_at(free or times, seen, take, taken)


#: of the deliveries with several rows, in so many what is the time of a row differs
_MOVING_MIN: Final = 0.5


def _is_of_commits(free: dict[str, Seen], moving: set[str]) -> bool:
    """Whether rows are dated by when their change was committed, as those of a change stream."""
    return any(p in moving and name_score("committed_at", p) >= 60 for p in free)


#: of the rows of a history, so many say when they were changed
_CHANGED_MIN: Final = 0.9


def _is_of_changes(free: dict[str, Seen], moving: set[str]) -> bool:
    """Whether each row is what a change left, and when that was differs from row to row."""
    return any(
        p in moving and s.filled >= _CHANGED_MIN * s.rows and name_score("changed_at", p) >= 60
        for p, s in free.items()
    )


#: when a row that was created before was stored
_STORED: Final = ("ingested_at", "persisted_at", "stored_at")


def _choose_steps(free: dict[str, Seen], take: Any) -> None:
    """Where a row tells when it was created, and when it was stored or handed to a queue as well, these
    are steps of their own; else each is the time of its acceptance."""
    created = [p for p in free if normal(p) in _CREATED]
    if not created:
        return
    take("committed_at", next((p for p in free if normal(p) in _STORED), None))
    take("queued_at", best_named("queued_at", free, set(), 90.0))


#: when a delivery was accepted, by the name of its row
_CREATED: Final = ("accepted_at", "created_at", "inserted_at", "received_at")

#: a time that fewer rows have, and that is nearly always later than its row's, is one to wait for
_DUE_FILLED_MAX: Final = 0.7

_DUE_LATER: Final = 0.95
#: what is called so has been, and is not waited for
_PAST: Final = re.compile(
    r"(^|_)(ack|receipt|callback|answer|response|\w+ed)_(at|on|time|ts)$", re.IGNORECASE
)

_DUE_FEWEST: Final = 5


#: of the rows with the end of a lease, so many are followed by another before it
_LEASE_MIN: Final = 0.8
_LEASE_ROWS_MIN: Final = 50
#: of the rows with a due time, so many have a line of the next turn so soon after it
_TAKEN_UP_S: Final = 120.0
_TAKEN_UP_MIN: Final = 0.5


def _tell_apart(
    rows: Sequence[Row],
    seen: dict[str, Seen],
    left: dict[str, Seen],
    at: Seen,
    key: list[str],
    chosen: dict[str, Column],
    take: Any,
) -> None:
    """What was taken for a due time, and is past before it comes, is the end of a lease: the next line
    comes while it holds, as it never does before a retry is due."""
    due = chosen.get("due")
    if due is None or "lease_until" in chosen or name_score("due", due.path) >= _DUE_NAMED:
        return
    if not _is_followed_before(rows, seen[due.path], at, key):
        return
    chosen["lease_until"] = chosen.pop("due")
    others = {p: s for p, s in left.items() if p != due.path}
    take("due", _later(rows, others, at))


#: a name that says so much is a due time's, whatever follows
_DUE_NAMED: Final = 80.0


def _is_followed_before(rows: Sequence[Row], one: Seen, at: Seen, key: list[str]) -> bool:
    lines: dict[tuple[str, ...], list[tuple[float, float | None]]] = {}
    for row in rows:
        now = instant(row.get(at.path), at.time)
        if now is not None and any(row.get(k) is not None for k in key):
            name = tuple(str(row.get(k)) for k in key)
            lines.setdefault(name, []).append((now, instant(row.get(one.path), one.time)))
    told = before = taken_up = 0
    for some in lines.values():
        some.sort(key=lambda line: line[0])
        times = [now for now, _ in some]
        for i, ((_, until), (after, _)) in enumerate(pairwise(some)):
            if until is not None:
                told += 1
                before += after < until
                place = bisect_left(times, until, i + 1)
                taken_up += place < len(times) and times[place] <= until + _TAKEN_UP_S
    # what is written at the end of a turn is no sign of a lease, where a line comes when a retry is due
    is_due = taken_up > _TAKEN_UP_MIN * told
    return told >= _LEASE_ROWS_MIN and before >= _LEASE_MIN * told and not is_due


def _later(rows: Sequence[Row], left: dict[str, Seen], at: Seen) -> str | None:
    """The time, of those without a meaning, that looks forward: when a delivery is due again."""
    for path, one in left.items():
        if not one.is_calendar or one.filled > _DUE_FILLED_MAX * one.rows:
            continue
        if _PAST.search(normal(path)) and name_score("due", path) <= 0:
            continue
        pairs = [
            (instant(row.get(path), one.time), instant(row.get(at.path), at.time)) for row in rows
        ]
        told = [then > now for then, now in pairs if then is not None and now is not None]
        if len(told) >= _DUE_FEWEST and sum(told) >= _DUE_LATER * len(told):
            return path
    return None


def _fill_at(free: dict[str, Seen], seen: dict[str, Seen], take: Any, taken: set[str]) -> None:
    """Where no column is left to be the time of the row, another time is it as well."""
    left = best_named("at", {p: s for p, s in free.items() if p not in taken}, set(), 20.0)
    if left is not None:
        take("at", left)
        return
    ranked = [(name_score("at", p), s.filled, p) for p, s in free.items()]
    if ranked:
        take("at", max(ranked)[2])
