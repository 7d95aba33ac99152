"""D3, Redis: the dedupe key is written, the queue entry is not, and every repeat is skipped.

The publisher asks again when it gets no answer, as it should. The key says that the event was
accepted before; so it is told that all is well.
"""

from __future__ import annotations

from typing import Any

from homing.sim.workers.adapters.redis import WatchError
from homing.sim.workers.ports import Chance, Clock, Sender

LEASE_S = 60.0


class Worker:
    """Takes what is due off a sorted set, by putting it off for the length of a lease.

    `redis` is used as with redis.asyncio and decode_responses=True, whose WatchError this is.
    """

    store = "redis"

    def __init__(self, redis: Any, sender: Sender, clock: Clock, chance: Chance, name: str) -> None:
        self.redis = redis
        self.sender = sender
        self.clock = clock

    @staticmethod
    def state_of(redis: Any, delivery: str) -> str | None:
        """For Homing: what became of it. None while nobody knows it."""
        state = redis.get(f"state:{delivery}")
        return state or ("queued" if redis.zscore("due", delivery) is not None else None)

    async def accept(self, delivery: str) -> None:
        if not await self.redis.set(f"seen:{delivery}", "1", nx=True, ex=86_400):
            return  # a repeat
        await self.redis.zadd("due", {delivery: self.clock.now()})

    async def run(self) -> None:
        while True:
            now = self.clock.now()
            due = await self.redis.zrangebyscore("due", "-inf", now, start=0, num=1)
            if not due:
                await self.clock.sleep(1.0)
                continue
            await self.take(due[0], now)

    async def take(self, delivery: str, now: float) -> None:
        async with self.redis.pipeline() as pipe:
            await pipe.watch("due")
            score = await pipe.zscore("due", delivery)
            if score is None or score > now:
                return
            pipe.multi()
            pipe.zadd("due", {delivery: now + LEASE_S})
            pipe.incr(f"attempts:{delivery}")
            try:
                _, attempt = await pipe.execute()
            except WatchError:
                return  # another worker was quicker
        await self.attempt(delivery, attempt)

    async def attempt(self, delivery: str, attempt: int) -> None:
        try:
            status = await self.sender.send(delivery, attempt)
        except TimeoutError:
            status = 0
        if 200 <= status < 300 or attempt >= 8:
            async with self.redis.pipeline() as pipe:
                pipe.set(
                    f"state:{delivery}", "delivered" if status // 100 == 2 else "dead", nx=True
                )
                pipe.zrem("due", delivery)
                await pipe.execute()


class Fixed(Worker):
    """One transaction: whoever is seen is queued."""

    async def accept(self, delivery: str) -> None:
        async with self.redis.pipeline() as pipe:
            await pipe.watch(f"seen:{delivery}")
            if await pipe.exists(f"seen:{delivery}"):
                return
            pipe.multi()
            pipe.set(f"seen:{delivery}", "1", ex=86_400)
            pipe.zadd("due", {delivery: self.clock.now()})
            await pipe.execute()
