"""Looks for a schedule that breaks something: at random, by priorities, and all small ones."""

from __future__ import annotations

import gc
import multiprocessing
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from math import expm1, log1p
from typing import Any, Final, TypeVar

import msgspec

from homing.sim.draws import AtRandom, ByPriority, Choices, Draws, FirstInFirstOut, Turns
from homing.sim.shrink import STEPS_MAX, shrink
from homing.sim.workers.case import Case
from homing.sim.workers.prepare import watchdog
from homing.sim.workers.schedule import Schedule, make_world, rank, run_world, schedule_of
from homing.sim.workers.watch import Breach
from homing.sim.workers.world import Result

T = TypeVar("T")

_GARBAGE_EVERY: Final = 50
#: worlds between two looks at what was found
_CHUNK: Final = 250
_CHUNK_FIRST: Final = 60
#: broken worlds that are made small, of which the smallest is shown
_FINDS: Final = 4
#: tiny worlds that are tried for the same breach before a larger one is made small
_TINY: Final = ((1, 1), (2, 1), (2, 2))
_TINY_TRIES: Final = 240
#: worlds nearest to calm that are tried for one that is smaller still
_NEAREST_RUNS: Final = 300
#: how much dearer a world is on such a store than on rows: so much less is tried to make it small
_DEARER: Final = {"postgres": 4}
#: ordering constraints that runs by priorities are good for
DEPTHS: Final = (2, 3)
#: steps among which priorities change; most tiny worlds have fewer
_PRIORITY_STEPS: Final = 150
_replace: Any = msgspec.structs.replace


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much to look."""

    runs: int = 5_000  #: worlds scheduled at random
    priority_runs: int = 2_000  #: by priorities (PCT), of two workers and one delivery
    small_runs: int = (
        5_000  #: of two workers and one delivery, each with little out of the ordinary
    )
    first: int = 0  #: first seed
    jobs: int = 1


class Tally(msgspec.Struct, kw_only=True):
    """What worlds came to, added up."""

    runs: int = 0
    deliveries: int = 0
    calls: int = 0
    steps: int = 0
    #: for each of DEPTHS, the sum of the logarithms of the chance to miss an order that takes so
    #: many steps: PCT's bound of each world, with its own number of tasks and steps
    missed: tuple[float, ...] = (0.0,) * len(DEPTHS)
    sent: int = 0
    taken: int = 0
    virtual_s: float = 0.0
    met: dict[str, int] = {}
    met_runs: dict[str, int] = {}  #: worlds in which it happened at all
    died_of: str = ""
    broken: list[tuple[int, int, str, int]] = []  #: rank, size, strategy, seed

    def add(self, other: Tally) -> None:
        """What others came to as well."""
        for name in ("runs", "deliveries", "calls", "steps", "sent", "taken", "virtual_s"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.missed = tuple(a + b for a, b in zip(self.missed, other.missed, strict=True))
        self.met = dict(Counter(self.met) + Counter(other.met))
        self.met_runs = dict(Counter(self.met_runs) + Counter(other.met_runs))
        self.died_of = self.died_of or other.died_of
        self.broken = sorted(self.broken + other.broken)[:50]

    def count(self, case: Case, result: Result, strategy: str, tasks: int) -> None:
        """One more."""
        self.runs += 1
        self.deliveries += case.deliveries
        self.calls += result.calls
        self.steps += result.steps
        if tasks:
            depth, steps = DEPTHS.index(_depth(result.seed)), max(result.steps, _PRIORITY_STEPS)
            log = log1p(-1 / (tasks * steps ** (DEPTHS[depth] - 1)))
            self.missed = tuple(m + log * (i == depth) for i, m in enumerate(self.missed))
        self.sent += result.sent
        self.taken += result.taken
        self.virtual_s += result.virtual_s
        for name, count in result.met.items():
            if count:
                self.met[name] = self.met.get(name, 0) + count
                self.met_runs[name] = self.met_runs.get(name, 0) + 1
        self.died_of = self.died_of or result.died_of
        if result.breaches:
            size = len(result.choices) + len(result.turns)
            worst = min(map(rank, result.breaches))
            self.broken.append((worst, size, strategy, result.seed))


class Small(msgspec.Struct, kw_only=True):
    """What came of trying all schedules with little out of the ordinary."""

    runs: int = 0
    complete: int = 0  #: all schedules with at most so many things out of the ordinary were tried
    options: int = 0  #: places at which something else could have happened, in the calm world
    found: Schedule | None = None


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule that breaks something, as small as it got."""

    schedule: Schedule
    breach: Breach
    runs: int  #: worlds until one was broken
    shrink_runs: int
    shrinks: int


