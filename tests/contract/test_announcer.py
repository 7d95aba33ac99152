"""What an organisation is told of its endpoints and messages, on each kind of store.

Each story runs with a clock that the test moves, and with processes that die at chosen moments.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from support.making import ORG_ID, SEALS, make_application
from support.scripted import OK, ScriptedSender, status
from support.world import World, running

from homing.core.errors import Conflict, Unavailable
from homing.core.lifecycle import State
from homing.core.operational import UID, Announcement, Event, Follower, scope_of
from homing.core.outcome import Outcome
from homing.core.ports import Request
from homing.core.queries import Page
from homing.core.resources import Application, Endpoint
from homing.core.store import Store
from homing.service import deliveries, endpoints, operational
from homing.service.announcer import Announcer
from homing.service.context import Service
from homing.service.endpoints import EndpointDraft
from homing.service.tokens import Caller, Tokens

ORG = Caller(ORG_ID)
OPS_URL = "http://127.0.0.1:9/ops"


class Story:
    """A world whose organisation has asked to be told; its receiver answers as the test says."""

    def __init__(self, store: Store) -> None:
        self.answers: dict[str, Outcome] = {}
        self.world = World(store, self._answer)
        self.service = Service(
            store=store,
            clock=self.world.clock,
            chance=self.world.chance,
            intake=self.world.intake,
            journal=self.world.journal,
            tokens=Tokens("a secret of the tests"),
            seals=SEALS,
            wake=self.world.dispatcher.wake,
        )
        self.hidden: Application | None = None

    def _answer(self, request: Request) -> Outcome:
        return self.answers.get(request.url, OK)

    @property
    def sender(self) -> ScriptedSender:
        return self.world.sender

    async def listen(self, **fields: Any) -> Endpoint:
        """An operational endpoint."""
        await operational.open_hidden(self.service, ORG)
        self.hidden = await operational.hidden_application(self.world.store, ORG_ID)
        draft = EndpointDraft(url=OPS_URL, **fields)
        return await endpoints.create_endpoint(self.service, operational.insider(ORG), UID, draft)

    async def make_endpoint(self, **fields: Any) -> Endpoint:
        await self.world.store.put(self.world.application)
        draft = EndpointDraft(url="http://127.0.0.1:9/hook", **fields)
        made = await endpoints.create_endpoint(self.service, ORG, self.world.application.id, draft)
        self.world.endpoints.append(made)
        return made

    async def patch(self, endpoint: Endpoint, **fields: Any) -> Endpoint:
        return await endpoints.patch_endpoint(
            self.service, ORG, endpoint.scope, endpoint.id, fields
        )

    async def endpoint(self) -> Endpoint:
        (found,) = await self.world.store.by_ids(Endpoint, [self.world.endpoints[0].id])
        return found

    async def catch_up(self) -> None:
        """Everything that is due is sent, written, observed and told."""
        await self.settle()
        await self.world.health.flush()
        while await self.world.announcer.look():
            pass
        await self.settle()

    async def settle(self) -> None:
        """Until nothing is due or leased at the clock's present time."""
        async with asyncio.timeout(60):
            while True:
                await self.world.dispatcher.flush()
                backlog = await self.world.store.backlog(self.world.clock.now_us())
                if backlog.due + backlog.leased == 0:
                    return
                await asyncio.sleep(0.002)

    async def attempt_after(self, seconds: float) -> None:
        self.world.clock.advance(seconds)
        await self.catch_up()

    def told(self) -> list[dict[str, Any]]:
        """What came to the operational endpoint, in order."""
        return [json.loads(r.body) for r in self.sender.requests if r.url == OPS_URL]

    def types(self) -> list[str]:
        return [one["type"] for one in self.told()]


@pytest.fixture
async def story(store: Store) -> AsyncIterator[Story]:
    story = Story(store)
    async with running(story.world):
        yield story


