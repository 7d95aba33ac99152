"""How endpoints are, as a store tells it: counts that stop at a bound, slices and samples."""

from __future__ import annotations

from support.making import SECOND_US, START_US, aged, make_acceptance, make_attempt, make_change

from homing.core.lifecycle import State
from homing.core.outcome import Reason
from homing.core.resources import Application
from homing.core.store import Store
from homing.core.watching import Failure, Load, Tried


async def attempt(
    store: Store,
    application: Application,
    endpoint_id: str,
    at_us: int,
    *,
    reason: Reason = Reason.OK,
    status: int | None = 200,
    total_us: int = 1_000,
    state: State = State.DELIVERED,
) -> None:
    """A delivery that was attempted once, at `at_us`."""
    item = make_acceptance(application, (endpoint_id,), accepted_at_us=at_us)
    await store.accept([item])
    [before] = item.deliveries
    made = make_attempt(before, at_us=at_us, reason=reason, status=status, total_us=total_us)
    finished = state not in (State.WAITING, State.LEASED, State.PARKED)
    after = aged(
        before,
        state=state,
        holder=None,
        unanswered=0,
        ready_at_us=at_us + 60 * SECOND_US if state is State.WAITING else None,
        finished_at_us=at_us if finished else None,
        reason="attempts_exhausted" if state is State.DEAD else None,
    )
    assert await store.settle([make_change(before, after, attempt=made)]) == [True]


async def test_a_load_counts_what_lies_before_an_endpoint_and_what_came_of_it(
    store: Store, application: Application
) -> None:
    later_us = START_US + 100 * SECOND_US
    await attempt(store, application, "ep_a", START_US - SECOND_US)  # before the time asked for
    await attempt(store, application, "ep_a", START_US + SECOND_US)
    for at_us in (START_US, later_us):
        await attempt(
            store, application, "ep_a", at_us, reason=Reason.STATUS, status=500, state=State.DEAD
        )
    await attempt(
        store, application, "ep_a", later_us, reason=Reason.RESET, status=None, state=State.WAITING
    )
    await store.accept([make_acceptance(application, ("ep_a",), state=State.LEASED)])
    await store.accept([make_acceptance(application, ("ep_a",), state=State.PARKED)])
    await store.accept([make_acceptance(application, ("ep_b",), state=State.WAITING)])

    asked = [(application.id, name) for name in ("ep_a", "ep_b", "ep_c")]
    found = await store.loads(asked, since_us=START_US, accepted_us=later_us, most=10)
    assert found == {
        "ep_a": Load(
            endpoint_id="ep_a",
            attempts={Reason.OK: 1, Reason.STATUS: 2, Reason.RESET: 1},
            waiting=1,
            leased=1,
            parked=1,
            dead=2,
            dead_recent=1,
            next_at_us=later_us + 60 * SECOND_US,
        ),
        "ep_b": Load(endpoint_id="ep_b", waiting=1, next_at_us=START_US),
        "ep_c": Load(endpoint_id="ep_c"),
    }
    bounded = (await store.loads(asked, since_us=START_US, accepted_us=0, most=1))["ep_a"]
    assert (bounded.dead, bounded.dead_recent) == (1, 1)
    assert sum(bounded.attempts.values()) == 1
    assert Reason.OK not in bounded.attempts  # the newest are counted
    assert await store.loads([], since_us=0, accepted_us=0, most=1) == {}


async def test_slices_hold_the_attempts_that_began_in_them(
    store: Store, application: Application
) -> None:
    minute = 60 * SECOND_US
    for number, at_us in enumerate((START_US, START_US + 1_000_000, START_US + minute)):
        await attempt(store, application, "ep_a", at_us, total_us=1_000 * (number + 1))
    await attempt(
        store, application, "ep_a", START_US + 2_000_000, reason=Reason.STATUS, status=503
    )
    await attempt(store, application, "ep_b", START_US)
    edges = [START_US + minute * number for number in (-1, 0, 1, 2)]

    before, first, second = await store.slices("ep_a", edges, counted=10, sampled=2)
    assert (before.since_us, before.until_us) == (edges[0], edges[1])
    assert (before.counts, list(before.tried)) == ({}, [])
    assert first.counts == {Reason.OK: 2, Reason.STATUS: 1}
    assert list(first.tried) == [Tried(Reason.STATUS, 503, 1_000), Tried(Reason.OK, 200, 2_000)]
    assert (second.counts, list(second.tried)) == ({Reason.OK: 1}, [Tried(Reason.OK, 200, 3_000)])

    _, first, _ = await store.slices("ep_a", edges, counted=1, sampled=1)
    assert first.counts == {Reason.STATUS: 1}


async def test_failures_are_counted_by_what_went_wrong(
    store: Store, application: Application
) -> None:
    for at_s, reason, status in (
        (1, Reason.STATUS, 500),
        (2, Reason.STATUS, 502),
        (3, Reason.CONNECT_REFUSED, None),
        (4, Reason.STATUS, 500),
        (5, Reason.OK, 200),
    ):
        at_us = START_US + at_s * SECOND_US
        await attempt(store, application, "ep_a", at_us, reason=reason, status=status)
    twice = Failure(reason=Reason.STATUS, status=500, count=2)
    refused = Failure(reason=Reason.CONNECT_REFUSED, status=None, count=1)
    assert await store.failures("ep_a", START_US, most=10) == [
        twice,
        refused,
        Failure(reason=Reason.STATUS, status=502, count=1),
    ]
    newest = await store.failures("ep_a", START_US + 3 * SECOND_US, most=10)
    assert newest == [refused, Failure(reason=Reason.STATUS, status=500, count=1)]
    [one] = await store.failures("ep_a", START_US, most=1)
    assert (one.status, one.count) == (500, 1)
