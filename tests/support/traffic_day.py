"""A day of traffic by a seed, in virtual time, as the watch would read it.

Every delivery is drawn by itself, by minute of acceptance: whether its first attempt fails, and
each retry of the default schedule. Nodes are killed, and receivers have bad hours. What is given to
the conditions is made of these counts as `service.alerts.reader` makes it of the store's.
"""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from homing.core.queries import Backlog, DeadLetters, LedgerRow
from homing.core.retry import DEFAULT_DELAYS_S
from homing.insight.alerts.minutes import MINUTE_US, Minutes
from homing.insight.alerts.readings import DeadPile, FailureChange, Lane, Missing, Readings
from support.making import START_US

#: the watch's and the audit's defaults
STEP_S, AUDIT_S = 15, 60
DAY_MIN = 24 * 60


@dataclass
class Outage:
    """An endpoint that answers nothing for a while."""

    endpoint: int
    from_min: int
    minutes: int


@dataclass
class Day:
    """Twenty-four hours.

    Args:
        per_s: deliveries a second.
        failing: share of attempts that fail, each by itself.
        dropped: share of deliveries that vanish; nothing else is wrong with them.
        dropped_from_min: since when.
        kills: at these minutes the node is killed; its leases run out a minute later, so what it
            was sending is due for less than two minutes.
    """

    seed: int
    per_s: float = 10.0
    endpoints: int = 20
    failing: float = 0.05
    dropped: float = 0.0
    dropped_from_min: int = 0
    outages: tuple[Outage, ...] = ()
    kills: tuple[int, ...] = (360, 720, 1_080)
    accepted: int = 0
    refused: int = 0
    vanished: list[int] = field(default_factory=list)  #: when, in minutes

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)
        self._rows: dict[int, list[LedgerRow]] = {}
        self._died: defaultdict[int, list[int]] = defaultdict(list)
        self._due: Counter[tuple[int, int]] = Counter()  #: (endpoint, minute due) held by a breaker
        for minute in range(DAY_MIN):
            self._rows[minute] = [self._row(minute, one) for one in range(self.endpoints)]

    def _is_down(self, endpoint: int, minute: float) -> bool:
        return any(
            one.endpoint == endpoint and one.from_min <= minute < one.from_min + one.minutes
            for one in self.outages
        )

    def _row(self, minute: int, endpoint: int) -> LedgerRow:
        count = self._poisson(self.per_s * 60 / self.endpoints)
        undelivered = vanished = 0
        for _ in range(count):
            if minute >= self.dropped_from_min and self._chance.random() < self.dropped:
                vanished += 1
                self.vanished.append(minute)
            elif self._delivered_after_min(minute, endpoint) > 2:
                undelivered += 1
        self.accepted += count
        return LedgerRow(
            endpoint_id=f"ep_{endpoint}",
            app_id="app_1",
            window_at_us=START_US + minute * MINUTE_US,
            accepted=count,
            delivered=count - undelivered - vanished,
            waiting=undelivered,
        )

    def _delivered_after_min(self, minute: int, endpoint: int) -> float:
        """Minutes from acceptance to success; one that never comes is a dead letter."""
        after_s = 0.0
        for delay_s in (*DEFAULT_DELAYS_S, None):
            now = minute + after_s / 60
            if not self._is_down(endpoint, now) and self._chance.random() >= self.failing:
                return after_s / 60
            self.refused += 1
            if delay_s is None:
                self._died[endpoint].append(round(now))
                return math.inf
            after_s += delay_s * self._chance.uniform(0.8, 1.2)
        raise AssertionError

    def _poisson(self, mean: float) -> int:
        limit, product, count = math.exp(-mean), self._chance.random(), 0
        while product > limit:
            product *= self._chance.random()
            count += 1
        return count

    def readings(self) -> Iterator[Readings]:
        """What is read every fifteen seconds."""
        minutes = Minutes()
        changes: tuple[FailureChange, ...] = ()
        for step in range(DAY_MIN * 60 // STEP_S):
            now_min = step * STEP_S / 60
            at_us = START_US + round(now_min * MINUTE_US)
            if step % (AUDIT_S // STEP_S) == 0:
                since_us = at_us - 10 * MINUTE_US
                rows = [r for m in range(int(now_min) - 10, int(now_min)) for r in self._at(m)]
                if minutes.add(rows, since_us, at_us):
                    changes = self._changes(minutes)
            lanes = tuple(self._lanes(now_min, at_us))
            yield Readings(
                at_us=at_us,
                audited_at_us=at_us - round(now_min * MINUTE_US) % MINUTE_US,
                started_at_us=START_US,
                missing=self._missing(int(now_min), at_us),
                backlog=self._backlog(lanes),
                accepted_per_s=minutes.accepted_per_s(),
                lanes=lanes,
                dead=tuple(self._dead(now_min)),
                failures=changes,
                steady_endpoints=minutes.endpoints - len(changes),
            )

    def _at(self, minute: int) -> list[LedgerRow]:
        return self._rows.get(minute, [])

    @staticmethod
    def _changes(minutes: Minutes) -> tuple[FailureChange, ...]:
        return tuple(
            FailureChange(
                org_id="org_1", app_id=app, endpoint_id=one, name=f"{one} (host)", change=change
            )
            for app, one, change in minutes.rises()
        )

    def _lanes(self, now_min: float, at_us: int) -> Iterator[Lane]:
        """What is due for long: behind a breaker, all that was accepted since the outage began."""
        for kill in self.kills:
            age_min = now_min - kill - 1
            if 0 < age_min < 1:
                yield Lane(
                    org_id="org_1",
                    app_id="app_1",
                    endpoint_id="ep_0",
                    count=30,
                    due_at_us=at_us - round(age_min * MINUTE_US),
                )
        for outage in self.outages:
            age_min = now_min - outage.from_min
            if age_min > 2 and now_min < outage.from_min + outage.minutes:
                per_min = self.per_s * 60 / self.endpoints
                yield Lane(
                    org_id="org_1",
                    app_id="app_1",
                    endpoint_id=f"ep_{outage.endpoint}",
                    count=round(per_min * age_min),
                    due_at_us=at_us - round(age_min * MINUTE_US),
                    is_failing=True,
                )

    def _backlog(self, lanes: tuple[Lane, ...]) -> Backlog:
        oldest_us = min((one.due_at_us for one in lanes), default=None)
        due = sum(one.count for one in lanes)
        return Backlog(waiting=due, leased=1, parked=0, due=due, oldest_due_at_us=oldest_us)

    def _dead(self, now_min: float) -> Iterator[DeadPile]:
        for endpoint, times in sorted(self._died.items()):
            died = sorted(one for one in times if one <= now_min)
            if died:
                yield DeadPile(
                    org_id="org_1",
                    name=f"ep_{endpoint} (host)",
                    letters=DeadLetters(
                        endpoint_id=f"ep_{endpoint}",
                        app_id="app_1",
                        count=len(died),
                        recent=sum(one > now_min - 10 for one in died),
                        past=len(died),
                        oldest_at_us=START_US + died[0] * MINUTE_US,
                        newest_at_us=START_US + died[-1] * MINUTE_US,
                    ),
                )

    def _missing(self, now_min: int, at_us: int) -> tuple[Missing, ...]:
        """What the audits of the last ten minutes found, and keep in sight for an hour."""
        gone = [one for one in self.vanished if one < now_min]
        if not gone:
            return ()
        first = max(gone[0] - 10, now_min - 60)
        seen = [one for one in gone if one >= first]
        rows = [row for minute in range(first, now_min) for row in self._at(minute)]
        if not seen:
            return ()
        return (
            Missing(
                org_id="org_1",
                count=len(seen),
                accepted=sum(row.accepted for row in rows),
                since_us=START_US + first * MINUTE_US,
                until_us=at_us,
                first_at_us=START_US + seen[0] * MINUTE_US,
                kinds={"unaccounted": len(seen)},
                examples=("msg_1.ep_1",),
            ),
        )