class Report(msgspec.Struct, kw_only=True):
    """What came of looking."""

    case: Case
    random: Tally
    priority: Tally
    small: Small
    found: Found | None = None

    @property
    def runs(self) -> int:
        return self.random.runs + self.priority.runs + self.small.runs

    @property
    def per_run_below(self) -> float:
        """With 95% confidence, fewer of such random runs than this share break anything."""
        runs = self.random.runs - self.random.met_runs.get("endless", 0)
        return 1 - 0.05 ** (1 / runs) if runs else 1.0

    def met_by_priorities(self, depth: int) -> float:
        """The chance that runs by priorities had of meeting an order that takes `depth` steps."""
        return -expm1(self.priority.missed[DEPTHS.index(depth)])


def explore(
    case: Case,
    plan: Plan,
    on_runs: Callable[[int], None] = lambda runs: None,
    on_found: Callable[[], None] = lambda: None,
) -> Report:
    """Look for a breach; the first phase that meets one is the last.

    Args:
        case: prepared.
        on_runs: told how many worlds have been run so far.
        on_found: told that something was found, and is being made small.
    """
    report = Report(case=case, random=Tally(), priority=Tally(), small=Small())
    tiny = _replace(case, workers=min(case.workers, 2), deliveries=1)
    phases = (("random", case, plan.runs), ("priority", tiny, plan.priority_runs))
    for strategy, which, runs in phases:
        tally = report.random if strategy == "random" else report.priority
        for part in _many(which, strategy, plan.first, runs, plan.jobs):
            tally.add(part)
            on_runs(report.runs)
            if tally.broken:
                first = min(seed for _, _, _, seed in tally.broken) - plan.first + 1
                before = report.runs - tally.runs
                on_found()
                report.found = _make_small(which, tally, before + first)
                return report
    with watchdog():
        report.small = try_all_small(tiny, plan.small_runs, lambda n: on_runs(report.runs + n))
    if report.small.found is not None:
        schedule = report.small.found
        breach = schedule.find(schedule.run())
        on_found()
        if breach is not None:
            report.found = _shrunk(schedule, breach, report.runs)
    return report


def run_some(case: Case, strategy: str, first: int, count: int) -> Tally:
    """So many worlds in this process."""
    tally = Tally()
    with _without_garbage(), watchdog():
        for seed in range(first, first + count):
            order = _order(strategy, seed)
            result = run_world(case, seed, order=order)
            tasks = len(order._priorities) if isinstance(order, ByPriority) else 0
            tally.count(case, result, strategy, tasks)
            if seed % _GARBAGE_EVERY == 0:
                gc.collect()
    return tally


def _order(strategy: str, seed: int) -> AtRandom | ByPriority:
    if strategy == "random":
        return AtRandom(seed)
    return ByPriority(seed, depth=_depth(seed), steps=_PRIORITY_STEPS)


def _depth(seed: int) -> int:
    return DEPTHS[seed % len(DEPTHS)]


@contextmanager
def _without_garbage() -> Iterator[None]:
    """A world is garbage as a whole; looking for it meanwhile is for nothing."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
        gc.unfreeze()


def _many(case: Case, strategy: str, first: int, runs: int, jobs: int) -> Iterator[Tally]:
    chunks = [(first, min(_CHUNK_FIRST, runs))]
    while (start := sum(chunks[-1])) < first + runs:
        chunks.append((start, min(_CHUNK, first + runs - start)))
    if jobs == 1 or len(chunks) < 4 * jobs:
        for start, count in chunks:
            yield run_some(case, strategy, start, count)
        return
    # what is easily found is found here, before other processes have begun
    yield run_some(case, strategy, *chunks[0])
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=spawn) as pool:
        running = [pool.submit(run_some, case, strategy, *chunk) for chunk in chunks[1:]]
        try:
            for future in running:
                yield future.result()
        finally:
            for future in running:
                future.cancel()


# --- making it small ---


def _make_small(case: Case, tally: Tally, runs: int) -> Found:
    """The smallest of the worst."""
    with _without_garbage():
        worst = min(tally.broken)[0]
        founds = []
        finds = max(_spared(case, _FINDS), 1)
        for _, _, strategy, seed in [one for one in tally.broken if one[0] == worst][:finds]:
            result = _again(case, strategy, seed)
            breach = min(result.breaches, key=rank)
            founds.append(_shrunk(schedule_of(case, result), breach, runs))
        invariant = founds[0].breach.invariant
        for workers, deliveries in _TINY:
            if workers > case.workers or deliveries > case.deliveries:
                continue
            small = _replace(case, workers=workers, deliveries=deliveries)
            if (found := _first(small, invariant, runs)) is not None:
                founds.append(found)
                break
        if min(found.schedule.size for found in founds) > 1:
            tiny = _replace(case, workers=min(case.workers, 2), deliveries=1)
            nearest = try_all_small(tiny, _spared(case, _NEAREST_RUNS), invariant=invariant).found
            if nearest is not None:
                founds.append(_shrunk(nearest, founds[0].breach, runs))
        return min(founds, key=lambda found: (*_effort(found.schedule),))


def _spared(case: Case, count: int) -> int:
    """So much of it as the case's store allows."""
    return count // _DEARER.get(case.store, 1)


