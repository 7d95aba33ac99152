"""Many worlds: how they are spread over the cores, and what their results add up to."""

from __future__ import annotations

import gc
import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import Final

import msgspec

from homing.sim.draws import AtRandom, ByPriority, Order
from homing.sim.goals import Goal
from homing.sim.on_sqlite import run_on_sqlite
from homing.sim.result import TINY, Result, Shape
from homing.sim.safeguards import BY_NAME
from homing.sim.schedule import Schedule, schedule_of
from homing.sim.shrink import shrink
from homing.sim.story import Story, tell
from homing.sim.world import World

#: worlds that a process runs before it says what came of them
_CHUNK: Final = 20
#: worlds between two collections of garbage: of each there is a thousand objects or so to be found
_GARBAGE_EVERY: Final = 4
#: tiny worlds that are tried for the same loss, before a large one is made small
_TINY_TRIES: Final = 150
#: how many broken worlds are made small, of which the smallest is shown
_FINDS: Final = 3

STRATEGIES: Final = ("random", "pct")
STORES: Final = ("both", "memory", "sqlite")
#: of the worlds of `--store both`, every so many runs on SQLite
_SQLITE_EVERY: Final = 25


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Which worlds."""

    first: int = 1
    seeds: int = 1_000
    strategy: str = "random"
    safeguard: str = ""  #: taken out
    store: str = "memory"
    shape: Shape = Shape()


class Tally(msgspec.Struct, kw_only=True):
    """What worlds came to, added up."""

    worlds: int = 0
    sqlite_worlds: int = 0
    deliveries: int = 0
    attempts: int = 0
    crashes: int = 0
    overlaps: int = 0
    duplicates: int = 0
    commits: int = 0
    steps: int = 0
    virtual_s: float = 0.0
    goals: dict[Goal, int] = {}
    broken: list[tuple[int, str, str]] = []  #: seed, invariant, text; at most 100

    def add(self, other: Tally) -> None:
        """What other worlds came to as well."""
        for name in (
            "worlds", "sqlite_worlds", "deliveries", "attempts", "crashes", "overlaps",
            "duplicates", "commits", "steps", "virtual_s",
        ):  # fmt: skip
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.goals = dict(Counter(self.goals) + Counter(other.goals))
        self.broken = (self.broken + other.broken)[:100]

    @property
    def met(self) -> Counter[Goal]:
        """How often each goal was reached."""
        return Counter(self.goals)

    @classmethod
    def of(cls, result: Result, *, on_sqlite: bool = False) -> Tally:
        """One world."""
        return cls(
            worlds=1,
            sqlite_worlds=int(on_sqlite),
            deliveries=result.deliveries,
            attempts=result.attempts,
            crashes=result.crashes,
            overlaps=result.overlaps,
            duplicates=result.duplicates,
            commits=result.commits,
            steps=result.steps,
            virtual_s=result.virtual_s,
            goals=dict(result.goals),
            broken=[(result.seed, b.invariant, str(b)) for b in result.breaches[:3]],
        )

    @property
    def lost(self) -> int:
        """Worlds in which something was broken."""
        return len({seed for seed, _, _ in self.broken})


def order_of(seed: int, strategy: str) -> Order:
    """How a world of this seed is scheduled."""
    return ByPriority(seed) if strategy == "pct" else AtRandom(seed)


def is_on_sqlite(seed: int, plan: Plan) -> bool:
    """Whether the world of this seed has a real database; what is taken out is memory's."""
    if plan.safeguard:
        return False
    return plan.store == "sqlite" or (plan.store == "both" and seed % _SQLITE_EVERY == 0)


def run_one(seed: int, plan: Plan, *, trace: bool = False) -> Result:
    """One world of a plan."""
    guard = BY_NAME.get(plan.safeguard)
    parts = guard.without if guard else None
    if is_on_sqlite(seed, plan):
        return run_on_sqlite(
            seed, shape=plan.shape, order=order_of(seed, plan.strategy), trace=trace
        )
    world = World(
        seed, parts=parts, shape=plan.shape, order=order_of(seed, plan.strategy), trace=trace
    )
    result = world.run()
    world.forget()
    return result


