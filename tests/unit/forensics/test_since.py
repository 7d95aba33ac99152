"""Since when: one early straggler hides no beginning, and a constant rate has none."""

from __future__ import annotations

import random

import pytest

pytest.importorskip("ibis")

from homing.forensics.change import Window, find

WINDOWS = 400
ACCEPTED = 25


def series(rates: list[float], seed: int) -> tuple[list[Window], list[int]]:
    """Windows of 1,000 µs in which each delivery is dropped at the rate of the window."""
    draw = random.Random(seed)
    windows, drops = [], []
    for i, rate in enumerate(rates):
        here = [1_000 * i + 40 * j for j in range(ACCEPTED) if draw.random() < rate]
        windows.append(Window(1_000 * i, ACCEPTED, len(here)))
        drops += here
    return windows, drops


@pytest.mark.parametrize("stragglers", [(), (0,), (0, 30)])
def test_the_first_drop_of_a_log_may_be_one_of_something_else(stragglers: tuple[int, ...]) -> None:
    worse = [0.0] * 200 + [0.04] * 120 + [0.5] * 40 + [0.04] * 40
    windows, drops = series(worse, seed=4)
    for i in stragglers:
        windows[i] = windows[i]._replace(dropped=1)
    since = find(windows, sorted([*drops, *(1_000 * i for i in stragglers)]))
    assert since is not None
    assert since.is_change
    assert since.at_us == drops[0]


def test_drops_that_were_there_from_the_beginning_have_no_other() -> None:
    windows, drops = series([0.04] * 320 + [0.5] * 40 + [0.04] * 40, seed=5)
    since = find(windows, drops)
    assert since is not None
    assert not since.is_change
