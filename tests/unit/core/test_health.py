"""When an endpoint that only fails is warned about and disabled."""

from __future__ import annotations

import itertools

from support.making import SECOND_US, START_US

from homing.core.health import EndpointHealth, Observed, Verdict, judge

DAY_S = 86_400
WELL = EndpointHealth(
    scope="app_1", id="ep_1", created_at_us=START_US, updated_at_us=START_US, version=3
)


def look(known: EndpointHealth, after_s: float, **seen: int) -> tuple[EndpointHealth, Verdict]:
    return judge(
        known,
        Observed(**seen),
        at_us=START_US + round(after_s * SECOND_US),
        disable_after_s=DAY_S,
    )


def test_the_first_failure_starts_the_clock() -> None:
    after, verdict = look(WELL, 0, failed_at_us=START_US)
    assert verdict is Verdict.FAILING
    assert after.failing_since_us == START_US


def test_nothing_but_failure_is_announced_once_at_half_time_and_disabled_at_the_end() -> None:
    health, _ = look(WELL, 0, failed_at_us=START_US)
    health, verdict = look(health, DAY_S * 0.4, failed_at_us=START_US)
    assert verdict is Verdict.FAILING
    health, verdict = look(health, DAY_S * 0.6, failed_at_us=START_US)
    assert verdict is Verdict.WARN
    health, verdict = look(health, DAY_S * 0.7, failed_at_us=START_US)
    assert verdict is Verdict.FAILING
    health, verdict = look(health, DAY_S, failed_at_us=START_US)
    assert verdict is Verdict.DISABLE


def test_one_success_stops_the_clock_whoever_saw_the_failures() -> None:
    failing, _ = look(WELL, 0, failed_at_us=START_US)
    after, verdict = look(failing, DAY_S * 2, succeeded_at_us=START_US + 5)
    assert verdict is Verdict.WELL
    assert after.failing_since_us is None


def test_a_failure_after_a_success_starts_a_new_clock() -> None:
    failing, _ = look(WELL, 0, failed_at_us=START_US)
    later_us = START_US + DAY_S * SECOND_US
    after, verdict = look(failing, DAY_S, succeeded_at_us=later_us - 9, failed_at_us=later_us)
    assert verdict is Verdict.FAILING
    assert after.failing_since_us == later_us


def test_what_is_seen_in_two_parts_is_what_was_seen() -> None:
    for *outcomes, cut in itertools.product([True, False], [True, False], [True, False], range(4)):
        whole, first, second = Observed(), Observed(), Observed()
        for at_us, succeeded in enumerate(outcomes):
            whole.add(at_us, succeeded=succeeded)
            (first if at_us < cut else second).add(at_us, succeeded=succeeded)
        assert first.then(second) == whole, (outcomes, cut)


def test_where_attempts_are_rare_it_is_announced_all_the_same_before_it_is_disabled() -> None:
    health, _ = look(WELL, 0, failed_at_us=START_US)
    health, verdict = look(health, DAY_S * 3, failed_at_us=START_US)
    assert verdict is Verdict.WARN
    health, verdict = look(health, DAY_S * 3.1, failed_at_us=START_US)
    assert verdict is Verdict.FAILING
    health, verdict = look(health, DAY_S * 3.3, failed_at_us=START_US)
    assert verdict is Verdict.DISABLE