def run_some(first: int, count: int, plan: Plan) -> Tally:
    """So many worlds in this process."""
    tally = Tally()
    # A world is garbage as a whole: looking for it meanwhile, among all modules, is for nothing.
    gc.freeze()
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        for seed in range(first, first + count):
            tally.add(Tally.of(run_one(seed, plan), on_sqlite=is_on_sqlite(seed, plan)))
            if seed % _GARBAGE_EVERY == 0:
                gc.collect()
    finally:
        if was_enabled:
            gc.enable()
        gc.unfreeze()
    return tally


def run_all(plan: Plan, jobs: int) -> Iterator[Tally]:
    """All worlds of a plan, on so many cores; one tally after the other, in no order."""
    chunks = [
        (start, min(_CHUNK, plan.first + plan.seeds - start))
        for start in range(plan.first, plan.first + plan.seeds, _CHUNK)
    ]
    if jobs == 1 or len(chunks) == 1:
        for start, count in chunks:
            yield run_some(start, count, plan)
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(chunks)), mp_context=spawn) as pool:
        left = iter(chunks)
        running: set[Future[Tally]] = set()
        while True:
            while len(running) < 2 * jobs and (chunk := next(left, None)):
                running.add(pool.submit(run_some, *chunk, plan))
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for one in done:
                yield one.result()


class Hunt(msgspec.Struct, frozen=True, kw_only=True):
    """What became of looking for a loss."""

    worlds: int  #: that were run
    seed: int | None = None  #: of the first that broke it
    invariant: str = ""
    schedule: Schedule | None = None
    story: Story | None = None


def hunt(
    safeguard: str,
    *,
    first: int = 1,
    seeds: int = 20_000,
    finds: int = _FINDS,
    on_world: Callable[[int], None] = lambda worlds: None,
) -> Hunt:
    """Worlds without a safeguard, until one breaks what it keeps; made small, and told."""
    guard = BY_NAME[safeguard]
    plan = Plan(safeguard=safeguard, shape=TINY)
    best: tuple[Schedule, int, int] | None = None
    found_seed, found, worlds = None, 0, 0
    for seed in range(first, first + seeds):
        worlds += 1
        on_world(worlds)
        result = run_one(seed, plan)
        if not any(guard.is_broken_by(breach) for breach in result.breaches):
            if best is not None and worlds > 3 * (found_seed or 0) + 60:
                break
            continue
        found_seed = found_seed or seed
        shrunk = shrink(schedule_of(result, safeguard), guard.breaks)
        if best is None or shrunk.schedule.size < best[0].size:
            best = (shrunk.schedule, shrunk.runs, shrunk.shrinks)
        found += 1
        if found == finds:
            break
    if best is None:
        return Hunt(worlds=worlds)
    story = tell(best[0], guard.breaks, worlds=worlds, runs=best[1], shrinks=best[2])
    return Hunt(
        worlds=worlds, seed=found_seed, invariant=guard.breaks, schedule=best[0], story=story
    )


def explain(seed: int, plan: Plan, *, worlds: int = 1) -> Story | None:
    """The smallest schedule found that breaks what the world of this seed broke."""
    result = run_one(seed, plan)
    if not result.breaches:
        return None
    invariant = result.breaches[0].invariant
    full = _smaller(result, invariant, plan)
    shrunk = shrink(full, invariant)
    return tell(shrunk.schedule, invariant, worlds=worlds, runs=shrunk.runs, shrinks=shrunk.shrinks)


def _smaller(result: Result, invariant: str, plan: Plan) -> Schedule:
    """A tiny world that breaks the same, if one is soon found; else the one there is."""
    on_sqlite = is_on_sqlite(result.seed, plan)
    stores = ("memory", "sqlite") if on_sqlite else ("memory",)
    for store in stores:
        tiny = msgspec.structs.replace(plan, shape=TINY, store=store)
        for seed in range(1, (_TINY_TRIES if store == "memory" else _TINY_TRIES // 3) + 1):
            found = run_one(seed, tiny)
            if any(breach.invariant == invariant for breach in found.breaches):
                return schedule_of(found, plan.safeguard, on_sqlite=store == "sqlite")
    return schedule_of(result, plan.safeguard, on_sqlite=on_sqlite)
