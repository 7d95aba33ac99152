"""Back-pressure."""

from __future__ import annotations

import msgspec
import pytest
from support.scripted import status
from support.world import LIMITS, make_world, running

from homing.core.errors import Unavailable
from homing.service.gate import Gate


async def test_the_door_closes_over_the_limit_and_opens_when_work_is_done() -> None:
    limits = msgspec.structs.replace(LIMITS, sends_max=50)
    async with running(make_world(limits=limits)) as world:
        await world.begin()
        gate = Gate(world.store, world.clock, world.intake, app_max=10, total_max=1_000)
        held = world.sender.hold()
        messages = [await world.send() for _ in range(11)]
        await gate.look()
        with pytest.raises(
            Unavailable,
            match="11 deliveries of this application are due or under way and the limit is 10",
        ):
            await world.send()
        held.set()
        await world.settle()
        await gate.look()
        await world.send()
        for message in messages:
            assert (await world.delivery(message)).state == "delivered"
        await world.settle()


async def test_what_is_parked_or_due_later_does_not_close_the_door() -> None:
    async with running(make_world(lambda _: status(500))) as world:
        await world.begin(2)
        await world.change_endpoint(world.endpoints[0], disabled=True, disabled_reason="by ann")
        gate = Gate(world.store, world.clock, world.intake, app_max=10)
        for _ in range(20):
            await world.send()
        await world.settle()
        await gate.look()
        await world.send()
        await world.settle()


async def test_only_the_application_that_is_behind_is_refused() -> None:
    async with running(make_world()) as world:
        await world.begin()
        other, heavy = await world.add_tenant(), await world.add_tenant(weight=3)
        gate = Gate(world.store, world.clock, world.intake, app_max=10)
        held = world.sender.hold()
        for tenant in (world.application, heavy):
            for _ in range(11):
                await world.send_as(tenant)
        await gate.look()
        with pytest.raises(Unavailable, match="HOMING_BACKLOG_MAX"):
            await world.send()
        await world.send_as(other)
        await world.send_as(heavy)
        held.set()
        await world.settle()
        await gate.look()
        await world.send()
        await world.settle()


async def test_a_limit_for_all_closes_the_door_to_everybody() -> None:
    async with running(make_world()) as world:
        await world.begin()
        other = await world.add_tenant()
        gate = Gate(world.store, world.clock, world.intake, total_max=10)
        held = world.sender.hold()
        for _ in range(11):
            await world.send()
        await gate.look()
        with pytest.raises(Unavailable, match=r"11 deliveries are due .*HOMING_BACKLOG_TOTAL_MAX"):
            await world.send_as(other)
        held.set()
        await world.settle()
        await gate.look()
        await world.send_as(other)
        await world.settle()
