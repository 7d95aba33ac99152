"""D1, SQL by hand: the time of the retry is written, and no query asks for it.

Somebody gave failures a state of their own, so that a dashboard can show them. The query for what
is due still asks for `pending` alone.
"""

from __future__ import annotations

from typing import Any

from homing.sim.workers.ports import Chance, Clock, Sender

LEASE_S = 45.0


class Worker:
    """Claims with one UPDATE, by a lease; `db` is used as with aiosqlite."""

    store = "sqlite"
    schema = """
        CREATE TABLE deliveries (
            id TEXT PRIMARY KEY, state TEXT NOT NULL, attempts INTEGER NOT NULL,
            ready_at REAL NOT NULL)
    """
    states = "SELECT id, state, attempts, ready_at FROM deliveries"
    waiting = "'pending', 'processing'"

    def __init__(self, db: Any, sender: Sender, clock: Clock, chance: Chance, name: str) -> None:
        self.db = db
        self.sender = sender
        self.clock = clock

    async def accept(self, delivery: str) -> None:
        await self.db.execute(
            "INSERT OR IGNORE INTO deliveries VALUES (?, 'pending', 0, ?)",
            (delivery, self.clock.now()),
        )
        await self.db.commit()

    async def run(self) -> None:
        while True:
            if not await self.one():
                await self.clock.sleep(1.0)

    async def one(self) -> bool:
        now = self.clock.now()
        cursor = await self.db.execute(
            "UPDATE deliveries SET state = 'processing', attempts = attempts + 1, ready_at = ?"
            " WHERE id = (SELECT id FROM deliveries"
            f" WHERE state IN ({self.waiting}) AND ready_at <= ? ORDER BY ready_at, id LIMIT 1)"
            " RETURNING id, attempts",
            (now + LEASE_S, now),
        )
        row = await cursor.fetchone()
        await self.db.commit()
        if row is None:
            return False
        await self.attempt(*row)
        return True

    async def attempt(self, key: str, attempt: int) -> None:
        try:
            status = await self.sender.send(key, attempt)
        except TimeoutError:
            status = 0
        state, ready_at = "delivered", self.clock.now()
        if not 200 <= status < 300:
            state = "dead" if attempt >= 5 else "failed"
            ready_at += 5.0 * 2**attempt
        await self.db.execute(
            "UPDATE deliveries SET state = ?, ready_at = ?"
            " WHERE id = ? AND state = 'processing' AND attempts = ?",
            (state, ready_at, key, attempt),
        )
        await self.db.commit()


class Fixed(Worker):
    """Asks for failures, too."""

    waiting = "'pending', 'processing', 'failed'"
