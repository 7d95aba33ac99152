"""Shares the places of one process among endpoints and applications. Pure.

Whoever wants another place gets it while what it holds is less than a multiple of the places that
are free (dynamic thresholds: Choudhury and Hahne, IEEE/ACM Transactions on Networking 6(2), 1998).
So one alone gets a large part of them, many get less each, and n that want all there is come to
leave one part in `n * multiple + 1` free for everybody else; even if none of them ever gives one
back, the last one left `1 / (multiple + 1)` of what it found. Nobody is told who takes part.

Among those that wait in one claim, applications take turns, the one with the least under way for
its weight first, and endpoints take turns within their application.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Collection, Sequence
from heapq import heapify, heappop, heappush
from typing import Final

import msgspec

from homing.core.limits import BURST_US, Lane, Quota, interval_us, is_limited, limits_of
from homing.core.resources import Application, Endpoint
from homing.dispatch.breaker import BreakerRules, Breakers

#: a lane with much under way waits until so many places are free for it, or a quarter of what it
#: has: small claims cost as many round trips as large ones
BATCH_MIN: Final = 100
#: how soon a lane that met its limit is looked at again, µs; another process may have used it up
RELOOK_US: Final = 100_000
#: turns that the places of one claim are shared in, about: more is fairer, fewer is cheaper
_TURNS: Final = 64


class Shares(msgspec.Struct, frozen=True, kw_only=True):
    """How many times the free places one may hold, > 0."""

    endpoint: float = 1.0
    application: float = 2.0  #: times the application's weight


class Candidate(msgspec.Struct, frozen=True):
    """A lane with what was configured for it."""

    lane: Lane
    endpoint: Endpoint | None  #: None: deleted
    application: Application | None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to claim. Room for all of it is taken; `Planner.claimed` gives back the rest."""

    quotas: tuple[Quota, ...] = ()
    #: due since when, of what would be sent if there were room: neither limit nor breaker is in its
    #: way; None: nothing
    oldest_due_at_us: int | None = None
    #: something was left although only room was lacking
    crowded: bool = False
    #: microseconds until something that a limit or a breaker holds back may be taken; None: nothing
    held_for_us: int | None = None


