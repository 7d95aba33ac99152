"""Burn rates against the arithmetic of the Workbook and of its generators."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.insight.burn import (
    DAY_S,
    NO_GUARD,
    Counts,
    Guard,
    Severity,
    Verdict,
    budget_left,
    burn_rate,
    detection,
    evaluate,
    events_left,
    exhausted_after_s,
    exhaustion_s,
    explain,
    integrity_detection,
    parse_rate,
    parse_target,
    tiers_for,
)
from homing.insight.figures import exact, span_text

DROP = Decimal("0.003")


def factors(days: int) -> list[str]:
    return [exact(tier.factor(days * DAY_S), digits=3) for tier in tiers_for(days * DAY_S)]


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (30, ["14.4", "6", "3", "1"]),
        (28, ["13.44", "5.6", "2.8", "0.933"]),
        (7, ["13.44", "3.5", "1.4", "0.98"]),
        (31, ["14.88", "6.2", "3.1", "1.033"]),
    ],
)
def test_factors_are_share_of_the_budget_times_period_over_window(
    days: int, expected: list[str]
) -> None:
    assert factors(days) == expected


def test_the_short_window_is_a_twelfth_of_the_long_one() -> None:
    assert all(tier.long_s == 12 * tier.short_s for tier in tiers_for(30 * DAY_S))


#: what a constant 0.3% drop does: hours until each tier crosses, days until the budget is gone
STEADY = {
    "99.9": ("3", ["never", "never", "on the line", "24"], "10"),
    "99.95": ("6", ["never", "on the line", "12", "12"], "5"),
    "99.99": ("30", ["0.48", "1.2", "2.4", "2.4"], "1"),
    "99.999": ("300", ["0.048", "0.12", "0.24", "0.24"], "0.1"),
}


@pytest.mark.parametrize("target", STEADY)
def test_a_steady_drop_is_noticed_when_the_arithmetic_says(target: str) -> None:
    burn, hours, days = STEADY[target]
    share = parse_target(target)
    found = [
        detection(tier, target=share, rate=DROP, period_s=30 * DAY_S)
        for tier in tiers_for(30 * DAY_S)
    ]
    assert [
        exact(one.after_s / 3600) if one.after_s is not None else str(one.verdict) for one in found
    ] == hours
    gone_s = exhausted_after_s(target=share, rate=DROP, period_s=30 * DAY_S)
    assert gone_s is not None
    assert exact(gone_s / DAY_S) == days
    assert explain(target=share, rate=DROP).burn == Fraction(burn)


def test_a_steady_drop_at_three_nines_pages_nobody() -> None:
    found = explain(target=parse_target("99.9"), rate=DROP)
    assert found.first(Severity.PAGE) is None
    ticket = found.first(Severity.TICKET)
    assert ticket is not None
    assert span_text(ticket.after_s) == "24 h"
    assert span_text(found.exhausted_after_s) == "10 d"


@pytest.mark.parametrize("scale", [1, 7, 333, 1_000_003])
def test_a_burn_rate_exactly_at_the_factor_does_not_fire_at_any_scale(scale: int) -> None:
    on_the_line = Counts(good=997 * scale, bad=3 * scale)
    above = Counts(good=997 * scale, bad=3 * scale + 1)
    target = parse_target("99.9")
    for counts, fires in ((on_the_line, False), (above, True)):
        day = evaluate(lambda _, c=counts: c, target, period_s=30 * DAY_S, guard=NO_GUARD)[2]
        assert day.exceeds is fires


def test_both_windows_must_exceed() -> None:
    recovered = {3600: Counts(good=90, bad=10), 300: Counts(good=100)}
    page = evaluate(lambda s: recovered.get(s, Counts()), Decimal("0.999"), period_s=30 * DAY_S)[0]
    assert page.long_burn > page.factor
    assert not page.exceeds


@pytest.mark.parametrize(
    ("counts", "why"),
    [
        (Counts(good=47, bad=2), "49 events, fewer than 50"),
        (Counts(good=98, bad=2), "2 bad events, fewer than 3"),
        (Counts(good=97, bad=3), None),
    ],
)
def test_few_events_are_held_back_and_say_why(counts: Counts, why: str | None) -> None:
    page = evaluate(lambda _: counts, Decimal("0.999"), period_s=30 * DAY_S)[0]
    assert page.exceeds
    assert page.held_back == why
    assert page.fires is (why is None)


def test_a_guard_that_can_never_be_met_is_said_to_be() -> None:
    page = tiers_for(30 * DAY_S)[0]
    found = detection(
        page,
        target=Decimal("0.9999"),
        rate=DROP,
        period_s=30 * DAY_S,
        per_s=Decimal("0.01"),
        guard=Guard(events_min=50, bad_min=1),
    )
    assert found.verdict is Verdict.TOO_FEW


def test_a_guard_delays_until_its_events_have_come() -> None:
    page = tiers_for(30 * DAY_S)[0]
    found = detection(
        page,
        target=Decimal("0.9999"),
        rate=DROP,
        period_s=30 * DAY_S,
        per_s=Decimal(1),
        guard=Guard(events_min=0, bad_min=9),
    )
    assert found.after_s == 3000  # 9 drops at 0.003 a second; the ratio alone would take 1,728 s


@given(
    target=st.integers(1, 99_999),
    rate=st.integers(0, 100_000),
    days=st.sampled_from([7, 28, 30, 31, 90]),
)
def test_a_tier_has_crossed_at_its_detection_time_and_not_before(
    target: int, rate: int, days: int
) -> None:
    """The closed form against counting: after so long, that much of the window is bad."""
    share, drop = Decimal(target) / 100_000, Decimal(rate) / 100_000
    for tier in tiers_for(days * DAY_S):
        found = detection(tier, target=share, rate=drop, period_s=days * DAY_S)
        burn_when_full = Fraction(drop) / (1 - Fraction(share))
        if found.after_s is None:
            assert burn_when_full <= found.factor
            continue
        assert 0 < found.after_s < tier.long_s
        window_burn = burn_when_full * found.after_s / tier.long_s
        assert window_burn == found.factor


def test_drops_are_noticed_in_minutes_by_counting_and_not_by_a_ratio() -> None:
    found = integrity_detection(rate=DROP, per_s=Decimal(10))
    assert found is not None
    assert (exact(found.expected_s, digits=1), found.likely_s, found.after_s) == ("33.3", 100, 160)
    assert integrity_detection(rate=Decimal(0), per_s=Decimal(10)) is None


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("99.9", "0.999"),
        ("99.9%", "0.999"),
        (" 0.999 ", "0.999"),
        ("99.99900000000001", "0.9999900000000001"),
        ("0.5%", "0.005"),
    ],
)
def test_targets_are_read_as_decimals(text: str, share: str) -> None:
    assert parse_target(text) == Decimal(share)


@pytest.mark.parametrize(
    "text", ["100", "100%", "1", "0", "-1", "99,9", "nan", "inf", "", "1e-999"]
)
def test_what_is_no_target_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_target(text)


@pytest.mark.parametrize(
    ("text", "share"), [("0.3%", "0.003"), ("0.003", "0.003"), ("100%", "1"), ("0", "0")]
)
def test_rates_are_shares_unless_they_say_percent(text: str, share: str) -> None:
    assert parse_rate(text) == Decimal(share)


@pytest.mark.parametrize(
    ("text", "meant"),
    [("0.36", "write 0.36%, or 36% for that share of one"), ("1", "or 100%"), ("5", "write 5%$")],
)
def test_a_rate_that_may_be_a_percentage_or_a_share_is_refused(text: str, meant: str) -> None:
    with pytest.raises(ValueError, match=meant):
        parse_rate(text)


def test_a_budget_is_counted_in_events() -> None:
    month = Counts(good=999_500, bad=500)
    target = Decimal("0.999")
    assert budget_left(month, target) == Fraction(1, 2)
    assert events_left(month, target) == 500
    assert burn_rate(Counts(), target) == 0
    assert budget_left(Counts(), target) == 1


def test_exhaustion_is_what_is_left_at_the_present_rate() -> None:
    month, target = Counts(good=999_500, bad=500), Decimal("0.999")
    period_s = 30 * DAY_S
    assert exhaustion_s(month, target, period_s=period_s, recent_burn=Fraction(3)) == 5 * DAY_S
    assert exhaustion_s(month, target, period_s=period_s, recent_burn=Fraction(0)) is None
    spent = Counts(good=1, bad=1)
    assert exhaustion_s(spent, target, period_s=period_s, recent_burn=Fraction(0)) == 0


def test_windows_are_weighted_by_events_and_not_by_ratios() -> None:
    """A bad hour at night and a good one at noon: an average of ratios would say 50%."""
    night, noon = Counts(good=0, bad=10), Counts(good=9_990)
    assert burn_rate(night + noon, Decimal("0.999")) == 1


def test_a_period_shorter_than_the_slowest_tier_is_refused() -> None:
    with pytest.raises(ValueError, match="7 days"):
        tiers_for(DAY_S)
