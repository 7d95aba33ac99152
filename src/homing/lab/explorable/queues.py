"""Faults between a row and its entry in a queue, against the four ports alone: D3, D4, D8, D12."""

from __future__ import annotations

from typing import Final

from homing.lab.faults import queues
from homing.lab.faults.queues import entry_of
from homing.lab.sound import Worker
from homing.sim.workers.ports import Row

_NUMBERS: Final = "numbers"  #: the row that counts publishers' transactions
_CURSOR: Final = "cursor"  #: the row of the highest number that the relay has seen


class LeasedQueue(queues.QueueWorker):
    """Nothing lost: an entry is leased, a repeat brings a missing one back, and a row is written
    only by who read it last."""

    async def accept(self, delivery: str) -> None:
        """Publish, the first time or again: a row that waits has an entry."""
        await self.store.put_if(delivery, _new_row(), state=None)
        row = await self.store.get(delivery)
        if row is not None and row["state"] == "pending":
            await self.store.put_if(
                entry_of(delivery), self.new_entry(self.clock.now()), state=None
            )

    def new_entry(self, due_at: float) -> Row:
        """An entry as it begins."""
        return {"state": "pending", "due_at": due_at, "holder": None, "attempts": 0}

    def is_due(self, row: Row) -> bool:
        if row["state"] == "pending" and row["due_at"] is None:
            return False  # a delivery's own row: it is its entry that is due
        return super().is_due(row)

    async def work(self, entry_key: str, entry: Row) -> None:
        key = entry_key.partition(":")[2]
        row = await self.store.get(key)
        if row is None or row["state"] != "pending":
            await self.store.delete(entry_key)
            return
        job = {**row, "attempts": entry["attempts"]}
        after = self.decided(job, await self.send(key, job))
        due_at = after.pop("due_at")
        if not await self.store.put_if(
            key, {**after, "due_at": None}, state="pending", attempts=row["attempts"]
        ):
            return  # another turn has written meanwhile; its entry comes round again
        if after["state"] == "pending":
            waiting = {**entry, "state": "pending", "holder": None, "lease_until": None}
            await self.store.put_if(
                entry_key, {**waiting, "due_at": due_at}, holder=self.name, attempts=job["attempts"]
            )
        else:
            await self.store.delete(entry_key)


class SkippedTwice(LeasedQueue):
    """D3. The row is written, the entry is not, and whoever sends it again is told: a repeat."""

    async def accept(self, delivery: str) -> None:
        if await self.store.get(delivery) is not None:
            return  # accepted before: nothing to do
        await self.store.put(delivery, _new_row())
        await self.store.put(entry_of(delivery), self.new_entry(self.clock.now()))


class Popped(queues.Popped):
    """D4. Entries are popped eight at a time, into memory; a process that dies takes them along."""

    accept = LeasedQueue.accept
    new_entry = LeasedQueue.new_entry

    async def turn(self) -> bool:
        self.held = []
        for key, entry in await self.store.find(self.is_due, limit=self.batch):
            if await self.store.put_if(key, {"state": "popped"}, state="pending"):
                await self.store.delete(key)
                self.held.append((key, {**entry, "attempts": entry["attempts"] + 1}))
        is_busy = bool(self.held)
        while self.held:
            await self.work(*self.held.pop())
        return is_busy

    def is_due(self, row: Row) -> bool:
        return row["state"] == "pending" and row["due_at"] is not None and super().is_due(row)


class AtMostOnce(LeasedQueue):
    """D8. A marker keeps a webhook from being sent twice, and outlives the process that set it."""

    lease_s = 40.0

    async def work(self, entry_key: str, entry: Row) -> None:
        marker = f"sending:{entry_key}"
        if not await self.mark(marker, entry):
            await self.leave(entry_key)
            return
        await super().work(entry_key, entry)
        await self.store.delete(marker)

    async def mark(self, marker: str, entry: Row) -> bool:
        """Whether the marker is this worker's now."""
        return await self.store.put_if(marker, {"state": "sending"}, state=None)

    async def leave(self, entry_key: str) -> None:
        """Somebody is sending it: at most once."""
        await self.store.delete(entry_key)


class EndingMarkers(AtMostOnce):
    """The fix: a marker ends with its lease, and an entry that meets one is left in the queue."""

    async def mark(self, marker: str, entry: Row) -> bool:
        there = await self.store.get(marker) or {}
        if (there.get("until") or 0.0) > self.clock.now():
            return False
        row: Row = {"state": "sending", "until": entry["lease_until"]}
        return await self.store.put_if(marker, row, until=there.get("until"))

    async def leave(self, entry_key: str) -> None:
        pass


class CursorRelay(Worker):
    """D12. Rows are listed in the order of their numbers, behind a cursor; a number is taken when a
    publisher's transaction begins, and is seen when it commits."""

    async def accept(self, delivery: str) -> None:
        """Publish: take the next number, then write the row."""
        number = await self.next_number()
        await self.store.put_if(delivery, {**_new_row(), "number": number}, state=None)

    async def next_number(self) -> int:
        while True:
            there = await self.store.get(_NUMBERS) or {}
            number = int(there.get("last") or 0) + 1
            row: Row = {"state": "numbers", "last": number}
            if await self.store.put_if(_NUMBERS, row, last=there.get("last")):
                return number

    async def turn(self) -> bool:
        await self.relay()
        return await super().turn()

    async def relay(self) -> None:
        """Give what is beyond the cursor a due time, and move the cursor."""
        cursor = await self.store.get(_CURSOR) or {}
        seen = int(cursor.get("number") or 0)
        found = await self.store.find(lambda row: self.is_beyond(row, seen), limit=100)
        for key, row in sorted(found, key=lambda one: int(one[1]["number"])):
            listed = {**row, "due_at": self.clock.now()}
            await self.store.put_if(key, listed, state="pending", due_at=None)
        if found:
            number = max(int(row["number"]) for _, row in found)
            await self.store.put_if(
                _CURSOR, {"state": "cursor", "number": number}, number=cursor.get("number")
            )

    def is_beyond(self, row: Row, seen: int) -> bool:
        """Whether the relay should list a row, having seen numbers up to `seen`."""
        return row["state"] == "pending" and row["due_at"] is None and row["number"] > seen


class UnlistedRelay(CursorRelay):
    """The fix: what has not been listed yet is asked for, whatever its number."""

    def is_beyond(self, row: Row, seen: int) -> bool:
        return super().is_beyond(row, -1)


def _new_row() -> Row:
    return {
        "state": "pending",
        "attempts": 0,
        "holder": None,
        "lease_until": None,
        "due_at": None,
    }
