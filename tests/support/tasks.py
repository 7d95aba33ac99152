"""Doing background tasks in a test's own hands."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from homing.core.tasks import Action, Selection, Task
from homing.service.context import Service
from homing.service.task_runner import TaskRunner
from homing.service.tasks import find_task, start_task
from homing.service.tokens import Caller
from support.making import ORG_ID, SEALS
from support.world import World

CALLER = Caller(ORG_ID)


def service_of(world: World) -> Service:
    """What the verbs of a world are given."""
    return Service(
        store=world.store,
        clock=world.clock,
        chance=world.chance,
        intake=world.intake,
        journal=world.journal,
        tokens=None,  # type: ignore[arg-type]
        seals=SEALS,
        wake=world.dispatcher.wake,
    )


async def start(world: World, action: Action, **which: Any) -> Task:
    """A task about the world's application and its first endpoint, from the beginning until now."""
    given = {
        "endpoint_id": world.endpoints[0].id,
        "since_us": 0,
        "until_us": world.clock.now_us() + 1_000_000,
    }
    return await start_task(
        service_of(world),
        CALLER,
        action,
        Selection(**(given | which)),
        application=world.application,
    )


async def finish(world: World, task: Task, *, rate_per_s: float = 100_000.0) -> Task:
    """The task, once a runner has ended it."""
    runner = TaskRunner(service_of(world), rate_per_s=rate_per_s, keep_s=86_400)
    work = asyncio.create_task(runner.run())
    try:
        async with asyncio.timeout(60):
            while (found := await find_task(service_of(world), CALLER, task.id)).is_running:
                await asyncio.sleep(0.001)
        return found
    finally:
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work


async def do(world: World, action: Action, **which: Any) -> Task:
    """Start a task and see it end."""
    return await finish(world, await start(world, action, **which))
