"""When alerts would have fired: the installed rules, asked minute by minute about the past."""

from __future__ import annotations

from decimal import Decimal

from homing.insight.burn import Guard, Severity
from homing.insight.firing import Minute, Past, burns, fired_of
from homing.insight.objectives import default_objectives

MINUTE_US = 60_000_000
OBJECTIVES = default_objectives("")


def past(*minutes: tuple[int, int, int, int]) -> Past:
    """Minutes (number, delivered, dead, lost); what is lost was accepted half a minute before."""
    found = tuple(Minute(at * MINUTE_US, *rest) for at, *rest in minutes)
    lost = [one.at_us for one in found if one.lost]
    first_us = lost[0] - MINUTE_US // 2 if lost else None
    return Past(minutes=found, first_us=first_us, lost_us=lost[0] if lost else None)


def test_one_that_is_unaccounted_for_fires_at_the_next_audit_and_dead_letters_never() -> None:
    found = fired_of(past((0, 50, 0, 0), (7, 49, 0, 1), (9, 40, 0, 5)), OBJECTIVES)
    integrity, dead = found
    assert integrity.alert == "HomingDeliveriesUnaccounted"
    assert integrity.severity == "page"
    assert integrity.at_us == 8 * MINUTE_US
    assert integrity.after_s == 90
    assert (dead.at_us, dead.why) == (None, "there was no dead letter")


def test_where_nothing_is_lost_nothing_fires() -> None:
    whole = past((0, 50, 0, 0), (1, 50, 0, 0))
    assert [one.at_us for one in fired_of(whole, OBJECTIVES)] == [None, None]
    assert all(one.at_us is None for one in burns(whole, Decimal("0.999")))


def test_of_dead_letters_that_a_log_has_it_cannot_tell_how_they_were_dealt_with() -> None:
    found = fired_of(past((0, 50, 2, 0)), OBJECTIVES)
    assert [one.alert for one in found] == ["HomingDeliveriesUnaccounted"]


def test_burn_rates_are_asked_over_both_of_their_windows() -> None:
    # a day without a fault, then 2% lost: 20 times as fast as the budget of 99.9% lasts
    clean = [(at, 50, 0, 0) for at in range(1_440)]
    faulty = [(at, 49, 0, 1) for at in range(1_440, 1_560)]
    pages = [
        one for one in burns(past(*clean, *faulty), Decimal("0.999")) if one.severity == "page"
    ]
    hour, six_hours = pages
    # 14.4 in an hour: more than 0.72 of it at 2%, so after 44 minutes
    assert hour.at_us == (1_440 + 44) * MINUTE_US
    assert hour.after_s == 44 * 60 + 30
    # 6 in six hours: more than 108 minutes of it
    assert six_hours.at_us == (1_440 + 109) * MINUTE_US
    assert Severity(hour.severity) is Severity.PAGE
    assert hour.why == "14.7 times what would last 30 days"


def test_what_a_guard_holds_back_is_said() -> None:
    few = past(*((at, 0, 0, 1) for at in range(10)))
    held = burns(few, Decimal("0.999"), guard=Guard(events_min=50, bad_min=3))
    assert {one.at_us for one in held} == {None}
    assert all("fewer than 50" in one.why for one in held)
