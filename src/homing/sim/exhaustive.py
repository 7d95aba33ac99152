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
    SCHEDULE_ENDED,
    TRANSITIONS,
    DeadReason,
    State,
)
from homing.core.outcome import Reason
from homing.core.queries import LedgerRow
from homing.insight.ledger import imbalance
from homing.sim.sameness import canonical
from homing.sim.tiny import (
    ACTORS,
    DISPATCHERS,
    PERSON,
    Bounds,
    Endpoint,
    Lot,
    Phase,
    Recorded,
    Step,
    Tiny,
    World,
    Write,
)

#: states after which a search gives up; the largest world of the tests has a fifth of it
STATES_MAX: Final = 5_000_000

# ── what must hold of every delivery, at every moment; each gives a complaint or None ──


def is_in_one_place(lot: Lot) -> str | None:
    """It is in the hot table or in history: never in both, never in neither."""
    hot, history = lot.tables.hot, lot.tables.history
    if hot is None and history is None:
        return "the delivery is in neither table: lost"
    if hot is not None and history is not None:
        return "the delivery is in both tables"
    if hot is not None and not hot.is_unfinished:
        return f"the hot table has a delivery that is {hot.state}"
    if history is not None and history.is_unfinished:
        return f"history has a delivery that is {history.state}"
    return None


def is_found_by_somebody(lot: Lot) -> str | None:
    """Unfinished: the claim finds it by its due time, or the sweeper by its being parked."""
    row = lot.tables.hot
    if row is not None and (row.ready_at_us is None) != (row.state is State.PARKED):
        return f"it is {row.state} with ready_at_us {row.ready_at_us}: no query selects it"
    return None


def has_a_reason(lot: Lot) -> str | None:
    """Dead and cancelled deliveries say why."""
    row = lot.tables.history
    if row is not None and row.state is not State.DELIVERED and not row.reason:
        return f"it is {row.state} without a reason"
    return None


def has_one_owner_per_epoch(lot: Lot) -> str | None:
    """No two dispatchers hold the same lease."""
    epochs = [hand.before.leases for hand in lot.hands[:DISPATCHERS] if hand is not None]
    if len(epochs) != len(set(epochs)):
        return f"two dispatchers hold lease {epochs[0]}"
    return None


def is_written_ahead(lot: Lot) -> str | None:
    """Whoever has sent a request did so under a lease that was on disk before."""
    for hand in lot.hands[:DISPATCHERS]:
        if hand is not None and hand.phase is Phase.SENT and hand.before.state is not State.LEASED:
            return f"a request went out for a delivery that is {hand.before.state}"
    return None


def will_be_recorded(lot: Lot) -> str | None:
    """Each request is recorded, or will be: by whoever made it, or by the next claim."""
    row = lot.tables.row
    held = {hand.before.leases for hand in lot.hands[:DISPATCHERS] if hand is not None}
    if row is not None and row.state is State.LEASED:
        held.add(row.leases)
    if lot.unrecorded - held:
        return "a request went out that nobody has recorded, and nobody will"
    return None


def balances(lot: Lot) -> str | None:
    """The ledger: accepted = delivered + dead + cancelled + parked + leased + waiting."""
    rows = [row for row in (lot.tables.hot, lot.tables.history) if row is not None]
    counts = {str(state): sum(row.state is state for row in rows) for state in State}
    books = LedgerRow(endpoint_id="ep_1", app_id="app_1", window_at_us=0, accepted=1, **counts)
    return f"the ledger is out by {imbalance(books)}" if imbalance(books) else None


# ── what must hold of every write ──


def is_no_stale_write(write: Write) -> str | None:
    """Only a decision on the present version changes the row."""
    row, left = write.before.row, write.after.row
    before = write.change.before
    assert before is not None
    if row is not None and row.version != before.version and left != row:
        return f"a decision on version {before.version} was written over version {row.version}"
    return None


def only_goes_on(write: Write) -> str | None:
    """The version rises by one with each change of the row; leases are never counted down."""
    row, left = write.before.row, write.after.row
    if row is None or left is None or row == left:
        return None
    if left.version != row.version + 1:
        return f"version {row.version} became version {left.version}"
    if left.leases < row.leases:
        return f"lease {row.leases} was followed by lease {left.leases}"
    return None


def answers_truly(write: Write) -> str | None:
    """The store says "written" of what it wrote now or before, and of nothing else."""
    if write.before.row != write.after.row and not write.answer:
        return "the row changed, and the store said that nothing was written"
    if not write.answer or write.before.row != write.after.row:
        return None
    attempt = write.change.attempt
    if attempt is None:
        was_written = write.after.row == write.change.after
    else:
        was_written = Recorded(attempt.number, True, False) in write.before.attempts
    return None if was_written else "the store said “written” of what it never wrote"


