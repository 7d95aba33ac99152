"""Which columns of a log are which of the times of a row. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from homing.forensics.reading.columns import (
    Seen,
    fits,
    instant,
    name_score,
    varies_within,
)
from homing.forensics.reading.lines import Row
from homing.forensics.reading.naming import best_named
from homing.forensics.vocabulary import normal


def choose_times(
    rows: Sequence[Row],
    seen: dict[str, Seen],
    take: Any,
    taken: set[str],
    key: list[str],
    repeated: bool,
) -> None:
    """The time of the row first: where deliveries have several rows, it is what differs in them."""
    times = {p: s for p, s in seen.items() if p not in taken and fits("at", s)}
    for name in ("ready_at", "due", "lease_until", "committed_at"):
        take(
            name, best_named(name, {p: s for p, s in times.items() if p not in taken}, set(), 60.0)
        )
    free = {p: s for p, s in times.items() if p not in taken}
    is_due_open = not any(
        p in taken and (name_score("due", p) >= 60 or name_score("ready_at", p) >= 60) for p in seen
    )
    if not repeated:
        _choose_steps(free, take)
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
        is_dated = any(s.is_calendar for s in free.values())
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
            if s.is_calendar or (name_score("at", p) > 0 and not is_dated)
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
            return
    _fill_at(free, seen, take, taken)


#: when a row that was created before was stored
_STORED: Final = ("ingested_at", "persisted_at")


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

_DUE_FEWEST: Final = 5


def _later(rows: Sequence[Row], left: dict[str, Seen], at: Seen) -> str | None:
    """The time, of those without a meaning, that looks forward: when a delivery is due again."""
    for path, one in left.items():
        if not one.is_calendar or one.filled > _DUE_FILLED_MAX * one.rows:
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
