"""Safeguards taken out: each class does one thing as systems that lose deliveries do it.

Production has no switch for being wrong; these stand in for its parts in simulated worlds only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from typing import Any

import msgspec

from homing.core.errors import Unavailable
from homing.core.journal import Journal
from homing.core.lifecycle import Delivery, Fact, Resent, State, Succeeded
from homing.core.limits import Quota
from homing.core.outcome import Outcome, fact_of
from homing.core.ports import Work
from homing.core.queries import LogCursor, LoggedEntry
from homing.core.records import (
    Acceptance,
    Accepted,
    AcceptResult,
    Change,
    Claimed,
    Reply,
    RequestKey,
    digest16,
)
from homing.core.resources import Endpoint
from homing.core.retry import RetryPolicy
from homing.core.store import Store
from homing.dispatch.loop import Dispatcher, DispatchLimits
from homing.dispatch.settler import Settler
from homing.dispatch.sweeper import Sweeper
from homing.service.fanout import Fanout
from homing.service.intake import Intake, _Item
from homing.sim.fault_injection import FaultyStore
from homing.sim.ports import Process, Surroundings
from homing.store.memory.store import MemoryStore

_replace = msgspec.structs.replace


# --- stores -------------------------------------------------------------------------------------


class Unfenced(MemoryStore):
    """UPDATE … WHERE id = :id, and no version in it."""

    def _take(self, change: Change) -> bool:
        if change.before is None:
            return super()._take(change)
        source = self.hot if change.before.is_unfinished else self.history
        return source.pop(change.id, None) is not None


class NeverReclaiming(MemoryStore):
    """SELECT … WHERE state = 'waiting': nobody takes a lease that ran out."""

    async def claim(
        self, decide: Callable[[Delivery], Change], *, at_us: int, quotas: Sequence[Quota]
    ) -> list[Claimed]:
        leased = {i: d for i, d in self.hot.items() if d.state is State.LEASED}
        for which in leased:
            del self.hot[which]
        try:
            return await super().claim(decide, at_us=at_us, quotas=quotas)
        finally:
            self.hot.update(leased)


class Popping(MemoryStore):
    """A claim takes the row out: until the outcome is written it is in memory alone."""

    async def claim(
        self, decide: Callable[[Delivery], Change], *, at_us: int, quotas: Sequence[Quota]
    ) -> list[Claimed]:
        taken = []
        for quota in quotas:
            due = sorted(
                (d.ready_at_us, d.id)
                for d in self.hot.values()
                if d.endpoint_id == quota.endpoint_id
                and d.ready_at_us is not None
                and d.ready_at_us <= at_us
            )
            taken += [decide(self.hot.pop(which)) for _, which in due[: quota.count]]
        return [Claimed(c.after, self.accepted[c.after.message_id]) for c in taken]

    def _take(self, change: Change) -> bool:
        return super()._take(change) or change.id not in self.history


class Forgetful(MemoryStore):
    """A batch that is settled again is not recognised."""

    def _settled_before(self, change: Change, now: set[Any]) -> bool | None:
        return None


class Unversioned(MemoryStore):
    """Accepts a fan-out whatever became of the endpoints since it was computed."""

    def _accept(self, item: Acceptance) -> AcceptResult:
        version = self._application_version(item.message.app_id) or 0
        return super()._accept(_replace(item, application_version=version))


class TwoTransactions(MemoryStore):
    """What belongs in one transaction, in two. The `TwoStep…` stores call these."""

    async def accept_message(self, item: Acceptance) -> AcceptResult:
        """The message and its keys, without its deliveries."""
        return self._accept(_replace(item, deliveries=(), entries=()))

    async def accept_deliveries(self, item: Acceptance) -> None:
        """What the message was stored without."""
        for delivery in item.deliveries:
            self.hot[delivery.id] = delivery
        self.lines.extend(item.entries)

    async def settle_rows(self, changes: Sequence[Change]) -> list[bool]:
        """The rows, without attempts and log."""
        written = []
        for change in changes:
            written.append(self._take(change))
            if written[-1]:
                target = self.hot if change.after.is_unfinished else self.history
                target[change.id] = change.after
        return written

    async def settle_records(self, changes: Sequence[Change], written: Sequence[bool]) -> None:
        """Attempts and log."""
        for change, done in zip(changes, written, strict=True):
            if change.attempt is not None:
                attempt = _replace(change.attempt, late=not done)
                self.attempted[attempt.message_id, attempt.id] = attempt
            self.lines.append(_replace(change.entry, rows_written=int(done)))

    async def take_out(self, changes: Sequence[Change]) -> list[bool]:
        """Delete the rows."""
        return [self._take(change) for change in changes]

    async def put_in(self, changes: Sequence[Change], taken: Sequence[bool]) -> None:
        """Insert them where they go."""
        for change, done in zip(changes, taken, strict=True):
            if done:
                self.history[change.id] = change.after
        await self.settle_records(changes, taken)


class SnapshotLog(MemoryStore):
    """A log whose lines are numbered when a transaction begins and seen when it commits.

    As on PostgreSQL. Reading stops short of transactions that are still open.
    """

    stops_short = True

    def __init__(self) -> None:
        super().__init__()
        self._tickets = count(1)
        self._open: dict[int, Process] = {}
        self._stamps: list[int] = []

    def begin(self, node: Process) -> int:
        """A transaction's number."""
        ticket = next(self._tickets)
        self._open[ticket] = node
        return ticket

    def end(self, ticket: int) -> None:
        """It was committed, or rolled back."""
        self._open.pop(ticket, None)
        self._stamp(ticket)

    def _stamp(self, ticket: int) -> None:
        """Whatever was written since the last stamp is of this transaction."""
        self._stamps += [ticket] * (len(self.lines) - len(self._stamps))

    async def log(
        self, cursor: LogCursor, *, limit: int, app_id: str | None = None
    ) -> list[LoggedEntry]:
        self._stamp(0)
        horizon = min((t for t, node in self._open.items() if not node.is_dead), default=None)
        found = []
        order = sorted(range(len(self.lines)), key=lambda i: (self._stamps[i], i))
        for index in order:
            place = LogCursor(transaction=self._stamps[index], line=index + 1)
            if self.stops_short and horizon is not None and place.transaction >= horizon:
                break
            line = self.lines[index]
            if place > cursor and line is not None:
                found.append(LoggedEntry(line, place))
        return found[:limit]