def _effort(schedule: Schedule) -> tuple[int, int]:
    """What it takes: how much is out of the ordinary, and in how large a world."""
    return schedule.size, schedule.case.workers + schedule.case.deliveries


def _again(case: Case, strategy: str, seed: int) -> Result:
    return run_world(case, seed, order=_order(strategy, seed))


def _first(case: Case, invariant: str, runs: int) -> Found | None:
    for seed in range(_spared(case, _TINY_TRIES)):
        result = run_world(case, seed)
        for breach in result.breaches:
            if breach.invariant == invariant:
                return _shrunk(schedule_of(case, result), breach, runs)
    return None


def _shrunk(schedule: Schedule, breach: Breach, runs: int) -> Found:
    """Fewer workers and deliveries where that is enough, and then less of everything else."""
    case = schedule.case
    for workers in range(1, case.workers + 1):
        for deliveries in range(1, case.deliveries + 1):
            small = _replace(schedule, case=_replace(case, workers=workers, deliveries=deliveries))
            if small.find(small.run(), breach.invariant) is not None:
                schedule = small
                break
        else:
            continue
        break
    small_one = shrink(schedule, breach.invariant, _spared(case, STEPS_MAX))
    best = small_one.schedule
    found = best.find(best.run(), breach.invariant)
    assert found is not None
    return Found(
        schedule=best,
        breach=found,
        runs=runs,
        shrink_runs=small_one.runs,
        shrinks=small_one.shrinks,
    )


# --- all small ones ---


class _Noted(Draws):
    """Answers what was decided, and notes every place at which something else could be."""

    def __init__(self, choices: Choices, places: list[tuple[str | int, int]]) -> None:
        super().__init__(0, choices)
        self._places = places

    def fault(self, place: str, number: int, options: Sequence[T], weights: Sequence[float]) -> T:
        if not self._stopped:
            self._places.append((f"{place}#{number}", len(options)))
        return super().fault(place, number, options, weights)


class _NotedOrder(FirstInFirstOut):
    """The same for turns."""

    def __init__(self, turns: Turns, places: list[tuple[str | int, int]]) -> None:
        super().__init__(turns)
        self._places = places
        self.choice_at = 0  # every step is one

    def pick(self, step: int, ready: Sequence[object]) -> int:
        count = len(ready)
        if count == 1:
            return 0
        self._places.append((step, count))
        return min(self.turns.get(step, 0), count - 1)


def try_all_small(
    case: Case,
    runs_max: int,
    on_runs: Callable[[int], None] = lambda runs: None,
    *,
    invariant: str = "",
) -> Small:
    """Every schedule with nothing, one thing, two things … out of the ordinary.

    Args:
        runs_max: worlds after which it stops.
        invariant: look for a breach of this one only; empty: any.
    """
    case = _replace(case, delays_s=case.delays_s[-1:])
    small = Small()
    level: deque[tuple[Choices, Turns, int]] = deque([({}, {}, 0)])
    is_whole = True
    with _without_garbage():
        while level:
            following: deque[tuple[Choices, Turns, int]] = deque()
            is_next_whole = True
            for choices, turns, start in level:
                if small.runs >= runs_max:
                    return small
                places: list[tuple[str | int, int]] = []
                order = _NotedOrder(turns, places)
                world = make_world(case, 0, order=order, choices=choices)
                world.draws = _Noted(choices, places)
                result = world.run()
                small.runs += 1
                if small.runs % _GARBAGE_EVERY == 0:
                    gc.collect()
                    on_runs(small.runs)
                if any(b.invariant == invariant or not invariant for b in result.breaches):
                    small.found = Schedule(case=case, seed=0, choices=choices, turns=turns)
                    return small
                if not choices and not turns:
                    small.options = sum(count - 1 for _, count in places)
                if len(following) + small.runs > runs_max:
                    is_next_whole = False  # there are more than will be run
                    continue
                for index, (name, count) in enumerate(places[start:], start + 1):
                    for value in range(1, count):
                        if isinstance(name, int):
                            following.append((choices, {**turns, name: value}, index))
                        else:
                            following.append(({**choices, name: value}, turns, index))
            if is_whole and small.runs > 1:
                small.complete += 1
            level, is_whole = following, is_whole and is_next_whole
        return small
