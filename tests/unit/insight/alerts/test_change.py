"""A rise is found where it was planted, within its interval, and nowhere else."""

from __future__ import annotations

import random

from homing.insight.alerts.change import Window, find_rise

MINUTE_US = 60_000_000


def series(rates: list[float], *, per_minute: int, seed: int) -> list[Window]:
    draws = random.Random(seed)
    return [
        Window(place * MINUTE_US, sum(draws.random() < rate for _ in range(per_minute)), per_minute)
        for place, rate in enumerate(rates)
    ]


def test_the_planted_minute_is_within_the_interval_as_often_as_is_promised() -> None:
    hits = 0
    for seed in range(60):
        change = find_rise(series([0.01] * 60 + [0.10] * 30, per_minute=100, seed=seed))
        assert change is not None, seed
        assert change.low_us <= change.at_us <= change.high_us
        hits += change.low_us <= 60 * MINUTE_US <= change.high_us
    assert hits >= 52  # 95% of 60 is 57; fewer than 52 comes once in a thousand


def test_a_steady_share_is_no_change() -> None:
    for seed in range(100):
        rate = random.Random(seed).choice([0.0, 0.01, 0.05, 0.5])
        assert find_rise(series([rate] * 180, per_minute=60, seed=seed)) is None


def test_a_fall_is_no_rise() -> None:
    assert find_rise(series([0.2] * 60 + [0.0] * 60, per_minute=100, seed=1)) is None


def test_few_are_enough_where_there_were_none() -> None:
    windows = series([0.0] * 60 + [0.03] * 10, per_minute=100, seed=3)
    change = find_rise(windows)
    assert change is not None
    assert change.before.value == 0.0
    assert change.after.low < 0.03 < change.after.high
    assert change.count == sum(window.bad for window in windows)
    assert change.of == 100 * (70 - change.at_us // MINUTE_US)


def test_nothing_is_made_of_nothing() -> None:
    assert find_rise([]) is None
    assert find_rise([Window(0, 0, 0), Window(1, 5, 5)]) is None
