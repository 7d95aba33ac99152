"""D12, an outbox: the poller remembers the highest number that it has seen, and asks for more.

A number is taken when a transaction begins, and is seen when it commits. What began earlier and
commits later is below the mark by then, and is never listed.
"""

from __future__ import annotations

from homing.sim.workers.ports import Chance, Clock, Row, Sender, Store


class Worker:
    """Moves what is new in the outbox into the list of what is due, and delivers what is due."""

    def __init__(
        self, store: Store, sender: Sender, clock: Clock, chance: Chance, name: str
    ) -> None:
        self.store = store
        self.sender = sender
        self.clock = clock

    async def accept(self, delivery: str) -> None:
        """Publish: take the next number, then write the row."""
        number = await self.next_number()
        row: Row = {"state": "pending", "number": number, "attempts": 0, "due_at": None}
        await self.store.put_if(delivery, row, state=None)

    async def next_number(self) -> int:
        while True:
            counter = await self.store.get("counter") or {}
            number = int(counter.get("last") or 0) + 1
            if await self.store.put_if("counter", {"last": number}, last=counter.get("last")):
                return number

    async def run(self) -> None:
        while True:
            await self.list_new()
            for key, row in await self.store.find(self.is_due, limit=10):
                await self.attempt(key, row)
            await self.clock.sleep(1.0)

    async def list_new(self) -> None:
        """Give what is beyond the mark a due time, and move the mark."""
        mark = await self.store.get("mark") or {}
        seen = int(mark.get("number") or 0)
        new = await self.store.find(lambda row: self.is_new(row, seen), limit=100)
        for key, row in new:
            listed = {**row, "due_at": self.clock.now()}
            await self.store.put_if(key, listed, state="pending", due_at=None)
        if new:
            highest = max(row["number"] for _, row in new)
            await self.store.put_if("mark", {"number": highest}, number=mark.get("number"))

    def is_new(self, row: Row, seen: int) -> bool:
        return row.get("state") == "pending" and row["due_at"] is None and row["number"] > seen

    def is_due(self, row: Row) -> bool:
        if row.get("state") == "sending":
            return bool(row["due_at"] <= self.clock.now())
        return (
            row.get("state") == "pending"
            and row["due_at"] is not None
            and row["due_at"] <= self.clock.now()
        )

    async def attempt(self, key: str, row: Row) -> None:
        attempt = row["attempts"] + 1
        mine = {**row, "state": "sending", "attempts": attempt, "due_at": self.clock.now() + 60.0}
        if not await self.store.put_if(key, mine, state=row["state"], attempts=row["attempts"]):
            return
        try:
            status = await self.sender.send(key, attempt)
        except TimeoutError:
            status = 0
        if 200 <= status < 300:
            after = {**mine, "state": "delivered"}
        else:
            after = {**mine, "state": "pending", "due_at": self.clock.now() + 10.0}
        await self.store.put_if(key, after, state="sending", attempts=attempt)


class Fixed(Worker):
    """Asks for what has no due time, whatever its number."""

    def is_new(self, row: Row, seen: int) -> bool:
        return row.get("state") == "pending" and row["due_at"] is None