class Planner:
    """The places of one process: who holds how many, and who may take another.

    Times are monotonic microseconds and arguments; so is chance.

    Args:
        places: attempts under way at once, >= 1.
    """

    def __init__(
        self,
        places: int,
        *,
        shares: Shares | None = None,
        breakers: BreakerRules | None = None,
    ) -> None:
        self.places = places
        self.shares = shares or Shares()
        self.breakers = Breakers(breakers or BreakerRules())
        self.taken = 0
        self._of_endpoint: dict[str, int] = {}
        self._of_app: dict[str, int] = {}
        #: endpoints that met a limit, until when they are passed over
        self._held_until_us: dict[str, int] = {}
        #: those of them that wait for attempts to end, not for time, with their applications
        self._held_by_leases: dict[str, str] = {}

    # ── one at a time ──

    def held_by(self, endpoint_id: str) -> int:
        """Places of this endpoint."""
        return self._of_endpoint.get(endpoint_id, 0)

    def admit(
        self, application: Application, endpoint: Endpoint, *, free: int, now_us: int
    ) -> bool:
        """Take a place for a delivery that is born leased, if there is one for it.

        Never for what has an explicit limit: those are kept by claiming alone.

        Args:
            free: places that nobody holds, less what is kept back.
        """
        if free <= 0 or endpoint.disabled or is_limited(application, endpoint):
            return False
        if self._of_endpoint.get(endpoint.id, 0) >= self.shares.endpoint * free:
            return False
        app_share = self.shares.application * application.weight
        if self._of_app.get(application.id, 0) >= app_share * free:
            return False
        if self.breakers.known and self.breakers.allows(endpoint.id, now_us) == 0:
            return False
        self._enter(application.id, endpoint.id, 1)
        return True

    def leave(self, app_id: str, endpoint_id: str, count: int = 1) -> None:
        """Give places back."""
        self.taken -= count
        left = self._of_endpoint[endpoint_id] - count
        if left:
            self._of_endpoint[endpoint_id] = left
        else:
            del self._of_endpoint[endpoint_id]
            if self.breakers.known:
                self.breakers.give_up(endpoint_id)
        left = self._of_app[app_id] - count
        if left:
            self._of_app[app_id] = left
        else:
            del self._of_app[app_id]

    def _enter(self, app_id: str, endpoint_id: str, count: int) -> None:
        self.taken += count
        self._of_endpoint[endpoint_id] = self._of_endpoint.get(endpoint_id, 0) + count
        self._of_app[app_id] = self._of_app.get(app_id, 0) + count
        if self.breakers.known:
            self.breakers.begin(endpoint_id)

    # ── a claim ──

    def plan(
        self, candidates: Sequence[Candidate], *, free: int, now_us: int, most: int = sys.maxsize
    ) -> Plan:
        """Share up to `free` places among lanes, and take them.

        Args:
            candidates: different lanes; `lane.count` is how many each wants.
            most: deliveries in one claim.
        """
        wants: dict[str, int] = {}
        willing: list[Candidate] = []
        held_for_us: list[int] = []
        for one in candidates:
            want = self._wanted(one, now_us)
            if want > 0:
                willing.append(one)
                wants[one.lane.endpoint_id] = want
            else:
                held_for_us.append(-want)
        if self._is_room_for_all(willing, wants, min(free, most)):
            granted = wants
        else:
            granted = _Round(self, willing, wants, free).share(most)
        quotas = []
        for one in willing:
            count = granted.get(one.lane.endpoint_id, 0)
            if count and not self._waits_for_more(one.lane.endpoint_id, count, wants):
                quotas.append(_quota(one, count))
        for quota in quotas:
            self._enter(quota.app_id, quota.endpoint_id, quota.count)
        unlimited = [
            c.lane.ready_at_us for c in willing if not limits_of(c.application, c.endpoint)
        ]
        return Plan(
            quotas=tuple(quotas),
            oldest_due_at_us=min(unlimited, default=None),
            crowded=sum(quota.count for quota in quotas) < sum(wants.values()),
            held_for_us=min(held_for_us, default=None),
        )

    def _is_room_for_all(
        self, willing: Sequence[Candidate], wants: dict[str, int], free: int
    ) -> bool:
        """Whether each would get all it wants, in whatever order: even the last finds room.

        As a rule it is so, and then there is nothing to share.
        """
        total = sum(wants.values())
        last = free - total + 1  #: free places that the last one finds
        if last <= 0:
            return False
        of_app: dict[str, int] = {}
        most = self.shares.endpoint * last
        for one in willing:
            app_id, name = one.lane.app_id, one.lane.endpoint_id
            if self._of_endpoint.get(name, 0) + wants[name] > most:
                return False
            weight = one.application.weight if one.application else 1
            held = of_app[app_id] = of_app.get(app_id, self._of_app.get(app_id, 0)) + wants[name]
            if held > self.shares.application * weight * last:
                return False
        return True

    def claimed(self, quotas: Sequence[Quota], taken: dict[str, int], *, now_us: int) -> None:
        """Give back what a claim did not use.

        Args:
            taken: deliveries that came of it, by endpoint id.
        """
        for quota in quotas:
            unused = quota.count - taken.get(quota.endpoint_id, 0)
            if unused:
                self.leave(quota.app_id, quota.endpoint_id, unused)
                if quota.limits:
                    self._hold(quota, now_us)

    def _hold(self, quota: Quota, now_us: int) -> None:
        """Pass a lane over for a while: it has met a limit."""
        rates = [limits.rate for _, limits in quota.limits if limits.rate is not None]
        wait_us = max([RELOOK_US, *(round(interval_us(rate)) for rate in rates)])
        self._held_until_us[quota.endpoint_id] = now_us + wait_us
        if not rates:
            self._held_by_leases[quota.endpoint_id] = quota.app_id

    def ease(self, app_ids: Collection[str]) -> bool:
        """Leases of these applications have ended; whether something had waited for that."""
        eased = [name for name, app_id in self._held_by_leases.items() if app_id in app_ids]
        for name in eased:
            del self._held_by_leases[name]
            self._held_until_us.pop(name, None)
        return bool(eased)

    @property
    def waits_for_leases(self) -> bool:
        """Whether something waits for leases to end, because of a limit on concurrency."""
        return bool(self._held_by_leases)

    def forget_old(self, now_us: int) -> None:
        """Drop what is not needed any more, now and then."""
        self.breakers.forget_old(now_us)
        over = [name for name, until_us in self._held_until_us.items() if until_us <= now_us]
        for name in over:
            self._held_until_us.pop(name, None)
            self._held_by_leases.pop(name, None)

    def _wanted(self, one: Candidate, now_us: int) -> int:
        """How many to try to claim; else the microseconds to wait, negative or 0."""
        name = one.lane.endpoint_id
        if one.endpoint is None or one.endpoint.disabled:
            self.breakers.forget(name)  # it is only cancelled or parked: nothing is sent
            return one.lane.count
        allowed = self.breakers.allows(name, now_us)
        if allowed is not None:
            return min(allowed, one.lane.count) or -self.breakers.wait_us(name, now_us)
        limits = limits_of(one.application, one.endpoint)
        if not limits:
            return one.lane.count
        held_us = self._held_until_us.get(name, 0) - now_us
        if held_us > 0:
            return -held_us
        most = one.lane.count
        for whose, limit in limits:
            if limit.rate is not None:
                most = min(most, math.ceil(max(limit.rate * BURST_US / 1_000_000, 1)))
            if limit.concurrency is not None:
                held = self._of_endpoint if whose == name else self._of_app
                most = min(most, limit.concurrency - held.get(whose, 0))
        if most <= 0:
            self._hold(_quota(one, 1), now_us)
            return -RELOOK_US
        return most

    def _waits_for_more(self, endpoint_id: str, count: int, wants: dict[str, int]) -> bool:
        """Whether so few are better left until more places are free."""
        share = count + self._of_endpoint.get(endpoint_id, 0)
        return count < wants[endpoint_id] and count < min(BATCH_MIN, share // 4)


class _Round:
    """The sharing of one claim: who holds what while places are given away."""

    def __init__(
        self, planner: Planner, willing: Sequence[Candidate], wants: dict[str, int], free: int
    ) -> None:
        self._shares = planner.shares
        self._free = free
        self._wants = dict(wants)
        self._chunk = max(1, free // _TURNS)
        self._granted: dict[str, int] = {}
        self._of_endpoint: dict[str, int] = {}
        self._of_app: dict[str, int] = {}
        self._weight: dict[str, int] = {}
        #: endpoints that still want some, the one with the fewest places first, by application
        self._queues: dict[str, list[tuple[int, str]]] = {}
        for one in willing:
            app_id, endpoint_id = one.lane.app_id, one.lane.endpoint_id
            self._of_endpoint[endpoint_id] = held = planner._of_endpoint.get(endpoint_id, 0)
            self._of_app[app_id] = planner._of_app.get(app_id, 0)
            self._weight[app_id] = one.application.weight if one.application else 1
            self._queues.setdefault(app_id, []).append((held, endpoint_id))

    def share(self, most: int) -> dict[str, int]:
        """Places by endpoint id, up to `most` in all."""
        for queue in self._queues.values():
            heapify(queue)
        turns = [(self._load(app_id), app_id) for app_id in self._queues]
        heapify(turns)
        while turns and self._free > 0 and most > 0:
            _, app_id = heappop(turns)
            queue = self._queues[app_id]
            _, endpoint_id = heappop(queue)
            count = self._may_take(app_id, endpoint_id, alone=not turns and not queue)
            count = min(count, most)
            most -= count
            if count:
                self._give(app_id, endpoint_id, count)
                if self._wants[endpoint_id]:
                    heappush(queue, (self._of_endpoint[endpoint_id], endpoint_id))
            # Free places only get fewer: who may take none now may take none in this round.
            if queue:
                heappush(turns, (self._load(app_id), app_id))
        return self._granted

    def _load(self, app_id: str) -> float:
        return self._of_app[app_id] / self._weight[app_id]

    def _may_take(self, app_id: str, endpoint_id: str, *, alone: bool) -> int:
        app_share = self._shares.application * self._weight[app_id]
        return min(
            self._wants[endpoint_id],
            self._free,
            self._wants[endpoint_id] if alone else self._chunk,
            below(self._shares.endpoint, self._of_endpoint[endpoint_id], self._free),
            below(app_share, self._of_app[app_id], self._free),
        )

    def _give(self, app_id: str, endpoint_id: str, count: int) -> None:
        self._free -= count
        self._wants[endpoint_id] -= count
        self._of_endpoint[endpoint_id] += count
        self._of_app[app_id] += count
        self._granted[endpoint_id] = self._granted.get(endpoint_id, 0) + count


def below(share: float, held: int, free: int) -> int:
    """How many places one may take one after the other, each while `held < share * free`.

    The j-th is taken with `held + j` held and `free - j` free, so while j < (share·free - held) /
    (1 + share).
    """
    count = max(0, min(math.ceil((share * free - held) / (1 + share)), free))
    while count and held + count - 1 >= share * (free - count + 1):  # a float's last digit
        count -= 1
    return count


def _quota(one: Candidate, count: int) -> Quota:
    is_sent = one.endpoint is not None and not one.endpoint.disabled
    return Quota(
        app_id=one.lane.app_id,
        endpoint_id=one.lane.endpoint_id,
        count=count,
        limits=limits_of(one.application, one.endpoint) if is_sent else (),
    )
