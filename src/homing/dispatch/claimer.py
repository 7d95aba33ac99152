"""Leases what is due, as much of each lane as the planner gives room for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from homing.core.identifiers import ENTROPY_BYTES, new_id
from homing.core.journal import Journal
from homing.core.lifecycle import Delivery, Fact, Leased, Postponed, State
from homing.core.outcome import Reason
from homing.core.ports import Chance, Meters, Work
from homing.core.records import Attempt, Change, Trigger
from homing.core.store import Store
from homing.dispatch.lanes import LaneFinder
from homing.dispatch.planner import Candidate, Plan, Planner
from homing.dispatch.suspects import Suspects, pause_us

#: deliveries taken by one claim
_CLAIM_MAX: Final = 500


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What one look led to."""

    work: Sequence[Work] = ()  #: leased now; each has its place
    came_to_something: bool = False  #: something was decided, so there is likely more
    plan: Plan | None = None  #: None: nothing was due
    is_partial: bool = False  #: there may be lanes that were not looked at


class Claimer:
    """Claims on behalf of one dispatcher.

    Args:
        planner: whose places they are.
        suspects: told what is admitted; the dispatcher tells what begins and ends.
        lease_s: how long a lease is, in seconds.
        unanswered_max: leases in a row with no outcome before a delivery is quarantined.
    """

    def __init__(
        self,
        store: Store,
        chance: Chance,
        journal: Journal,
        planner: Planner,
        suspects: Suspects,
        *,
        lease_s: float,
        unanswered_max: int,
        meters: Meters,
    ) -> None:
        self._store = store
        self._chance = chance
        self._journal = journal
        self._clock = journal.clock
        self._planner = planner
        self._suspects = suspects
        self._finder = LaneFinder(store, journal.clock)
        self._lease_s = lease_s
        self._lease_us = round(lease_s * 1_000_000)
        self._unanswered_max = unanswered_max
        self._meters = meters
        self._looked_at_us: int | None = None
        self._oldest_due_at_us: int | None = None

    @property
    def late_since_us(self) -> int | None:
        """See `Dispatcher.late_since_us`."""
        if self._looked_at_us is None:
            return None
        return min(self._looked_at_us, self._oldest_due_at_us or self._looked_at_us)

    async def claim(self, free: Callable[[], int]) -> Claim:
        """Look once and lease what there is room for.

        Args:
            free: how many places are free at the moment.

        Raises:
            Unavailable: the database is away; no place is taken.
        """
        at_us = self._clock.now_us()
        found = await self._finder.find(at_us)
        self._looked_at_us, self._oldest_due_at_us = at_us, None
        if not found.candidates:
            return Claim()
        now_us = self._clock.mono_us()
        plan = self._planner.plan(found.candidates, free=free(), now_us=now_us, most=_CLAIM_MAX)
        self._oldest_due_at_us = plan.oldest_due_at_us
        changes: list[Change] = []
        work = await self._lease_planned(plan, found.candidates, at_us, changes)
        return Claim(
            work=work,
            came_to_something=len(changes) > 0,
            plan=plan,
            is_partial=found.is_partial,
        )

    async def _lease_planned(
        self, plan: Plan, candidates: Sequence[Candidate], at_us: int, changes: list[Change]
    ) -> list[Work]:
        """Lease what was planned; decisions are added to `changes`."""
        if not plan.quotas:
            return []
        taken: Counter[str] = Counter()
        self._suspects.begin_claim()
        try:
            claimed = await self._store.claim(
                lambda delivery: self._lease(delivery, at_us, changes),
                at_us=at_us,
                quotas=plan.quotas,
            )
            taken.update([one.delivery.endpoint_id for one in claimed])
        finally:
            self._planner.claimed(plan.quotas, taken, now_us=self._clock.mono_us())
        self._count_claim(changes)
        # Their endpoints were read just before: nothing here is remembered from earlier.
        endpoints = {one.lane.endpoint_id: one.endpoint for one in candidates}
        return [Work(c.delivery, c.message, endpoints[c.delivery.endpoint_id]) for c in claimed]

    def _lease(self, delivery: Delivery, now_us: int, changes: list[Change]) -> Change:
        has_lapsed = delivery.state is State.LEASED
        is_last = has_lapsed and delivery.unanswered >= self._unanswered_max
        fact: Fact
        if is_last or self._suspects.admit(delivery):
            fact = Leased(
                at_us=now_us,
                holder=self._journal.holder,
                until_us=now_us + self._lease_us,
                unanswered_max=self._unanswered_max,
            )
        else:
            wait_us = pause_us(self._lease_s, self._chance.fraction())
            fact = Postponed(at_us=now_us, until_us=now_us + wait_us)
        # The lease before this one was an attempt written ahead; now it is known that nobody will
        # say what came of it.
        attempt = self._unanswered(delivery) if has_lapsed else None
        change = self._journal.decide(delivery, fact, attempt=attempt)
        changes.append(change)
        return change

    def _unanswered(self, delivery: Delivery) -> Attempt:
        assert delivery.ready_at_us is not None
        at_us = delivery.ready_at_us  # when the lease ended: the latest that it can have been
        return Attempt(
            id=new_id("atmpt_", at_us, self._chance.entropy(ENTROPY_BYTES)),
            message_id=delivery.message_id,
            endpoint_id=delivery.endpoint_id,
            app_id=delivery.app_id,
            number=delivery.leases,
            trigger=trigger_of(delivery),
            at_us=at_us,
            url="",
            reason=Reason.NO_OUTCOME,
            detail=f"{delivery.holder} leased it and recorded no outcome; it may have been sent",
        )

    def _count_claim(self, changes: Sequence[Change]) -> None:
        if not changes:
            return
        self._meters.batch("claim", len(changes))
        for change in changes:
            if not change.after.is_unfinished:
                self._meters.settled(change.after.state, change.after.reason)
            if change.attempt is not None:
                self._meters.attempted(change.attempt.reason, 0, late=False)


def trigger_of(delivery: Delivery) -> Trigger:
    """Who asked for its next attempt, or for the one under way."""
    return Trigger.MANUAL if delivery.manual else Trigger.SCHEDULED
