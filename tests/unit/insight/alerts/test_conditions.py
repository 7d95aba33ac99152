"""What deserves an alert, kind by kind, and what does not."""

from __future__ import annotations

from typing import Any

import pytest
from support.alerting import (
    MINUTE_US,
    make_backlog,
    make_failure,
    make_lane,
    make_missing,
    make_pile,
    make_readings,
)
from support.making import START_US

from homing.insight.alerts.alert import Finding, Kind, Owner, Severity
from homing.insight.alerts.conditions import find
from homing.insight.alerts.readings import Burn, ChannelTrouble, Endpoint, Money, Silence
from homing.insight.rates import exact

HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US


def found(**readings: Any) -> list[Finding]:
    return find(make_readings(**readings))


def kinds(**readings: Any) -> list[Kind]:
    return [one.kind for one in found(**readings)]


def test_nothing_is_the_matter_where_all_is_well() -> None:
    assert found() == []


# --- the platform's own ---


def test_a_single_missing_delivery_is_a_page_with_count_rate_interval_and_examples() -> None:
    [one] = found(missing=(make_missing(count=1, accepted=1_020, kinds={"unaccounted": 1}),))
    assert (one.kind, one.severity, one.owner) == (Kind.UNACCOUNTED, Severity.PAGE, Owner.PLATFORM)
    assert (one.count, one.of) == (1, 1_020)
    assert one.rate == exact(1, 1_020)
    assert one.examples == ("msg_1.ep_1", "msg_2.ep_1", "msg_3.ep_1")
    assert one.org_id == "org_1"
    assert "1 delivery of 1,020 accepted since 2025-12-31T23:50:00Z is unaccounted for" in one.what
    assert one.command == "homing audit --since 2025-12-31T23:50:00Z"


def test_what_is_missing_is_told_to_each_organisation_apart() -> None:
    some = (make_missing(org_id="org_1"), make_missing(org_id="org_2"))
    assert [one.id for one in found(missing=some)] == ["unaccounted.org_1", "unaccounted.org_2"]


def test_other_misfits_are_named_by_their_kind() -> None:
    [one] = found(missing=(make_missing(count=3, kinds={"doubled": 2, "unaccounted": 1}),))
    assert one.what.endswith("(2 doubled, 1 unaccounted)")


@pytest.mark.parametrize(
    ("audited_us", "started_us", "is_missed"),
    [
        (START_US - 299_000_000, 0, False),
        (START_US - 301_000_000, 0, True),
        (None, START_US - 299_000_000, False),  # it has just begun
        (None, START_US - 301_000_000, True),
    ],
)
def test_the_books_must_be_balanced_again_and_again(
    audited_us: int | None, started_us: int, is_missed: bool
) -> None:
    given = kinds(audited_at_us=audited_us, started_at_us=started_us)
    assert given == [Kind.AUDIT_MISSED] * is_missed


def test_what_is_due_and_held_back_by_nothing_is_late() -> None:
    [one] = found(lanes=(make_lane(count=5), make_lane(endpoint_id="ep_2", count=2)))
    assert (one.kind, one.severity, one.owner) == (
        Kind.DELIVERIES_LATE,
        Severity.PAGE,
        Owner.PLATFORM,
    )
    assert one.count == 7
    assert "the oldest for 5 min" in one.what


@pytest.mark.parametrize(
    "lane",
    [
        make_lane(is_failing=True),  # a breaker probes it
        make_lane(is_limited=True),  # it has a rate
        make_lane(due_at_us=START_US - 119_000_000),
    ],
)
def test_what_something_else_holds_back_is_not_late(lane: Any) -> None:
    assert found(lanes=(lane,)) == []


def test_what_is_due_in_the_table_and_seen_by_no_look_is_late() -> None:
    unseen = make_backlog(due=4, oldest_due_at_us=START_US - 10 * MINUTE_US)
    [one] = found(backlog=unseen, backlog_at_us=START_US, unseen=("msg_1.ep_1",))
    assert one.kind is Kind.DELIVERIES_LATE
    assert "the dispatcher does not see them" in one.what
    assert one.examples == ("msg_1.ep_1",)
    young = make_backlog(due=4, oldest_due_at_us=START_US - 2 * MINUTE_US)
    assert found(backlog=young, backlog_at_us=START_US) == []


def test_what_was_due_at_an_earlier_count_may_have_been_sent_since() -> None:
    """A breaker held it for long and has closed: it is gone, and the audit is a minute old."""
    before = make_backlog(due=4, oldest_due_at_us=START_US - 60 * MINUTE_US)
    assert found(backlog=before, backlog_at_us=START_US - 1) == []


@pytest.mark.parametrize(
    ("due", "per_s", "is_one"), [(999, 0.0, False), (1_000, 0.0, True), (2_000, 10.0, False)]
)
def test_a_backlog_is_more_than_five_minutes_of_traffic(
    due: int, per_s: float, is_one: bool
) -> None:
    backlog = make_backlog(due=due, oldest_due_at_us=START_US - 5 * MINUTE_US)
    lanes = (make_lane(count=due, is_failing=True),)
    given = found(backlog=backlog, accepted_per_s=per_s, lanes=lanes)
    assert [(one.kind, one.owner) for one in given] == [(Kind.BACKLOG, Owner.RECEIVER)] * is_one


def test_a_backlog_is_whose_who_holds_back_most_of_it() -> None:
    backlog = make_backlog(due=5_000, oldest_due_at_us=START_US - 5 * MINUTE_US)
    lanes = (make_lane(count=10), make_lane(endpoint_id="ep_2", count=990, is_limited=True))
    [_, one] = found(backlog=backlog, lanes=lanes)
    assert (one.kind, one.owner) == (Kind.BACKLOG, Owner.CONFIGURATION)