async def test_what_happens_to_an_endpoint_is_told_in_svix_words(story: Story) -> None:
    await story.listen()
    endpoint = await story.make_endpoint(uid="main")
    await story.patch(endpoint, description="new")
    await story.patch(endpoint, disabled=True)
    await story.patch(endpoint, disabled=False)
    await endpoints.delete_endpoint(story.service, ORG, endpoint.scope, "main")
    await story.catch_up()
    assert sorted(story.types()) == sorted(
        [
            "endpoint.created",
            *["endpoint.updated"] * 3,
            "endpoint.disabled",
            "endpoint.enabled",
            "endpoint.deleted",
        ]
    )
    place = {
        "appId": endpoint.scope,
        "appUid": None,
        "endpointId": endpoint.id,
        "endpointUid": "main",
    }
    by_type = {one["type"]: one["data"] for one in story.told()}
    assert by_type.pop("endpoint.disabled") == place | {"failSince": None, "trigger": "manual"}
    assert all(data == place for data in by_type.values())
    ids = [one["id"] for one in story.told()]
    assert len(set(ids)) == len(ids)
    assert await story.world.store.list(Announcement, None, Page(limit=10)) == []


async def test_a_new_secret_and_new_headers_are_updates_too(story: Story) -> None:
    await story.listen()
    endpoint = await story.make_endpoint()
    which = (story.service, ORG, endpoint.scope, endpoint.id)
    await endpoints.rotate_secret(*which, key=None, grace_s=0)
    await endpoints.change_headers(*which, {"x-a": "1"}, replace=True)
    await story.catch_up()
    assert sorted(story.types()) == ["endpoint.created", "endpoint.updated", "endpoint.updated"]


async def test_a_dead_letter_is_told_and_so_is_its_recovery(story: Story) -> None:
    await story.listen()
    endpoint = await story.make_endpoint(retry_delays_s=(1.0,) * 5)
    story.answers[endpoint.url] = status(503)
    message = await story.world.send(event_id="order-1")
    for _ in range(4):
        await story.attempt_after(2)
    assert story.types() == ["endpoint.created", "message.attempt.failing"]
    for _ in range(3):
        await story.attempt_after(2)
    assert story.types()[2:] == ["message.attempt.exhausted"]
    dead = story.told()[2]["data"]
    attempts = await story.world.attempts(message)
    assert dead["lastAttempt"]["id"] == attempts[-1].id
    assert dead["lastAttempt"]["responseStatusCode"] == 503
    assert (dead["msgId"], dead["msgEventId"]) == (message.id, "order-1")
    assert dead["endpointId"] == endpoint.id
    story.answers.clear()
    which = (await story.world.delivery(message)).id
    await deliveries.redrive(story.service, message.app_id, which, actor="ann")
    await story.catch_up()
    assert story.types()[3:] == ["message.attempt.recovered"]


async def test_a_message_that_fails_less_than_four_times_is_no_news(story: Story) -> None:
    await story.listen()
    endpoint = await story.make_endpoint()
    story.answers[endpoint.url] = status(503)
    message = await story.world.send()
    await story.catch_up()
    story.answers.clear()
    await story.attempt_after(6)
    assert (await story.world.delivery(message)).state is State.DELIVERED
    assert story.types() == ["endpoint.created"]


async def test_a_resend_of_a_dead_letter_that_fails_is_not_told_as_another_death(
    story: Story,
) -> None:
    await story.listen()
    endpoint = await story.make_endpoint(retry_delays_s=())
    story.answers[endpoint.url] = status(503)
    message = await story.world.send()
    await story.catch_up()
    await deliveries.resend(story.service, message.app_id, message.id, endpoint.id, actor="ann")
    await story.catch_up()
    assert (await story.world.delivery(message)).leases == 2
    assert story.types() == ["endpoint.created", "message.attempt.exhausted"]


