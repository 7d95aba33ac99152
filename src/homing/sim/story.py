"""A broken schedule, told so that it fits one screen: who crossed whom, and what it did."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import msgspec

from homing.core.identifiers import DeliveryId
from homing.insight.evidence import Breach
from homing.sim.result import Result
from homing.sim.safeguards import BY_NAME
from homing.sim.schedule import Schedule
from homing.sim.trace import Event
from homing.sim.world import NAMES

ROWS_MAX: Final = 12
#: how often a schedule is had again to see that it does the same
REPEATS: Final = 5
#: kinds of events that something goes wrong by
_FAULTS: Final = frozenset({"crash", "away", "answer lost", "pause", "clock", "outage", "clean"})
_OTHERS: Final = "others"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table."""

    at_s: float
    cells: tuple[str, ...]  #: what each lane does; one of them is not empty
    state: str
    version: str
    is_crossing: bool = False


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """All that there is to show."""

    verdict: str
    lanes: tuple[str, ...]
    rows: tuple[Row, ...]
    breach: Breach
    delivery: str  #: its short name
    token: str
    safeguard: str
    does: str  #: what the safeguard does
    instead: str
    refusal: str  #: the same schedule with the safeguard on
    ends: str  #: how the delivery ends then
    seed: int
    worlds: int  #: that were run until one broke it
    runs: int  #: that were run to make it small
    shrinks: int
    reproduced: int  #: times out of REPEATS

    @property
    def command(self) -> str:
        return f"homing simulate --replay {self.token}"


def tell(
    schedule: Schedule, invariant: str, *, worlds: int = 1, runs: int = 0, shrinks: int = 0
) -> Story | None:
    """The story of a schedule that breaks an invariant; None if it breaks none.

    Args:
        invariant: by name; empty: the first that it breaks.
        worlds, runs, shrinks: what it took to find it.
    """
    result = schedule.run(trace=True)
    breach = schedule.find(result, invariant)
    if breach is None:
        return None
    again = sum(schedule.find(schedule.run(), breach.invariant) == breach for _ in range(REPEATS))
    which = breach.delivery
    told = _told(result, which)
    guard = BY_NAME.get(schedule.safeguard)
    first, second = _crossing(told, which, breach, guard.crosses if guard else None)
    lanes = _lanes(told, which, (first, second))
    refusal, ends = _with_it(schedule, result, which) if guard else ("", "")
    return Story(
        verdict=_verdict(first, second, breach),
        lanes=(*(f"worker {lane}" for lane in lanes), _OTHERS),
        rows=tuple(_rows(told, which, lanes, (first, second))),
        breach=breach,
        delivery=_name(which, result),
        token=schedule.token(),
        safeguard=schedule.safeguard,
        does=guard.does if guard else "",
        instead=guard.instead if guard else "",
        refusal=refusal,
        ends=ends,
        seed=schedule.seed,
        worlds=worlds,
        runs=runs,
        shrinks=shrinks,
        reproduced=again,
    )


def _name(which: DeliveryId | None, result: Result) -> str:
    if which is None:
        return ""
    names = result.names
    return f"{names.get(which.message_id, 'm?')}.{names.get(which.endpoint_id, 'e?')}"


def _machine(event: Event) -> str:
    """The worker's letter; empty for whoever is none."""
    return event.lane[0] if event.lane[0] in NAMES and event.lane[1:].isdigit() else ""


def _told(result: Result, which: DeliveryId | None) -> list[Event]:
    """The events that have to do with the delivery."""
    touched = {_machine(e) for e in result.events if e.delivery == which} - {""}
    if which is None or not touched:
        touched = set(NAMES)
    message = f"message {_name(which, result).partition('.')[0].removeprefix('m')} "
    return [e for e in result.events if _belongs(e, which, touched, message)]


def _belongs(event: Event, which: DeliveryId | None, touched: set[str], message: str) -> bool:
    if event.kind in ("breach", "calm"):
        return False
    if event.delivery is not None:
        return event.delivery == which
    match event.kind:
        case "ack":
            return message in event.what
        case "outage" | "wish":
            return True
        case "start":
            return event.at_s > 0 and _machine(event) in touched
        case _:
            return _machine(event) in touched or not _machine(event)


