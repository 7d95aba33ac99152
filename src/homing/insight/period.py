"""The time a budget is for: the last so many days, or a month or so by the calendar."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from homing.core.plurals import plural
from homing.insight.burn import DAY_S

_US: Final = 1_000_000


class Unit(StrEnum):
    """A stretch of the calendar."""

    WEEK = "week"  #: from Monday
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


#: shortest and longest length of a calendar stretch, in days
_LENGTHS_D: Final = {
    Unit.WEEK: (7, 7),
    Unit.MONTH: (28, 31),
    Unit.QUARTER: (90, 92),
    Unit.YEAR: (365, 366),
}
#: a week is the least that the slowest tier needs; a year is what anybody plans for
_DAYS: Final = (7, 366)


class Period(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Either `days` (rolling) or `unit` (calendar) is given."""

    days: int | None = None  #: 7 to 366
    unit: Unit | None = None
    zone: str = "UTC"  #: of the calendar: a name of the IANA database

    @property
    def is_rolling(self) -> bool:
        return self.days is not None

    def start_us(self, at_us: int) -> int:
        """When the period that `at_us` is in began, microseconds UTC."""
        if self.days is not None:
            return at_us - self.days * DAY_S * _US
        return self._bounds(at_us)[0]

    def length_s(self, at_us: int) -> int:
        """How long the period that `at_us` is in is, in seconds; days of 23 and 25 hours count."""
        if self.days is not None:
            return self.days * DAY_S
        start_us, end_us = self._bounds(at_us)
        return (end_us - start_us) // _US

    def _bounds(self, at_us: int) -> tuple[int, int]:
        assert self.unit is not None
        zone = ZoneInfo(self.zone)
        day = datetime.fromtimestamp(at_us // _US, zone).replace(
            hour=0, minute=0, second=0, microsecond=0, fold=0
        )
        start = day.replace(day=1)
        match self.unit:
            case Unit.WEEK:
                start = day - timedelta(days=day.weekday())
                end = start + timedelta(days=7)
            case Unit.MONTH:
                end = _months_on(start, 1)
            case Unit.QUARTER:
                start = start.replace(month=start.month - (start.month - 1) % 3)
                end = _months_on(start, 3)
            case Unit.YEAR:
                start = start.replace(month=1)
                end = start.replace(year=start.year + 1)
        return _us(start), _us(end)

    def __str__(self) -> str:
        """As `parse_period` reads it."""
        if self.days is not None:
            return f"{self.days}d"
        return str(self.unit) if self.zone == "UTC" else f"{self.unit} {self.zone}"

    @property
    def text(self) -> str:
        """As a sentence says it."""
        if self.days is not None:
            return f"the last {plural(self.days, 'day')}"
        return f"the calendar {self.unit}" + ("" if self.zone == "UTC" else f" in {self.zone}")

    @property
    def length_d(self) -> tuple[int, int]:
        """Shortest and longest it can be, in days."""
        if self.days is not None:
            return self.days, self.days
        assert self.unit is not None
        return _LENGTHS_D[self.unit]


def parse_period(text: str) -> Period:
    """ "30d", "4w", or "week", "month", "quarter", "year", which may be followed by a time zone.

    Raises:
        ValueError: none of these, out of bounds, or a time zone nobody knows.
    """
    expected = "expected 7d to 366d, 1w to 52w, week, month, quarter or year (and a time zone)"
    word, _, zone = text.strip().partition(" ")
    if found := re.fullmatch(r"([0-9]{1,3})([dw])", word):
        days = int(found[1]) * (7 if found[2] == "w" else 1)
        if not _DAYS[0] <= days <= _DAYS[1] or zone:
            raise ValueError(f"{expected}, found {text!r}")
        return Period(days=days)
    try:
        unit = Unit(word)
    except ValueError:
        raise ValueError(f"{expected}, found {text!r}") from None
    return Period(unit=unit, zone=known_zone(zone.strip() or "UTC"))


def known_zone(name: str) -> str:
    """The name, if the IANA database knows it.

    Raises:
        ValueError: it does not.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"expected a time zone such as Europe/Berlin, found {name!r}") from None
    return name


def _months_on(day: datetime, months: int) -> datetime:
    later = day.month - 1 + months
    return day.replace(year=day.year + later // 12, month=later % 12 + 1)


def _us(at: datetime) -> int:
    return int(at.astimezone(UTC).timestamp()) * _US
