"""Who gets the places of a process."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.making import make_application, make_endpoint

from homing.core.limits import BURST_US, Lane, Limits, Quota
from homing.core.outcome import Reason
from homing.core.resources import Application, Endpoint
from homing.dispatch.breaker import BreakerRules
from homing.dispatch.planner import BATCH_MIN, RELOOK_US, Candidate, Planner, Shares, below

SECOND_US = 1_000_000


def candidate(
    endpoint: Endpoint | None,
    application: Application | None = None,
    *,
    count: int,
    due_us: int = 7,
) -> Candidate:
    lane = Lane(
        app_id=endpoint.scope if endpoint else "app_gone",
        endpoint_id=endpoint.id if endpoint else "ep_gone",
        ready_at_us=due_us,
        count=count,
    )
    return Candidate(lane, endpoint, application)


def tenant(**fields: object) -> tuple[Application, Endpoint]:
    """An application with one endpoint; fields of the endpoint."""
    application = make_application()
    return application, make_endpoint(application.id, **fields)


def counts(quotas: tuple[Quota, ...]) -> dict[str, int]:
    return {quota.endpoint_id: quota.count for quota in quotas}


def plan(planner: Planner, *candidates: Candidate, now_us: int = 0) -> dict[str, int]:
    free = planner.places - planner.taken
    return counts(planner.plan(candidates, free=free, now_us=now_us).quotas)


def admit_all(planner: Planner, application: Application, endpoint: Endpoint) -> int:
    """As many as it gets, one by one, as publishing does."""
    admitted = 0
    while planner.admit(application, endpoint, free=planner.places - planner.taken, now_us=0):
        admitted += 1
    return admitted


def churn(planner: Planner, tenants: list[tuple[Application, Endpoint]]) -> None:
    """Everybody gives places back and takes what it gets, until that changes little."""
    for _ in range(100):
        for application, endpoint in tenants:
            held = planner.held_by(endpoint.id)
            if held:
                planner.leave(application.id, endpoint.id, held - held * 9 // 10)
        for application, endpoint in tenants:
            admit_all(planner, application, endpoint)


def test_one_alone_gets_a_large_part_and_leaves_the_rest_free() -> None:
    assert admit_all(Planner(1_000), *tenant()) == 500
    assert admit_all(Planner(1_000, shares=Shares(endpoint=3, application=9)), *tenant()) == 750


def test_places_that_are_never_given_back_leave_half_of_what_was_found() -> None:
    planner = Planner(1_000)
    assert [admit_all(planner, *tenant()) for _ in range(5)] == [500, 250, 125, 63, 31]


@pytest.mark.parametrize("hogs", [1, 3, 10])
def test_hogs_that_give_places_back_come_to_share_and_leave_a_share(hogs: int) -> None:
    planner = Planner(1_000)
    tenants = [tenant() for _ in range(hogs)]
    churn(planner, tenants)
    share = 1_000 / (hogs + 1)
    assert planner.places - planner.taken == pytest.approx(share, rel=0.6)
    for _, endpoint in tenants:
        assert planner.held_by(endpoint.id) == pytest.approx(share, rel=0.6)


def test_many_endpoints_of_one_application_share_what_one_application_may_have() -> None:
    planner = Planner(1_000, shares=Shares(endpoint=2, application=4))
    application = make_application()
    for _ in range(50):
        admit_all(planner, application, make_endpoint(application.id))
    assert planner.taken == 800
    assert admit_all(planner, *tenant()) > 100


def test_a_weight_multiplies_what_an_application_may_have() -> None:
    planner = Planner(1_000, shares=Shares(endpoint=2, application=4))
    application = make_application(weight=10)
    for _ in range(50):
        admit_all(planner, application, make_endpoint(application.id))
    assert planner.taken > 950


def test_places_that_come_free_are_given_again() -> None:
    planner = Planner(100)
    application, endpoint = tenant()
    first = admit_all(planner, application, endpoint)
    planner.leave(application.id, endpoint.id, 10)
    assert admit_all(planner, application, endpoint) == 10
    planner.leave(application.id, endpoint.id, first)
    assert (planner.taken, planner.held_by(endpoint.id)) == (0, 0)


def test_what_has_a_limit_is_never_born_leased() -> None:
    planner = Planner(10)
    for fields in ({"rate_limit": 5}, {"concurrency_limit": 5}):
        assert admit_all(planner, *tenant(**fields)) == 0
        application = make_application(**fields)
        assert admit_all(planner, application, make_endpoint(application.id)) == 0
    assert admit_all(planner, *tenant(disabled=True)) == 0


def test_a_lane_alone_is_claimed_in_one_go() -> None:
    planner = Planner(1_000)
    application, endpoint = tenant()
    assert plan(planner, candidate(endpoint, application, count=500)) == {endpoint.id: 500}


def test_a_lane_with_much_under_way_waits_until_a_claim_is_worth_it() -> None:
    planner = Planner(1_000)
    application, endpoint = tenant()
    one = candidate(endpoint, application, count=500)
    plan(planner, one)
    assert plan(planner, one) == {}
    assert planner.taken == 500
    planner.leave(application.id, endpoint.id, BATCH_MIN - 1)
    one = candidate(endpoint, application, count=500)
    found = planner.plan([one], free=1_000 - planner.taken, now_us=0)
    assert (found.quotas, found.crowded) == ((), True)
    planner.leave(application.id, endpoint.id)
    assert plan(planner, one) == {endpoint.id: BATCH_MIN}


def test_the_last_few_of_a_lane_are_not_kept_waiting() -> None:
    planner = Planner(1_000)
    application, endpoint = tenant()
    plan(planner, candidate(endpoint, application, count=400))
    assert plan(planner, candidate(endpoint, application, count=1)) == {endpoint.id: 1}


def test_a_backlog_takes_turns_with_everybody_else() -> None:
    planner = Planner(100)
    hog = tenant()
    others = [tenant() for _ in range(20)]
    wanted = [candidate(hog[1], hog[0], count=500)]
    wanted += [candidate(endpoint, application, count=2) for application, endpoint in others]
    got = plan(planner, *wanted)
    assert all(got[endpoint.id] == 2 for _, endpoint in others)
    assert got[hog[1].id] >= 30


def test_an_application_with_many_lanes_gets_no_more_turns_than_one_with_one() -> None:
    planner = Planner(120, shares=Shares(endpoint=100, application=100))
    wide = make_application()
    narrow, endpoint = tenant()
    lanes = [candidate(make_endpoint(wide.id), wide, count=100) for _ in range(10)]
    got = plan(planner, candidate(endpoint, narrow, count=100), *lanes)
    assert got[endpoint.id] == 60


def test_weights_decide_about_turns() -> None:
    planner = Planner(100, shares=Shares(endpoint=100, application=100))
    heavy, light = make_application(weight=3), make_application()
    one, two = make_endpoint(heavy.id), make_endpoint(light.id)
    got = plan(planner, candidate(one, heavy, count=100), candidate(two, light, count=100))
    assert got == {one.id: 75, two.id: 25}


def test_room_that_a_claim_did_not_use_is_given_back() -> None:
    planner = Planner(100)
    application, endpoint = tenant()
    found = planner.plan([candidate(endpoint, application, count=20)], free=100, now_us=0)
    assert planner.taken == 20
    planner.claimed(found.quotas, {endpoint.id: 5}, now_us=0)
    assert planner.taken == planner.held_by(endpoint.id) == 5


def test_limits_go_along_with_the_claim_of_what_is_sent() -> None:
    planner = Planner(200)
    application = make_application(rate_limit=40)
    endpoint = make_endpoint(application.id, concurrency_limit=3)
    one = candidate(endpoint, application, count=50)
    [quota] = planner.plan([one], free=100, now_us=0).quotas
    assert quota.count == 3
    assert quota.limits == (
        (endpoint.id, Limits(concurrency=3)),
        (application.id, Limits(rate=40)),
    )
    off = make_endpoint(application.id, concurrency_limit=3, disabled=True)
    [quota] = planner.plan([candidate(off, application, count=50)], free=197, now_us=0).quotas
    assert (quota.count, quota.limits) == (50, ())


def test_a_lane_that_met_its_rate_is_passed_over_for_a_moment() -> None:
    planner = Planner(100)
    application, endpoint = tenant(rate_limit=2)
    one = candidate(endpoint, application, count=50)
    found = planner.plan([one], free=100, now_us=0)
    assert counts(found.quotas) == {endpoint.id: max(1, 2 * BURST_US // SECOND_US)}
    planner.claimed(found.quotas, {}, now_us=0)
    found = planner.plan([one], free=100, now_us=100_000)
    assert (found.quotas, found.held_for_us, found.oldest_due_at_us) == ((), 400_000, None)
    assert plan(planner, one, now_us=500_000)


def test_a_lane_that_met_its_concurrency_goes_on_when_a_lease_ends() -> None:
    planner = Planner(100)
    application, endpoint = tenant(concurrency_limit=2)
    one = candidate(endpoint, application, count=50)
    assert plan(planner, one) == {endpoint.id: 2}
    assert plan(planner, one) == {}
    assert planner.waits_for_leases
    planner.leave(application.id, endpoint.id, 1)
    assert plan(planner, one, now_us=1) == {}
    assert not planner.ease({"app_other"})
    assert planner.ease({application.id})
    assert plan(planner, one, now_us=2) == {endpoint.id: 1}
    assert plan(planner, one, now_us=RELOOK_US * 3) == {}


def fail(planner: Planner, endpoint: Endpoint, times: int, now_us: int = 0) -> list[str | None]:
    reason = Reason.FIRST_BYTE_TIMEOUT
    return [planner.breakers.observe(endpoint.id, reason, now_us, 0.0) for _ in range(times)]


def test_an_endpoint_that_does_not_answer_is_left_alone_but_for_a_probe() -> None:
    planner = Planner(100, breakers=BreakerRules(failures=3, cool_down_max_s=4))
    application, endpoint = tenant()
    one = candidate(endpoint, application, count=50)
    assert fail(planner, endpoint, 3) == [None, None, "opened"]
    now_us, waited = 0, []
    for _ in range(5):
        found = planner.plan([one], free=100, now_us=now_us)
        assert (found.quotas, found.oldest_due_at_us) == ((), None)
        assert not planner.admit(application, endpoint, free=100, now_us=now_us)
        assert found.held_for_us is not None
        waited.append(found.held_for_us)
        now_us += found.held_for_us
        assert plan(planner, one, now_us=now_us) == {endpoint.id: 1}
        assert plan(planner, one, now_us=now_us) == {}, "one probe at a time"
        assert fail(planner, endpoint, 1, now_us) == [None]
        planner.leave(application.id, endpoint.id)
    assert waited == [750_000, 1_500_000, 3_000_000, 3_000_000, 3_000_000]
    assert planner.breakers.observe(endpoint.id, Reason.OK, now_us, 0.0) == "closed"
    assert planner.breakers.open == 0
    assert plan(planner, one, now_us=now_us) == {endpoint.id: 50}


def test_an_answer_of_any_kind_is_an_answer() -> None:
    planner = Planner(100, breakers=BreakerRules(failures=2))
    _, endpoint = tenant()
    for _ in range(3):
        fail(planner, endpoint, 1)
        assert planner.breakers.observe(endpoint.id, Reason.STATUS, 0, 0.0) is None
    fail(planner, endpoint, 1)
    assert planner.breakers.observe(endpoint.id, Reason.SIGN_FAILED, 0, 0.0) is None
    assert fail(planner, endpoint, 1) == ["opened"]


def test_a_probe_that_found_nothing_to_send_is_made_again() -> None:
    planner = Planner(100, breakers=BreakerRules(failures=1))
    application, endpoint = tenant()
    fail(planner, endpoint, 1)
    found = planner.plan(
        [candidate(endpoint, application, count=5)], free=100, now_us=2 * SECOND_US
    )
    planner.claimed(found.quotas, {}, now_us=2 * SECOND_US)
    assert planner.admit(application, endpoint, free=100, now_us=2 * SECOND_US)
    assert not planner.admit(application, endpoint, free=99, now_us=2 * SECOND_US)


def test_what_is_disabled_or_deleted_has_no_breaker() -> None:
    planner = Planner(100, breakers=BreakerRules(failures=1))
    application, endpoint = tenant(disabled=True)
    fail(planner, endpoint, 1)
    assert plan(planner, candidate(endpoint, application, count=5)) == {endpoint.id: 5}
    assert planner.breakers.open == 0
    assert plan(planner, candidate(None, count=5)) == {"ep_gone": 5}


def test_a_breaker_that_nobody_asks_for_is_forgotten() -> None:
    planner = Planner(100, breakers=BreakerRules(failures=1))
    fail(planner, tenant()[1], 1)
    planner.forget_old(SECOND_US)
    assert planner.breakers.open == 1
    planner.forget_old(1_000 * SECOND_US)
    assert planner.breakers.open == 0


def test_no_failures_at_all_switch_the_breaker_off() -> None:
    planner = Planner(100, breakers=BreakerRules(failures=0))
    assert fail(planner, tenant()[1], 50) == [None] * 50


SHARES = st.floats(min_value=0.05, max_value=50, allow_nan=False)


@given(share=SHARES, held=st.integers(0, 300), free=st.integers(0, 300))
def test_the_closed_form_counts_what_one_by_one_would_give(
    share: float, held: int, free: int
) -> None:
    count = 0
    while free - count > 0 and held + count < share * (free - count):
        count += 1
    assert below(share, held, free) == count


WORLD = st.lists(
    st.tuples(st.integers(0, 4), st.integers(1, 4), st.integers(1, 200), st.integers(0, 60)),
    min_size=1,
    max_size=12,
)


@settings(max_examples=300)
@given(world=WORLD, places=st.integers(1, 400), endpoint=SHARES, application=SHARES)
def test_every_plan_keeps_the_thresholds_and_wastes_no_room(
    world: list[tuple[int, int, int, int]], places: int, endpoint: float, application: float
) -> None:
    shares = Shares(endpoint=endpoint, application=application)
    planner = Planner(places, shares=shares)
    apps = [make_application(weight=weight) for weight in (1, 1, 2, 3, 5)]
    endpoints = [make_endpoint(apps[which].id) for which, *_ in world]
    by_id = {app.id: app for app in apps}
    for one, (*_, before) in zip(endpoints, world, strict=True):
        for _ in range(before):
            planner.admit(by_id[one.scope], one, free=places - planner.taken, now_us=0)
    held = Counter({one.id: planner.held_by(one.id) for one in endpoints})
    free = places - planner.taken
    wants = {one.id: want for one, (_, _, want, _) in zip(endpoints, world, strict=True)}
    found = planner.plan(
        [candidate(one, by_id[one.scope], count=wants[one.id]) for one in endpoints],
        free=free,
        now_us=0,
    )
    got = Counter(counts(found.quotas))
    left = free - sum(got.values())
    of_app: Counter[str] = Counter()
    for one in endpoints:
        of_app[one.scope] += held[one.id] + got[one.id]
    assert left >= 0
    for one in endpoints:
        name, app = one.id, by_id[one.scope]
        assert got[name] <= wants[name]
        if got[name]:
            # When it took its last place, its others of this plan were no longer free.
            assert held[name] + got[name] - 1 < endpoint * (free - got[name] + 1)
            app_share = application * app.weight
            assert of_app[one.scope] - 1 < app_share * (free - got[name] + 1)
        may_still = (
            left > 0
            and held[name] + got[name] < endpoint * left
            and of_app[one.scope] < application * app.weight * left
        )
        # Who has much under way may be left waiting for a claim that is worth it.
        some_wait = any(not got[other.id] and held[other.id] >= 3 for other in endpoints)
        assert got[name] == wants[name] or not may_still or some_wait, "room was left unused"
        if not held[name] and left > 0 and of_app[one.scope] == 0:
            assert got[name] > 0, "it starves"


@given(hogs=st.integers(1, 12), places=st.integers(20, 2_000), share=st.floats(0.1, 4))
def test_whoever_has_nothing_under_way_gets_a_place_while_hogs_have_all_they_can(
    hogs: int, places: int, share: float
) -> None:
    planner = Planner(places, shares=Shares(endpoint=share, application=2 * share))
    for _ in range(hogs):
        application, endpoint = tenant()
        plan(planner, candidate(endpoint, application, count=places * 2))
        admit_all(planner, application, endpoint)
    free = places - planner.taken
    assert free >= places / (share + 1) ** hogs - hogs - 1
    if free:
        assert admit_all(planner, *tenant()) > 0


@pytest.mark.parametrize("most", [1, 7, 100])
def test_a_claim_has_a_largest_size(most: int) -> None:
    planner = Planner(1_000)
    wanted = [candidate(tenant()[1], count=90) for _ in range(5)]
    found = planner.plan(wanted, free=1_000, now_us=0, most=most)
    assert sum(quota.count for quota in found.quotas) == most
