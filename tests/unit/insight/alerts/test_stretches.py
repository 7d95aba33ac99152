"""Stretches that do not balance stay in sight, joined, and none is counted twice."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from homing.insight.alerts.stretches import COUNT_MAX, LENGTH_MAX_US, Stretch, joined

MINUTE_US = 60_000_000


def test_what_goes_on_is_one_stretch_until_that_is_an_hour_long() -> None:
    known: tuple[Stretch, ...] = ()
    for minute in range(10, 130):
        known = joined(known, [((minute - 10) * MINUTE_US, minute * MINUTE_US)])
    assert known[0] == (0, LENGTH_MAX_US)
    assert known[-1][1] == 129 * MINUTE_US
    assert all(one[1] == other[0] for one, other in pairwise(known))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 70)), max_size=15))
def test_every_moment_is_in_exactly_one_of_them(pieces: list[tuple[int, int]]) -> None:
    known: tuple[Stretch, ...] = ()
    for since, length in pieces:
        known = joined(known, [(since * MINUTE_US, (since + length) * MINUTE_US)])
    assert len(known) <= COUNT_MAX
    inside = {m for since, length in pieces for m in range(since, since + length)}
    counted = [m for a, b in known for m in range(a // MINUTE_US, b // MINUTE_US)]
    assert sorted(counted) == sorted(inside)
