"""What lies between one simulated process and the rest of the world: its database and its network.

Everything that a process does to the world goes through here, so this is where it can crash, stand
still, lose answers and be kept waiting. A process that has crashed gets no answer ever again: its
tasks wait for good, as if they had never been scheduled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Final

from homing.core.errors import Unavailable
from homing.core.outcome import Outcome, Reason
from homing.core.ports import Request
from homing.sim.draws import cumulative
from homing.sim.goals import Goal
from homing.sim.ports import Process, Surroundings
from homing.sim.receivers import Answer, Labelled

#: what can go wrong with a call to the database; the first is that nothing does
WRITE_FAULTS: Final = (
    "",
    "away",
    "answer lost",
    "crash before commit",
    "crash after commit",
    "slow",
    "slow answer",
    "very slow",
)
READ_FAULTS: Final = ("", "away", "crash", "slow")
#: how likely, by the world's level of trouble
WRITE_WEIGHTS: Final = (
    cumulative(1, 0, 0, 0, 0, 0, 0, 0),
    cumulative(96, 1, 1, 0.2, 0.2, 1, 1, 0.1),
    cumulative(84, 3, 3, 1, 1.5, 3.5, 3.5, 0.5),
)
READ_WEIGHTS: Final = (
    cumulative(1, 0, 0, 0),
    cumulative(98.2, 1, 0.05, 0.75),
    cumulative(93.7, 3, 0.3, 3),
)
SLOW_S: Final = {"slow": 0.7, "slow answer": 0.7, "very slow": 14.0}


class _Turn:
    """Lets others run; may be awaited any number of times."""

    def __await__(self) -> Generator[None, None, None]:
        return iter(_ONCE)  # type: ignore[return-value]  # all that is asked of it is to be iterated


_ONCE: Final = (None,)
TURN: Final = _Turn()


class FaultyStore:
    """The port `Store` of one process; `world.store` answers, sooner or later or never."""

    def __init__(self, world: Surroundings, node: Process) -> None:
        self._world = world
        self._node = node
        self._loop = world.loop
        self._ready = world.loop.ready
        self._fault = world.draws.fault
        self._counts: dict[str, int] = world.counts
        self._places: dict[str, str] = {}

    async def _call(
        self,
        name: str,
        is_write: bool,
        args: tuple[Any, ...],
        given: dict[str, Any],
    ) -> Any:
        world, node, counts, ready = self._world, self._node, self._counts, self._ready
        # A turn that nobody else could take is none: what can run now is all that there is.
        if ready:
            await TURN  # the request travels
        if node.is_stuck:
            await node.wait_until_running()
        if world.away_until_s > self._loop.now_s:
            raise Unavailable("the database is away")
        place = self._places.get(name) or self._place(name)
        number = counts[place] = counts.get(place, 0) + 1
        if is_write:
            fault = self._fault(place, number, WRITE_FAULTS, world.write_weights)
        else:
            fault = self._fault(place, number, READ_FAULTS, world.read_weights)
        if fault:
            return await self._faulty(fault, name, args, given)
        result = await self._execute(name, args, given)
        if is_write:
            world.watch.committed(node, name, result)
        if ready:
            await TURN  # the answer travels
        if node.is_stuck:
            await node.wait_until_running()
        return result

    def _place(self, name: str) -> str:
        """By what its faults are drawn."""
        place = self._places[name] = f"{self._node.name}.{name}"
        return place

    def _execute(
        self, name: str, args: tuple[Any, ...], given: dict[str, Any]
    ) -> Coroutine[Any, Any, Any]:
        """At the database: one transaction, which nothing comes in between of."""
        call: Callable[..., Coroutine[Any, Any, Any]] = getattr(self._world.store, name)
        return call(*args, **given)

    async def _faulty(
        self, fault: str, name: str, args: tuple[Any, ...], given: dict[str, Any]
    ) -> Any:
        world, node = self._world, self._node
        if fault == "away":
            node.note(f"{_words(name)}: the database is away", "away")
            raise Unavailable("the database is away")
        if fault in ("crash before commit", "crash"):
            if fault != "crash":
                world.met(Goal.CRASH_BEFORE_COMMIT)
            await node.crash(f"before “{_words(name)}” reached the database")
        if fault in ("slow", "very slow"):
            await asyncio.sleep(SLOW_S[fault])
            if node.is_stuck:
                await node.wait_until_running()
        result = await self._execute(name, args, given)
        world.watch.committed(node, name, result)
        if fault == "answer lost":
            world.met(Goal.ANSWER_LOST)
            node.note(f"{_words(name)}: committed, and the answer is lost", "answer lost")
            raise Unavailable("the connection was lost; whether it was committed is not known")
        if fault == "crash after commit":
            world.met(Goal.CRASH_AFTER_COMMIT)
            await node.crash(f"after “{_words(name)}” was committed")
        await asyncio.sleep(SLOW_S.get(fault, 0.0) if fault == "slow answer" else 0.0)
        if node.is_stuck:
            await node.wait_until_running()
        return result


def _words(name: str) -> str:
    return name.replace("_", " ")


def _verb(name: str, *, is_write: bool) -> Callable[..., Coroutine[Any, Any, Any]]:
    def call(self: FaultyStore, *args: Any, **given: Any) -> Coroutine[Any, Any, Any]:
        return self._call(name, is_write, args, given)

    call.__name__ = name
    return call


WRITES: Final = (
    "accept", "claim", "settle", "put", "delete", "remember", "expunge_message",
    "expunge_attempt", "ping", "settle_with", "purge", "purge_log",
)  # fmt: skip
READS: Final = (
    "next_ready_at_us", "parked_endpoints", "backlog", "get", "by_ids", "list", "recall",
    "message", "messages", "messages_by_ids", "delivery", "deliveries", "attempt", "attempts",
    "attempt_counts", "log", "first_accepted_at_us", "ledger", "misfits", "attempts_made",
    "due_lanes", "walk_lanes", "behind", "running_tasks", "notable_log",
)  # fmt: skip
for _name in WRITES:
    setattr(FaultyStore, _name, _verb(_name, is_write=True))
for _name in READS:
    setattr(FaultyStore, _name, _verb(_name, is_write=False))


class FaultySender:
    """The port `Sender` of one process: simulated receivers answer."""

    def __init__(self, world: Surroundings, node: Process) -> None:
        self._world = world
        self._node = node
        self._total_s = world.limits.request_total_s
        #: what a sender makes of an answer, by its name
        self._outcomes: dict[str, Outcome] = {}

    async def send(self, request: Request) -> Outcome:
        world, node = self._world, self._node
        assert isinstance(request, Labelled)
        which, epoch = request.which, request.epoch
        answer = world.answer_of(which, epoch)
        if node.is_stuck:
            await node.wait_until_running()
        if answer.crash == "before":
            world.met(Goal.CRASH_BEFORE_SEND)
            await node.crash("between the lease and the request", which)
        here = world.sending[which]
        sent = world.receive(node, which, epoch, answer)
        if answer.crash == "after":
            world.met(Goal.CRASH_AFTER_SEND)
            await node.crash("between the request and its outcome", which)
        try:
            await world.loop.sleep(min(answer.after_s, self._total_s))
            if node.is_stuck:
                await node.wait_until_running()
        finally:
            here.pop((node.holder, epoch), None)
        outcome = self._outcomes.get(answer.name)
        if outcome is None:
            outcome = self._outcomes[answer.name] = _outcome(answer, self._total_s)
        sent.is_seen = outcome.status is not None
        if world.trace.is_on:
            node.note(f"sees {outcome.status or outcome.reason}", "answer", which)
        return outcome

    async def close(self) -> None:
        pass


def _outcome(answer: Answer, total_s: float) -> Outcome:
    after_us = round(min(answer.after_s, total_s) * 1_000_000)
    if answer.after_s >= total_s:
        return Outcome(reason=Reason.TOTAL_TIMEOUT, total_us=after_us)
    if answer.is_reset or answer.status is None:
        return Outcome(reason=Reason.RESET, total_us=after_us)
    is_ok = answer.status // 100 == 2
    return Outcome(
        reason=Reason.OK if is_ok else Reason.STATUS,
        status=answer.status,
        headers=answer.headers,
        total_us=after_us,
    )