def stays_final(write: Write) -> str | None:
    """What has ended is changed by a person only."""
    row, left = write.before.row, write.after.row
    if row is None or row.is_unfinished or row == left:
        return None
    actor = write.change.entry.op
    if actor in ("resent", "redriven", "cancelled"):
        return None
    return f"it was {row.state}, and “{actor}” made it {left.state if left else 'nothing'}"


def is_delivered_only_by_2xx(write: Write) -> str | None:
    """Delivered is what a receiver said, or what a resend of it goes back to."""
    before, after = write.change.before, write.change.after
    assert before is not None
    if after.state is not State.DELIVERED or before.resume is State.DELIVERED:
        return None
    attempt = write.change.attempt
    if attempt is None or attempt.reason is not Reason.OK:
        return "it is delivered, and no receiver answered 2xx"
    return None


def keeps_the_machine_at_work(write: Write) -> str | None:
    """A manual attempt that fails leaves what the machine had planned, or how it had ended."""
    before, after = write.change.before, write.change.after
    assert before is not None
    if not before.manual or after.manual or write.change.entry.op in ("succeeded", "cancelled"):
        return None
    if before.resume is State.WAITING and after.is_unfinished:
        return None
    if before.resume is State.WAITING and write.change.entry.op == "lost":
        return None
    if before.resume == after.state and before.failures == after.failures:
        return None
    return f"a resend ended, and what was {before.resume} is {after.state}"


def is_given_up_when_due(bounds: Bounds, write: Write) -> str | None:
    """Dead exactly when the schedule is at its end, or when nobody answers for its leases."""
    before, after = write.change.before, write.change.after
    assert before is not None
    if after.state is not State.DEAD or before.manual or not before.is_unfinished:
        return None
    if after.reason in SCHEDULE_ENDED and after.failures <= bounds.retries:
        return f"it was given up after {after.failures} failures"
    if after.reason == DeadReason.POISON_WORKER_CRASH and before.unanswered < bounds.unanswered:
        return f"it was given up after {before.unanswered} lapsed leases"
    return None


LOT_CHECKS: Final[tuple[Callable[[Lot], str | None], ...]] = (
    is_in_one_place,
    is_found_by_somebody,
    has_a_reason,
    has_one_owner_per_epoch,
    is_written_ahead,
    will_be_recorded,
    balances,
)
WRITE_CHECKS: Final[tuple[Callable[[Write], str | None], ...]] = (
    is_no_stale_write,
    only_goes_on,
    answers_truly,
    stays_final,
    is_delivered_only_by_2xx,
    keeps_the_machine_at_work,
)
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
            complaint = _complaint_of_write(self._bounds, step.write)
            if complaint is not None:
                return _violation(complaint, self._path(number, found))
        self._look_for_goals(self._worlds[number], step)
        known = len(self._worlds)
        target = self._add(step.after, found, self._depths[number] + 1, todo)
        if target == known:
            for lot in step.after.lots:
                complaint = _complaint_of_lot(lot)
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


def _complaint_of_lot(lot: Lot) -> tuple[str, str] | None:
    for check in LOT_CHECKS:
        complaint = check(lot)
        if complaint is not None:
            return check.__name__, complaint
    return None


def _complaint_of_write(bounds: Bounds, write: Write) -> tuple[str, str] | None:
    for check in WRITE_CHECKS:
        complaint = check(write)
        if complaint is not None:
            return check.__name__, complaint
    complaint = is_given_up_when_due(bounds, write)
    return None if complaint is None else (is_given_up_when_due.__name__, complaint)


def _is_good_end(world: World) -> bool:
    """Everything has ended, and nobody has anything left to do."""
    return all(
        lot.tables.history is not None and lot.half is None and not any(lot.hands)
        for lot in world.lots
    )


def lines_of(report: Report) -> list[str]:
    """The report for people."""
    seen = f"{report.states:,} states, {report.edges:,} steps, {report.depth} deep"
    lines = [seen + ("" if report.is_closed or report.violations else "; gave up before the end")]
    lines += [f"it happened that {goal}" for goal in report.goals]
    lines += [f"never used: {pair}" for pair in report.unused]
    for violation in report.violations:
        lines.append(f"{violation.invariant}: {violation.complaint}")
        lines += [f"{number:3}  {line}" for number, line in enumerate(violation.path)]
    if report.is_closed and not report.violations:
        lines.append("every invariant holds in every state, and every state has a good end")
    return lines
