"""What pages say of endpoints, over a world in memory."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from support.scripted import status
from support.tasks import CALLER, service_of
from support.world import LIMITS, OK, World, make_world, running

from homing.core.errors import NotFound
from homing.core.health import EndpointHealth
from homing.core.outcome import Outcome, Reason
from homing.core.ports import Request
from homing.insight.endpoints import Condition
from homing.service.endpoint_views import RANGES, endpoint_view, list_failing, list_lines
from homing.service.listing import Ask
from homing.service.tokens import Caller

ONE_TRY = msgspec.structs.replace(
    LIMITS, policy=msgspec.structs.replace(LIMITS.policy, delays_s=())
)


async def a_world() -> World:
    """An endpoint that fails, one that is well, and one that is disabled."""

    def answer(request: Request) -> Outcome:
        return status(503) if request.url.endswith("bad") else OK

    world = make_world(answer, limits=ONE_TRY)
    async with running(world):
        await world.begin(endpoints=0)
        await world.add_endpoint(url="http://127.0.0.1:9/bad", description="Warehouse")
        await world.add_endpoint(url="http://127.0.0.1:9/good")
        await world.add_endpoint(url="http://127.0.0.1:9/off", disabled=True)
        for _ in range(6):
            await world.send()
        await world.settle()
    return world


async def test_lines_say_how_each_endpoint_is() -> None:
    world = await a_world()
    listing = await list_lines(service_of(world), CALLER, Ask())
    bad, good, off = sorted(listing.data, key=lambda line: line.endpoint.url)
    assert (bad.condition, bad.succeeded, bad.load.dead) == (Condition.FAILING, 0, 6)
    assert (good.condition, good.succeeded, good.backlog) == (Condition.FINE, 1, 0)
    assert (off.condition, off.succeeded, off.backlog) == (Condition.PARKED, None, 6)
    assert bad.application is not None
    assert bad.application.id == world.application.id


async def test_lines_are_found_by_a_part_of_what_they_say() -> None:
    world = await a_world()
    service = service_of(world)
    for text, count in (("WAREHOUSE", 1), ("127.0.0.1", 3), (" /good", 1), ("nothing", 0)):
        assert len((await list_lines(service, CALLER, Ask(), text=text)).data) == count
    app = world.application.id
    assert len((await list_lines(service, CALLER, Ask(), app=app)).data) == 3
    own = Caller(CALLER.org_id, app)
    assert len((await list_lines(service, own, Ask(), app=app)).data) == 3


async def test_those_that_do_nothing_but_fail_are_known_without_looking_at_all() -> None:
    world = await a_world()
    service, app = service_of(world), world.application.id
    bad = next(one for one in world.endpoints if one.url.endswith("bad"))
    for scope in (None, app):
        [line] = await list_failing(service, CALLER, app=scope)
        assert (line.endpoint.id, line.condition) == (bad.id, Condition.FAILING)
    assert await list_failing(service, Caller("org_other")) == []
    known = await world.store.get(EndpointHealth, app, bad.id)
    assert known is not None
    well = msgspec.structs.replace(known, version=known.version + 1, failing_since_us=None)
    await world.store.put(well)
    assert await list_failing(service, CALLER) == []


async def test_nothing_of_another_organisation_or_application_is_told() -> None:
    world = await a_world()
    service, app = service_of(world), world.application.id
    id = world.endpoints[0].id
    assert (await list_lines(service, Caller("org_other"), Ask())).data == []
    for caller in (Caller("org_other"), Caller(CALLER.org_id, "app_other")):
        with pytest.raises(NotFound):
            await endpoint_view(service, caller, app, id)
        with pytest.raises(NotFound):
            await list_lines(service, caller, Ask(), app=app)


async def test_a_view_says_why_and_what_waits() -> None:
    world = await a_world()
    service, app = service_of(world), world.application.id
    bad = next(one for one in world.endpoints if one.url.endswith("bad"))
    view = await endpoint_view(service, CALLER, app, bad.id, range_key="1h")
    assert view.condition is Condition.FAILING
    assert (view.load.dead, view.load.dead_recent) == (6, 6)
    assert view.health.range is RANGES[0]
    assert len(view.health.slices) == RANGES[0].slices
    assert (view.health.attempts, view.health.succeeded, view.health.is_capped) == (6, 0, False)
    [failure] = view.health.failures
    assert (failure.reason, failure.status, failure.count) == (Reason.STATUS, 503, 6)
    assert view.health.percentiles is not None
    assert (await endpoint_view(service, CALLER, app, bad.id)).health.range is RANGES[1]
    broken = replace(service, breaker_is_open=lambda id: id == bad.id)
    view = await endpoint_view(broken, CALLER, app, bad.id)
    assert view.condition is Condition.BREAKER_OPEN