def test_endpoints_that_begin_to_fail_together_are_the_platforms_matter() -> None:
    together = tuple(make_failure(f"ep_{n}") for n in range(4))
    assert kinds(failures=together, steady_endpoints=4).count(Kind.WIDE_FAILURES) == 1
    assert Kind.WIDE_FAILURES not in kinds(failures=together, steady_endpoints=5)
    assert Kind.WIDE_FAILURES not in kinds(failures=together[:3])
    apart = tuple(make_failure(f"ep_{n}", at_us=START_US - n * 6 * MINUTE_US) for n in range(4))
    assert Kind.WIDE_FAILURES not in kinds(failures=apart)


def test_a_channel_that_takes_nothing_for_five_minutes_is_told_through_the_others() -> None:
    def trouble(age_s: int) -> ChannelTrouble:
        since_us = START_US - age_s * 1_000_000
        return ChannelTrouble(channel="slack-1", since_us=since_us, waiting=2, error="refused")

    assert found(channels=(trouble(299),)) == []
    [one] = found(channels=(trouble(301),))
    assert one.command == "homing alerts test slack-1"


def test_a_burning_budget_keeps_the_severity_of_its_tier() -> None:
    burn = Burn(
        org_id="",
        objective="timely",
        severity=Severity.PAGE,
        owner=Owner.PLATFORM,
        what="too fast",
        bad=3,
        total=100,
        rate=exact(3, 100),
        since_us=START_US,
    )
    [one] = found(burns=(burn,))
    assert (one.id, one.severity) == ("burn_rate.timely.page", Severity.PAGE)


# --- receivers' and publishers' ---


def test_the_first_dead_letter_is_told_with_the_way_to_look_closer() -> None:
    [one] = found(dead=(make_pile(),))
    assert (one.kind, one.owner, one.severity) == (
        Kind.FIRST_DEAD_LETTER,
        Owner.RECEIVER,
        Severity.TICKET,
    )
    assert one.command == "homing dlq list app_1 --endpoint ep_1"
    assert "status 503" in one.what


@pytest.mark.parametrize(
    ("recent", "past", "grows"),
    [(9, 9, False), (10, 10, True), (30, 3_000, False), (80, 3_080, True)],
)
def test_dead_letters_grow_when_there_are_more_than_the_day_before_explains(
    recent: int, past: int, grows: bool
) -> None:
    given = kinds(dead=(make_pile(count=past, recent=recent, past=past),))
    assert (Kind.DEAD_LETTERS_GROWING in given) == grows


def test_a_dead_letter_may_wait_for_three_days() -> None:
    young, old = START_US - 3 * DAY_US + 1_000_000, START_US - 3 * DAY_US - 1_000_000
    assert Kind.DEAD_LETTER_OLD not in kinds(dead=(make_pile(oldest_at_us=young),))
    assert Kind.DEAD_LETTER_OLD in kinds(dead=(make_pile(oldest_at_us=old),))


def test_money_at_risk_is_told_by_currency_and_never_added_up() -> None:
    some = tuple(
        Money(
            org_id="org_1",
            app_id="app_1",
            currency=word,
            amount="12.50",
            count=2,
            since_us=START_US,
        )
        for word in ("EUR", "USD")
    )
    one, other = found(money=some)
    assert (one.money, other.money) == ({"EUR": "12.50"}, {"USD": "12.50"})
    assert "are worth 12.50 EUR" in one.what


def test_an_endpoint_that_fails_far_more_is_told_with_when_that_began() -> None:
    [one] = found(failures=(make_failure("ep_1"),), steady_endpoints=9)
    assert one.kind is Kind.FAILURE_RATE_CHANGED
    assert (one.since_low_us, one.since_high_us) == (
        one.since_us - MINUTE_US,
        one.since_us + MINUTE_US,
    )
    assert "40% (exact 95% interval 30% to 50%)" in one.what


def test_an_endpoint_is_told_of_before_it_is_disabled_and_then() -> None:
    common: dict[str, Any] = {
        "org_id": "org_1",
        "app_id": "app_1",
        "id": "ep_1",
        "name": "ep_1 (shop.example)",
    }
    warned = Endpoint(
        **common,
        failing_since_us=START_US - 3 * DAY_US,
        disable_at_us=START_US + 2 * DAY_US,
    )
    [one] = found(endpoints=(warned,))
    assert one.kind is Kind.ENDPOINT_FAILING
    assert "is disabled in 2 d" in one.what
    disabled = Endpoint(
        **common, disabled_at_us=START_US, disabled_reason="nothing but failures", parked=7
    )
    [one] = found(endpoints=(disabled,))
    assert (one.kind, one.severity, one.count) == (Kind.ENDPOINT_DISABLED, Severity.PAGE, 7)
    assert found(endpoints=(Endpoint(**common),)) == []


def test_silence_is_told_with_what_the_past_would_have_brought() -> None:
    silent = Silence(
        org_id="org_1",
        app_id="app_1",
        name="shop",
        last_at_us=START_US - HOUR_US,
        expected=600.0,
        gap_past_s=120,
    )
    [one] = found(silences=(silent,))
    assert (one.kind, one.owner) == (Kind.NO_TRAFFIC, Owner.PUBLISHER)
    assert "about 600 deliveries were due" in one.what
    assert "pause at this time was 2 min" in one.what
