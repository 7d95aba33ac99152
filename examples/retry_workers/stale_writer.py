"""D6, a hand-written loop: the late result of one attempt is written over another's.

The lease is 30 seconds and a receiver may take longer. Then a second worker claims the delivery,
sends it and records the success; and the first one, when its own answer comes at last, writes
what it knows.
"""

from __future__ import annotations

import asyncio

from homing.sim.workers.ports import Chance, Clock, Row, Sender, Store

LEASE_S = 30.0
ATTEMPTS_MAX = 5


class Worker:
    """Claims under a lease, sends, and writes what came of it."""

    def __init__(
        self, store: Store, sender: Sender, clock: Clock, chance: Chance, name: str
    ) -> None:
        self.store = store
        self.sender = sender
        self.clock = clock
        self.chance = chance
        self.name = name

    async def run(self) -> None:
        while True:
            if not await self.one():
                await self.clock.sleep(1.0)

    async def one(self) -> bool:
        """Attempt what is due, if anything is."""
        found = await self.store.find(self.is_due)
        for key, row in found:
            claimed = {
                **row,
                "state": "processing",
                "attempts": row["attempts"] + 1,
                "lease_until": self.clock.now() + LEASE_S,
            }
            if await self.store.put_if(key, claimed, state=row["state"], attempts=row["attempts"]):
                await self.attempt(key, claimed)
        return bool(found)

    def is_due(self, row: Row) -> bool:
        now = self.clock.now()
        if row["state"] == "processing":
            return bool(row["lease_until"] <= now)
        return row["state"] == "pending" and row["due_at"] <= now

    async def attempt(self, key: str, claimed: Row) -> None:
        try:
            async with asyncio.timeout(60):
                status = await self.sender.send(key, claimed["attempts"])
        except TimeoutError:
            status = 0
        await self.write(key, claimed, self.after(claimed, status))

    def after(self, claimed: Row, status: int) -> Row:
        """The row as it is to be."""
        if 200 <= status < 300:
            return {**claimed, "state": "delivered"}
        if claimed["attempts"] >= ATTEMPTS_MAX:
            return {**claimed, "state": "dead"}
        delay_s = 10.0 * 2 ** claimed["attempts"] * (0.5 + self.chance.random())
        return {**claimed, "state": "pending", "due_at": self.clock.now() + delay_s}

    async def write(self, key: str, claimed: Row, after: Row) -> None:
        await self.store.put(key, after)


class Fixed(Worker):
    """Writes only over the claim that it decided on."""

    async def write(self, key: str, claimed: Row, after: Row) -> None:
        await self.store.put_if(key, after, state="processing", attempts=claimed["attempts"])
