"""D6, PostgreSQL: SKIP LOCKED keeps two workers apart while they claim, and no longer.

The row lock ends with the claim's transaction; from then on the lease is all there is. The outcome
is written by the delivery's id alone.
"""

from __future__ import annotations

from typing import Any

from homing.sim.workers.ports import Chance, Clock, Sender

LEASE_S = 30.0


class Worker:
    """`connection` is used as psycopg's AsyncConnection."""

    store = "postgres"
    schema = """
        CREATE TABLE deliveries (
            id text PRIMARY KEY, state text NOT NULL, attempts integer NOT NULL,
            ready_at double precision NOT NULL)
    """
    states = "SELECT id, state, attempts, ready_at FROM deliveries"
    mine = "id = %s AND %s > 0"

    def __init__(
        self, connection: Any, sender: Sender, clock: Clock, chance: Chance, name: str
    ) -> None:
        self.connection = connection
        self.sender = sender
        self.clock = clock

    async def accept(self, delivery: str) -> None:
        async with self.connection.transaction():
            await self.connection.execute(
                "INSERT INTO deliveries VALUES (%s, 'pending', 0, %s) ON CONFLICT DO NOTHING",
                (delivery, self.clock.now()),
            )

    async def run(self) -> None:
        while True:
            if not await self.one():
                await self.clock.sleep(2.0)

    async def one(self) -> bool:
        now = self.clock.now()
        async with self.connection.transaction():
            found = await self.connection.execute(
                "SELECT id, attempts FROM deliveries"
                " WHERE state IN ('pending', 'processing') AND ready_at <= %s"
                " ORDER BY ready_at, id LIMIT 1 FOR UPDATE SKIP LOCKED",
                (now,),
            )
            row = await found.fetchone()
            if row is None:
                return False
            key, attempt = row[0], row[1] + 1
            await self.connection.execute(
                "UPDATE deliveries SET state = 'processing', attempts = %s, ready_at = %s"
                " WHERE id = %s",
                (attempt, now + LEASE_S, key),
            )
        try:
            status = await self.sender.send(key, attempt)
        except TimeoutError:
            status = 0
        await self.settle(key, attempt, 200 <= status < 300)
        return True

    async def settle(self, key: str, attempt: int, is_ok: bool) -> None:
        state = "delivered" if is_ok else "dead" if attempt >= 6 else "pending"
        async with self.connection.transaction():
            await self.connection.execute(
                f"UPDATE deliveries SET state = %s, ready_at = %s WHERE {self.mine}",
                (state, self.clock.now() + 15.0 * attempt, key, attempt),
            )


class Fixed(Worker):
    """Written only over its own attempt."""

    mine = "id = %s AND attempts = %s AND state = 'processing'"
