"""When "fixed" may be said, and the ways a run proves nothing."""

from __future__ import annotations

from typing import Any

import pytest

from homing.insight.verification import (
    Arm,
    Count,
    Model,
    Verdict,
    Verification,
    distance,
    needed,
    verify,
)

GUILTY = "two workers held it at once"


def arm(n: int, k: int, guilty: tuple[int, int] | None = None, **mix: dict[str, int]) -> Arm:
    strata = {} if guilty is None else {GUILTY: Count(n=guilty[0], k=guilty[1])}
    return Arm(all=Count(n=n, k=k), strata=strata, mix=mix)


BEFORE = arm(200_000, 600, (800, 560), endpoint={"a": 150_000, "b": 50_000})


def verdict(after: Arm, before: Arm = BEFORE, **given: Any) -> Verification:
    return verify(before, after, guilty=GUILTY, **given)


def test_a_zero_that_excludes_the_old_rate_is_fixed_and_says_what_it_excludes() -> None:
    found = verdict(arm(200_000, 0, (790, 0), endpoint={"a": 150_100, "b": 49_900}))
    assert found.verdict is Verdict.FIXED
    assert found.all.zero is not None
    assert found.all.zero.excludes_95 == pytest.approx(1.5e-5, rel=0.01)
    assert found.all.zero.excludes_99 == pytest.approx(2.3e-5, rel=0.01)
    assert "none of 200,000 dropped, 600 of 200,000 before" in found.sentence
    assert "none of the 790" in found.sentence
    assert found.reasons == ()


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        (arm(500, 0, (5, 0)), "too few deliveries: 500 without a drop"),
        (arm(200_000, 0, (0, 0)), "vacuous: after the change no delivery had"),
        (arm(200_000, 0), "give the log itself"),
        (arm(200_000, 0, (2, 0)), "too few deliveries with “two workers held it at once”"),
        (arm(200_000, 0, (100, 0)), "other traffic: “two workers held it at once” was 0.400%"),
        (
            arm(200_000, 0, (800, 0), endpoint={"a": 20_000, "b": 180_000}),
            "the mix by endpoint differs by 65%",
        ),
    ],
)
def test_a_run_that_could_not_have_shown_the_fault_is_not_called_fixed(
    after: Arm, reason: str
) -> None:
    found = verdict(after)
    assert found.verdict is Verdict.UNPROVEN
    assert any(reason in one for one in found.reasons), found.reasons
    assert "not proven" in found.sentence


def test_the_number_of_deliveries_needed_is_exact() -> None:
    enough = needed(Count(n=10_000, k=30))
    before = arm(10_000, 30)
    assert verify(before, arm(enough, 0)).verdict is Verdict.FIXED
    assert verify(before, arm(enough - 1, 0)).verdict is Verdict.UNPROVEN


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (arm(200_000, 590, (800, 550)), Verdict.SAME),
        (arm(200_000, 60, (800, 55)), Verdict.BETTER),
        (arm(200_000, 900, (900, 850)), Verdict.WORSE),
    ],
)
def test_a_drop_after_the_change_is_never_called_fixed(after: Arm, expected: Verdict) -> None:
    found = verdict(after)
    assert found.verdict is expected
    assert found.all.zero is None


def test_where_nothing_was_dropped_before_nothing_can_be_fixed() -> None:
    found = verify(arm(10_000, 0), arm(10_000, 0))
    assert found.verdict is Verdict.UNPROVEN
    assert "nothing to compare" in found.sentence


def test_a_fix_whose_model_loses_a_delivery_is_not_called_fixed() -> None:
    broken = Model(states=1_000, violations=1, is_closed=True, source="model.json")
    found = verdict(arm(200_000, 0, (800, 0)), model=broken)
    assert found.verdict is Verdict.UNPROVEN
    assert found.model is broken
    sound = Model(states=1_000, violations=0, is_closed=True, source="model.json")
    assert verdict(arm(200_000, 0, (800, 0)), model=sound).is_fixed


def test_published_comparisons() -> None:
    before = arm(10_000, 30)
    assert round(verify(before, arm(2_000, 0)).all.p_fewer, 3) == 0.004
    assert round(verify(before, arm(1_000, 0)).all.p_fewer, 3) == 0.057


def test_the_distance_of_mixes() -> None:
    assert distance({"a": 1, "b": 1}, {"a": 5, "b": 5}) == 0
    assert distance({"a": 1}, {"b": 1}) == 1
    assert distance({"a": 3, "b": 1}, {"a": 1, "b": 1}) == 0.25
    assert distance({}, {"a": 1}) == 0
