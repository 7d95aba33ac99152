"""What the stores promise about lanes: whose is due, shares of a claim, and limits kept by all."""

from __future__ import annotations

import asyncio

import pytest
from support.making import (
    HOLDER,
    LEASE_US,
    SECOND_US,
    START_US,
    make_acceptance,
    make_application,
    make_change,
)

from homing.core.lifecycle import Delivery, Leased, State, Succeeded, step
from homing.core.limits import BURST_US, Lane, Limits, Quota
from homing.core.records import Change, Claimed
from homing.core.resources import Application
from homing.core.retry import RetryPolicy
from homing.core.store import Store

LATER_US = START_US + 60 * SECOND_US


def lease(delivery: Delivery) -> Change:
    fact = Leased(at_us=LATER_US, holder=HOLDER, until_us=LATER_US + LEASE_US)
    return make_change(delivery, step(delivery, fact, RetryPolicy()), op="leased")


async def fill(store: Store, application: Application, endpoint_id: str, *due_us: int) -> None:
    await store.accept(
        [
            make_acceptance(application, (endpoint_id,), state=State.WAITING, accepted_at_us=at_us)
            for at_us in due_us
        ]
    )


def quota(application: Application, endpoint_id: str, count: int, **limits: Limits | None) -> Quota:
    named = {"endpoint": endpoint_id, "app": application.id}
    return Quota(
        app_id=application.id,
        endpoint_id=endpoint_id,
        count=count,
        limits=tuple((named[who], what) for who, what in limits.items() if what is not None),
    )


async def claim(store: Store, *quotas: Quota, at_us: int = LATER_US) -> list[Claimed]:
    return await store.claim(lease, at_us=at_us, quotas=quotas)


async def finish(store: Store, claimed: list[Claimed]) -> None:
    for one in claimed:
        after = step(one.delivery, Succeeded(at_us=LATER_US), RetryPolicy())
        await store.settle([make_change(one.delivery, after)])


async def test_lanes_tell_whose_the_oldest_due_deliveries_are(
    store: Store, application: Application
) -> None:
    await fill(store, application, "ep_a", START_US + 5, START_US + 1, START_US + 9)
    await fill(store, application, "ep_b", START_US + 3, LATER_US + 1)
    found = await store.due_lanes(LATER_US, limit=3)
    assert sorted(found, key=lambda lane: lane.endpoint_id) == [
        Lane(app_id=application.id, endpoint_id="ep_a", ready_at_us=START_US + 1, count=2),
        Lane(app_id=application.id, endpoint_id="ep_b", ready_at_us=START_US + 3, count=1),
    ]
    assert await store.due_lanes(START_US, limit=3) == []


async def test_a_walk_meets_every_lane_once_however_much_is_in_it(store: Store) -> None:
    one, two = make_application(id="app_1"), make_application(id="app_2")
    for application in (one, two):
        await store.put(application)
        for name in ("ep_a", "ep_b", "ep_c"):
            due_us = [START_US + number for number in range(20)]
            await fill(store, application, f"{name}{application.id[-1]}", *due_us)
    await store.accept([make_acceptance(one, ("ep_leased",))])
    lanes: list[Lane] = []
    after = ("", "")
    while found := await store.walk_lanes(State.WAITING, after, steps=2, per_app=9):
        lanes += found
        after = (found[-1].app_id, found[-1].endpoint_id)
    assert [(lane.app_id, lane.endpoint_id, lane.ready_at_us) for lane in lanes] == [
        (f"app_{n}", f"ep_{name}{n}", START_US) for n in (1, 2) for name in "abc"
    ]
    few = await store.walk_lanes(State.WAITING, ("", ""), steps=9, per_app=1)
    assert [lane.endpoint_id for lane in few] == ["ep_a1", "ep_a2"]
    few = await store.walk_lanes(State.WAITING, ("app_1", "ep_b1"), steps=9, per_app=1)
    assert [lane.endpoint_id for lane in few] == ["ep_c1", "ep_a2"]
    [leased] = await store.walk_lanes(State.LEASED, ("", ""), steps=9, per_app=9)
    assert leased.endpoint_id == "ep_leased"


async def test_a_claim_takes_of_each_lane_its_quota_the_oldest_first(
    store: Store, application: Application
) -> None:
    await fill(store, application, "ep_hog", *[START_US + number for number in range(50)])
    await fill(store, application, "ep_b", START_US + 900, START_US + 800)
    claimed = await claim(
        store,
        quota(application, "ep_hog", 3),
        quota(application, "ep_b", 1),
        quota(application, "ep_none", 5),
    )
    assert sorted((c.delivery.endpoint_id, c.delivery.accepted_at_us) for c in claimed) == [
        ("ep_b", START_US + 800),
        *(("ep_hog", START_US + number) for number in range(3)),
    ]


