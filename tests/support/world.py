"""One process of Homing in memory: a store, an intake, a dispatcher, a scripted receiver."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import msgspec

from homing.core.health import EndpointHealth
from homing.core.identifiers import DeliveryId
from homing.core.journal import Journal
from homing.core.lifecycle import Delivery
from homing.core.outcome import Outcome
from homing.core.ports import Request, Work
from homing.core.queries import AttemptFilter, Page
from homing.core.records import Attempt, Message
from homing.core.resources import Application, Endpoint
from homing.core.retry import RetryPolicy
from homing.core.store import Store
from homing.dispatch.health import HealthKeeper
from homing.dispatch.loop import Dispatcher, DispatchLimits
from homing.dispatch.planner import Shares
from homing.dispatch.sweeper import Sweeper
from homing.service.announcer import Announcer
from homing.service.books import audit
from homing.service.intake import Draft, Intake
from homing.service.operational import herald
from homing.store.memory.store import MemoryStore
from support.making import (
    ORG_ID,
    FakeChance,
    FakeClock,
    make_application,
    make_delivery,
    make_endpoint,
    make_message,
)
from support.scripted import OK, ScriptedSender, plain_envelope

LIMITS = DispatchLimits(
    sends_max=100,
    poll_s=0.005,
    policy=RetryPolicy(delays_s=(5.0, 300.0), jitter=0.0),
    # All places for whoever comes first: sharing has tests of its own.
    shares=Shares(endpoint=1_000, application=1_000),
)


class World:
    """What a test holds in its hands. `clock` moves only when told to."""

    def __init__(
        self,
        store: Store,
        answer: Callable[[Request], Outcome] = lambda _: OK,
        *,
        limits: DispatchLimits = LIMITS,
        clock: FakeClock | None = None,
        name: str = "world:1:a",
    ) -> None:
        self.store = store
        self.clock = clock or FakeClock()
        self.chance = FakeChance(7)
        self.journal = Journal(self.clock, name)
        self.sender = ScriptedSender(answer)
        self.health = HealthKeeper(
            store, self.clock, disable_after_s=3_600.0, herald=herald(store, self.clock)
        )
        self.dispatcher = Dispatcher(
            store,
            self.sender,
            self.chance,
            self.journal,
            plain_envelope,
            limits=limits,
            health=self.health,
        )
        self.intake = Intake(store, self.chance, self.journal, dispatcher=self.dispatcher)
        self.announcer = Announcer(store, self.clock, self.intake)
        self.sweeper = Sweeper(store, self.journal, self.dispatcher)
        self.application: Application = make_application()
        self.endpoints: list[Endpoint] = []

    async def begin(self, endpoints: int = 1, **fields: object) -> None:
        """An application with so many endpoints."""
        await self.store.put(self.application)
        for _ in range(endpoints):
            await self.add_endpoint(**fields)

    async def add_endpoint(self, **fields: object) -> Endpoint:
        endpoint = make_endpoint(self.application.id, **fields)
        await self.store.put(endpoint, touch=self.application.id)
        self.endpoints.append(endpoint)
        return endpoint

    async def add_tenant(self, **fields: object) -> Application:
        """Another application, with one endpoint."""
        application = make_application(**fields)
        await self.store.put(application)
        await self.store.put(make_endpoint(application.id), touch=application.id)
        return application

    async def send_as(self, application: Application, payload: bytes = b"{}") -> Message:
        """Publish for one application."""
        draft = Draft(event_type="payment.captured", payload=payload)
        message, _ = await self.intake.create_message(ORG_ID, application.id, draft)
        return message

    async def change_endpoint(self, endpoint: Endpoint, **fields: object) -> Endpoint:
        """As the API would: over the present version."""
        (now,) = await self.store.by_ids(Endpoint, [endpoint.id])
        changed: Endpoint = msgspec.structs.replace(now, version=now.version + 1, **fields)
        await self.store.put(changed, touch=self.application.id)
        return changed

    async def send(self, payload: bytes = b"{}", **fields: object) -> Message:
        draft = Draft(event_type="payment.captured", payload=payload, **fields)  # type: ignore[arg-type]
        message, _ = await self.intake.create_message(ORG_ID, self.application.id, draft)
        return message

    def room(self) -> int:
        """How many deliveries for the first endpoint would be born leased now."""
        work = []
        delivery = make_delivery(app_id=self.application.id, endpoint_id=self.endpoints[0].id)
        message = make_message()
        while self.dispatcher.reserve(self.application, self.endpoints[0]):
            work.append(Work(delivery, message, self.endpoints[0]))
        self.dispatcher.release(work)
        return len(work)

    async def delivery(self, message: Message, endpoint: Endpoint | None = None) -> Delivery:
        found = await self.store.delivery(
            DeliveryId(message.id, (endpoint or self.endpoints[0]).id)
        )
        assert found is not None, "unaccounted for"
        return found

    async def attempts(self, message: Message) -> list[Attempt]:
        which = AttemptFilter(app_id=self.application.id, message_id=message.id)
        return await self.store.attempts(which, Page(limit=100))

    async def settle(self) -> None:
        """Until nothing is due, in flight or unwritten (at the clock's present time)."""
        async with asyncio.timeout(60):
            while True:
                await self.dispatcher.flush()
                due = await self.store.next_ready_at_us()
                if due is None or due > self.clock.now_us():
                    return
                await asyncio.sleep(0.001)

    async def arrive(self, count: int) -> None:
        """Until nothing is due, leased or unwritten; then so many requests have been made."""
        async with asyncio.timeout(60):
            while True:
                await self.dispatcher.flush()
                backlog = await self.store.backlog(self.clock.now_us())
                if backlog.due + backlog.leased == 0:
                    break
                await asyncio.sleep(0.001)
        assert len(self.sender.requests) == count

    async def known_health(self) -> EndpointHealth | None:
        found = await self.store.by_ids(EndpointHealth, [self.endpoints[0].id])
        return found[0] if found else None

    async def assert_balanced(self) -> None:
        report = await audit(self.store, self.clock)
        assert report.is_balanced, report


@asynccontextmanager
async def running(world: World) -> AsyncIterator[World]:
    """With the dispatcher running; drained and audited at the end."""
    task = asyncio.create_task(world.dispatcher.run())
    try:
        yield world
    finally:
        await world.dispatcher.drain(5.0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    await world.assert_balanced()


def make_world(answer: Callable[[Request], Outcome] = lambda _: OK, **given: object) -> World:
    """A world over a fresh memory store."""
    return World(MemoryStore(), answer, **given)  # type: ignore[arg-type]
