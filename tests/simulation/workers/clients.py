"""Workers that use what their client gives them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from homing.sim.workers.ports import Chance, Clock, Sender

LEASE: Final = timedelta(seconds=40)


class Locking:
    """Redis: a lock whose life is a timedelta; state and count are two fields of a hash."""

    store = "redis"

    def __init__(self, redis: Any, sender: Sender, clock: Clock, chance: Chance, name: str) -> None:
        self.redis = redis
        self.sender = sender
        self.clock = clock
        self.name = name

    @staticmethod
    def state_of(redis: Any, delivery: str) -> str | None:
        state: str | None = redis.hget(f"job:{delivery}", "state")
        return state

    async def accept(self, delivery: str) -> None:
        async with self.redis.pipeline() as pipe:
            pipe.hsetnx(f"job:{delivery}", "state", "open")
            pipe.sadd("jobs", delivery)
            await pipe.execute()

    async def run(self) -> None:
        while True:
            for job in sorted(await self.redis.smembers("jobs")):
                if await self.redis.set(f"lock:{job}", self.name, nx=True, ex=LEASE):
                    await self.attempt(job)
            await self.clock.sleep(1.0)

    async def attempt(self, job: str) -> None:
        if await self.redis.hget(f"job:{job}", "state") == "delivered":
            await self.redis.srem("jobs", job)
            return
        tries = await self.redis.hincrby(f"job:{job}", "tries", 1)
        try:
            is_taken = await self.sender.send(job, tries) < 300
        except TimeoutError:
            is_taken = False
        if is_taken:
            await self.redis.hset(f"job:{job}", "state", "delivered")


class DictRows:
    """PostgreSQL: rows are dicts, times are datetimes, and every statement is a transaction."""

    store = "postgres"
    autocommit = True
    schema = """
        CREATE TABLE jobs (
            id text PRIMARY KEY, state text NOT NULL DEFAULT 'pending',
            tries integer NOT NULL DEFAULT 0, due timestamptz NOT NULL)
    """
    states = "SELECT id, state, tries, due FROM jobs"

    def __init__(self, conn: Any, sender: Sender, clock: Clock, chance: Chance, name: str) -> None:
        from psycopg.rows import dict_row

        self.conn = conn
        self.conn.row_factory = dict_row
        self.sender = sender
        self.clock = clock

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.now(), UTC)

    async def accept(self, delivery: str) -> None:
        await self.conn.execute(
            "INSERT INTO jobs (id, due) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            (delivery, self.now()),
        )

    async def run(self) -> None:
        claim = (
            "UPDATE jobs SET due = %(until)s, tries = tries + 1 WHERE id = (SELECT id FROM jobs"
            " WHERE state = 'pending' AND due <= %(now)s ORDER BY due, id LIMIT 1"
            " FOR UPDATE SKIP LOCKED) RETURNING *"
        )
        while True:
            async with self.conn.cursor() as cursor:
                await cursor.execute(claim, {"now": self.now(), "until": self.now() + LEASE})
                async for job in cursor:
                    await self.attempt(job)
            await self.clock.sleep(2.0)

    async def attempt(self, job: dict[str, Any]) -> None:
        if await self.sender.send(job["id"], job["tries"]) < 300:
            await self.conn.execute(
                "UPDATE jobs SET state = 'delivered' WHERE id = %s AND tries = %s",
                (job["id"], job["tries"]),
            )
