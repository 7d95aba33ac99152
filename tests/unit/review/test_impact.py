"""What a week of drops costs: the worked example, the fences, and how it moves."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homing.lab.draws import Draws
from homing.review.impact import (
    WEEK_S,
    Affected,
    Assumptions,
    Basis,
    DirectCost,
    Exposure,
    Loss,
    Range,
    Step,
    estimate,
)
from homing.review.impact_sentence import sentence
from homing.review.pictures import tornado_svg


def flat(value: float, basis: Basis = Basis.DECLARED) -> Range:
    return Range(low=value, mode=value, high=value, basis=basis)


def spread(low: float, mode: float, high: float) -> Range:
    return Range(low=low, mode=mode, high=high)


def assume(**given: Any) -> Assumptions:
    never = given.pop("never", spread(0.20, 0.35, 0.50))
    usual: dict[str, Any] = {
        "margin": flat(1.0),
        "recovery": spread(0.20, 0.40, 0.60),
        "steps": (
            Step(after_s=0, share=flat(0)),
            Step(after_s=1_800, share=flat(0.05)),
            Step(after_s=None, share=never),
        ),
    }
    return Assumptions(**usual | given)


def exposed(**given: Any) -> Exposure:
    count = given.pop("dropped", 150)
    value = given.pop("each", 80.0)
    usual: dict[str, Any] = {
        "currency": "USD",
        "deliveries": 50_000,
        "window_s": WEEK_S,
        "affected": tuple(Affected(id=f"d{n}", value=value) for n in range(count)),
        "value_total": 50_000 * value,
    }
    return Exposure(**usual | given)


def loss(exposure: Exposure | None = None, assumed: Assumptions | None = None) -> Loss:
    return estimate(exposure or exposed(), assumed or assume(), Draws(1, 0).random)


def test_the_worked_example() -> None:
    """V=50,000, p=150/50,000, $80, A=35%, R=40%: $2,520; with ranges $2,527 (1,631 to 3,712)."""
    fixed = loss(assumed=assume(never=flat(0.35), recovery=flat(0.4)))
    assert fixed.p50 == pytest.approx(2_520, rel=0.01)
    # the rate alone leaves $2,133 to $2,956 at 95%, so $2,195 to $2,873 at 90%
    assert (fixed.p5, fixed.p95) == pytest.approx((2_195, 2_873), rel=0.02)
    value = spread(70, 80, 95)
    ranged = loss(exposed(value=value))
    assert ranged.p50 == pytest.approx(2_527, rel=0.05)
    assert (ranged.p5, ranged.p95) == pytest.approx((1_631, 3_712), rel=0.08)
    assert ranged.at_risk == 12_000


def test_the_same_draws_give_the_same_estimate() -> None:
    assert loss() == loss()


def test_it_moves_with_each_input_as_the_formula_says() -> None:
    usual = loss(assumed=assume(never=flat(0.35), recovery=flat(0.4)))

    def changed(exposure: Exposure | None = None, **given: Any) -> float:
        fixed = {"never": flat(0.35), "recovery": flat(0.4)} | given
        return loss(exposure, assume(**fixed)).p50 / usual.p50

    assert changed(exposed(dropped=300)) == pytest.approx(2, rel=0.02)
    assert changed(exposed(each=40.0)) == pytest.approx(0.5, rel=0.01)
    assert changed(exposed(window_s=WEEK_S / 2)) == pytest.approx(2, rel=0.01)
    assert changed(margin=flat(0.5)) == pytest.approx(0.5, rel=0.01)
    assert changed(never=flat(0.70)) == pytest.approx(2, rel=0.01)
    assert changed(recovery=flat(0.7)) == pytest.approx(0.5, rel=0.01)


def test_who_gives_up_anyway_is_not_counted() -> None:
    steps = (Step(after_s=0, share=flat(0.10)), Step(after_s=None, share=flat(0.35)))
    counted = loss(assumed=assume(steps=steps, recovery=flat(0.4)))
    assert counted.p50 == pytest.approx(80 * 150 * 0.25 * 0.6, rel=0.01)


def test_what_came_late_costs_by_the_step_its_delay_has_reached() -> None:
    late = tuple(Affected(id=f"l{n}", value=80.0, delay_s=3_600) for n in range(150))
    fixed = assume(never=flat(0.35), recovery=flat(0.4))
    assert loss(exposed(affected=late), fixed).p50 == pytest.approx(80 * 150 * 0.05 * 0.6, rel=0.01)
    prompt = tuple(Affected(id=f"p{n}", value=80.0, delay_s=3) for n in range(150))
    assert loss(exposed(affected=prompt), fixed).p50 == 0


def test_the_loss_is_never_above_the_value_of_what_was_affected() -> None:
    wild = assume(never=flat(1.0), recovery=flat(0.0))
    # two expensive ones among many cheap: the mean of two would say anything
    few = (Affected(id="a", value=10.0), Affected(id="b", value=1_000.0))
    capped = loss(exposed(affected=few), wild)
    assert capped.cap == 1_010
    assert capped.is_capped
    assert capped.p95 <= 1_010


def test_direct_costs_are_lines_of_their_own() -> None:
    tickets = DirectCost(name="tickets", each=12.0, currency="USD", per_drop=0.1)
    hours = DirectCost(name="hours", each=90.0, currency="USD", count=8)
    euros = DirectCost(name="fees", each=15.0, currency="EUR", count=1)
    with_costs = loss(assumed=assume(direct=(tickets, hours, euros)))
    assert with_costs.direct == (("tickets", pytest.approx(180)), ("hours", 720))
    assert with_costs.p50 == loss().p50


def test_of_no_drops_the_loss_is_zero_and_a_tenth_of_a_percent_has_its_price() -> None:
    none = loss(exposed(dropped=0), assume(never=flat(0.35), recovery=flat(0.4)))
    assert (none.p5, none.p50, none.p95, none.at_risk) == (0, 0, 0, 0)
    assert none.per_tenth_percent == pytest.approx(50_000 * 0.001 * 80 * 0.35 * 0.6)
    some = loss(assumed=assume(never=flat(0.35), recovery=flat(0.4)))
    assert some.per_tenth_percent == pytest.approx(none.per_tenth_percent)


def test_what_is_assumed_matters_most_and_the_table_says_so() -> None:
    swings = loss().swings
    assert [one.name for one in swings][:2] == ["excess abandonment", "recovery"]
    assert all(one.low <= one.high for one in swings)
    widths = [one.high - one.low for one in swings]
    assert widths == sorted(widths, reverse=True)
    by_name = {one.name: one.basis for one in swings}
    assert by_name["drop rate"] == "measured"
    assert by_name["recovery"] == "assumed"


def test_nothing_cannot_be_priced() -> None:
    with pytest.raises(ValueError, match="some deliveries"):
        loss(exposed(deliveries=0, dropped=0))


@settings(max_examples=200)
@given(st.floats(0, 100), st.floats(0, 100), st.floats(0, 100), st.floats(0.001, 0.999))
def test_a_range_is_drawn_inside_itself_and_rises(
    a: float, b: float, c: float, share: float
) -> None:
    low, mode, high = sorted((a, b, c))
    one = spread(low, mode, high)
    assert low - 1e-9 <= one.at(share) <= high + 1e-9
    assert one.at(share) <= one.at(min(0.9999, share + 0.1)) + 1e-9


def test_one_sentence_has_the_money_its_interval_and_what_it_rests_on() -> None:
    affected = tuple(Affected(id=str(n), value=100.0) for n in range(300))
    dollars = Exposure(currency="USD", deliveries=100_000, window_s=WEEK_S, affected=affected)
    euros = msgspec.structs.replace(dollars, currency="EUR", affected=affected[:3])
    losses = [estimate(one, assume(), Draws(1, 0).random) for one in (dollars, euros)]
    told = sentence(losses)
    first = losses[0]
    money = [(one.p50, one.p5, one.p95) for one in losses]
    rounded = [f"{float(f'{amount:.2g}'):,.0f}" for three in money for amount in three]
    assert len(rounded[0].rstrip("0").replace(",", "")) <= 2, "four digits say nothing there"
    assert told == (
        f"The drop costs about {rounded[0]} USD of margin a week (90% between {rounded[1]} and "
        f"{rounded[2]}): 300 lost deliveries a week, worth 100.00 USD each, of whose "
        "buyers 35% give up and 40% of those come back, at a margin of 100% (measured: "
        "deliveries, value; declared: margin; assumed: who gives up, who comes back); besides "
        f"{rounded[3]} EUR a week (90% between {rounded[4]} and {rounded[5]}), on 3 "
        "lost deliveries a week worth 100.00 EUR each."
    )
    # what a reader multiplies comes near the money
    assert first.p50 == pytest.approx(300 * 100 * 0.35 * 0.6, rel=0.05)


def test_the_sentence_tells_the_late_apart_and_counts_by_the_week() -> None:
    steps = (
        Step(after_s=0, share=flat(0.01)),
        Step(after_s=300, share=flat(0.06)),
        Step(after_s=None, share=flat(0.31)),
    )
    affected = tuple(Affected(id=str(n), value=10, delay_s=900 if n else None) for n in range(4))
    two_weeks = Exposure(
        currency="USD", deliveries=1_000, window_s=2 * WEEK_S, affected=affected, value_total=10_000
    )
    told = sentence([estimate(two_weeks, assume(steps=steps), Draws(1, 0).random)])
    assert "0.5 lost and 1.5 late deliveries a week, worth 10.00 USD each" in told
    assert "of whose buyers 5% to 30% give up" in told


def test_each_swing_goes_out_from_the_middle_which_the_plot_draws_and_names() -> None:
    found = loss(assumed=assume(never=spread(0.10, 0.15, 0.90)))
    assert found.middle is not None
    assert abs(found.middle - found.p50) > 1
    for one in found.swings:
        assert one.low - 1e-6 <= found.middle <= one.high + 1e-6
    svg = tornado_svg(found)
    assert f"every input in its middle: {found.middle:,.0f}" in svg
    at = float(re.findall(r'class="middle" x1="([0-9.]+)"', svg)[0])
    bars = re.findall(r'<rect class="\w+" x="([0-9.]+)" y="\d+" width="([0-9.]+)"', svg)
    assert len(bars) == len(found.swings)
    for start, wide in bars:
        assert float(start) <= at <= float(start) + float(wide)
    assert "no range" in svg