class NumberedLog(SnapshotLog):
    """Reads whatever is there: the cursor passes what commits late."""

    stops_short = False


# --- faulty stores ------------------------------------------------------------------------------


class TwoStepAccept(FaultyStore):
    """The message in one commit, its deliveries in the next."""

    async def accept(self, batch: Sequence[Acceptance]) -> list[AcceptResult]:
        results = []
        for item in batch:
            result = await self._call("accept_message", True, (item,), {})
            if isinstance(result, Accepted):
                await self._call("accept_deliveries", True, (item,), {})
            results.append(result)
        return results


class TwoStepSettle(FaultyStore):
    """The state in one commit, the attempt and the log line in the next, if it comes to that."""

    async def settle(self, changes: Sequence[Change]) -> list[bool]:
        written: list[bool] = await self._call("settle_rows", True, (changes,), {})
        with suppress(Unavailable):  # best effort
            await self._call("settle_records", True, (changes, written), {})
        return written


class TwoStepDead(FaultyStore):
    """A dead letter is deleted here and inserted there, if it comes to that."""

    async def settle(self, changes: Sequence[Change]) -> list[bool]:
        dead = [change for change in changes if change.after.state is State.DEAD]
        others = [change for change in changes if change.after.state is not State.DEAD]
        written: dict[int, bool] = {}
        if others:
            done = await self._call("settle", True, (others,), {})
            written.update(zip(map(id, others), done, strict=True))
        if dead:
            done = await self._call("take_out", True, (dead,), {})
            with suppress(Unavailable):  # best effort
                await self._call("put_in", True, (dead, done), {})
            written.update(zip(map(id, dead), done, strict=True))
        return [written[id(change)] for change in changes]


