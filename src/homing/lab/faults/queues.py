"""Faults between a row and a queue that should hold the same: D3, D4, D8, D12."""

from __future__ import annotations

from collections.abc import Iterable

from homing.lab.loop import pause
from homing.lab.sound import Intake, Worker, key_of
from homing.lab.traffic import Payment
from homing.lab.world import Line, World
from homing.sim.workers.ports import Row


def entry_of(key: str) -> str:
    """The key of a delivery's entry in the queue."""
    return f"queue:{key}"


class QueueIntake(Intake):
    """Stores a delivery, then puts it into the queue that the workers read."""

    def new_row(self, payment: Payment) -> Row:
        return {**super().new_row(payment), "due_at": None}

    async def take(self, payment: Payment) -> None:
        await self.accept(payment, self.new_row(payment))
        await self.enqueue(payment)

    async def enqueue(self, payment: Payment) -> None:
        """Put the entry into the queue.

        Raises:
            ConnectionError: the broker is away.
        """
        now = self.world.loop.now_s
        entry: Row = {"state": "pending", "endpoint": payment.endpoint, "due_at": now}
        await self.store.put(entry_of(key_of(payment)), {**entry, "holder": None, "attempts": 0})


class SkippedTwice(QueueIntake):
    """D3. The broker is away: the row is there, the entry is not, and dedupe skips the repeat."""

    def __init__(self, world: World, payments: Iterable[Payment]) -> None:
        super().__init__(world, payments)
        self.away: list[tuple[float, float]] = []

    async def take(self, payment: Payment) -> None:
        try:
            await super().take(payment)
        except ConnectionError:
            self.world.loop.spawn(self.repeat(payment), at_s=self.world.loop.now_s + 5.0)

    async def repeat(self, payment: Payment) -> None:
        """The publisher heard 500 and sends it again."""
        if await self.store.get(key_of(payment)) is not None:
            return  # accepted before: nothing to do
        await self.take(payment)

    async def enqueue(self, payment: Payment) -> None:
        now = self.world.loop.now_s
        if any(begin <= now < end for begin, end in self.away):
            raise ConnectionError("the broker is away")
        await super().enqueue(payment)


class Relisted(SkippedTwice):
    """The fix: a repeat of what was accepted brings back the entry that it lacks."""

    async def repeat(self, payment: Payment) -> None:
        row = await self.store.get(key_of(payment))
        if row is None:
            await self.take(payment)
        elif row["state"] == "pending" and await self.store.get(entry_of(key_of(payment))) is None:
            try:
                await self.enqueue(payment)
            except ConnectionError:
                self.world.loop.spawn(self.repeat(payment), at_s=self.world.loop.now_s + 5.0)


class QueueWorker(Worker):
    """Takes an entry of the queue under a lease; acknowledges it when it is done with it."""

    async def turn(self) -> bool:
        found = await self.store.find(self.is_due)
        for key, entry in found:
            held = {
                **entry,
                "state": "processing",
                "holder": self.name,
                "attempts": entry["attempts"] + 1,
                "due_at": None,
                "lease_until": self.clock.now() + self.lease_s,
            }
            expected = {"holder": entry["holder"], "attempts": entry["attempts"]}
            if await self.store.put_if(key, held, **expected):
                await self.work(key, held)
        return bool(found)

    def is_due(self, row: Row) -> bool:
        now = self.clock.now()
        if row["state"] == "pending":
            return bool(row["due_at"] <= now)
        return bool(row["state"] == "processing" and row["lease_until"] <= now)

    async def work(self, entry_key: str, entry: Row) -> None:
        """One attempt for the entry that this worker holds."""
        key = entry_key.partition(":")[2]
        row = await self.store.get(key)
        if row is None or row["state"] != "pending":
            await self.store.delete(entry_key)
            return
        job = {**row, "attempts": entry["attempts"]}
        status = await self.send(key, job)
        after = self.decided(job, status)
        due_at = after.pop("due_at")
        await self.store.put(key, {**after, "due_at": None})
        if after["state"] == "pending":
            waiting = {**entry, "state": "pending", "holder": None, "lease_until": None}
            await self.store.put_if(
                entry_key, {**waiting, "due_at": due_at}, holder=self.name, attempts=job["attempts"]
            )
        else:
            await self.store.delete(entry_key)


class Leased(QueueWorker):
    """The fix of what is popped: an entry is leased, and so outlives the process that has it."""

    is_full = False  #: an entry is in hand

    async def work(self, entry_key: str, entry: Row) -> None:
        self.is_full = True
        await super().work(entry_key, entry)
        self.is_full = False


