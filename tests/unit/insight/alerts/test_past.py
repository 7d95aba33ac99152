"""An application's own past says whether silence is remarkable."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import msgspec
import pytest
from support.making import START_US

from homing.insight.alerts.past import (
    HOUR_US,
    KEPT_HOURS,
    MINUTE_US,
    Hour,
    Profile,
    hour_of,
    silence,
    with_hour,
)

#: a Monday, 00:00 UTC
MONDAY = (START_US // HOUR_US // 168) * 168 + 4 * 24
PROFILE = Profile(scope="app_1", id="traffic", created_at_us=0, updated_at_us=0)


def draw(chance: random.Random, mean: float) -> int:
    """A Poisson number; by a normal one where the mean is large."""
    if mean > 50:
        return max(round(chance.gauss(mean, math.sqrt(mean))), 0)
    count, product = 0, chance.random()
    while product > math.exp(-mean):
        count, product = count + 1, product * chance.random()
    return count


def shop(hour: int) -> float:
    """Deliveries a minute: a shop by day, less at weekends, hardly anything at night."""
    day, of_day = hour // 24 % 7, hour % 24
    weekday = (hour // 24 + 3) % 7
    assert 0 <= day < 7
    if not 7 <= of_day < 22:
        return 0.05
    return 2.0 if weekday >= 5 else 10.0


def office(hour: int) -> float:
    """Working hours only."""
    is_open = (hour // 24 + 3) % 7 < 5 and 8 <= hour % 24 < 18
    return 5.0 if is_open else 0.0


def live(
    profile: Profile, rate: Callable[[int], float], hours: range, seed: int
) -> tuple[Profile, list[int]]:
    """Live through hours minute by minute; the hours in which silence was remarked."""
    chance = random.Random(seed)
    last_us, remarked = hours.start * HOUR_US, []
    for hour in hours:
        minutes: dict[int, int] = {}
        observed = [hour * HOUR_US + n * MINUTE_US for n in range(60)]
        for at_us in observed:
            count = draw(chance, rate(hour))
            if count:
                minutes[at_us] = count
                last_us = at_us
            if silence(profile, last_at_us=last_us, at_us=at_us + MINUTE_US) is not None:
                remarked.append(hour)
        what = hour_of(minutes, observed, hour)
        assert what is not None
        profile = with_hour(profile, hour, what)
    return profile, sorted(set(remarked))


@pytest.mark.parametrize("rate", [shop, office, lambda _: 0.3])
def test_four_weeks_as_ever_are_never_silence(rate: Callable[[int], float]) -> None:
    for seed in range(2):
        _, remarked = live(PROFILE, rate, range(MONDAY, MONDAY + 4 * 168), seed)
        assert remarked == [], [(one - MONDAY) % 168 for one in remarked]


@pytest.mark.parametrize(
    ("rate", "hour", "within_min"), [(shop, 10, 25), (office, 9, 25), (shop, 24 * 5 + 12, 40)]
)
def test_a_publisher_that_stops_is_noticed_in_the_hours_when_it_sends(
    rate: Callable[[int], float], hour: int, within_min: int
) -> None:
    profile, _ = live(PROFILE, rate, range(MONDAY, MONDAY + 3 * 168), seed=5)
    stopped_us = (MONDAY + 3 * 168 + hour) * HOUR_US + 5 * MINUTE_US
    noticed = next(
        minutes
        for minutes in range(24 * 60)
        if silence(profile, last_at_us=stopped_us, at_us=stopped_us + minutes * MINUTE_US)
    )
    assert 15 <= noticed <= within_min


def test_the_night_is_no_silence_and_the_morning_after_it_may_be() -> None:
    profile, _ = live(PROFILE, office, range(MONDAY, MONDAY + 3 * 168), seed=6)
    evening_us = (MONDAY + 3 * 168 + 18) * HOUR_US - MINUTE_US
    for hour in range(24 * 3 - 18):  # to Thursday, but never in the office's hours
        at_us = evening_us + hour * HOUR_US
        is_open = office(at_us // HOUR_US) > 0
        found = silence(profile, last_at_us=evening_us, at_us=at_us)
        assert (found is not None) <= is_open
    nine_us = (MONDAY + 3 * 168 + 24 + 9) * HOUR_US
    assert silence(profile, last_at_us=evening_us, at_us=nine_us)


def test_a_first_weekend_is_not_compared_with_working_days() -> None:
    profile, _ = live(PROFILE, lambda _: 10.0, range(MONDAY, MONDAY + 5 * 24), seed=7)
    saturday_us = (MONDAY + 5 * 24 + 12) * HOUR_US
    assert silence(profile, last_at_us=saturday_us - 2 * HOUR_US, at_us=saturday_us) is None


def test_an_hour_that_was_not_counted_says_nothing() -> None:
    observed = [MONDAY * HOUR_US + n * MINUTE_US for n in range(54)]
    assert hour_of({}, observed, MONDAY) is None
    assert hour_of({}, [*observed, observed[-1] + MINUTE_US], MONDAY) == Hour(0, 55 * 60)


def test_old_hours_are_forgotten_and_documents_round_trip() -> None:
    profile = PROFILE
    for hour in range(KEPT_HOURS + 50):
        profile = with_hour(profile, hour, Hour(hour, 60))
    assert len(profile.hours) == KEPT_HOURS
    assert msgspec.json.decode(msgspec.json.encode(profile), type=Profile) == profile
    assert len(msgspec.json.encode(profile)) < 12_000
