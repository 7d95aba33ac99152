"""Options that the commands of objectives share; shares and traffic are read as decimals."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, TypeVar

import click

from homing.insight.burn import DAY_S, HOUR_S, MINUTE_S, parse_rate, parse_target
from homing.insight.period import parse_period

T = TypeVar("T")

_PER: Final = {"s": 1, "min": MINUTE_S, "h": HOUR_S, "d": DAY_S}


def parse_traffic(text: str) -> Decimal:
    """Events a second of "10/s", "600/min", "50/h", "1000000/d" or a bare number of them.

    Raises:
        ValueError: none of these, or not above 0.
    """
    found = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)(?:/(s|min|h|d))?", text.strip())
    if not found or Decimal(found[1]) == 0:
        raise ValueError(f"expected traffic such as 10/s, 600/min, 50/h or 1000/d, found {text!r}")
    return Decimal(found[1]) / _PER[found[2] or "s"]


def _read(parse: Callable[[str], T]) -> Callable[[Any, Any, str | None], T | None]:
    def read(context: click.Context, option: click.Parameter, text: str | None) -> T | None:
        if text is None:
            return None
        try:
            return parse(text)
        except ValueError as error:
            raise click.BadParameter(str(error)) from error

    return read


def target_option(**more: Any) -> Callable[[Any], Any]:
    return click.option("--target", metavar="SHARE", callback=_read(parse_target), **more)


def rate_option(*names: str, **more: Any) -> Callable[[Any], Any]:
    return click.option(*names, metavar="SHARE", callback=_read(parse_rate), **more)


def traffic_option(**more: Any) -> Callable[[Any], Any]:
    return click.option("--traffic", metavar="N/s", callback=_read(parse_traffic), **more)


def period_option(**more: Any) -> Callable[[Any], Any]:
    return click.option("--period", metavar="PERIOD", callback=_read(parse_period), **more)
