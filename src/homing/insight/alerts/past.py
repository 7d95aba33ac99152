"""Should there be traffic now? An application's own past says.

For each hour it is kept how many deliveries came and how long the longest pause in it was. An
application is silent when the same hours of earlier weeks (or, while it is young, of earlier days)
would by now have brought a good number of deliveries even in the poorest of them, and the pause is
several times the longest of theirs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from homing.core.resources import Resource

HOUR_US: Final = 3_600_000_000
MINUTE_US: Final = 60_000_000
#: hours that are kept: four weeks and one to compare with
KEPT_HOURS: Final = 29 * 24
#: an hour counts when so many of its minutes were counted
_MINUTES_LEAST: Final = 55
#: no pause is remarkable that is shorter, seconds
_PAUSE_LEAST_S: Final = 900
#: how many deliveries must be missing, by the poorest of the past: by chance alone a twenty-
#: millionth of a percent; traffic comes in bursts, so pauses are compared besides
_EXPECTED_LEAST: Final = 20.0
_PAUSES: Final = 3
#: so many of the last four weeks, or else of the last six days, must be known
_WEEKS_LEAST: Final = 2
_DAYS_LEAST: Final = 3


class Hour(msgspec.Struct, frozen=True, array_like=True):
    """One hour of an application."""

    count: int  #: deliveries accepted
    pause_s: int  #: the longest time without any, within the hour


class Profile(Resource, frozen=True, kw_only=True):
    """An application's hours. Scope: the application; id: "traffic"."""

    kind = "alert_profile"

    hours: dict[int, Hour] = {}  #: by hours since 1970
    last_at_us: int = 0  #: the latest minute with traffic


class Expectation(msgspec.Struct, frozen=True):
    """What the past would have brought since the last delivery, at most two hours back."""

    count: float
    pause_s: int  #: the longest of the same hours


def hour_of(minutes: Mapping[int, int], observed: Sequence[int], hour: int) -> Hour | None:
    """One hour from its minutes; None: too few of them were counted.

    Args:
        minutes: deliveries by minute; those without any are not named.
        observed: the minutes that were counted.
        hour: hours since 1970.
    """
    start_us = hour * HOUR_US
    inside = [at_us for at_us in observed if start_us <= at_us < start_us + HOUR_US]
    if len(inside) < _MINUTES_LEAST:
        return None
    longest = pause = 0
    for at_us in inside:
        pause = 0 if minutes.get(at_us) else pause + 1
        longest = max(longest, pause)
    return Hour(sum(minutes.get(at_us, 0) for at_us in inside), longest * 60)


def with_hour(profile: Profile, hour: int, what: Hour) -> Profile:
    """The profile with one more hour, without those that are too old; same version."""
    kept = {h: one for h, one in profile.hours.items() if h > hour - KEPT_HOURS}
    return msgspec.structs.replace(profile, hours={**kept, hour: what})


def silence(profile: Profile, *, last_at_us: int, at_us: int) -> Expectation | None:
    """What should have come; None: the pause is nothing remarkable, or too little is known."""
    hour = at_us // HOUR_US
    first_us = max(last_at_us, (hour - 1) * HOUR_US)
    pause_s = (at_us - first_us) / 1_000_000
    if pause_s < _PAUSE_LEAST_S:
        return None
    expected, longest = 0.0, 0
    for one in range(first_us // HOUR_US, hour + 1):
        like = comparable(profile.hours, one)
        if not like:
            return None
        began_us, ended_us = max(first_us, one * HOUR_US), min(at_us, (one + 1) * HOUR_US)
        expected += min(h.count for h in like) * (ended_us - began_us) / HOUR_US
        longest = max(longest, *(h.pause_s for h in like))
    if expected < _EXPECTED_LEAST or pause_s < _PAUSES * longest:
        return None
    return Expectation(expected, longest)


def comparable(hours: Mapping[int, Hour], hour: int) -> list[Hour]:
    """The same hour of earlier weeks, or else of earlier working days; nothing: too few are known.

    Days are not compared over a weekend's border: an application's first Saturday is no silence.
    """
    weeks = [hours[h] for w in range(1, 5) if (h := hour - w * 168) in hours]
    if len(weeks) >= _WEEKS_LEAST:
        return weeks
    if not _is_working_day(hour):
        return []
    earlier = (hour - d * 24 for d in range(1, 7))
    days = [hours[h] for h in earlier if h in hours and _is_working_day(h)]
    return days if len(days) >= _DAYS_LEAST else []


def _is_working_day(hour: int) -> bool:
    return (hour // 24 + 3) % 7 < 5  # 1970 began on a Thursday
