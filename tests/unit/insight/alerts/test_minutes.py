"""What the audits counted, minute by minute, each once."""

from __future__ import annotations

import random

from homing.core.queries import LedgerRow
from homing.insight.alerts.change import Window
from homing.insight.alerts.minutes import KEPT, MINUTE_US, Minutes, is_still, rise_of

BEGAN_US = 30_000_000 * MINUTE_US


def row(minute: int, accepted: int, delivered: int, endpoint: str = "ep_1") -> LedgerRow:
    return LedgerRow(
        endpoint_id=endpoint,
        app_id="app_1",
        window_at_us=BEGAN_US + minute * MINUTE_US,
        accepted=accepted,
        delivered=delivered,
        waiting=accepted - delivered,
    )


def audit(minutes: Minutes, now: float, rows: list[LedgerRow]) -> list[int]:
    """The audit of the last ten minutes, at a minute; the minutes that were new."""
    until_us = BEGAN_US + round(now * MINUTE_US)
    fresh = minutes.add(rows, until_us - 10 * MINUTE_US, until_us)
    return [(at_us - BEGAN_US) // MINUTE_US for at_us in fresh]


def test_each_minute_is_counted_once_when_it_is_two_minutes_old() -> None:
    minutes = Minutes()
    rows = [row(n, 10, 10) for n in range(40)]
    seen = [one for step in range(60) for one in audit(minutes, 20.3 + step * 0.7, rows)]
    assert seen == list(range(11, 11 + len(seen)))
    assert seen[-1] == int(20.3 + 59 * 0.7) - 3
    assert minutes.traffic()["app_1"] == {BEGAN_US + n * MINUTE_US: 10 for n in seen if n < 40}


def test_a_minute_that_an_audit_cuts_is_left_to_the_others() -> None:
    assert audit(Minutes(), 20.5, [])[0] == 11


def test_minutes_without_traffic_are_counted_too() -> None:
    minutes = Minutes()
    audit(minutes, 20, [row(12, 60, 60)])
    assert len(minutes.observed) == 8
    assert minutes.accepted_per_s() == 60 / (8 * 60)


def test_what_is_parked_or_withdrawn_is_no_failure() -> None:
    minutes = Minutes()
    fine = LedgerRow(
        endpoint_id="ep_1",
        app_id="app_1",
        window_at_us=BEGAN_US + 12 * MINUTE_US,
        accepted=30,
        parked=10,
        cancelled=20,
    )
    audit(minutes, 20, [fine])
    assert list(minutes._endpoints["ep_1"]) == [Window(BEGAN_US + 12 * MINUTE_US, 0, 30)]


def test_a_rise_is_told_while_it_lasts_and_not_after() -> None:
    draws = random.Random(1)

    def window(minute: int, rate: float) -> Window:
        bad = sum(draws.random() < rate for _ in range(50))
        return Window(BEGAN_US + minute * MINUTE_US, bad, 50)

    bad = [window(n, 0.02) for n in range(60)] + [window(n, 0.5) for n in range(60, 75)]
    change = rise_of(bad, bad[-10:])
    assert change is not None
    assert abs(change.at_us - (BEGAN_US + 60 * MINUTE_US)) <= MINUTE_US
    over = bad + [window(n, 0.02) for n in range(75, 90)]
    assert rise_of(over, over[-10:]) is None
    assert is_still(change, bad[-10:])
    assert not is_still(change, over[-10:])


def test_old_minutes_and_endpoints_are_forgotten() -> None:
    minutes = Minutes()
    for now in range(20, 400, 5):
        audit(minutes, now, [row(now - 5, 3, 3)])
    assert len(minutes.observed) == KEPT
    assert min(minutes.traffic()["app_1"]) >= minutes.observed[0]
