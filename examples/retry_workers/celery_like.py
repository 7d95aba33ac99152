"""D8, a task queue in the manner of Celery: acks_late, a visibility timeout, and a marker.

The broker gives a task to a worker and keeps it until the worker acknowledges it, which it does
when the task is over; what is not acknowledged in time is given to the next. The task marks that
it has begun, so that it never runs twice. So a task whose worker died is given to another, meets
its own marker, does nothing, and is acknowledged.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from homing.sim.workers.adapters.redis import WatchError
from homing.sim.workers.ports import Chance, Clock, Sender

VISIBILITY_S = 120.0


class Retry(Exception):
    """Run me again, later."""

    def __init__(self, countdown_s: float) -> None:
        super().__init__(f"again in {countdown_s:g} s")
        self.countdown_s = countdown_s


class Worker:
    """The worker's loop is the framework's; `deliver_webhook` is the task."""

    store = "redis"
    max_retries = 6

    def __init__(self, redis: Any, sender: Sender, clock: Clock, chance: Chance, name: str) -> None:
        self.redis = redis
        self.sender = sender
        self.clock = clock
        self.name = name

    # --- the framework ---

    @staticmethod
    def state_of(redis: Any, delivery: str) -> str | None:
        """For Homing: what became of it. None while nobody knows it."""
        state: str | None = redis.hget(f"webhook:{delivery}", "state")
        return state

    async def accept(self, delivery: str) -> None:
        """deliver_webhook.delay(delivery)"""
        async with self.redis.pipeline() as pipe:
            await pipe.watch(f"webhook:{delivery}")
            if await pipe.exists(f"webhook:{delivery}"):
                return  # a repeat
            pipe.multi()
            pipe.hset(f"webhook:{delivery}", "state", "pending")
            pipe.zadd("unacked", {delivery: self.clock.now()})
            await pipe.execute()

    async def run(self) -> None:
        while True:
            now = self.clock.now()
            visible = await self.redis.zrangebyscore("unacked", "-inf", now, start=0, num=1)
            if not visible or not await self.reserve(visible[0], now):
                await self.clock.sleep(1.0)
                continue
            await self.run_task(visible[0])

    async def reserve(self, task: str, now: float) -> bool:
        """Hide it from others for the length of the visibility timeout."""
        async with self.redis.pipeline() as pipe:
            await pipe.watch("unacked")
            score = await pipe.zscore("unacked", task)
            if score is None or score > now:
                return False
            pipe.multi()
            pipe.zadd("unacked", {task: now + VISIBILITY_S}, xx=True)
            try:
                await pipe.execute()
            except WatchError:
                return False
        return True

    async def run_task(self, task: str) -> None:
        retries = int(await self.redis.hincrby(f"webhook:{task}", "runs", 1))
        try:
            await self.deliver_webhook(task, retries)
        except Retry as retry:
            if retries < self.max_retries:
                at = self.clock.now() + retry.countdown_s
                await self.redis.zadd("unacked", {task: at}, xx=True)
                return
            await self.end(task, "dead")
        await self.redis.zrem("unacked", task)  # acks_late

    # --- the task ---

    async def deliver_webhook(self, delivery: str, run: int) -> None:
        if not await self.redis.setnx(f"started:{delivery}", self.name):
            return  # it is being sent, or was
        try:
            status = await self.sender.send(delivery, run)
        except TimeoutError:
            status = 0
        if 200 <= status < 300:
            await self.end(delivery, "delivered")
            return
        await self.redis.delete(f"started:{delivery}")
        raise Retry(5.0 * 2**run)

    async def end(self, delivery: str, state: str) -> None:
        async with self.redis.pipeline() as pipe:
            await pipe.watch(f"webhook:{delivery}")
            if await pipe.hget(f"webhook:{delivery}", "state") != "pending":
                return
            pipe.multi()
            pipe.hset(f"webhook:{delivery}", "state", state)
            with suppress(WatchError):  # another run of it was quicker
                await pipe.execute()


class Fixed(Worker):
    """What was delivered is known by its state; what was only begun is begun again."""

    async def deliver_webhook(self, delivery: str, run: int) -> None:
        if await self.redis.hget(f"webhook:{delivery}", "state") != "pending":
            return
        try:
            status = await self.sender.send(delivery, run)
        except TimeoutError:
            status = 0
        if not 200 <= status < 300:
            raise Retry(5.0 * 2**run)
        await self.end(delivery, "delivered")