def _crossing(
    told: Sequence[Event],
    which: DeliveryId | None,
    breach: Breach,
    hint: tuple[str, str] | None,
) -> tuple[Event | None, Event | None]:
    """The two operations that crossed, the earlier one first.

    Args:
        hint: words in what each of them does, if it is known what to look for.
    """
    for at in range(len(told) - 1, 0, -1) if hint else ():
        if hint and hint[1] in told[at].what:
            earlier = [event for event in told[:at] if hint[0] in event.what]
            if earlier:
                return earlier[-1], told[at]
    own = [event for event in told if event.delivery == which and event.state]
    if breach.invariant in ("no_stale_write", "every_step_is_legal"):
        for one, next_one in pairwise(event for event in own if not event.is_refused):
            if next_one.version_before != one.version:
                return one, next_one
    faults = [i for i, event in enumerate(told) if event.kind in _FAULTS]
    for at in reversed(faults):
        before = [e for e in told[:at] if e.delivery == which or _machine(e) == _machine(told[at])]
        if before:
            return before[-1], told[at]
    wishes = [i for i, event in enumerate(told) if event.kind == "wish"]
    for at in reversed(wishes):
        if at + 1 < len(told):
            return told[at], told[at + 1]
    if len(told) > 1:
        return told[-2], told[-1]
    return None, told[-1] if told else None


def _lanes(
    told: Sequence[Event], which: DeliveryId | None, crossing: Sequence[Event | None]
) -> list[str]:
    """Two workers at most: those that crossed, and then whoever did most."""
    weights: dict[str, int] = {}
    for event in told:
        if _machine(event):
            weight = 100 if event in crossing else 1 + (event.delivery == which)
            weights[_machine(event)] = weights.get(_machine(event), 0) + weight
    return sorted(sorted(weights, key=lambda lane: -weights[lane])[:2])


def _said(event: Event) -> str:
    life = event.lane[1:]
    again = f"({event.lane}) " if _machine(event) and life != "1" else ""
    return f"{again}{event.what}"


def _verdict(first: Event | None, second: Event | None, breach: Breach) -> str:
    if second is None:
        return f"{breach.text[0].upper()}{breach.text[1:]}."
    if first is None:
        return f"“{_whose(second)}” did it: {breach.text}."
    if _machine(first) == _machine(second):
        return f"“{_whose(first)}”, then “{_whose(second)}”: {breach.text}."
    return f"“{_whose(first)}” and “{_whose(second)}” crossed: {breach.text}."


def _whose(event: Event) -> str:
    return f"{event.lane} {event.what}" if _machine(event) else f"{event.lane}: {event.what}"


def _rows(
    told: Sequence[Event],
    which: DeliveryId | None,
    lanes: Sequence[str],
    crossing: Sequence[Event | None],
) -> list[Row]:
    marked = [i for i, event in enumerate(told) if any(event is one for one in crossing)]
    shown = nearest(len(told), marked)
    rows = []
    state, version = "", ""
    gap = 0
    for index, event in enumerate(told):
        if event.delivery == which and event.state:
            state, version = event.state, f"v{event.version}"
        if index not in shown:
            gap += 1
            continue
        if gap:
            cells = ("",) * len(lanes)
            rows.append(Row(at_s=event.at_s, cells=(*cells, f"… {gap} more"), state="", version=""))
            gap = 0
        place = lanes.index(_machine(event)) if _machine(event) in lanes else len(lanes)
        text = _said(event) if place < len(lanes) else _whose(event)
        cells = tuple(text if i == place else "" for i in range(len(lanes) + 1))
        rows.append(
            Row(
                at_s=event.at_s,
                cells=cells,
                state=state,
                version=version,
                is_crossing=index in marked,
            )
        )
    return rows


def nearest(count: int, marked: Sequence[int]) -> set[int]:
    """At most so many rows: the first, the last, and those around what crossed."""
    room = ROWS_MAX - 2
    if count <= ROWS_MAX:
        return set(range(count))
    centres = [*marked, 0, count - 1]
    by_nearness = sorted(range(count), key=lambda i: (min(abs(i - c) for c in centres), -i))
    return set(by_nearness[:room])


def _with_it(schedule: Schedule, broken: Result, which: DeliveryId | None) -> tuple[str, str]:
    """Where the same schedule goes another way when nothing is taken out, and how it ends."""
    safe = schedule.run(safe=True, trace=True)
    name = _name(which, broken)
    ours = [e for e in safe.events if e.delivery is not None and _name(e.delivery, safe) == name]
    theirs = [e for e in broken.events if e.delivery == which and e.kind != "breach"]
    ends = next((f"{e.state} v{e.version}" for e in reversed(ours) if e.state), "as it was")
    if safe.breaches:
        return f"it breaks {safe.breaches[0].invariant} all the same", ends
    refused = next((event for event in ours if event.is_refused), None)
    if refused is not None:
        return f"at {refused.at_s:.3f} s {_whose(refused)}", ends
    for index, event in enumerate(ours):
        other = theirs[index] if index < len(theirs) else None
        if other is None or (other.lane, other.what) != (event.lane, event.what):
            return f"at {event.at_s:.3f} s, instead, {_whose(event)}", ends
    return "it goes the same way for this delivery, and nothing is broken", ends
