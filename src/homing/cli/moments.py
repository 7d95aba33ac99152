"""How a time is given on the command line: one form for every option that is an instant."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import click

from homing.system import SystemClock

_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def moment(text: str) -> int:
    """A time on the command line, as microseconds since 1970 UTC.

    Args:
        text: ISO 8601, in UTC when it names no zone; or how long ago, in whole seconds: 90s,
            15m, 6h, 2d, 1w.

    Raises:
        click.BadParameter: neither.
    """
    text = text.strip()
    try:
        if text[-1:] in _UNITS and text[:-1].isdecimal():
            now_s = SystemClock().now_us() // 1_000_000
            at_us = (now_s - int(text[:-1]) * _UNITS[text[-1]]) * 1_000_000
            _at(at_us)
            return at_us
        at = datetime.fromisoformat(text)
        return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1_000_000)
    except (ValueError, OverflowError, OSError):
        raise click.BadParameter(
            f"expected a time such as 2026-11-23T10:00Z, or 90m, 6h, 2d (ago), found {text!r}"
        ) from None


def iso_moment(text: str) -> str:
    """The same as the API takes it: ISO 8601 with its zone.

    Raises:
        click.BadParameter: it is no time.
    """
    return _at(moment(text)).isoformat()


def _at(at_us: int) -> datetime:
    return datetime.fromtimestamp(at_us / 1_000_000, UTC)
