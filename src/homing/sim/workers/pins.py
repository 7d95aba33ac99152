"""Holds a worker to the schedule of an incident, and leaves everything else to the seed.

A pin says what becomes of the requests of the first delivery, whoever makes them, and of its
publisher's writes. Which worker goes first, how many there are, when deliveries come, what becomes
of the other deliveries and all jitter is drawn anew for each seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import msgspec

from homing.sim.draws import Draws
from homing.sim.workers.case import DELIVERIES, SILENT_S, WORKERS, Answer, Case, Mishap
from homing.sim.workers.incident import Skeleton
from homing.sim.workers.schedule import make_world, rank
from homing.sim.workers.watch import Breach
from homing.sim.workers.world import Result

T = TypeVar("T")

PINNED: Final = "d1"  #: the delivery that the schedule is about
_replace: Any = msgspec.structs.replace


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one request, or of one of the publisher's writes."""

    nth: int  #: of the delivery's requests or the publisher's writes, from 1; 0: of each
    answer: Answer | None = None
    mishap: Mishap | None = None  #: of the publisher

    def __str__(self) -> str:
        if self.answer is not None:
            which = f"request {self.nth}" if self.nth else "every request"
            return f"{which}: {_words(self.answer)}"
        assert self.mishap is not None
        after = f" of {self.mishap.after_s:g} s" if self.mishap.after_s else ""
        return f"the publisher's write {self.nth}: {self.mishap.kind}{after}"


Pin = tuple[Rule, ...]


def _words(answer: Answer) -> str:
    if answer.crash:
        return f"its worker dies {'before it goes out' if answer.crash == 'before' else 'after it'}"
    if answer.is_lost:
        return "taken, and the answer is lost"
    if not answer.status:
        return f"no answer in {answer.after_s:g} s"
    return f"{answer.status}" + (f" after {answer.after_s:g} s" if answer.after_s > 1 else "")


class _Pinned(Draws):
    """Answers what the pin says, calm where it says nothing, and draws for the other deliveries."""

    def __init__(self, seed: int, pin: Pin) -> None:
        super().__init__(seed)
        self._pin = pin
        self._requests = self._writes = 0

    def fault(self, place: str, number: int, options: Sequence[T], weights: Sequence[float]) -> T:
        if self._stopped:
            return options[0]
        process, _, rest = place.partition(".")
        wanted: object = None
        if rest.startswith("send."):
            if rest != f"send.{PINNED}":
                drawn: Any = super().fault(place, number, options, weights)
                if drawn.crash or drawn.after_s > 1:  # it would keep a worker from the pinned one
                    del self.made[f"{place}#{number}"]
                    return options[0]
                return drawn  # type: ignore[no-any-return]
            self._requests += 1
            wanted = self._answer(self._requests)
        elif process.startswith("P1") and Mishap("crash before") in options:
            self._writes += 1
            wanted = self._mishap(self._writes)
        if wanted is None:
            return options[0]
        index = options.index(wanted)
        self.made[f"{place}#{number}"] = index
        return options[index]

    def user(
        self, place: str, number: int, options: Sequence[T], weights: Sequence[float] = ()
    ) -> T:
        index = options.index(super().user(place, number, options, weights))
        if place == "publisher.gap" and any(r.mishap and r.mishap.after_s for r in self._pin):
            # whoever is slow to commit began first
            index = 0 if number == 1 else max(index, 1)
        self.made.pop(f"{place}#{number}", None)
        if index:
            self.made[f"{place}#{number}"] = index
        return options[index]

    @property
    def is_held(self) -> bool:
        """Whether everything that the pin says has had its occasion."""
        return all(
            (self._requests if rule.answer is not None else self._writes) >= max(rule.nth, 1)
            for rule in self._pin
        )

    def _answer(self, nth: int) -> Answer | None:
        return next((r.answer for r in self._pin if r.answer and r.nth in (0, nth)), None)

    def _mishap(self, nth: int) -> Mishap | None:
        return next((r.mishap for r in self._pin if r.mishap and r.nth in (0, nth)), None)


