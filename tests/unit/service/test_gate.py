"""Back-pressure."""

from __future__ import annotations

import msgspec
import pytest
from support.world import LIMITS, make_world, running

from homing.core.errors import Unavailable
from homing.service.gate import Gate


async def test_the_door_closes_over_the_limit_and_opens_when_work_is_done() -> None:
    limits = msgspec.structs.replace(LIMITS, sends_max=50)
    async with running(make_world(limits=limits)) as world:
        await world.begin()
        gate = Gate(world.store, world.clock, world.intake, backlog_max=10)
        held = world.sender.hold()
        messages = [await world.send() for _ in range(11)]
        await gate.look()
        with pytest.raises(Unavailable, match="11 deliveries are unfinished and the limit is 10"):
            await world.send()
        held.set()
        await world.settle()
        await gate.look()
        await world.send()
        for message in messages:
            assert (await world.delivery(message)).state == "delivered"
        await world.settle()
