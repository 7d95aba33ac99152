"""D7, SQL by hand: a sweep takes leases that ran out for failures of last resort.

A worker that dies leaves its lease behind. The sweep was written against deliveries that kill
their worker, and gives up at once; one crash, and a delivery that nobody has refused is dead.
"""

from __future__ import annotations

from typing import Any

from homing.sim.workers.ports import Chance, Clock, Sender

LEASE_S = 60.0


class Worker:
    """Claims what is pending; sweeps what was left behind."""

    store = "sqlite"
    schema = """
        CREATE TABLE deliveries (
            id TEXT PRIMARY KEY, state TEXT NOT NULL, attempts INTEGER NOT NULL,
            due_at REAL NOT NULL, lease_until REAL)
    """
    states = "SELECT id, state, attempts, due_at, lease_until FROM deliveries"
    swept = "dead"

    def __init__(self, db: Any, sender: Sender, clock: Clock, chance: Chance, name: str) -> None:
        self.db = db
        self.sender = sender
        self.clock = clock

    async def accept(self, delivery: str) -> None:
        await self.db.execute(
            "INSERT OR IGNORE INTO deliveries VALUES (?, 'pending', 0, ?, NULL)",
            (delivery, self.clock.now()),
        )
        await self.db.commit()

    async def run(self) -> None:
        while True:
            await self.sweep()
            if not await self.one():
                await self.clock.sleep(2.0)

    async def sweep(self) -> None:
        now = self.clock.now()
        await self.db.execute(
            "UPDATE deliveries SET state = ?, lease_until = NULL, due_at = ?"
            " WHERE state = 'processing' AND lease_until <= ?",
            (self.swept, now, now),
        )
        await self.db.commit()

    async def one(self) -> bool:
        now = self.clock.now()
        cursor = await self.db.execute(
            "UPDATE deliveries"
            " SET state = 'processing', attempts = attempts + 1, lease_until = ?"
            " WHERE id = (SELECT id FROM deliveries WHERE state = 'pending' AND due_at <= ?"
            " ORDER BY due_at, id LIMIT 1) RETURNING id, attempts",
            (now + LEASE_S, now),
        )
        row = await cursor.fetchone()
        await self.db.commit()
        if row is None:
            return False
        key, attempt = row
        try:
            status = await self.sender.send(key, attempt)
        except TimeoutError:
            status = 0
        await self.settle(key, attempt, 200 <= status < 300)
        return True

    async def settle(self, key: str, attempt: int, is_ok: bool) -> None:
        state = "delivered" if is_ok else "dead" if attempt >= 6 else "pending"
        await self.db.execute(
            "UPDATE deliveries SET state = ?, due_at = ?, lease_until = NULL"
            " WHERE id = ? AND attempts = ? AND state = 'processing'",
            (state, self.clock.now() + 10.0 * attempt, key, attempt),
        )
        await self.db.commit()


class Fixed(Worker):
    """A lease that ran out is nobody's failure: the delivery is due again."""

    swept = "pending"
