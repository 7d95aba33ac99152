"""Whoever does things in a world: publishers, people, and misfortune."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeVar

from homing.core.errors import HomingError, Unavailable
from homing.core.identifiers import ENTROPY_BYTES, DeliveryId
from homing.core.identifiers import new_id as make_id
from homing.core.records import Message
from homing.core.resources import Application, Endpoint, Secret
from homing.core.sealing import Sealed
from homing.service import deliveries, endpoints, replays
from homing.service.context import Service
from homing.service.intake import Draft
from homing.service.tokens import Caller
from homing.sim.draws import cumulative
from homing.sim.goals import Goal
from homing.sim.node import START_US, Node, Parts
from homing.sim.ports import Surroundings
from homing.sim.result import Shape

T = TypeVar("T")

#: seconds between two things that somebody does
GAPS_S: Final = (0.0, 0.02, 0.4, 2.0, 5.0)
_GAP_WEIGHTS: Final = cumulative(40, 25, 20, 11, 4)
#: how long anybody waits for an answer before they ask somebody else
_PATIENCE_S: Final = 4.0
_PUBLISH_TRIES: Final = 8

ACTS: Final = (
    "nothing", "resend", "redrive", "recover", "discard", "disable", "enable", "delete",
    "create", "expunge",
)  # fmt: skip
_ACT_WEIGHTS: Final = cumulative(2, 26, 14, 8, 3, 16, 18, 4, 6, 3)
MISHAPS: Final = ("nothing", "outage", "pause", "clock", "drain", "crash")
_MISHAP_WEIGHTS: Final = cumulative(1, 4, 5, 5, 5, 5)
_OUTAGES_S: Final = (1.0, 5.0, 15.0)
_PAUSES_S: Final = (3.0, 14.0, 25.0)
_JUMPS_S: Final = (2.0, -2.0, 15.0, -15.0, 60.0, -60.0)
_DRAINS_S: Final = (6.0, 2.0)


class Stage(Surroundings, Protocol):
    """The world, to whoever acts in it."""

    parts: Parts
    shape: Shape
    nodes: list[Node]  #: that run
    application: Application
    messages: list[Message]  #: whose publisher was told that they are accepted
    promised: dict[DeliveryId, None]  #: what those messages owe
    moods: dict[str, tuple[float, ...]]  #: of receivers, by endpoint
    known_endpoints: dict[str, None]  #: created, and nobody has asked to delete them

    def note(self, lane: str, what: str, kind: str, which: DeliveryId | None = None) -> None:
        """Something for the trace."""
        ...

    def name_of(self, which: DeliveryId) -> str:
        """A short name that stays the same while a world is made smaller: `m3.e1`."""
        ...

    def name_endpoint(self, endpoint: Endpoint) -> None:
        """By the order in which people thought of them."""
        ...

    def add_endpoint(self, endpoint: Endpoint) -> None:
        """An endpoint is known to exist; its receiver gets its mood."""
        ...

    async def replace_node(self, node: Node, within_s: float) -> None:
        """Drain a process and start another in its place."""
        ...


def new_id(world: Stage, prefix: str) -> str:
    """An identifier of something that was there from the beginning."""
    return make_id(prefix, START_US, world.chance.entropy(ENTROPY_BYTES))


def new_endpoint(world: Stage) -> Endpoint:
    """An endpoint that wants everything."""
    endpoint = Endpoint(
        scope=world.application.id,
        id=new_id(world, "ep_"),
        org_id=world.application.scope,
        url="https://receiver.example/hook",
        secrets=(Secret(key=Sealed("")),),
        created_at_us=START_US,
        updated_at_us=START_US,
    )
    world.name_endpoint(endpoint)
    return endpoint


def how_many(world: Stage, place: str, least: int, usual: int, most: int) -> int:
    """A number from `usual` to `most`; as calm as `least`."""
    options = range(least, max(usual, most) + 1)
    weights = cumulative(*(float(number >= usual) for number in options))
    return world.draws.user(place, 0, options, weights)


async def _gap(world: Stage, place: str, number: int) -> None:
    seconds = world.draws.user(f"{place}.gap", number, GAPS_S, _GAP_WEIGHTS)
    await world.loop.sleep(seconds)


async def _some_node(world: Stage, place: str, number: int) -> Node:
    """One of the processes that run; there is one soon, if there is none."""
    index = world.draws.user(f"{place}.node", number, range(5))
    while not world.nodes:
        await asyncio.sleep(0.2)
    return world.nodes[index % len(world.nodes)]


# --- publishers ---------------------------------------------------------------------------------


async def publish(world: Stage) -> None:
    """All messages, by a few publishers side by side."""
    usual = 2 if world.shape.messages < 10 else 8
    messages = how_many(world, "messages", 1, usual, world.shape.messages)
    await asyncio.gather(*(_publish_some(world, range(first, messages + 1, 2)) for first in (1, 2)))


async def _publish_some(world: Stage, numbers: range) -> None:
    for number in numbers:
        await _gap(world, "publish", number)
        await _publish(world, number)


async def _publish(world: Stage, number: int) -> None:
    """Until it is told that it is accepted, or for a while: then nobody knows."""
    draft = Draft(event_type="payment.captured", payload=b"{}", event_id=str(number))
    expected = list(world.known_endpoints)
    node = await _some_node(world, "publish", number)
    for tries in range(_PUBLISH_TRIES):
        try:
            async with asyncio.timeout(_PATIENCE_S):
                message, is_new = await node.intake.create_message(
                    world.application.scope, world.application.id, draft
                )
        except (TimeoutError, Unavailable):
            await asyncio.sleep(0.7)
            node = await _some_node(world, f"publish {number} again", tries)
            continue
        if not is_new:
            world.met(Goal.REPEAT_RECOGNISED)
        world.messages.append(message)
        for endpoint_id in expected:
            if endpoint_id in world.known_endpoints:
                world.promised[DeliveryId(message.id, endpoint_id)] = None
        world.note("publisher", f"is told that message {number} is accepted", "ack")
        return


# --- people -------------------------------------------------------------------------------------


async def act(world: Stage) -> None:
    """What operators and owners of endpoints do, one thing after the other."""
    for number in range(1, how_many(world, "acts", 0, 1, world.shape.acts) + 1):
        await _gap(world, "act", number)
        verb = world.draws.user("act", number, ACTS, _ACT_WEIGHTS)
        if verb != "nothing":
            node = await _some_node(world, "act", number)
            await _do(world, node, verb, number)


async def _do(world: Stage, node: Node, verb: str, number: int) -> None:
    service = node.service
    endpoint_ids = list(world.known_endpoints)
    messages = world.messages
    which_endpoint = world.draws.user("act.endpoint", number, range(10))
    which_message = world.draws.user("act.message", number, range(80))
    app_id = world.application.id
    if verb == "create":
        endpoint = new_endpoint(world)
        if await _try(
            world, "creates an endpoint", lambda: service.store.put(endpoint, touch=app_id)
        ):
            world.add_endpoint(endpoint)
        return
    if not endpoint_ids or (verb in ("resend", "redrive", "discard", "expunge") and not messages):
        return
    endpoint_id = endpoint_ids[which_endpoint % len(endpoint_ids)]
    if verb in ("disable", "enable", "delete", "recover"):
        await _do_to_endpoint(world, node, verb, endpoint_id)
        return
    message = messages[which_message % len(messages)]
    which = DeliveryId(message.id, endpoint_id)
    await _try(world, f"{verb}s {world.name_of(which)}", _wish(service, verb, app_id, which))


def _wish(
    service: Service, verb: str, app_id: str, which: DeliveryId
) -> Callable[[], Awaitable[object]]:
    match verb:
        case "resend":
            return lambda: deliveries.resend(service, app_id, *which, actor="a person")
        case "redrive":
            return lambda: deliveries.redrive(service, app_id, which, actor="a person")
        case "discard":
            return lambda: deliveries.discard(
                service, app_id, which, actor="a person", why="not needed"
            )
        case _:
            return lambda: service.store.expunge_message(which.message_id)


async def _do_to_endpoint(world: Stage, node: Node, verb: str, endpoint_id: str) -> None:
    service, app_id = node.service, world.application.id
    if verb == "recover":
        until_us = START_US + 10**12
        await _try(
            world,
            "recovers dead letters",
            lambda: replays.recover(
                service,
                _caller(world),
                app_id,
                endpoint_id,
                since_us=START_US,
                until_us=until_us,
            ),
        )
        world.has_tasks = True
        for one in world.nodes:
            one.do_tasks()
    elif verb == "delete":
        del world.known_endpoints[endpoint_id]
        done = await _try(
            world,
            "deletes an endpoint",
            lambda: endpoints.delete_endpoint(service, _caller(world), app_id, endpoint_id),
        )
        if done and is_under_way(world, endpoint_id):
            world.met(Goal.DELETED_MID_ATTEMPT)
    else:
        done = await _try(
            world,
            f"{verb}s an endpoint",
            lambda: endpoints.patch_endpoint(
                service, _caller(world), app_id, endpoint_id, {"disabled": verb == "disable"}
            ),
        )
        if done and verb == "disable" and is_under_way(world, endpoint_id):
            world.met(Goal.DISABLED_MID_ATTEMPT)
        if verb == "enable" and world.parts.sweeps_on_enable:
            await _try(world, "resumes what is parked", node.sweeper.sweep)


def is_under_way(world: Stage, endpoint_id: str) -> bool:
    """Whether an attempt at this endpoint is being made."""
    return any(here and which.endpoint_id == endpoint_id for which, here in world.sending.items())


def _caller(world: Stage) -> Caller:
    return Caller(world.application.scope)


async def _try(world: Stage, what: str, call: Callable[[], Awaitable[object]]) -> bool:
    """Ask once; whether it was done for certain."""
    world.note("person", what, "wish")
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await call()
    except (TimeoutError, HomingError):
        return False
    return True


async def enable_some(world: Stage) -> None:
    """At the end, endpoints that were disabled are enabled again, or not."""
    for number, endpoint in enumerate(await world.store.by_ids(Endpoint, list(world.moods)), 1):
        if endpoint.disabled and world.draws.user("enable", number, (False, True)):
            node = await _some_node(world, "enable", number)
            await _do_to_endpoint(world, node, "enable", endpoint.id)


# --- misfortune ---------------------------------------------------------------------------------


async def mishaps(world: Stage) -> None:
    """What happens to processes and to the database as a whole."""
    for number in range(1, how_many(world, "mishaps", 0, 0, world.shape.mishaps) + 1):
        await _gap(world, "mishap", number)
        kind = world.draws.user("mishap", number, MISHAPS, _MISHAP_WEIGHTS)
        if kind == "outage":
            seconds = world.draws.user("outage", number, _OUTAGES_S)
            world.away_until_s = world.loop.now_s + seconds
            world.met(Goal.DATABASE_AWAY)
            world.note("database", f"is away for {seconds:g} s", "outage")
        elif kind != "nothing":
            await _befall(world, await _some_node(world, "mishap", number), kind, number)


async def _befall(world: Stage, node: Node, kind: str, number: int) -> None:
    if kind == "pause":
        seconds = world.draws.user("pause", number, _PAUSES_S)
        if seconds > world.limits.lease_s:
            world.met(Goal.PAUSED)
        node.note(f"stands still for {seconds:g} s", "pause")
        node.stand_still(seconds)
    elif kind == "clock":
        seconds = world.draws.user("jump", number, _JUMPS_S)
        world.met(Goal.CLOCK_JUMPED_BACK if seconds < 0 else Goal.CLOCK_JUMPED_AHEAD)
        node.note(f"its clock jumps by {seconds:+g} s", "clock")
        node.clock.offset_us += round(seconds * 1_000_000)
    elif kind == "crash":
        node.kill("for no reason")
    elif kind == "drain" and len(world.nodes) > 1:
        seconds = world.draws.user("drain", number, _DRAINS_S)
        if node.dispatcher.in_flight:
            world.met(Goal.DRAINED_UNDER_LOAD)
        await world.replace_node(node, seconds)
