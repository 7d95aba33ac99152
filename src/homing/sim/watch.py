"""Looks at the database after every commit: invariants, goals, and lines for the trace."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from typing import Any, Final, TypeVar

from homing.core.identifiers import DeliveryId
from homing.core.lifecycle import DeadReason, Delivery, State
from homing.core.queries import LogCursor
from homing.core.records import LogEntry, Outdated
from homing.insight import steps
from homing.insight.invariants import (
    every_step_is_legal,
    leases_are_numbered,
    no_stale_write,
    the_end_is_final,
)
from homing.sim.goals import Goal
from homing.sim.ports import Process, Surroundings
from homing.sim.trace import Event
from homing.store.sqlite.store import SqliteStore

T = TypeVar("T")

#: a world that breaks this many times has nothing new to say
BREACHES_MAX: Final = 50
#: what `Watch` looks at with every line, so that nobody need look at it in the end
LINE_BY_LINE: Final = (
    no_stale_write,
    every_step_is_legal,
    leases_are_numbered,
    the_end_is_final,
)
#: lines that nothing is to be counted of
_ORDINARY: Final = frozenset({"accepted", "succeeded"})
_LATE: Final = frozenset({"succeeded", "failed", "gone"})
#: calls whose commits leave no line in the log, and no note either
_QUIET: Final = frozenset(
    {"accept", "claim", "settle", "put", "delete", "remember", "ping", "the end"}
)
_WISHES: Final = frozenset({"resent", "redriven", "cancelled"})


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits."""
    try:
        work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("it waits")


class Watch:
    """Over a memory store.

    Args:
        world: its breaches and goals are added to.
    """

    def __init__(self, world: Surroundings) -> None:
        self._world = world
        #: the last written line, by message and endpoint
        self.last: dict[tuple[str, str], LogEntry] = {}
        self._seen = 0
        self._planned: set[tuple[str, str]] = set()  #: resent while a retry was planned

    def new_lines(self) -> list[LogEntry]:
        """What was committed since the last look."""
        lines = self._world.store.lines
        seen, self._seen = self._seen, len(lines)
        return [line for line in lines[seen:] if line is not None] if seen < len(lines) else []

    def rows(self, names: Iterable[Any]) -> list[Delivery | None]:
        """As they are now, of these messages and endpoints."""
        hot, history = self._world.store.hot.get, self._world.store.history.get
        return [hot(name) or history(name) for name in names]

    def committed(self, node: Process, name: str, result: object = None) -> None:
        """`node` has just done `name`, or somebody has before."""
        new = self.new_lines()
        if not new:
            if name == "accept" and isinstance(result, list):
                self._look_at_results(result)
            elif name not in _QUIET:
                node.note(f"{name.replace('_', ' ')}: committed", "commit")
            return
        changed: dict[tuple[str, str], LogEntry] = {}
        last, is_traced = self.last, self._world.trace.is_on
        for line in new:
            which = (line.message_id, line.endpoint_id)
            before = last.get(which)
            if line.rows_written:
                if not steps.follows(before, line):
                    for breach in steps.wrongs(before, line):
                        self._world.broke(breach)
                changed[which] = last[which] = line
                if is_traced or line.op not in _ORDINARY:
                    self._look_at(node, which, before, line)
            else:
                self._look_at(node, which, before, line)
        for row, line in zip(self.rows(changed), changed.values(), strict=True):
            # None: lost, if nobody puts it back; that is looked at when the world is at rest.
            if row is not None and not steps.is_what(row, line):
                self._look_at_row(row, line)

    def _look_at_row(self, row: Delivery, line: LogEntry) -> None:
        breach = steps.unlike(row, line) or steps.misshapen(row, hot=row.is_unfinished)
        if breach:
            self._world.broke(breach)

    def _look_at_results(self, results: list[object]) -> None:
        if any(isinstance(result, Outdated) for result in results):
            self._world.met(Goal.FANOUT_OUTDATED)

    def _look_at(
        self, node: Process, which: tuple[str, str], before: LogEntry | None, line: LogEntry
    ) -> None:
        """Count what is interesting about a line."""
        world, op = self._world, line.op
        if not line.rows_written:
            if op in _LATE:
                world.met(Goal.STALE_REFUSED)
            elif op in _WISHES:
                world.met(Goal.REDRIVE_RACED_RETRY)
        elif op in ("leased", "postponed"):
            if line.from_state is State.LEASED and before is not None:
                self._lapsed(which, before, line)
        elif op not in _ORDINARY:
            self._decided(which, before, line)
        if world.trace.is_on:
            event = _event(world.loop.now_s, node, DeliveryId(*which), before, line)
            world.trace.events.append(event)

    def _lapsed(self, which: tuple[str, str], before: LogEntry, line: LogEntry) -> None:
        world = self._world
        if line.to_state is State.DEAD:
            self._decided(which, before, line)
        if before.holder != line.holder:
            world.met(Goal.LAPSE_RETAKEN)
        here = world.sending.get(DeliveryId(*which))
        if here and any(not other.is_dead for other in here.values()):
            world.met(Goal.LEASE_EXPIRED_MID_RESPONSE)
            world.overlaps += 1

    def _decided(self, which: tuple[str, str], before: LogEntry | None, line: LogEntry) -> None:
        world, op = self._world, line.op
        if line.to_state is State.DEAD:
            is_poison = line.reason == DeadReason.POISON_WORKER_CRASH
            world.met(Goal.QUARANTINED if is_poison else Goal.DEAD)
        if op == "resent" and line.from_state is State.WAITING:
            self._planned.add(which)
            world.met(Goal.REDRIVE_RACED_RETRY)
        elif op == "failed" and which in self._planned:
            self._planned.discard(which)
            if line.to_state is State.WAITING:
                world.met(Goal.RESEND_RESUMED)
        elif op == "resumed":
            world.met(Goal.PARKED_AND_RESUMED)
        elif op == "gone":
            world.met(Goal.GONE)


class SqliteWatch(Watch):
    """Over a store on SQLite whose calls never wait."""

    def __init__(self, world: Surroundings) -> None:
        super().__init__(world)
        self._cursor = LogCursor()

    @property
    def _sqlite(self) -> SqliteStore:
        store = self._world.store
        assert isinstance(store, SqliteStore)
        return store

    def new_lines(self) -> list[LogEntry]:
        found = at_once(self._sqlite.log(self._cursor, limit=10_000))
        if found:
            self._cursor = found[-1].cursor
        return [one.entry for one in found]

    def rows(self, names: Iterable[Any]) -> list[Delivery | None]:
        return [at_once(self._sqlite.delivery(DeliveryId(*name))) for name in names]


def _event(
    at_s: float, node: Process, which: DeliveryId, before: LogEntry | None, line: LogEntry
) -> Event:
    written = bool(line.rows_written)
    now = line if written or before is None else before
    what = line.op
    if line.attempt_no and line.op != "leased":
        what = f"attempt {line.attempt_no}: {line.op}"
    if line.op == "leased":
        what = f"takes lease {line.lease_epoch}" if line.to_state is State.LEASED else "gives up"
    if not written:
        what += f", refused: decided on v{line.version_before}, the row is v{now.version_after}"
    return Event(
        at_s=at_s,
        lane=line.holder or node.holder,
        what=what,
        delivery=which,
        kind=line.op,
        state=str(now.to_state),
        version=now.version_after,
        version_before=line.version_before,
        is_refused=not written,
    )
