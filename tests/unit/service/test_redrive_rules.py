"""How a redrive goes on, decided by what became of what it sent."""

from __future__ import annotations

from typing import Any

import pytest
from support.making import SECOND_US, START_US, make_delivery

from homing.core.lifecycle import State
from homing.core.tasks import RedrivePlan
from homing.service.redrive_rules import (
    WINDOW,
    Fate,
    Step,
    duration_s,
    fate_of,
    next_release_us,
    next_step,
)

CANARY = RedrivePlan(canary=10, failure_ratio_max=0.2)


def decide(plan: RedrivePlan = RedrivePlan(), **given: Any) -> Step:  # noqa: B008
    counts = {n: given.pop(n, 0) for n in ("sent", "delivered", "failed", "aside")}
    rest = {
        "under_way": 0,
        "is_exhausted": False,
        "canary_passed": False,
        "next_at_us": 0,
        "at_us": START_US,
    }
    return next_step(plan, counts, **(rest | given))


@pytest.mark.parametrize(
    ("state", "failures", "expected"),
    [
        (State.WAITING, 0, Fate.UNDER_WAY),
        (State.LEASED, 0, Fate.UNDER_WAY),
        (State.DELIVERED, 0, Fate.DELIVERED),
        (State.DEAD, 1, Fate.FAILED),
        (State.WAITING, 1, Fate.FAILED),
        (State.LEASED, 1, Fate.FAILED),
        (State.PARKED, 0, Fate.ASIDE),
        (State.CANCELLED, 0, Fate.ASIDE),
    ],
)
def test_a_fate_is_known_with_the_first_outcome(
    state: State, failures: int, expected: Fate
) -> None:
    assert fate_of(make_delivery(state=state, failures=failures)) is expected
    assert fate_of(None) is Fate.ASIDE


def test_only_so_many_are_under_way() -> None:
    assert decide().release == WINDOW
    assert decide(under_way=WINDOW).release == 0
    assert decide(RedrivePlan(concurrency=3), under_way=1).release == 2
    full = decide(RedrivePlan(concurrency=3), under_way=3)
    assert (full.release, full.is_done, full.wait_s > 0) == (0, False, True)


def test_it_is_done_when_nothing_is_left_and_every_outcome_is_known() -> None:
    assert decide(is_exhausted=True).is_done
    waiting = decide(is_exhausted=True, under_way=1)
    assert (waiting.is_done, waiting.wait_s > 0) == (False, True)


def test_a_canary_goes_first_and_its_outcomes_are_awaited() -> None:
    assert decide(CANARY).release == 10
    assert decide(CANARY, sent=7, delivered=7).release == 3
    waiting = decide(CANARY, sent=10, delivered=9, under_way=1)
    assert (waiting.release, waiting.verdict, waiting.canary_passed) == (0, None, False)


def test_a_canary_that_does_well_lets_the_rest_go() -> None:
    assert decide(CANARY, sent=10, delivered=8, failed=2).canary_passed
    assert decide(CANARY, sent=10, delivered=8, failed=2, canary_passed=True).release == WINDOW


def test_a_canary_that_does_badly_ends_it_as_soon_as_that_is_sure() -> None:
    early = decide(CANARY, sent=10, delivered=1, failed=3, under_way=6)
    assert early.verdict == (
        "the canary failed: 3 of 4 failed again, more than the 20% that were borne"
    )
    assert (early.release, early.is_done) == (0, False)
    # Of five tried, two are too many, though they are few of ten.
    few = decide(CANARY, sent=10, delivered=3, failed=2, aside=5)
    assert few.verdict is not None


def test_a_canary_that_nobody_was_asked_by_proves_nothing() -> None:
    assert "disabled" in str(decide(CANARY, sent=10, aside=10).verdict)


def test_fewer_than_the_canary_are_judged_by_what_there_is() -> None:
    assert decide(CANARY, sent=2, delivered=2, is_exhausted=True).canary_passed
    assert decide(CANARY, sent=2, failed=2, is_exhausted=True).verdict is not None
    assert decide(CANARY, is_exhausted=True).canary_passed, "there was nothing to send"


def test_no_failure_at_all_may_be_asked_for() -> None:
    strict = RedrivePlan(canary=5, failure_ratio_max=0.0)
    assert decide(strict, sent=5, delivered=4, failed=1).verdict is not None
    assert decide(strict, sent=5, delivered=5).canary_passed


def test_a_rate_spreads_what_is_sent_over_time() -> None:
    plan = RedrivePlan(rate_per_s=20)
    assert decide(plan).release == 5
    next_us = next_release_us(plan, 5, 0, START_US)
    assert next_us == START_US + SECOND_US // 4
    early = decide(plan, next_at_us=next_us)
    assert (early.release, early.wait_s) == (0, 0.25)
    assert decide(plan, next_at_us=next_us, at_us=next_us).release == 5
    slow = RedrivePlan(rate_per_s=0.1)
    assert decide(slow).release == 1
    assert next_release_us(slow, 1, 0, START_US) == START_US + 10 * SECOND_US


@pytest.mark.parametrize(
    ("counts", "limits", "plan", "expected"),
    [
        ({"ep_1": 1_000}, {}, RedrivePlan(), 5.0),
        ({"ep_1": 1_000}, {}, RedrivePlan(rate_per_s=10), 100.0),
        ({"ep_1": 1_000}, {}, RedrivePlan(rate_per_s=1_000), 5.0),
        ({"ep_1": 900, "ep_2": 100}, {"ep_2": 4}, RedrivePlan(), 25.0),
        ({}, {}, RedrivePlan(), 0.0),
    ],
)
def test_the_slowest_of_rate_process_and_limits_says_how_long_it_takes(
    counts: dict[str, int], limits: dict[str, int | None], plan: RedrivePlan, expected: float
) -> None:
    assert duration_s(counts, limits, plan=plan, process_rate_per_s=200) == expected