async def test_of_a_lane_lapsed_leases_come_first(store: Store, application: Application) -> None:
    await fill(store, application, "ep_a", START_US, START_US)
    lapsed = make_acceptance(application, ("ep_a",))
    await store.accept([lapsed])
    [claimed] = await claim(store, quota(application, "ep_a", 1), at_us=START_US + LEASE_US)
    assert claimed.delivery.id == lapsed.deliveries[0].id


async def test_a_rate_gives_a_burst_and_then_what_time_brings(
    store: Store, application: Application
) -> None:
    await fill(store, application, "ep_a", *[START_US] * 200)
    limited = quota(application, "ep_a", 100, endpoint=Limits(rate=50))
    burst = 50 * BURST_US // SECOND_US
    assert len(await claim(store, limited)) == burst
    assert await claim(store, limited) == []
    assert len(await claim(store, limited, at_us=LATER_US + SECOND_US // 10)) == 5
    assert len(await claim(store, limited, at_us=LATER_US + 60 * SECOND_US)) == burst


async def test_a_rate_of_an_application_is_shared_by_its_endpoints(
    store: Store, application: Application
) -> None:
    for name in ("ep_a", "ep_b"):
        await fill(store, application, name, *[START_US] * 40)
    claimed = await claim(
        store,
        quota(application, "ep_a", 8, endpoint=Limits(rate=4), app=Limits(rate=20)),
        quota(application, "ep_b", 40, app=Limits(rate=20)),
    )
    assert len(claimed) == 10
    assert sum(one.delivery.endpoint_id == "ep_a" for one in claimed) == 2


async def test_permits_of_a_lane_that_has_less_due_are_not_used_up(
    store: Store, application: Application
) -> None:
    await fill(store, application, "ep_a", START_US, START_US)
    limited = quota(application, "ep_a", 100, endpoint=Limits(rate=20))
    assert len(await claim(store, limited)) == 2
    await fill(store, application, "ep_a", *[START_US] * 40)
    assert len(await claim(store, limited)) == 8


async def test_a_node_whose_clock_is_ahead_shuts_nobody_out_for_longer_than_a_burst(
    store: Store, application: Application
) -> None:
    await fill(store, application, "ep_a", *[START_US] * 200)
    limited = quota(application, "ep_a", 100, endpoint=Limits(rate=20))
    assert len(await claim(store, limited, at_us=LATER_US + 60 * SECOND_US)) == 10
    assert await claim(store, limited) == []
    assert len(await claim(store, limited, at_us=LATER_US + BURST_US)) == 10


@pytest.mark.parametrize("whose", ["endpoint", "app"])
async def test_concurrency_counts_leases_that_have_not_run_out(
    store: Store, application: Application, whose: str
) -> None:
    await fill(store, application, "ep_a", *[START_US] * 20)
    born = make_acceptance(application, ("ep_a",), accepted_at_us=LATER_US - SECOND_US)
    await store.accept([born])  # under way since before there was a limit
    limited = quota(application, "ep_a", 10, **{whose: Limits(concurrency=3)})
    claimed = await claim(store, limited)
    assert len(claimed) == 2
    assert await claim(store, limited) == []
    await finish(store, claimed[:1])
    assert len(await claim(store, limited)) == 1
    assert len(await claim(store, limited, at_us=LATER_US + LEASE_US + 1)) == 3


async def test_concurrency_of_an_application_is_shared_by_its_endpoints(
    store: Store, application: Application
) -> None:
    for name in ("ep_a", "ep_b", "ep_c"):
        await fill(store, application, name, *[START_US] * 4)
    limits = Limits(concurrency=5)
    quotas = [quota(application, name, 4, app=limits) for name in ("ep_a", "ep_b", "ep_c")]
    assert len(await claim(store, *quotas)) == 5
    assert await claim(store, *quotas) == []


async def test_side_by_side_limits_hold(
    stores: tuple[Store, Store],
) -> None:
    application = make_application()
    await stores[0].put(application)
    await fill(stores[0], application, "ep_a", *[START_US] * 100)
    await fill(stores[0], application, "ep_b", *[START_US] * 100)
    few = quota(application, "ep_a", 50, endpoint=Limits(concurrency=3))
    slow = quota(application, "ep_b", 50, endpoint=Limits(rate=20))
    rounds = [claim(store, *pair) for store in stores for pair in [(few, slow), (slow, few)] * 5]
    taken = [one.delivery for found in await asyncio.gather(*rounds) for one in found]
    assert sum(delivery.endpoint_id == "ep_a" for delivery in taken) == 3
    assert sum(delivery.endpoint_id == "ep_b" for delivery in taken) == 10


async def test_who_is_behind_is_counted_by_application(
    store: Store, application: Application
) -> None:
    other = make_application()
    await store.put(other)
    await fill(store, application, "ep_a", START_US, START_US, LATER_US + 1)
    await store.accept([make_acceptance(application, ("ep_a",), state=State.PARKED)])
    await store.accept([make_acceptance(other)])
    assert await store.behind(LATER_US) == {application.id: 2, other.id: 1}
