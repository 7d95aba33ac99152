"""Payments as they come: by the hour of the day and the day of the week, each with its amount."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from homing.lab.draws import Draws, sums_of

HOUR_S: Final = 3_600.0
DAY_S: Final = 86_400.0
WEEK_S: Final = 7 * DAY_S


def _shop(at_s: float) -> float:
    """People buy in the evening, and more at the weekend."""
    hour = at_s / HOUR_S % 24
    weekend = 1.25 if at_s % WEEK_S >= 5 * DAY_S else 1.0
    return weekend * (1.05 - 0.85 * math.cos((hour - 5.5) / 24 * 2 * math.pi))


def _office(at_s: float) -> float:
    """Business hours and hardly anything else."""
    hour, day = at_s / HOUR_S % 24, int(at_s / DAY_S) % 7
    return 0.1 + (2.2 if 8 <= hour < 18 and day < 5 else 0.0)


def _batch(at_s: float) -> float:
    """Everybody's jobs start on the hour."""
    return 0.35 + 5.0 * math.exp(-(at_s % HOUR_S) / 300)


def _flat(at_s: float) -> float:
    return 1.0


#: how busy it is at a time; only the ratio matters
SHAPES: Final[dict[str, Callable[[float], float]]] = {
    "shop": _shop,
    "office": _office,
    "batch": _batch,
    "flat": _flat,
}


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """How much comes, of what."""

    count: int  #: payments in the whole time, about
    length_s: float = WEEK_S
    before: int = 0  #: payments that came before these: ids go on from there
    shape: str = "shop"
    types: tuple[str, ...] = ("payment.captured", "payment.refunded", "payment.failed")
    type_weights: tuple[float, ...] = (92.0, 5.0, 3.0)
    currencies: tuple[str, ...] = ("USD", "EUR", "GBP")
    currency_weights: tuple[float, ...] = (1.0, 0.0, 0.0)
    amount_median: float = 42.0  #: in units of the currency
    amount_spread: float = 0.9  #: of its logarithm


class Payment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One message for one receiver."""

    at_s: float
    id: str
    endpoint: str
    event_type: str
    amount_minor: int  #: in hundredths of the currency
    currency: str
    payload_bytes: int
    region: str


_REGIONS: Final = ("eu-west", "us-east", "us-west")


def arrivals(
    traffic: Traffic, draws: Draws, endpoints: list[str], weights: list[float]
) -> Iterator[Payment]:
    """All payments, in order of time: a Poisson process whose rate has the traffic's shape.

    By thinning: Lewis and Shedler, Naval Research Logistics Quarterly 26 (1979).
    """
    busy = SHAPES[traffic.shape]
    steps = [busy(i * 60.0) for i in range(int(traffic.length_s / 60) + 1)]
    highest, mean = max(steps), sum(steps) / len(steps)
    gap_s = traffic.length_s / traffic.count * mean / highest
    types, currencies = sums_of(traffic.type_weights), sums_of(traffic.currency_weights)
    at_s, number = 0.0, traffic.before
    while True:
        at_s += draws.wait(gap_s)
        if at_s >= traffic.length_s:
            return
        if not draws.chance(busy(at_s) / highest):
            continue
        number += 1
        amount = draws.skewed(traffic.amount_median, traffic.amount_spread)
        yield Payment(
            at_s=at_s,
            id=f"pay_{number * 2654435761 % 2**32:08x}",
            endpoint=draws.weighted(endpoints, weights),
            event_type=draws.weighted(traffic.types, types),
            amount_minor=max(100, round(amount * 100)),
            currency=draws.weighted(traffic.currencies, currencies),
            payload_bytes=int(draws.skewed(850, 0.4)),
            region=draws.pick(_REGIONS),
        )
