"""Makes a world that breaks an invariant as small as it gets: what is left is what it takes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from contextlib import suppress
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec

from homing.sim.draws import Choices, Turns

K = TypeVar("K", bound=Hashable)

#: callbacks that all worlds of one shrinking may run: some seconds, and the same on any machine
STEPS_MAX: Final = 2_000_000
_replace: Any = msgspec.structs.replace


class Shrinkable(Protocol):
    """A msgspec struct that says what was out of the ordinary in a world, and has it again."""

    @property
    def choices(self) -> Choices: ...

    @property
    def turns(self) -> Turns: ...

    @property
    def size(self) -> int:
        """How many things are out of the ordinary."""
        ...

    def run(self) -> Any:
        """What comes of it; `steps` says how many callbacks it took."""
        ...

    def find(self, result: Any, invariant: str, /) -> object | None:
        """What broke the invariant; None if nothing did."""
        ...


S = TypeVar("S", bound=Shrinkable)


class Shrunk(msgspec.Struct, Generic[S], frozen=True, kw_only=True):
    """The smallest that was found."""

    schedule: S
    runs: int  #: worlds that were run
    shrinks: int  #: of which this many were smaller and still broke it


class _BudgetSpent(Exception):
    """Enough was tried."""


class _Shrinker(Generic[S]):
    def __init__(self, schedule: S, invariant: str, steps_max: int) -> None:
        self.best = schedule
        self.steps_max = steps_max
        self.invariant = invariant
        self.runs = 0
        self.steps = 0
        self.shrinks = 0

    def breaks(self, schedule: S) -> bool:
        """Whether it still does; the smaller one is kept then."""
        if self.steps >= self.steps_max:
            raise _BudgetSpent
        result = schedule.run()
        self.runs += 1
        self.steps += result.steps
        found = schedule.find(result, self.invariant) is not None
        if found:
            self.best = schedule
            self.shrinks += 1
        return found

    def all(self) -> None:
        """Until nothing more can be left out."""
        if not self.breaks(self.best):
            return  # somebody else's loss
        self.breaks(_replace(self.best, turns={}))
        size = -1
        while size != self.best.size:
            size = self.best.size
            self.leave_out(self.best.choices, lambda some: _replace(self.best, choices=some))
            self.leave_out(self.best.turns, lambda some: _replace(self.best, turns=some))
            self.lower_choices()
            self.lower_turns()
            if self.best.turns:
                self.breaks(_replace(self.best, turns={}))

    def leave_out(self, given: dict[K, int], made: Callable[[dict[K, int]], S]) -> None:
        """Without half of it, a quarter, … one (delta debugging, greedily)."""
        kept = dict(given)
        size = max(len(kept) // 2, 1)
        while kept:
            start = 0
            while start < len(kept):
                out = set(list(kept)[start : start + size])
                some = {key: value for key, value in kept.items() if key not in out}
                if self.breaks(made(some)):
                    kept = some
                else:
                    start += size
            if size == 1:
                return
            size //= 2

    def lower_choices(self) -> None:
        """Fewer of everything, shorter waits, milder faults: closer to calm."""
        for name, value in list(self.best.choices.items()):
            for lower in _lower(value):
                if self.breaks(_replace(self.best, choices={**self.best.choices, name: lower})):
                    break

    def lower_turns(self) -> None:
        for step, value in list(self.best.turns.items()):
            for lower in _lower(value):
                if self.breaks(_replace(self.best, turns={**self.best.turns, step: lower})):
                    break


def _lower(value: int) -> Iterable[int]:
    return range(1, value)


def shrink(schedule: S, invariant: str, steps_max: int = STEPS_MAX) -> Shrunk[S]:
    """The smallest schedule found that still breaks the invariant of that name.

    Args:
        schedule: one that does.
        steps_max: callbacks that all worlds of it may run.
    """
    shrinker = _Shrinker(schedule, invariant, steps_max)
    with suppress(_BudgetSpent):
        shrinker.all()
    return Shrunk(schedule=shrinker.best, runs=shrinker.runs, shrinks=shrinker.shrinks)
