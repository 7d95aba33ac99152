"""Rolling and calendar periods, with the days that are not 24 hours long."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from homing.insight.burn import DAY_S, HOUR_S
from homing.insight.period import parse_period


def us(text: str) -> int:
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("text", "at", "start", "length_s"),
    [
        ("30d", "2026-11-26T00:00Z", "2026-10-27T00:00Z", 30 * DAY_S),
        ("4w", "2026-11-26T00:00Z", "2026-10-29T00:00Z", 28 * DAY_S),
        ("month", "2026-11-26T10:00Z", "2026-11-01T00:00Z", 30 * DAY_S),
        ("month", "2026-12-31T23:59Z", "2026-12-01T00:00Z", 31 * DAY_S),
        ("quarter", "2026-02-10T00:00Z", "2026-01-01T00:00Z", 90 * DAY_S),
        ("year", "2024-02-29T00:00Z", "2024-01-01T00:00Z", 366 * DAY_S),
        ("week", "2026-11-26T00:00Z", "2026-11-23T00:00Z", 7 * DAY_S),
        # clocks go back in Berlin on 25 October 2026: that week has an hour more
        ("week Europe/Berlin", "2026-10-25T12:00Z", "2026-10-18T22:00Z", 7 * DAY_S + HOUR_S),
        ("month Europe/Berlin", "2026-10-31T22:30Z", "2026-09-30T22:00Z", 31 * DAY_S + HOUR_S),
    ],
)
def test_a_period_begins_and_lasts_as_the_calendar_says(
    text: str, at: str, start: str, length_s: int
) -> None:
    period = parse_period(text)
    assert period.start_us(us(at)) == us(start)
    assert period.length_s(us(at)) == length_s


@pytest.mark.parametrize("text", ["7d", "28d", "month", "week Europe/Berlin"])
def test_a_period_is_written_as_it_is_read(text: str) -> None:
    assert str(parse_period(text)) == text


@pytest.mark.parametrize("text", ["6d", "367d", "0w", "fortnight", "", "month Mars/Base", "7d UTC"])
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_period(text)