class TransactionStore(FaultyStore):
    """Each write is a transaction of `SnapshotLog`, from the moment that it is asked for."""

    def __init__(self, world: Surroundings, node: Process) -> None:
        super().__init__(world, node)
        #: transactions that are open, by who has them
        self._tickets: dict[asyncio.Task[Any] | None, int] = {}

    async def _call(
        self, name: str, is_write: bool, args: tuple[Any, ...], given: dict[str, Any]
    ) -> Any:
        store = self._world.store
        if not is_write or not isinstance(store, SnapshotLog):
            return await super()._call(name, is_write, args, given)
        ticket = store.begin(self._node)
        task = asyncio.current_task()
        self._tickets[task] = ticket
        try:
            return await super()._call(name, is_write, args, given)
        finally:  # also of a world that is thrown away, whose loop has ended
            self._tickets.pop(task, None)
            store.end(ticket)

    async def _execute(self, name: str, args: tuple[Any, ...], given: dict[str, Any]) -> Any:
        result = await super()._execute(name, args, given)
        store, ticket = self._world.store, self._tickets.pop(asyncio.current_task(), 0)
        if isinstance(store, SnapshotLog) and ticket:
            store.end(ticket)
        return result


# --- dispatchers --------------------------------------------------------------------------------


class WokenOnly(Dispatcher):
    """Looks for work when it is told that there is some, and never else."""

    async def _wait(self, event: asyncio.Event, most_s: float) -> None:
        self._room_is_awaited = event is self._room
        await event.wait()
        self._room_is_awaited = False
        event.clear()


class OneDeadline(Dispatcher):
    """The request and the writing of its outcome share a deadline; what misses it is forgotten."""

    async def _attempt_or_not(self, work: Work) -> None:
        try:
            async with asyncio.timeout(self.limits.request_total_s):
                await super()._attempt_or_not(work)
        except (TimeoutError, Unavailable):
            pass

    async def _conclude(
        self,
        work: Work,
        endpoint: Endpoint,
        began_us: int,
        outcome: Outcome,
        signature: str | None,
    ) -> None:
        at_us = self._clock.now_us()
        fact = fact_of(outcome, at_us=at_us, chance=self._chance.fraction())
        attempt = self._attempt(work, endpoint, began_us, outcome, signature)
        change = self._journal.decide(work.delivery, fact, self._policy(endpoint), attempt=attempt)
        await self._store.settle([change])


class _GivesUp(Settler):
    """Tries once."""

    async def _write(self, batch: list[Change]) -> None:
        with suppress(Unavailable):
            self._count(batch, await self._store.settle(batch))


class SettlesOnce(Dispatcher):
    """An outcome that the database does not take is let go."""

    def __init__(self, store: Store, *args: Any, **given: Any) -> None:
        super().__init__(store, *args, **given)
        self._settler = _GivesUp(store, self._meters)


class LapseIsFinal(Dispatcher):
    """A lease that ran out is the last failure."""

    def __init__(self, *args: Any, limits: DispatchLimits, **given: Any) -> None:
        super().__init__(*args, limits=_replace(limits, unanswered_max=1), **given)


class Marking(Dispatcher):
    """Marks what it sends, and takes a mark to mean that somebody has sent it."""

    async def _attempt_or_not(self, work: Work) -> None:
        delivery = work.delivery
        name = digest16(*delivery.id, str(delivery.failures))
        key = RequestKey(digest=name, fingerprint=name, expires_at_us=2**60)
        at_us = self._clock.now_us()
        try:
            if await self._store.recall(key, at_us=at_us) is not None:
                self._settler.put(self._journal.decide(delivery, Succeeded(at_us=at_us)))
                return
            await self._store.remember(key, Reply(status=200, body=b""), at_us=at_us)
        except Unavailable:
            return
        await super()._attempt_or_not(work)


# --- others -------------------------------------------------------------------------------------


class Skipping(Intake):
    """A disabled endpoint gets no delivery."""

    async def _fanout(self, item: _Item) -> Fanout | None:
        found = await super()._fanout(item)
        if found is None:
            return None
        return Fanout(found.application, [one for one in found.endpoints if not one.disabled])


class OnEdge(Sweeper):
    """Resumes what is parked when it is told, and does not look again."""

    async def run(self) -> None:
        await asyncio.Event().wait()


class Shortening(Journal):
    """A resend takes the place of the retries that were planned."""

    def decide(
        self, before: Delivery, fact: Fact, policy: RetryPolicy | None = None, **given: Any
    ) -> Change:
        change = super().decide(before, fact, policy or RetryPolicy(), **given)
        if not isinstance(fact, Resent) or before.state is not State.WAITING:
            return change
        after = _replace(change.after, manual=False, resume=None, resume_at_us=None, failures=99)
        return _replace(change, after=after)