class Popped(QueueWorker):
    """D4. Entries are popped eight at a time, into memory; a process that dies takes them along."""

    batch = 8
    poll_s = 8.0
    held: list[tuple[str, Row]]

    async def turn(self) -> bool:
        found = await self.store.find(self.is_due, limit=self.batch)
        self.held = []
        for key, entry in found:
            if await self.store.get(key) is not None:  # another worker may have been quicker
                await self.store.delete(key)
                self.held.append((key, {**entry, "attempts": entry["attempts"] + 1}))
        while self.held:
            await self.work(*self.held.pop())
        return bool(found)

    @property
    def is_full(self) -> bool:
        """Several entries are in memory, and nowhere else."""
        return len(getattr(self, "held", ())) > 1

    async def work(self, entry_key: str, entry: Row) -> None:
        key = entry_key.partition(":")[2]
        row = await self.store.get(key)
        if row is None or row["state"] != "pending":
            return
        job = {**row, "attempts": entry["attempts"]}
        after = self.decided(job, await self.send(key, job))
        due_at = after.pop("due_at")
        await self.store.put(key, {**after, "due_at": None})
        if after["state"] == "pending":
            await self.store.put(entry_key, {**entry, "state": "pending", "due_at": due_at})


class AtMostOnce(QueueWorker):
    """D8. A marker keeps a webhook from being sent twice, and outlives the try that failed."""

    lease_s = 40.0

    async def work(self, entry_key: str, entry: Row) -> None:
        key = entry_key.partition(":")[2]
        marker = f"sending:{key}"
        if not await self.store.put_if(marker, {"state": "sending", "due_at": 9e9}, state=None):
            await self.store.delete(entry_key)  # somebody is sending it: at most once
            return
        row = await self.store.get(key)
        if row is None or row["state"] != "pending":
            await self.store.delete(entry_key)
            return
        job = {**row, "attempts": entry["attempts"]}
        status = await self.send(key, job)
        if status is None:
            await self.store.put(key, job)
            return  # the queue gives it to somebody again when the lease is over
        await self.store.delete(marker)
        await self.conclude(entry_key, entry, key, job, status)

    async def conclude(self, entry_key: str, entry: Row, key: str, job: Row, status: int) -> None:
        """Write the outcome; into the queue again, or out of it."""
        after = self.decided(job, status)
        due_at = after.pop("due_at")
        await self.store.put(key, {**after, "due_at": None})
        if after["state"] == "pending":
            waiting = {**entry, "state": "pending", "holder": None, "lease_until": None}
            await self.store.put(entry_key, {**waiting, "due_at": due_at})
        else:
            await self.store.delete(entry_key)


class SlowCommits(Intake):
    """Of D12: a number is taken when a transaction begins; some transactions commit late."""

    slow_share = 0.015
    slow_s = (2.0, 15.0)

    def __init__(self, world: World, payments: Iterable[Payment]) -> None:
        super().__init__(world, payments)
        self.number = 0

    async def take(self, payment: Payment) -> None:
        self.number += 1
        draws = self.world.draws
        is_slow = draws.chance(self.slow_share)
        took_s = draws.between(*self.slow_s) if is_slow else draws.between(0.002, 0.02)
        self.world.loop.spawn(self.commit(payment, self.number, took_s))

    async def commit(self, payment: Payment, number: int, took_s: float) -> None:
        """The rest of the transaction."""
        await pause(took_s)
        row = {**self.new_row(payment), "due_at": None, "number": number}
        await self.accept(payment, row)

    def noted(self, payment: Payment, row: Row) -> Line:
        return {**super().noted(payment, row), "number": row["number"]}


class CursorRelay(Worker):
    """D12. Hands rows to the workers in the order of their numbers, behind a cursor."""

    cursor = 0

    async def turn(self) -> bool:
        found = await self.store.find(self.is_beyond, limit=100)
        for key, row in sorted(found, key=lambda one: one[1]["number"]):
            await self.store.put_if(key, {**row, "due_at": self.clock.now()}, attempts=0)
            self.cursor = max(self.cursor, row["number"])
        return False

    def is_beyond(self, row: Row) -> bool:
        return bool(row["state"] == "pending" and row.get("number", 0) > self.cursor)


class UnlistedRelay(CursorRelay):
    """The fix: what has not been listed yet is asked for, whatever its number."""

    def is_beyond(self, row: Row) -> bool:
        return row["state"] == "pending" and row["due_at"] is None