def run_pinned(case: Case, pin: Pin, seed: int) -> tuple[Case, Result, bool]:
    """One world held to the pin; how many workers and deliveries there are is the seed's.

    Returns:
        The case with those, what came of it, and whether all of the pin had its occasion.
    """
    workers = min(case.workers + seed % 2, WORKERS[1])
    deliveries = min(case.deliveries + seed // 2 % 2, DELIVERIES[1])
    drawn: Case = _replace(case, workers=workers, deliveries=deliveries)
    world = make_world(drawn, seed)
    world.draws = draws = _Pinned(seed, pin)
    world.mishaps_left = 1_000
    result = world.run()
    return drawn, result, draws.is_held


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """So many worlds held to one pin."""

    pin: Pin
    times: int
    broken: tuple[int, ...]  #: seeds
    breach: Breach | None  #: of the first
    held: int  #: worlds in which everything that the pin says had its occasion

    @property
    def reproduced(self) -> int:
        return len(self.broken)


def try_pin(case: Case, pin: Pin, times: int, first: int = 0) -> Trial:
    """Worlds of consecutive seeds, each held to the pin."""
    broken, held, breach = [], 0, None
    for seed in range(first, first + times):
        _, result, is_held = run_pinned(case, pin, seed)
        held += is_held or bool(result.breaches)
        if result.breaches:
            broken.append(seed)
            breach = breach or min(result.breaches, key=rank)
    return Trial(pin=pin, times=times, broken=tuple(broken), breach=breach, held=held)


def reproduce(case: Case, mechanism: str, times: int, first: int = 0) -> Trial | None:
    """Hold the worker to the mechanism's schedule: as it stands in the skeleton first, then in
    the nearest other ways; the first that breaks every time is kept, or else the best.

    Returns:
        None where there is no such mechanism.
    """
    best: Trial | None = None
    for pin in pins_of(mechanism, case):
        probe = try_pin(case, pin, min(times, 5), first)
        if best is not None and probe.reproduced * best.times <= best.reproduced * probe.times:
            continue
        best = try_pin(case, pin, times, first) if probe.reproduced else best or probe
        if best.reproduced == times:
            break
    if best is not None and best.times < times:
        best = try_pin(case, best.pin, times, first)
    return best


def with_times(case: Case, skeleton: Skeleton) -> Case:
    """The case with the response time of the log among its delays."""
    response_s = skeleton.seconds("response_s")
    if response_s is None or response_s <= 1.0:
        return case
    delays = tuple(sorted({*case.delays_s, round(response_s, 1)}))
    timeout_s = case.timeout_s
    if not case.is_timeout_given:
        timeout_s = max(timeout_s, round(delays[-1] * 1.2, 1))
    made: Case = _replace(case, delays_s=delays, timeout_s=timeout_s)
    return made


# --- the schedules of the mechanisms ---

_REFUSED: Final = Answer(503)
_LIMITED: Final = Answer(429)
_TAKEN: Final = Answer(200)
_DIES_BEFORE: Final = Answer(200, crash="before")
_DIES_AFTER: Final = Answer(200, crash="after")


def _request(nth: int, answer: Answer) -> Rule:
    return Rule(nth=nth, answer=answer)


def _silent(case: Case) -> list[Answer]:
    return [Answer(0, case.timeout_s), Answer(0, SILENT_S)]


def _slow(case: Case, status: int) -> list[Answer]:
    """The longest first: it outlives the lease, if any does."""
    return [Answer(status, after_s) for after_s in reversed(case.delays_s)]


def _failed_once(case: Case) -> list[Pin]:
    return [
        (_request(1, _REFUSED),),
        *((_request(1, silent),) for silent in _silent(case)),
        (_request(1, _LIMITED),),
        *((_request(1, slow),) for slow in _slow(case, 500)),
    ]


def _failed_often(case: Case) -> list[Pin]:
    return [(_request(0, answer),) for answer in (_REFUSED, *_silent(case), _LIMITED)]


def _died(case: Case) -> list[Pin]:
    return [(_request(1, _DIES_BEFORE),), (_request(1, _DIES_AFTER),)]


def _outlived(case: Case) -> list[Pin]:
    return [(_request(1, slow),) for slow in _slow(case, 200)]


def _crossed(case: Case) -> list[Pin]:
    late_refusals, late_successes = _slow(case, 500), _slow(case, 200)
    return [
        *((_request(1, late), _request(2, _REFUSED)) for late in late_refusals),
        *((_request(1, late), _request(2, _TAKEN)) for late in late_refusals),
        *((_request(1, late), _request(2, _REFUSED)) for late in late_successes),
        *((_request(1, one), _request(2, one)) for one in late_refusals),
    ]


def _half_accepted(case: Case) -> list[Pin]:
    return [
        (Rule(nth=nth, mishap=Mishap(kind)),)
        for nth in (1, 2, 3)
        for kind in ("crash after", "answer lost")
    ]


def _late_commit(case: Case) -> list[Pin]:
    return [
        (Rule(nth=nth, mishap=Mishap("slow", after_s)),)
        for nth in (1, 2, 3)
        for after_s in case.delays_s
    ]


#: mechanism → the ways to have it, as the skeleton says it first
_PINS: Final[dict[str, Sequence[Callable[[Case], list[Pin]]]]] = {
    "D1": (_failed_once, _failed_often),
    "D2": (_failed_once, _died),
    "D3": (_half_accepted,),
    "D4": (_died,),
    "D5": (_failed_once,),
    "D6": (_crossed,),
    "D7": (_outlived, _died),
    "D8": (_died, _outlived),
    "D9": (_failed_often,),
    "D10": (_failed_often,),
    "D11": (_failed_often,),
    "D12": (_late_commit,),
}
PINNABLE: Final = tuple(_PINS)


def pins_of(mechanism: str, case: Case) -> list[Pin]:
    """The ways to hold a worker to the mechanism's schedule.

    For D9 it is the switch that a worker throws itself, after failures; an endpoint that a person
    switched off is not in these worlds.
    """
    return [pin for some in _PINS.get(mechanism, ()) for pin in some(case)]
