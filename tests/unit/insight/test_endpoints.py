from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from homing.core.outcome import Reason
from homing.core.watching import Load, Slice, Tried
from homing.insight.endpoints import Condition, added, condition, edges, percentiles, share_of

HEALTHY = {Reason.OK: 99, Reason.STATUS: 1}


def load(**fields: Any) -> Load:
    return Load(endpoint_id="ep_1", **fields)


def sliced(times_us: list[int], counted: int | None = None) -> Slice:
    tried = [Tried(Reason.OK, 200, total_us) for total_us in times_us]
    counts = {Reason.OK: len(times_us) if counted is None else counted}
    return Slice(since_us=0, until_us=1, counts=counts, tried=tried)


@pytest.mark.parametrize(
    ("given", "asked", "expected"),
    [
        (load(attempts=HEALTHY), {}, Condition.FINE),
        (load(), {}, Condition.QUIET),
        (load(attempts={Reason.OK: 94, Reason.RESET: 6}), {}, Condition.FAILING),
        (load(attempts={Reason.OK: 1, Reason.RESET: 1}), {}, Condition.FINE),  # too few to say
        (load(attempts=HEALTHY), {"failing_since_us": 1}, Condition.FAILING),
        (load(attempts=HEALTHY), {"breaker_open": True}, Condition.BREAKER_OPEN),
        (load(), {"disabled": True}, Condition.DISABLED),
        (load(parked=1), {"disabled": True, "breaker_open": True}, Condition.PARKED),
    ],
)
def test_a_condition_is_one_word(given: Load, asked: dict[str, Any], expected: Condition) -> None:
    known: dict[str, Any] = {"disabled": False, "failing_since_us": None, "breaker_open": False}
    assert condition(given, **(known | asked)) is expected


def test_percentiles_are_times_that_were_measured() -> None:
    assert percentiles([sliced([10, 20, 30, 40])], [0.5, 0.95, 1.0]) == [20, 40, 40]
    assert percentiles([sliced([7])], [0.5, 0.99]) == [7, 7]
    assert percentiles([sliced([])], [0.5]) is None


def test_a_sampled_attempt_stands_for_those_that_were_not() -> None:
    busy, calm = sliced([1_000], counted=99), sliced([10, 10], counted=2)
    assert percentiles([busy, calm], [0.5]) == [1_000]
    assert percentiles([sliced([1_000]), calm], [0.5]) == [10]


def test_slices_lie_at_multiples_of_their_length_and_hold_the_present() -> None:
    assert edges(until_us=125, slice_us=10, count=3) == [100, 110, 120, 130]
    assert edges(until_us=120, slice_us=10, count=1) == [120, 130]


def test_shares_are_of_all_that_was_counted() -> None:
    both = added([sliced([1, 2]), Slice(since_us=0, until_us=1, counts={Reason.RESET: 2})])
    assert share_of(both) == Fraction(1, 2)
    assert share_of({}) is None
