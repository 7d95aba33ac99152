"""Explicit limits of endpoints and applications: how many attempts may be begun now.

What has a limit is never born leased: its deliveries wait, and claiming is the one place that gives
permits, for all nodes together, inside the transaction that leases.

A rate is kept by GCRA, the leaky bucket with one number for each limited thing: the time at which
it would be empty again (`tat_us`; ITU-T I.371, annex A). Concurrency is the number of leases that
have not run out, counted where they are: a process that dies takes nothing with it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from homing.core.resources import Application, Endpoint

#: how much of a rate may be used at once, µs of it, and never less than one attempt
BURST_US: Final = 500_000


class Lane(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An endpoint with deliveries that wait, or whose leases may have lapsed."""

    app_id: str
    endpoint_id: str
    ready_at_us: int  #: of its oldest
    count: int  #: how many of them were seen, >= 1; there may be more


class Limits(msgspec.Struct, frozen=True, gc=False):
    """What one endpoint, or one application in all, may use. None: as much as it likes."""

    rate: int | None = None  #: attempts per second, >= 1
    concurrency: int | None = None  #: attempts under way at once, >= 1


class Quota(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How many deliveries of a lane may be claimed, as far as its limits permit."""

    app_id: str
    endpoint_id: str
    count: int  #: >= 1
    #: by the id of the endpoint, and of the application; only those that have some
    limits: tuple[tuple[str, Limits], ...] = ()


def limits_of(
    application: Application | None, endpoint: Endpoint | None
) -> tuple[tuple[str, Limits], ...]:
    """The limits that an attempt for this endpoint counts against, by whose they are."""
    found = []
    for one in (endpoint, application):
        if one is not None and (one.rate_limit, one.concurrency_limit) != (None, None):
            found.append((one.id, Limits(one.rate_limit, one.concurrency_limit)))
    return tuple(found)


def is_limited(application: Application, endpoint: Endpoint) -> bool:
    """Whether `limits_of` these is not empty; asked for each delivery that is accepted."""
    return not (
        endpoint.rate_limit is None
        and endpoint.concurrency_limit is None
        and application.rate_limit is None
        and application.concurrency_limit is None
    )


def interval_us(rate: int) -> float:
    """The time between two attempts at a steady `rate`."""
    return 1_000_000 / rate


def permits(tat_us: int, rate: int, *, at_us: int) -> int:
    """How many attempts may be begun now under a rate, >= 0.

    In any stretch of time no more are begun than `rate` for its length and one burst.
    """
    every_us = interval_us(rate)
    burst_us = max(BURST_US, every_us)
    # The small share takes back what was lost by rounding times to whole microseconds.
    return math.floor((burst_us - (_begun(tat_us, rate, at_us) - at_us)) / every_us + 0.001)


def spent(tat_us: int, rate: int, count: int, *, at_us: int) -> int:
    """The allowance after `count` attempts were begun; with 0 it is only brought into bounds."""
    return round(_begun(tat_us, rate, at_us) + count * interval_us(rate))


def _begun(tat_us: int, rate: int, at_us: int) -> float:
    """`tat_us`, no earlier than now, and never further ahead than a burst.

    Further ahead it can only be by the hand of a node whose clock is: the others then wait for a
    burst, not until they have caught up with that clock.
    """
    return min(max(tat_us, at_us), at_us + max(BURST_US, interval_us(rate)))


class Permits:
    """What is left of the limits within one claim; a small account, without clock or chance.

    Args:
        tats_us: of everything with a rate, by id. What is missing is in the hands of another
            claim at this moment, and gets nothing.
        leased: leases that have not run out, of everything with a concurrency limit, by id.
    """

    def __init__(
        self, tats_us: Mapping[str, int], leased: Mapping[str, int], *, at_us: int
    ) -> None:
        self._tats_us = dict(tats_us)
        self._leased = dict(leased)
        self._at_us = at_us
        self._rated: set[str] = set()

    def left(self, quota: Quota) -> int:
        """How many of this lane may be claimed, 0 to `quota.count`."""
        count = quota.count
        for name, limits in quota.limits:
            if name not in self._tats_us:
                return 0
            if limits.rate is not None:
                self._bring_into_bounds(name, limits.rate)
                count = min(count, permits(self._tats_us[name], limits.rate, at_us=self._at_us))
            if limits.concurrency is not None:
                count = min(count, limits.concurrency - self._leased.get(name, 0))
        return max(count, 0)

    def take(self, quota: Quota, count: int) -> None:
        """So many of this lane were claimed."""
        for name, limits in quota.limits:
            self._leased[name] = self._leased.get(name, 0) + count
            if limits.rate is not None and name in self._tats_us:
                tat_us = self._tats_us[name]
                self._tats_us[name] = spent(tat_us, limits.rate, count, at_us=self._at_us)

    def _bring_into_bounds(self, name: str, rate: int) -> None:
        if name not in self._rated:
            self._rated.add(name)
            self._tats_us[name] = spent(self._tats_us[name], rate, 0, at_us=self._at_us)

    def tats_us(self) -> dict[str, int]:
        """The allowances to store: of everything that was asked about and has a rate."""
        return {name: self._tats_us[name] for name in sorted(self._rated)}


def limited(quotas: Sequence[Quota]) -> dict[str, Limits]:
    """Everything with a limit among these, by id."""
    return {name: limits for quota in quotas for name, limits in quota.limits}
