"""D5, a hand-written loop: the row says `delivered` before the receiver has said anything.

It was written so that no delivery goes out twice. If the request then fails, the row is set back,
unless the worker is gone by then.
"""

from __future__ import annotations

from homing.sim.workers.ports import Chance, Clock, Row, Sender, Store

LEASE_S = 90.0


class Worker:
    """Marks the row as delivered, sends it, and takes the mark back if that failed."""

    early = "delivered"
    timeout_s = 30.0

    def __init__(
        self, store: Store, sender: Sender, clock: Clock, chance: Chance, name: str
    ) -> None:
        self.store = store
        self.sender = sender
        self.clock = clock

    async def run(self) -> None:
        while True:
            for key, row in await self.store.find(self.is_due, limit=5):
                await self.attempt(key, row)
            await self.clock.sleep(1.0)

    def is_due(self, row: Row) -> bool:
        return row["state"] == "pending" and row["due_at"] <= self.clock.now()

    async def attempt(self, key: str, row: Row) -> None:
        attempt = row["attempts"] + 1
        until = self.clock.now() + LEASE_S
        mark = {**row, "state": self.early, "attempts": attempt, "lease_until": until}
        if not await self.store.put_if(key, mark, state=row["state"], attempts=row["attempts"]):
            return
        try:
            status = await self.sender.send(key, attempt)
        except TimeoutError:
            status = 0
        if 200 <= status < 300:
            after = {**mark, "state": "delivered"}
        else:
            after = {**mark, "state": "pending", "due_at": self.clock.now() + 20.0}
        await self.store.put_if(key, after, state=self.early, attempts=attempt)


class Fixed(Worker):
    """The mark is a lease: it is no end, and it runs out."""

    early = "sending"

    def is_due(self, row: Row) -> bool:
        if row["state"] == "sending":
            return bool(row["lease_until"] <= self.clock.now())
        return super().is_due(row)
