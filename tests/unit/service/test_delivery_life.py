"""One delivery for whoever looks at it: its signatures checked, and what people do to it."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from support.making import SEALS, FakeClock, make_headers, make_secret
from support.scripted import status
from support.tasks import CALLER, service_of
from support.world import LIMITS, World, make_world, running

from homing.core.errors import Conflict, NotFound
from homing.core.identifiers import DeliveryId
from homing.core.lifecycle import State
from homing.core.records import Message
from homing.core.sealing import Seals
from homing.core.signature import HeaderStyle, generate_private_key, generate_secret
from homing.dispatch.envelope import Envelopes
from homing.service import deliveries
from homing.service.delivery_life import Check, Life, find_life, find_message_life, sent
from homing.service.tokens import Caller
from homing.web.pages.deliveries import held

SECRETS = [generate_secret(bytes([n]) * 24) for n in (1, 2, 3)]
PRIVATE = generate_private_key(bytes(range(32)))


def signing(world: World) -> World:
    """The same, its requests signed as in production."""
    world.dispatcher._envelope = Envelopes(HeaderStyle.WEBHOOK, "Homing/9", SEALS.open)
    return world


async def life_of(world: World, message: Message, caller: Caller = CALLER) -> Life:
    name = f"{message.id}.{world.endpoints[0].id}"
    return await find_life(service_of(world), caller, name)


async def test_the_signature_that_was_sent_verifies_with_the_secret_that_made_it() -> None:
    world = signing(make_world())
    await world.begin()
    [endpoint] = world.endpoints
    for key in (SECRETS[0], PRIVATE):
        await world.change_endpoint(endpoint, secrets=(make_secret(endpoint.id, key),))
        async with running(world):
            message = await world.send(b'{"a": 1}')
            await world.settle()
        life = await life_of(world, message)
        [attempt] = life.attempts
        [one] = sent(service_of(world), life, attempt).signatures
        headers = dict(world.sender.requests[-1].headers)
        assert (one.check, one.signature) == (Check.VERIFIES, headers["webhook-signature"])
        assert one.secret == "the present secret"
        world.dispatcher._stopping = False


async def test_what_is_due_and_waits_says_what_for() -> None:
    world = make_world(lambda request: status(503))
    await world.begin()
    async with running(world):
        message = await world.send()
        await world.settle()
    life = await life_of(world, message)
    assert life.delivery.ready_at_us is not None
    service = service_of(world)
    assert held(service, life) == ""  # it is due later
    late = replace(service, clock=FakeClock(life.delivery.ready_at_us + 60_000_000))
    assert "no dispatcher has come to it" in held(late, life)
    silent = replace(late, breaker_is_open=lambda endpoint_id: True)
    assert "gives no answer" in held(silent, life)


async def test_a_rotation_is_told_apart_and_a_secret_that_left_is_not_known() -> None:
    world = signing(make_world())
    await world.begin()
    [endpoint] = world.endpoints
    until_us = world.clock.now_us() + 10**12
    both = (
        make_secret(endpoint.id, SECRETS[1]),
        make_secret(endpoint.id, SECRETS[0], expires_at_us=until_us),
    )
    await world.change_endpoint(endpoint, secrets=both)
    async with running(world):
        message = await world.send(b"{}")
        await world.settle()
    life = await life_of(world, message)
    checked = sent(service_of(world), life, life.attempts[0]).signatures
    assert [(one.check, one.secret, one.until_us) for one in checked] == [
        (Check.VERIFIES, "the present secret", None),
        (Check.VERIFIES, "secret 1 before the present one", until_us),
    ]
    await world.change_endpoint(endpoint, secrets=(make_secret(endpoint.id, SECRETS[2]), both[0]))
    life = await life_of(world, message)
    checked = sent(service_of(world), life, life.attempts[0]).signatures
    assert [one.check for one in checked] == [Check.VERIFIES, Check.FOREIGN]
    assert all(secret not in repr(checked) for secret in SECRETS)


async def test_what_cannot_be_checked_is_said() -> None:
    world = signing(make_world())
    await world.begin()
    async with running(world):
        message = await world.send(b"{}")
        await world.settle()
    other = replace(service_of(world), seals=Seals("another secret"))
    life = await life_of(world, message)
    [attempt] = life.attempts
    assert [one.check for one in sent(other, life, attempt).signatures] == [Check.CLOSED]
    unsigned = msgspec.structs.replace(attempt, signed=None)
    assert sent(other, life, unsigned).signatures == ()
    await world.store.expunge_message(message.id)
    life = await life_of(world, message)
    [one] = sent(service_of(world), life, life.attempts[0]).signatures
    assert (one.check, one.signature) == (Check.NO_PAYLOAD, attempt.signed)


async def test_the_request_is_put_together_without_its_secrets() -> None:
    world = signing(make_world())
    await world.begin()
    [endpoint] = world.endpoints
    headers = make_headers(endpoint.id, {"X-Key": "very secret"})
    await world.change_endpoint(endpoint, headers=headers, updated_at_us=world.clock.now_us() - 1)
    async with running(world):
        message = await world.send(b"{}")
        await world.settle()
    life = await life_of(world, message)
    told = sent(service_of(world), life, life.attempts[0])
    real = dict(world.sender.requests[-1].headers)
    shown = dict(told.headers)
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature", "content-type"):
        assert shown[name] == real[name]
    assert shown["X-Key"] == "not shown"
    assert real["X-Key"] == "very secret"
    assert not told.may_differ
    await world.change_endpoint(endpoint, updated_at_us=world.clock.now_us() + 10**9)
    assert sent(service_of(world), await life_of(world, message), life.attempts[0]).may_differ


async def test_what_people_do_is_under_their_name_in_the_log() -> None:
    policy = msgspec.structs.replace(LIMITS.policy, delays_s=())
    limits = msgspec.structs.replace(LIMITS, policy=policy)
    world = make_world(lambda _: status(500), limits=limits)
    await world.begin()
    service = service_of(world)
    async with running(world):
        message = await world.send()
        await world.settle()
        which = DeliveryId(message.id, world.endpoints[0].id)
        app_id = world.application.id
        await deliveries.redrive(service, app_id, which, actor="Ada")
        await world.settle()
        await deliveries.discard(service, app_id, which, actor="Grace", why="a test")
        await deliveries.undo_discard(service, app_id, which, actor="Grace")
    life = await life_of(world, message)
    assert [(line.op, line.actor, line.reason) for line in life.by_hand] == [
        ("redriven", "Ada", None),
        ("cancelled", "Grace", "Grace: a test"),
        ("restored", "Grace", "attempts_exhausted"),
    ]
    assert life.delivery.state is State.DEAD
    assert life.filed is not None


async def test_what_waits_or_is_parked_can_be_cancelled_and_nothing_else() -> None:
    world = make_world(lambda _: status(500))
    await world.begin()
    service = service_of(world)
    app_id = world.application.id
    async with running(world):
        message = await world.send()
        await world.settle()
        which = DeliveryId(message.id, world.endpoints[0].id)
        after = await deliveries.cancel(service, app_id, which, actor="Ada", why="not needed")
        assert (after.state, after.reason) == (State.CANCELLED, "Ada: not needed")
        world.clock.advance(10**6)
        await world.settle()
        assert len(world.sender.requests) == 1
        with pytest.raises(Conflict, match="is cancelled"):
            await deliveries.cancel(service, app_id, which, actor="Ada", why="again")
        with pytest.raises(NotFound):
            await deliveries.cancel(service, "app_other", which, actor="Ada", why="no")
        await world.change_endpoint(world.endpoints[0], disabled=True)
        parked = await world.send()
        which = DeliveryId(parked.id, world.endpoints[0].id)
        after = await deliveries.cancel(service, app_id, which, actor="Ada", why="not needed")
        assert after.state is State.CANCELLED


async def test_a_life_is_its_organisations_alone() -> None:
    world = make_world()
    await world.begin()
    async with running(world):
        message = await world.send()
        await world.settle()
    assert (await life_of(world, message)).delivery.state is State.DELIVERED
    stranger = Caller("org_other")
    with pytest.raises(NotFound):
        await life_of(world, message, stranger)
    service = service_of(world)
    for name in ("nothing", "msg_1.ep_1"):
        with pytest.raises(NotFound):
            await find_life(service, CALLER, name)
    found = await find_message_life(service, CALLER, world.application.id, message.id)
    assert [one.state for one in found.deliveries] == [State.DELIVERED]
    with pytest.raises(NotFound):
        await find_message_life(service, stranger, world.application.id, message.id)
