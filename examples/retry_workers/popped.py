"""D4, Redis: BRPOP takes the job off the list, and a worker that dies takes it along.

Between the pop and the outcome the job is in the memory of one process, and nowhere else.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from homing.sim.workers.adapters.redis import WatchError
from homing.sim.workers.ports import Chance, Clock, Sender

LEASE_S = 75.0


class Worker:
    """Pops a job, attempts it, and pushes it again if that failed."""

    store = "redis"

    def __init__(self, redis: Any, sender: Sender, clock: Clock, chance: Chance, name: str) -> None:
        self.redis = redis
        self.sender = sender
        self.clock = clock
        self.name = name

    @staticmethod
    def state_of(redis: Any, delivery: str) -> str | None:
        """For Homing: what became of it. None while nobody knows it."""
        state: str | None = redis.get(f"state:{delivery}")
        return state

    async def accept(self, delivery: str) -> None:
        async with self.redis.pipeline() as pipe:
            await pipe.watch(f"state:{delivery}")
            if await pipe.exists(f"state:{delivery}"):
                return  # a repeat
            pipe.multi()
            pipe.set(f"state:{delivery}", "queued")
            pipe.lpush("jobs", delivery)
            await pipe.execute()

    async def run(self) -> None:
        while True:
            popped = await self.redis.brpop("jobs", timeout=5)
            if popped is not None:
                await self.work(popped[1])

    async def work(self, job: str) -> None:
        """Attempt a job until it comes to an end; nobody else has it."""
        for attempt in range(1, 6):
            if await self.redis.get(f"state:{job}") != "queued":
                return
            if await self.is_taken(job, attempt):
                await self.end(job, "delivered")
                return
            await self.clock.sleep(3.0 * attempt)
        await self.end(job, "dead")

    async def is_taken(self, job: str, attempt: int) -> bool:
        try:
            return await self.sender.send(job, attempt) // 100 == 2
        except TimeoutError:
            return False

    async def end(self, job: str, state: str) -> None:
        if await self.redis.get(f"state:{job}") == "queued":
            await self.redis.set(f"state:{job}", state)


class Fixed(Worker):
    """The job moves to a second list in the same step, and comes back when its lease is gone."""

    async def run(self) -> None:
        while True:
            await self.bring_back()
            job = await self.redis.blmove("jobs", "taken", 5, "RIGHT", "LEFT")
            if job is not None:
                await self.work(job)

    async def bring_back(self) -> None:
        for job in await self.redis.lrange("taken", 0, -1):
            if not await self.redis.set(
                f"lease:{job}", self.name, nx=True, px=int(LEASE_S * 1_000)
            ):
                continue  # somebody has it, or is bringing it back
            async with self.redis.pipeline() as pipe:
                pipe.lrem("taken", 0, job)
                pipe.lpush("jobs", job)
                await pipe.execute()

    async def is_taken(self, job: str, attempt: int) -> bool:
        await self.redis.set(f"lease:{job}", self.name, px=int(LEASE_S * 1_000))
        return await super().is_taken(job, attempt)

    async def end(self, job: str, state: str) -> None:
        async with self.redis.pipeline() as pipe:
            await pipe.watch(f"state:{job}")
            is_open = await pipe.get(f"state:{job}") == "queued"
            pipe.multi()
            if is_open:
                pipe.set(f"state:{job}", state)
            pipe.lrem("taken", 0, job)
            with suppress(WatchError):  # another worker ended it
                await pipe.execute()
