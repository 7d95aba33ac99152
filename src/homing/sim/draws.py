"""The one place of a simulated world that draws.

Each draw has a name and a calm answer, the first of its options. Streams of their own for the
schedule, the faults and the users, so that one more draw in one leaves the others as they were.
What differs from calm is noted by name: that is all it takes to have the same world again, and
leaving some of it out is how a world is made smaller.
"""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Final, TypeVar

from homing.core.identifiers import ENTROPY_BYTES, counted

T = TypeVar("T")

#: index drawn, by the name of the draw; what is absent is calm
Choices = dict[str, int]
#: position chosen among the callbacks that could run, by the number of the step; absent: the first
Turns = dict[int, int]
#: the last byte of `counted`, by its value
_BASE: Final = 62
_LAST: Final = [bytes([value]) for value in range(_BASE)]
#: a step that no world reaches
NEVER: Final = 1 << 62


class Draws:
    """What a seed decides, or what was decided before.

    Args:
        seed: of the world.
        choices: None: draw; otherwise what to answer, calm where nothing is said.
    """

    def __init__(self, seed: int, choices: Mapping[str, int] | None = None) -> None:
        self.seed = seed
        self.made: Choices = {}  #: everything that is not calm
        self._given = choices
        self._faults = random.Random(f"{seed}/faults").random
        self._user = random.Random(f"{seed}/user").random
        self._stopped = False

    def fault(self, place: str, number: int, options: Sequence[T], weights: Sequence[float]) -> T:
        """One of `options`; `weights` are added up and end at 1. Calm once faults have stopped."""
        if self._given is None:  # as `_draw`, for what is nearly always calm
            drawn = 0.0 if self._stopped else self._faults()
            if drawn < weights[0]:
                return options[0]
            index = 1
            while drawn >= weights[index]:
                index += 1
            self.made[f"{place}#{number}"] = index
            return options[index]
        if self._stopped:
            return options[0]
        return options[self._draw(self._faults, place, number, weights)]

    def user(
        self, place: str, number: int, options: Sequence[T], weights: Sequence[float] = ()
    ) -> T:
        """One of `options`, each as likely if there are no weights."""
        weights = weights or _even(len(options))
        return options[self._draw(self._user, place, number, weights)]

    def stop_faults(self) -> None:
        """From now on nothing fails."""
        self._stopped = True

    def _draw(
        self, stream: Callable[[], float], place: str, number: int, weights: Sequence[float]
    ) -> int:
        if self._given is not None:
            index = min(self._given.get(f"{place}#{number}", 0), len(weights) - 1)
        else:
            drawn = stream()
            index = 0
            while drawn >= weights[index]:
                index += 1
        if index:
            self.made[f"{place}#{number}"] = index
        return index


@cache
def _even(count: int) -> tuple[float, ...]:
    return cumulative(*[1.0] * count)


def cumulative(*weights: float) -> tuple[float, ...]:
    """Weights added up, scaled so that the last is 1, as `Draws.fault` wants them."""
    total, sums, so_far = sum(weights), [], 0.0
    for weight in weights:
        so_far += weight
        sums.append(so_far / total)
    sums[-1] = 1.0
    return tuple(sums)


class SimChance:
    """The port `Chance`: fractions by the seed; identifiers by counting, so that they are read."""

    def __init__(self, seed: int) -> None:
        self.fraction: Final = random.Random(f"{seed}/chance").random
        self._count = 0
        self._above = -1  #: the count without its last digit, and its bytes
        self._head = b""

    def entropy(self, count: int) -> bytes:
        """Unlike any before. Lengths other than an identifier's are for keys nobody opens."""
        number = self._count = self._count + 1
        if count != ENTROPY_BYTES:
            return bytes(count)
        above, last = divmod(number, _BASE)
        if above != self._above:
            self._above, self._head = above, counted(number)[:-1]
        return self._head + _LAST[last]


class FirstInFirstOut:
    """Runs callbacks as they became ready, except where `turns` says otherwise."""

    def __init__(self, turns: Mapping[int, int] | None = None) -> None:
        self.turns: Turns = dict(turns or {})
        self._left = sorted(self.turns, reverse=True)
        #: the next step at which `pick` is to be asked; before it, the first runs
        self.choice_at = self._left[-1] if self._left else NEVER

    def pick(self, step: int, ready: Sequence[object]) -> int:
        """Which of the `ready` (one or more) runs next."""
        while self._left and self._left[-1] <= step:
            self._left.pop()
        self.choice_at = self._left[-1] if self._left else NEVER
        return min(self.turns.get(step, 0), len(ready) - 1)


def _gaps(jumble: float) -> tuple[float, ...]:
    """How likely it is that at most 0, 1, 2 … steps are no choice, if each is one by `jumble`."""
    calm, sums = 1.0, []
    while calm > 1e-6:
        calm *= 1.0 - jumble
        sums.append(1.0 - calm)
    return tuple(sums)


#: how many steps are first in, first out between two choices: many, some, none
_GAPS: Final = (_gaps(0.05), _gaps(0.3), ())


class AtRandom:
    """Any ready callback may be next; in some worlds more often than in others."""

    def __init__(self, seed: int) -> None:
        self.turns: Turns = {}
        self._random = random.Random(f"{seed}/schedule").random
        self._gaps = _GAPS[int(self._random() * len(_GAPS))]
        self.choice_at = 0

    def pick(self, step: int, ready: Sequence[object]) -> int:
        if self._gaps:
            self.choice_at = step + 1 + bisect(self._gaps, self._random())
        index = int(self._random() * len(ready))
        if index:
            self.turns[step] = index
        return index


class ByPriority:
    """Probabilistic concurrency testing: each task has a priority, lowered at `depth` - 1 steps.

    A bug of depth d among n tasks in k steps is met with probability at least 1/(n k^(d-1)).

    Source:
        Burckhardt et al., "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs",
        ASPLOS 2010.
    """

    def __init__(self, seed: int, *, depth: int = 3, steps: int = 4_000) -> None:
        self.turns: Turns = {}
        draw = random.Random(f"{seed}/schedule")
        self._random = draw.random
        self._changes = sorted(draw.randrange(steps) for _ in range(depth - 1))
        self._priorities: dict[object, float] = {}
        self._lowest = 0.0
        self.choice_at = 0  #: every step is one

    def pick(self, step: int, ready: Sequence[object]) -> int:
        priorities = self._priorities
        best, best_priority = 0, -float("inf")
        for index, handle in enumerate(ready):
            owner = _owner(handle)
            priority = priorities.get(owner)
            if priority is None:
                priority = priorities[owner] = self._random()
            if priority > best_priority:
                best, best_priority, chosen = index, priority, owner
        if self._changes and step >= self._changes[0]:
            self._changes.pop(0)
            self._lowest -= 1.0
            priorities[chosen] = self._lowest
        if best:
            self.turns[step] = best
        return best


def _owner(handle: object) -> object:
    """The task that a callback is a step of, or the callback itself."""
    callback = handle[0] if isinstance(handle, tuple) else None
    return getattr(callback, "__self__", None) or handle


Order = FirstInFirstOut | AtRandom | ByPriority
