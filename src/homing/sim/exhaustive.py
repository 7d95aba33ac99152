"""Tries every order of everything in a tiny world: nothing is sampled, nothing is left to luck.

Breadth first, so the path to what is found is the shortest that there is. States that differ only
in which dispatcher is which count once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import msgspec

from homing.core.errors import IllegalTransition
from homing.core.lifecycle import (
    TRANSITIONS,
    DeadReason,
    State,
)
from homing.core.plurals import plural
from homing.sim.sameness import canonical
from homing.sim.tiny import Tiny
from homing.sim.tiny_checks import complaint_of_lot, complaint_of_write
from homing.sim.tiny_world import (
    ACTORS,
    DISPATCHERS,
    PERSON,
    Bounds,
    Endpoint,
    Step,
    World,
)

#: states after which a search gives up; the largest world of the tests has a fifth of it
STATES_MAX: Final = 5_000_000

NO_TRAP: Final = "comes_to_a_good_end"
LEGAL: Final = "is_a_legal_decision"

#: things that must have happened somewhere, or the search proved nothing
GOALS: Final = (
    "two dispatchers had the same delivery in hand",
    "a late outcome was refused",
    "a settlement was repeated and recognised",
    "a delivery was parked although its endpoint had been enabled again",
    "a delivery was quarantined",
    "a resend crossed a retry",
    "a crash came between request and outcome",
)


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """One invariant that does not hold, with the shortest way there."""

    invariant: str
    complaint: str
    path: tuple[str, ...]  #: n >= 1: a beginning, then one line a step


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a search found."""

    bounds: Bounds
    without: tuple[str, ...]
    states: int
    edges: int
    depth: int  #: steps of the longest of all shortest paths
    is_closed: bool  #: every state was looked at, none was left over
    transitions: int  #: entries of core.lifecycle.TRANSITIONS that were used
    unused: tuple[str, ...]  #: those that were not
    goals: tuple[str, ...]  #: of GOALS, those that were met
    violations: tuple[Violation, ...]


class _Found(NamedTuple):
    """How a state was reached first."""

    parent: int  #: -1: a beginning
    what: str
    actor: int | None  #: in the roles of the parent
    swapped: bool = False  #: the dispatchers' roles changed


