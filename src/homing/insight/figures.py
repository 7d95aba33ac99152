"""Numbers as people read them: exact decimals, percentages, lengths of time, what is left."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Final


def exact(number: Fraction | Decimal | int, *, digits: int = 12) -> str:
    """A number in decimal digits: exactly where that ends, else rounded to so many digits.

    Never an exponent, never a trailing zero: 1/1000 is "0.001", 14/15 is "0.933333333333".
    """
    number = Fraction(number)
    rest = number.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if rest == 1:
        places = 0
        while (number * 10**places).denominator != 1:
            places += 1
    else:
        places = digits
    scaled = abs(round(number * 10**places))
    text = str(scaled).rjust(places + 1, "0")
    whole, part = text[: len(text) - places], text[len(text) - places :].rstrip("0")
    return f"{'-' if number < 0 and scaled else ''}{whole}{'.' if part else ''}{part}"


def percent(share: Fraction | Decimal) -> str:
    """A share as a percentage, exactly where that ends: "99.9%"."""
    return f"{exact(Fraction(share) * 100, digits=4)}%"


_UNITS: Final[Mapping[str, int]] = {"d": 86_400, "h": 3_600, "min": 60, "s": 1}


def span_text(seconds: Fraction | int | None) -> str:
    """A length of time as people say it, in its largest fitting unit: "24 h", "10 d", "29 min".

    Days from two on; at most one decimal, and two significant digits where there is one.
    """
    if seconds is None:
        return "never"
    seconds = Fraction(seconds)
    for unit, size in _UNITS.items():
        least = 2 if unit == "d" else 1
        if seconds >= least * size or unit == "s":
            value = seconds / size
            shown = round(value, 1) if value < 10 else Fraction(round(value))
            return f"{exact(shown)} {unit}"
    raise AssertionError


def left_text(left: Fraction) -> str:
    """What is left of a budget: "83.5%", or how often it was spent: "spent 1.5 times".

    Args:
        left: at most 1; negative when more was spent than there was.

    Returns:
        A percentage from 0% to 100%, which are said of nothing else than 0 and 1. What is
        overspent has no percentage: -8,889% helps nobody.
    """
    if left < 0:
        spent = 1 - left
        if spent >= _TIMES_WHOLE_FROM:
            return f"spent {round(spent):,} times"
        return f"spent {exact(max(round(spent, 1), Fraction(11, 10)), digits=1)} times"
    step = Fraction(1, 10_000)
    if left in (0, 1):
        return percent(left)
    return percent(min(max(round(left / step) * step, step), 1 - step))


#: from so many budgets on, a tenth of one says nothing
_TIMES_WHOLE_FROM: Final = 10
