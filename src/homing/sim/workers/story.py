"""A broken schedule of somebody's workers, told so that it fits one screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from homing.sim.story import REPEATS, ROWS_MAX, Row, nearest
from homing.sim.workers.schedule import Schedule
from homing.sim.workers.trace import Event
from homing.sim.workers.watch import Breach

_OTHERS: Final = "others"
_NOT_WORKERS: Final = frozenset({"publisher", "receiver", "world"})


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """The same world with another worker."""

    worker: str
    is_refused: bool  #: nothing was broken
    where: str  #: the first thing that went another way
    ends: str  #: the state in which the delivery ends


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """All that there is to show."""

    worker: str
    verdict: str
    lanes: tuple[str, ...]
    rows: tuple[Row, ...]
    breach: Breach
    mishaps: tuple[str, ...]  #: what was out of the ordinary, in words
    token: str
    size: int  #: how many things were out of the ordinary
    workers: int
    deliveries: int
    runs: int  #: worlds until one was broken
    shrink_runs: int
    shrinks: int
    reproduced: int  #: times out of REPEATS
    refusal: Refusal | None = None

    @property
    def command(self) -> str:
        return f"homing reproduce --replay {self.token}"


def tell(
    schedule: Schedule,
    invariant: str = "",
    *,
    runs: int = 1,
    shrink_runs: int = 0,
    shrinks: int = 0,
    fixed: str = "",
) -> Story | None:
    """The story of a schedule that breaks something; None if it breaks nothing.

    Args:
        invariant: by name; empty: the worst that it breaks.
        runs, shrink_runs, shrinks: what it took to find it.
        fixed: another worker, by name, to have the same world.
    """
    result = schedule.run(trace=True)
    breach = schedule.find(result, invariant)
    if breach is None:
        return None
    again = sum(schedule.find(schedule.run(), breach.invariant) == breach for _ in range(REPEATS))
    told = _told(result.events, breach.delivery)
    crossing = crossing_of(told, breach)
    lanes = _lanes(told, crossing)
    return Story(
        worker=schedule.case.worker,
        verdict=_verdict(told, crossing, breach),
        lanes=(
            *(f"{'publisher' if lane.startswith('P') else 'worker'} {lane}" for lane in lanes),
            _OTHERS,
        ),
        rows=tuple(_rows(told, lanes, crossing)),
        breach=breach,
        mishaps=tuple(_mishaps(result.events)),
        token=schedule.token(),
        size=schedule.size,
        workers=schedule.case.workers,
        deliveries=schedule.case.deliveries,
        runs=runs,
        shrink_runs=shrink_runs,
        shrinks=shrinks,
        reproduced=again,
        refusal=refuse(schedule, fixed, breach.delivery) if fixed else None,
    )


def _machine(event: Event) -> str:
    """The worker's or publisher's lane, whatever its life; empty for whoever is none."""
    if event.lane in _NOT_WORKERS:
        return ""
    return event.lane.partition("/")[0] if event.lane.startswith("P") else event.lane[:1]


def _told(events: Sequence[Event], which: str) -> list[Event]:
    """What has to do with the delivery: its own events, and what became of its processes."""
    touched = {_machine(e) for e in events if e.delivery == which}
    told: list[Event] = []
    for event in events:
        if event.op == "accepted" and event.delivery != which:
            continue
        is_about = event.delivery == which or (
            event.op == "find" and which in event.what.split(": ")[-1].split(", ")
        )
        is_process = event.is_mishap or event.op in ("crash", "start", "end")
        is_process = is_process and not event.delivery and _machine(event) in touched
        if is_about or is_process or event.op == "calm":
            told.append(event)
    return told


def crossing_of(told: Sequence[Event], breach: Breach) -> tuple[int | None, int | None]:
    """Places of the two operations that crossed, the earlier one first."""
    own = [i for i, event in enumerate(told) if event.delivery == breach.delivery]
    changed = [i for i in own if told[i].before != told[i].state]
    written = _written(told, own)
    if breach.invariant == "nothing_is_sent_after_success":
        sends = [i for i in own if told[i].op == "send"]
        earlier = [i for i in changed if sends and i < sends[-1]]
        return (earlier[-1] if earlier else None), (sends[-1] if sends else None)
    if breach.invariant in ("nothing_is_lost", "everything_ends"):
        return _last_of_the_lost(told, own, written)
    if not changed:
        return None, (own[-1] if own else None)
    last = changed[-1]
    before = [i for i in changed[:-1] if told[i].state == told[last].before]
    if breach.invariant == "an_end_is_for_ever":
        return (before[-1] if before else None), last
    return _led_to(told, own, last, written), last


def _written(told: Sequence[Event], own: Sequence[int]) -> list[int]:
    """Places of what wrote to the row: its state, or any other field of it, is not what it was.

    A late result may leave the state as it is and take the due time away.
    """
    found = []
    before = None
    for place in own:
        event = told[place]
        is_other = before is not None and (before.state, before.row) != (event.state, event.row)
        if event.before != event.state or (is_other and _machine(event)):
            found.append(place)
        before = event
    return found


def _led_to(
    told: Sequence[Event], own: Sequence[int], last: int, written: Sequence[int]
) -> int | None:
    """What made an operation go wrong: a mishap or what somebody else changed, whichever was later;
    without either, the answer that it followed."""
    earlier = [i for i in own if i < last]
    others = [
        i for i in earlier if i in written and _machine(told[i]) not in ("", _machine(told[last]))
    ]
    mishaps = [i for i in range(last) if told[i].is_mishap]
    answers = [i for i in earlier if told[i].op == "answer"]
    return max([*others, *mishaps], default=max(answers, default=None))


def _last_of_the_lost(
    told: Sequence[Event], own: Sequence[int], written: Sequence[int]
) -> tuple[int | None, int | None]:
    """The last mishap, or else the last write, and what was done to the row before.

    Nothing writes the row after the last write, so that one is what loses it.
    """
    mishaps = [i for i, event in enumerate(told) if event.is_mishap]
    last_write = written[-1] if written else None
    if mishaps and (last_write is None or mishaps[-1] >= last_write - 1):
        before = [i for i in own if i < mishaps[-1]]
        return (before[-1] if before else None), mishaps[-1]
    if last_write is None:
        return None, (own[-1] if own else None)
    later = [i for i in own if i > last_write and told[i].op in ("send", "answer")]
    if later:
        return last_write, later[-1]
    return _led_to(told, own, last_write, written), last_write


def _whose(event: Event) -> str:
    return event.what if event.lane in _NOT_WORKERS else f"{event.lane} {event.what}"


def _verdict(told: Sequence[Event], crossing: tuple[int | None, int | None], breach: Breach) -> str:
    first, second = (told[i] if i is not None else None for i in crossing)
    text = f"{breach.text}."
    if second is None:
        return text
    if first is None:
        return f"“{_whose(second)}”: {text}"
    if _machine(first) == _machine(second):
        return f"“{_whose(first)}”, then “{_whose(second)}”: {text}"
    return f"“{_whose(first)}” and “{_whose(second)}” crossed: {text}"


def _lanes(told: Sequence[Event], crossing: Sequence[int | None]) -> list[str]:
    """Two of the machines at most: those that crossed, and then whoever did most."""
    weights: dict[str, int] = {}
    for index, event in enumerate(told):
        if _machine(event):
            weight = 100 if index in crossing else 1 + (event.before != event.state)
            weights[_machine(event)] = weights.get(_machine(event), 0) + weight
    return sorted(sorted(weights, key=lambda lane: -weights[lane])[:2])


def _rows(told: Sequence[Event], lanes: Sequence[str], crossing: Sequence[int | None]) -> list[Row]:
    marked = [i for i in crossing if i is not None]
    notable = [i for i, event in enumerate(told) if event.is_mishap or " will " in event.what]
    shown: set[int] = set()
    for most in (4, 2, 1, 0):
        shown = nearest(len(told), [*marked, *notable[:most]])
        gaps = sum(i not in shown and (i == 0 or i - 1 in shown) for i in range(len(told)))
        if len(shown) + gaps <= ROWS_MAX:
            break
    rows: list[Row] = []
    gap = 0
    for index, event in enumerate(told):
        if index not in shown:
            gap += 1
            continue
        if gap:
            cells = ("",) * len(lanes)
            rows.append(Row(at_s=event.at_s, cells=(*cells, f"… {gap} more"), state="", version=""))
            gap = 0
        place = lanes.index(_machine(event)) if _machine(event) in lanes else len(lanes)
        in_lane = place < len(lanes)
        text = _said(event) if in_lane else _whose(event)
        rows.append(
            Row(
                at_s=event.at_s,
                cells=tuple(text if i == place else "" for i in range(len(lanes) + 1)),
                state=event.state,
                version=event.row,
                is_crossing=index in marked,
            )
        )
    return rows


def _said(event: Event) -> str:
    return event.what if event.lane == _machine(event) else f"({event.lane}) {event.what}"


def _mishaps(events: Sequence[Event]) -> list[str]:
    return [f"at {e.at_s:.1f} s {_whose(e)}" for e in events if e.is_mishap]


def refuse(schedule: Schedule, worker: str, which: str) -> Refusal:
    """Where the same world goes another way with another worker, and how the delivery ends."""
    broken = schedule.run(trace=True)
    safe = schedule.run(worker=worker, trace=True)
    ours = [e for e in safe.events if e.delivery == which]
    theirs = [e for e in broken.events if e.delivery == which]
    ends = safe.states.get(which) or "gone from the store"
    if safe.breaches:
        where = f"it breaks {safe.breaches[0].invariant} all the same: {safe.breaches[0].text}"
        return Refusal(worker=worker, is_refused=False, where=where, ends=ends)
    refused = next((e for e in reversed(ours) if e.is_refused), None)
    for index, event in enumerate(ours):
        other = theirs[index] if index < len(theirs) else None
        if other is None or (other.lane, other.what) != (event.lane, event.what):
            told = refused if refused is not None and refused.at_s >= event.at_s else event
            where = f"at {told.at_s:.1f} s {_whose(told)}"
            return Refusal(worker=worker, is_refused=True, where=where, ends=ends)
    where = "it goes the same way for this delivery, and nothing is broken"
    return Refusal(worker=worker, is_refused=True, where=where, ends=ends)