async def test_nothing_but_failure_is_told_before_and_after_it_disables(story: Story) -> None:
    """The whole story: warned, disabled, parked, enabled again, and everything delivered."""
    await story.listen()
    endpoint = await story.make_endpoint(retry_delays_s=(600.0,) * 10)
    story.answers[endpoint.url] = status(500)
    message = await story.world.send()
    await story.catch_up()
    for _ in range(7):
        await story.attempt_after(700)
        if (await story.endpoint()).disabled:
            break
    kinds = [kind for kind in story.types() if kind.startswith("endpoint.")]
    assert kinds == ["endpoint.created", "endpoint.failing", "endpoint.disabled"]
    by_type = {one["type"]: one["data"] for one in story.told()}
    warned, disabled = by_type["endpoint.failing"], by_type["endpoint.disabled"]
    assert disabled["trigger"] == "automatic"
    assert warned["failSince"] == disabled["failSince"] == "2026-01-01T00:00:00.000000Z"
    assert warned["disableAt"] == "2026-01-01T01:00:00.000000Z"  # disabled after 3,600 s
    assert "nothing but failures since" in ((await story.endpoint()).disabled_reason or "")

    later = await story.world.send()
    await story.attempt_after(700)
    states = [(await story.world.delivery(one)).state for one in (message, later)]
    assert states == [State.PARKED, State.PARKED]
    story.answers.clear()
    await story.patch(endpoint, disabled=False)
    await story.world.sweeper.sweep()
    await story.catch_up()
    states = [(await story.world.delivery(one)).state for one in (message, later)]
    assert states == [State.DELIVERED, State.DELIVERED]
    assert [k for k in story.types() if k.startswith("endpoint.")][3:] in (
        ["endpoint.enabled", "endpoint.updated"],
        ["endpoint.updated", "endpoint.enabled"],
    )


async def test_a_receiver_that_is_gone_is_told_of_once(story: Story) -> None:
    await story.listen()
    endpoint = await story.make_endpoint()
    story.answers[endpoint.url] = status(410)
    for _ in range(3):
        await story.world.send()
    await story.catch_up()
    assert story.types() == ["endpoint.created", "endpoint.disabled"]
    assert story.told()[1]["data"]["trigger"] == "automatic"


async def test_an_endpoint_is_told_what_it_asked_for(story: Story) -> None:
    await story.listen(event_types=(str(Event.ENDPOINT_DELETED),))
    endpoint = await story.make_endpoint()
    await endpoints.delete_endpoint(story.service, ORG, endpoint.scope, endpoint.id)
    await story.catch_up()
    assert story.types() == ["endpoint.deleted"]


async def test_who_never_asked_is_told_nothing_and_nothing_is_stored(story: Story) -> None:
    endpoint = await story.make_endpoint(retry_delays_s=())
    story.answers[endpoint.url] = status(500)
    await story.world.send()
    await story.catch_up()
    assert await story.world.store.list(Announcement, None, Page(limit=10)) == []
    await story.listen()
    await story.catch_up()
    assert story.told() == [], "what was before is not told"


async def test_another_organisation_is_told_nothing(story: Story) -> None:
    await story.listen()
    other = make_application(scope="org_2")
    await story.world.store.put(other)
    draft = EndpointDraft(url="http://127.0.0.1:9/theirs", retry_delays_s=())
    await endpoints.create_endpoint(story.service, Caller("org_2"), other.id, draft)
    await story.catch_up()
    assert story.told() == []


async def test_an_operational_endpoint_that_fails_tells_nobody_of_itself(story: Story) -> None:
    ops = await story.listen(retry_delays_s=(600.0,) * 10)
    endpoint = await story.make_endpoint()
    story.answers[OPS_URL] = status(500)
    await story.catch_up()
    for _ in range(14):
        await story.attempt_after(700)
    (now,) = await story.world.store.by_ids(Endpoint, [ops.id])
    assert now.disabled, "it is disabled like any other"
    assert set(story.types()) == {"endpoint.created"}
    await endpoints.delete_endpoint(story.service, ORG, endpoint.scope, endpoint.id)
    await story.catch_up()
    story.answers.clear()
    await endpoints.patch_endpoint(
        story.service, operational.insider(ORG), UID, ops.id, {"disabled": False}
    )
    await story.world.sweeper.sweep()
    await story.catch_up()
    assert set(story.types()[-2:]) == {"endpoint.created", "endpoint.deleted"}, "parked, not lost"


