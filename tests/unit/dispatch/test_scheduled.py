"""Messages for later: nothing but a person's wish sends them before their time."""

from __future__ import annotations

from support.making import SECOND_US
from support.world import World, make_world, running

from homing.core.identifiers import DeliveryId
from homing.core.lifecycle import Resent, State
from homing.core.records import Message

LATER_S = 600


async def send_later(world: World) -> Message:
    message = await world.send(deliver_at_us=world.clock.now_us() + LATER_S * SECOND_US)
    await world.settle()
    return message


async def state_of(world: World, message: Message) -> State:
    return (await world.delivery(message)).state


async def test_a_message_for_later_is_sent_at_its_time() -> None:
    async with running(make_world()) as world:
        await world.begin()
        message = await send_later(world)
        world.clock.advance(LATER_S - 1)
        await world.settle()
        assert world.sender.requests == []
        delivery = await world.delivery(message)
        assert (delivery.state, delivery.leases) == (State.WAITING, 0)
        world.clock.advance(1)
        await world.arrive(1)
        assert await state_of(world, message) is State.DELIVERED


async def test_enabling_an_endpoint_does_not_bring_it_forward() -> None:
    async with running(make_world()) as world:
        await world.begin(disabled=True)
        message = await send_later(world)
        assert await state_of(world, message) is State.PARKED
        await world.change_endpoint(world.endpoints[0], disabled=False)
        await world.sweeper.sweep()
        await world.arrive(0)
        delivery = await world.delivery(message)
        assert (delivery.state, delivery.ready_at_us) == (State.WAITING, message.deliver_at_us)
        assert world.sender.requests == []
        world.clock.advance(LATER_S)
        await world.arrive(1)
        assert await state_of(world, message) is State.DELIVERED


async def test_a_person_may_have_it_sent_now() -> None:
    async with running(make_world()) as world:
        await world.begin()
        message = await send_later(world)
        delivery = await world.delivery(message)
        fact = Resent(at_us=world.clock.now_us(), actor="ann")
        assert await world.store.settle([world.journal.decide(delivery, fact)]) == [True]
        world.dispatcher.wake()
        await world.arrive(1)
        assert await state_of(world, message) is State.DELIVERED
        world.clock.advance(LATER_S)
        await world.arrive(1)


async def test_deleting_its_endpoint_cancels_it() -> None:
    async with running(make_world()) as world:
        await world.begin()
        message = await send_later(world)
        await world.store.delete(world.endpoints[0], touch=world.application.id)
        world.clock.advance(LATER_S)
        await world.arrive(0)
        found = await world.store.delivery(DeliveryId(message.id, world.endpoints[0].id))
        assert found is not None
        assert (found.state, found.reason) == (State.CANCELLED, "the endpoint was deleted")
        assert world.sender.requests == []
