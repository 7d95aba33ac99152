"""D11, SQL by hand: a clean-up deletes what is old, finished or not.

Retries go on for a quarter of an hour, rows are kept for ten minutes.
The last retries find nothing.
"""

from __future__ import annotations

from typing import Any

from homing.sim.workers.ports import Chance, Clock, Sender

LEASE_S = 90.0
KEPT_S = 600.0
DELAYS_S = (30.0, 120.0, 300.0, 420.0)


class Worker:
    """Claims, attempts, and cleans up now and then."""

    store = "sqlite"
    schema = """
        CREATE TABLE deliveries (
            id TEXT PRIMARY KEY, state TEXT NOT NULL, attempts INTEGER NOT NULL,
            ready_at REAL NOT NULL, created_at REAL NOT NULL)
    """
    states = "SELECT id, state, attempts, ready_at FROM deliveries"
    old = "created_at <= ?"

    def __init__(self, db: Any, sender: Sender, clock: Clock, chance: Chance, name: str) -> None:
        self.db = db
        self.sender = sender
        self.clock = clock

    async def accept(self, delivery: str) -> None:
        now = self.clock.now()
        await self.db.execute(
            "INSERT OR IGNORE INTO deliveries VALUES (?, 'pending', 0, ?, ?)", (delivery, now, now)
        )
        await self.db.commit()

    async def run(self) -> None:
        while True:
            await self.clean_up()
            while await self.one():
                pass
            await self.clock.sleep(5.0)

    async def clean_up(self) -> None:
        await self.db.execute(
            f"DELETE FROM deliveries WHERE {self.old}", (self.clock.now() - KEPT_S,)
        )
        await self.db.commit()

    async def one(self) -> bool:
        now = self.clock.now()
        cursor = await self.db.execute(
            "UPDATE deliveries SET state = 'processing', attempts = attempts + 1, ready_at = ?"
            " WHERE id = (SELECT id FROM deliveries"
            " WHERE state IN ('pending', 'processing') AND ready_at <= ?"
            " ORDER BY ready_at, id LIMIT 1) RETURNING id, attempts",
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
        state, ready_at = "delivered", self.clock.now()
        if not 200 <= status < 300:
            state = "dead" if attempt > len(DELAYS_S) else "pending"
            ready_at += DELAYS_S[min(attempt, len(DELAYS_S)) - 1]
        await self.db.execute(
            "UPDATE deliveries SET state = ?, ready_at = ?"
            " WHERE id = ? AND attempts = ? AND state = 'processing'",
            (state, ready_at, key, attempt),
        )
        await self.db.commit()
        return True


class Fixed(Worker):
    """Takes what is finished only."""

    old = "created_at <= ? AND state IN ('delivered', 'dead')"