class Dying(Announcer):
    """One whose process dies at the n-th step that changes something."""

    def __init__(self, story: Story, at: int) -> None:
        self._left = at
        world = story.world
        super().__init__(_Mortal(world.store, self), world.clock, world.intake)  # type: ignore[arg-type]

    def step(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Unavailable("the process died")

    async def _send(self, to: Application, announcements: Any) -> None:
        self.step()
        await super()._send(to, announcements)
        self.step()


class _Mortal:
    """The store, whose writes count as steps."""

    def __init__(self, store: Store, owner: Dying) -> None:
        self._store = store
        self._owner = owner

    def __getattr__(self, name: str) -> Any:
        if name in ("put", "delete", "remember"):
            self._owner.step()
        return getattr(self._store, name)


@pytest.mark.parametrize("at", range(9))
async def test_wherever_a_process_dies_each_thing_is_told_once(story: Story, at: int) -> None:
    await story.listen()
    endpoint = await story.make_endpoint(retry_delays_s=())
    story.answers[endpoint.url] = status(500)
    sent = [await story.world.send() for _ in range(2)]
    await story.settle()
    try:
        await Dying(story, at).look()
    except Unavailable:
        pass
    else:
        assert at == 8, "every step has to be the last one once"
    await story.catch_up()
    expected = ["endpoint.created", *["message.attempt.exhausted"] * 2]
    assert story.types() == expected
    story.answers.clear()
    for message in sent:
        which = (await story.world.delivery(message)).id
        await deliveries.redrive(story.service, message.app_id, which, actor="ann")
    await story.catch_up()
    assert story.types() == [*expected, *["message.attempt.recovered"] * 2]


async def test_processes_that_announce_side_by_side_tell_each_thing_once(story: Story) -> None:
    await story.listen()
    endpoint = await story.make_endpoint(retry_delays_s=())
    story.answers[endpoint.url] = status(500)
    for _ in range(20):
        await story.world.send()
    await story.settle()
    world = story.world
    others = [Announcer(world.store, world.clock, world.intake) for _ in range(4)]
    await asyncio.gather(*(one.look() for one in others))
    await story.catch_up()
    assert len(story.types()) == 21


async def test_what_is_told_of_a_task_is_told_once_whoever_tells_it_again(story: Story) -> None:
    name = "background_task.finished"
    task = {"taskId": "qtask_1", "status": "finished", "task": "endpoint.recover", "data": {}}
    which = {"event_id": f"{name}.qtask_1"}

    async def end() -> None:
        for one in await operational.news(story.service, ORG_ID, name, task, **which):
            with suppress(Conflict):
                await story.world.store.put(one)

    await end()
    await story.listen()
    for _ in range(2):
        await end()
    await story.catch_up()
    await end()
    await story.catch_up()
    assert story.told() == [{"id": f"{name}.qtask_1", "type": name, "data": task}]


async def test_the_hidden_application_is_in_the_books_and_in_no_listing(story: Story) -> None:
    await story.listen()
    await story.make_endpoint()
    await story.catch_up()
    assert story.hidden is not None
    store = story.world.store
    listed = await store.list(Application, ORG_ID, Page(limit=10))
    assert listed == [msgspec.structs.replace(story.world.application, version=listed[0].version)]
    found = await operational.find_traffic(story.service, ORG, story.hidden.id)
    assert found.scope == scope_of(ORG_ID)
    follower = await store.get(Follower, *operational.FOLLOWER)
    assert follower is not None