def explore(
    bounds: Bounds = Bounds(),  # noqa: B008
    *,
    without: Iterable[str] = (),
    states_max: int = STATES_MAX,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Everything that can happen within `bounds`, in every order.

    Args:
        without: safeguards that are left out, from `tiny.SAFEGUARDS`; the search then ends at the
            first violation.
        states_max: gives up, not closed, beyond so many.
        progress: told, now and then, how many states were looked at and how many are known.

    Raises:
        ValueError: no such safeguard.
    """
    left_out = frozenset(without)
    return _Search(Tiny(bounds, left_out), bounds, left_out).run(states_max, progress)


class _Search:
    def __init__(self, tiny: Tiny, bounds: Bounds, without: frozenset[str]) -> None:
        self._tiny = tiny
        self._bounds = bounds
        self._without = without
        self._number: dict[World, int] = {}
        self._worlds: list[World] = []
        self._found: list[_Found] = []
        self._depths: list[int] = []
        self._helped_from: list[list[int]] = []
        self._edges = 0
        self._used: set[tuple[State, str]] = set()
        self._goals: set[str] = set()

    def run(self, states_max: int, progress: Callable[[int, int], None] | None) -> Report:
        violation = self._search(states_max, progress)
        is_closed = violation is None and len(self._worlds) <= states_max
        if is_closed:
            violation = self._trap()
        pairs = {(state, fact.__name__.lower()) for state, fact in TRANSITIONS}
        return Report(
            bounds=self._bounds,
            without=tuple(sorted(self._without)),
            states=len(self._worlds),
            edges=self._edges,
            depth=max(self._depths),
            is_closed=is_closed,
            transitions=len(self._used),
            unused=tuple(sorted(f"{state}, {fact}" for state, fact in pairs - self._used)),
            goals=tuple(goal for goal in GOALS if goal in self._goals),
            violations=(violation,) if violation else (),
        )

    def _search(
        self, states_max: int, progress: Callable[[int, int], None] | None
    ) -> Violation | None:
        todo: deque[int] = deque()
        for what, world in self._tiny.roots():
            self._add(world, _Found(-1, what, None), 0, todo)
        done = 0
        while todo and len(self._worlds) <= states_max:
            number = todo.popleft()
            done += 1
            if progress is not None and done % 10_000 == 0:
                progress(done, len(self._worlds))
            try:
                for step in self._tiny.steps(self._worlds[number]):
                    violation = self._take(number, step, todo)
                    if violation is not None:
                        return violation
            except IllegalTransition as error:
                return Violation(invariant=LEGAL, complaint=str(error), path=self._path(number))
        return None

    def _take(self, number: int, step: Step, todo: deque[int]) -> Violation | None:
        self._edges += 1
        found = _Found(number, step.what, step.actor)
        if step.write is not None:
            complaint = complaint_of_write(self._bounds, step.write)
            if complaint is not None:
                return _violation(complaint, self._path(number, found))
        self._look_for_goals(self._worlds[number], step)
        known = len(self._worlds)
        target = self._add(step.after, found, self._depths[number] + 1, todo)
        if target == known:
            for lot in step.after.lots:
                complaint = complaint_of_lot(lot)
                if complaint is not None:
                    return _violation(complaint, self._path(target))
        if step.helps:
            self._helped_from[target].append(number)
        return None

    def _add(self, world: World, found: _Found, depth: int, todo: deque[int]) -> int:
        world, swapped = canonical(world)
        number = self._number.setdefault(world, len(self._worlds))
        if number == len(self._worlds):
            self._worlds.append(world)
            self._found.append(found._replace(swapped=swapped))
            self._depths.append(depth)
            self._helped_from.append([])
            todo.append(number)
        return number

    # ── did it look at anything? ──

    def _look_for_goals(self, world: World, step: Step) -> None:
        goals = self._goals
        lot = world.lots[step.lot]
        busy = [hand for hand in lot.hands[:DISPATCHERS] if hand is not None]
        if len(busy) == DISPATCHERS:
            goals.add(GOALS[0])
        if step.actor is not None and step.what == "crashes":
            hand = lot.hands[step.actor]
            if hand is not None and hand.phase == "sent":
                goals.add(GOALS[6])
        if step.write is None:
            return
        write = step.write
        assert write.change.before is not None
        if write.before.row != write.after.row:
            self._used.add((write.change.before.state, write.change.entry.op))
            if write.change.entry.op in ("parked", "gone") and world.endpoint is Endpoint.ENABLED:
                goals.add(GOALS[3])
            if write.change.after.reason == DeadReason.POISON_WORKER_CRASH:
                goals.add(GOALS[4])
        elif write.answer:
            goals.add(GOALS[2])
        elif write.change.attempt is not None:
            goals.add(GOALS[1])
        person = lot.hands[PERSON]
        if step.actor == PERSON and person is not None and not write.answer:
            goals.add(GOALS[5])

    # ── traps ──

    def _trap(self) -> Violation | None:
        """The first state from which, with no more mishaps, no good end can be reached."""
        good = [False] * len(self._worlds)
        todo = [number for number, world in enumerate(self._worlds) if _is_good_end(world)]
        for number in todo:
            good[number] = True
        while todo:
            for earlier in self._helped_from[todo.pop()]:
                if not good[earlier]:
                    good[earlier] = True
                    todo.append(earlier)
        if all(good):
            return None
        number = good.index(False)
        rows = [lot.tables.row for lot in self._worlds[number].lots]
        states = ", ".join(str(row.state) for row in rows if row is not None)
        return Violation(
            invariant=NO_TRAP,
            complaint=f"whatever happens next, it stays unfinished ({states})",
            path=self._path(number),
        )

    # ── the way there ──

    def _path(self, number: int, last: _Found | None = None) -> tuple[str, ...]:
        """What happened until state `number`, and then `last`, with dispatchers by their names."""
        steps = [] if last is None else [last]
        while number >= 0:
            steps.append(self._found[number])
            number = steps[-1].parent
        lines: list[str] = []
        swapped = False
        for step in reversed(steps):
            actor = step.actor
            if swapped and actor is not None and actor < DISPATCHERS:
                actor = DISPATCHERS - 1 - actor
            lines.append(step.what if actor is None else f"{ACTORS[actor]} {step.what}")
            swapped ^= step.swapped
        return tuple(lines)


def _violation(complaint: tuple[str, str], path: tuple[str, ...]) -> Violation:
    return Violation(invariant=complaint[0], complaint=complaint[1], path=path)


def _is_good_end(world: World) -> bool:
    """Everything has ended, and nobody has anything left to do."""
    return all(
        lot.tables.history is not None and lot.half is None and not any(lot.hands)
        for lot in world.lots
    )


def lines_of(report: Report) -> list[str]:
    """The report for people."""
    seen = f"{plural(report.states, 'state')}, {plural(report.edges, 'step')}, {report.depth} deep"
    lines = [seen + ("" if report.is_closed or report.violations else "; gave up before the end")]
    lines += [f"it happened that {goal}" for goal in report.goals]
    lines += [
        f"never met in this world: a delivery that is {pair.replace(', ', ' and then ')}"
        for pair in report.unused
    ]
    for violation in report.violations:
        lines.append(f"{violation.invariant}: {violation.complaint}")
        lines += [f"{number:3}  {line}" for number, line in enumerate(violation.path)]
    if report.is_closed and not report.violations:
        lines.append("every invariant holds in every state, and every state has a good end")
    return lines
