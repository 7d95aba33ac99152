"""Numbers and times as people read them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from typing import Final

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_THOUSAND: Final = 1_024


def count(number: int | None) -> str:
    """1234567 as 1,234,567; None as a dash."""
    return "\u2013" if number is None else f"{number:,}"


def share(part: float | Fraction | None, digits: int = 2) -> str:
    """0.9987 as 99.87%; never rounded up to 100% or down to 0%. None as a dash.

    Args:
        part: 0 to 1; a budget that is overspent is below.
        digits: after the point.
    """
    if part is None:
        return "\u2013"
    percent = Fraction(part) * 100
    text = f"{float(percent):.{digits}f}"
    step = Fraction(1, 10**digits)
    if percent < 100 and float(text) >= 100:
        text = f"{float(100 - step):.{digits}f}"
    elif percent > 0 and float(text) <= 0:
        text = f"{float(step):.{digits}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) + "%"


def duration(length_us: float | None) -> str:
    """250 as 250 µs, 1500000 as 1.5 s, 7_260_000_000 as 2 h 1 min; two units at most.

    Args:
        length_us: microseconds; None gives a dash.
    """
    if length_us is None:
        return "\u2013"
    if length_us < 0:
        return f"\u2212{duration(-length_us)}"
    if length_us < 1_000:
        return f"{length_us:.0f} µs"
    if length_us < 999_500:
        return f"{length_us / 1_000:.3g} ms"
    if length_us < 10_000_000:
        return f"{length_us / 1_000_000:.2g} s"
    seconds = round(length_us / 1_000_000)
    for position, (size, name) in enumerate(_UNITS):
        if seconds >= size:
            whole, rest = divmod(seconds, size)
            text = f"{whole} {name}"
            if position + 1 < len(_UNITS):
                lesser_size, lesser = _UNITS[position + 1]
                if rest // lesser_size and whole < 10:
                    text += f" {rest // lesser_size} {lesser}"
            return text
    return "0 s"


def ago(at_us: int, now_us: int) -> str:
    """How long ago a time was, or how far ahead: `3 min ago`, `in 2 h`, `now`.

    From a minute on without its seconds: a page of times does not tick.
    """
    gone_us = now_us - at_us
    length_us = abs(gone_us)
    if length_us < 1_000_000:
        return "now"
    step_us = 1_000_000 if length_us < 60_000_000 else 60_000_000
    text = duration(length_us // step_us * step_us)
    return f"{text} ago" if gone_us > 0 else f"in {text}"


def instant(at_us: int) -> str:
    """For machines and `datetime=`: 2026-01-01T00:00:00.000Z."""
    text = _utc(at_us).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{at_us // 1_000 % 1_000:03d}Z"


def stamp(at_us: int) -> str:
    """For people: 2026-01-01 00:00:00 UTC."""
    return _utc(at_us).strftime("%Y-%m-%d %H:%M:%S UTC")


def byte_count(number: int | None) -> str:
    """1536 as 1.5 KiB."""
    if number is None:
        return "\u2013"
    size = float(number)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < _THOUSAND or unit == "GiB":
            return f"{size:.3g} {unit}" if unit != "B" else f"{number} B"
        size /= _THOUSAND
    raise AssertionError("GiB is the last")


def amount(text: str) -> str:
    """A decimal with its thousands apart: 1234567.50 as 1,234,567.50; nothing is rounded."""
    whole, dot, rest = text.partition(".")
    sign = "-" if whole.startswith("-") else ""
    return f"{sign}{int(whole.removeprefix('-') or 0):,}{dot}{rest}"


def signed(text: str) -> str:
    """A number in words, its hyphen for a minus as a minus."""
    return text.replace("-", "\u2212", 1) if text.startswith("-") else text


def _utc(at_us: int) -> datetime:
    return datetime.fromtimestamp(at_us // 1_000_000, UTC)
