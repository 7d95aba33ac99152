"""The dispatcher of one process: claims what is due, attempts it, hands the outcome to the settler.

Nothing here decides what becomes of a delivery: that is `core.lifecycle.step`, by way of `Journal`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import msgspec

from homing.core.errors import StoreError, Unavailable
from homing.core.identifiers import ENTROPY_BYTES, new_id
from homing.core.journal import Journal
from homing.core.lifecycle import (
    Cancelled,
    DeadReason,
    Delivery,
    Fact,
    Gone,
    Leased,
    Lost,
    Parked,
    Released,
    State,
)
from homing.core.outcome import Outcome, Reason, fact_of
from homing.core.ports import Chance, Meters, NoMeters, Request, Sender, Store, Work
from homing.core.records import Attempt, Change, Claimed, Trigger
from homing.core.resources import Endpoint
from homing.core.retry import RetryPolicy
from homing.dispatch.health import HealthKeeper
from homing.dispatch.settler import BATCH_MAX, Settler

_log = logging.getLogger("homing.dispatch")

#: deliveries taken by one claim
_CLAIM_MAX: Final = 500
#: a claim waits until there is room for this many, or for a quarter of all, whichever is less:
#: small claims cost as many round trips as large ones
_CLAIM_MIN: Final = 100
#: decisions that may wait to be written before they are counted as if they were still under way;
#: two batches: less is what a busy moment looks like
_UNWRITTEN_MAX: Final = 2 * BATCH_MAX
#: what a lease must still have left, beyond the longest request, for a request to be started
_LEASE_MARGIN_S: Final = 5.0

#: makes the signed request for an attempt begun at a time (µs); raises ValueError without a usable
#: key or URL
Envelope = Callable[[Work, int], Request]


class DispatchLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers a dispatcher works by."""

    sends_max: int = 1_000  #: requests in flight at once
    lease_s: float = 60.0  #: longer than any request, by a margin
    request_total_s: float = 20.0  #: the sender's total deadline
    poll_s: float = 0.25  #: how often the database is asked for what is due, when nothing tells us
    unanswered_max: int = 5  #: leases in a row with no outcome before a delivery is quarantined
    policy: RetryPolicy = RetryPolicy()


class Dispatcher:
    """Attempts deliveries until it is drained.

    Args:
        envelope: see `Envelope`.
        health: told about every outcome; disables endpoints that only fail.
    """

    def __init__(
        self,
        store: Store,
        sender: Sender,
        chance: Chance,
        journal: Journal,
        envelope: Envelope,
        *,
        limits: DispatchLimits | None = None,
        health: HealthKeeper | None = None,
        meters: Meters | None = None,
    ) -> None:
        self._store = store
        self._sender = sender
        self._chance = chance
        self._journal = journal
        self._clock = journal.clock
        self._envelope = envelope
        self.limits = limits or DispatchLimits()
        self._meters = meters or NoMeters()
        self._health = health or HealthKeeper(store, self._clock)
        self._settler = Settler(store, self._meters)
        self._sending: set[asyncio.Task[None]] = set()
        self._reserved = 0
        self._stopping = False
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._room_is_awaited = False
        self._stopped = asyncio.Event()
        self._stopped.set()

    # ── what the intake sees (core.ports.Hands) ──

    def reserve(self, count: int) -> int:
        granted = 0 if self._stopping else max(0, min(count, self._free()))
        self._reserved += granted
        return granted

    def release(self, count: int) -> None:
        self._reserved -= count

    def take(self, work: Sequence[Work]) -> None:
        self._reserved -= len(work)
        for one in work:
            self._start(one)

    def wake(self) -> None:
        self._wake.set()

    # ── running ──

    @property
    def in_flight(self) -> int:
        """Attempts under way."""
        return len(self._sending)

    async def run(self) -> None:
        """Claim and attempt until `drain`; a database that is away is waited for."""
        self._stopped.clear()
        try:
            while not self._stopping:
                if not await self._claim_or_wait_for_database():
                    await self._wait(self._wake)
        finally:
            self._stopped.set()

    async def drain(self, within_s: float) -> bool:
        """Take nothing more, finish what is in flight, write every outcome.

        Returns:
            Whether all of it was finished and written. What was not keeps its lease until that
            runs out, and is then attempted by somebody else.
        """
        self._stopping = True
        self._wake.set()
        self._room.set()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within_s
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), within_s)
        if self._sending:
            await asyncio.wait(self._sending, timeout=max(0.0, deadline - loop.time() - 1.0))
        left = len(self._sending)
        for task in list(self._sending):
            task.cancel()
        if self._sending:
            await asyncio.wait(self._sending, timeout=1.0)
        written = await self._settler.close(max(1.0, deadline - loop.time()))
        with suppress(TimeoutError):
            await asyncio.wait_for(self._health.flush(), max(1.0, deadline - loop.time()))
        return written and left == 0

    async def flush(self) -> None:
        """Return when nothing is in flight and everything is written."""
        while self._sending:
            await asyncio.wait(self._sending)
        await self._settler.flush()

    # ── claiming ──

    async def _claim_or_wait_for_database(self) -> bool:
        try:
            return await self._claim()
        except Unavailable as error:
            _log.warning("cannot claim: %s", error)
            await asyncio.sleep(max(self.limits.poll_s, 0.5))
            return False

    async def _claim(self) -> bool:
        """Take what is due; whether there is likely more."""
        room = self._free()
        if room < min(_CLAIM_MIN, max(1, self.limits.sends_max // 4)):
            await self._wait(self._room)
            return True
        now_us = self._clock.now_us()
        due_at_us = await self._store.next_ready_at_us()
        if due_at_us is None or due_at_us > now_us:
            return False
        count = min(room, _CLAIM_MAX)
        self._reserved += count
        try:
            changes: list[Change] = []
            claimed = await self._store.claim(
                lambda delivery: self._lease(delivery, now_us, changes),
                at_us=now_us,
                count=count,
            )
            work = await self._complete(claimed)
        except BaseException:
            self._reserved -= count
            raise
        self._reserved -= count - len(work)
        self.take(work)
        self._count_claim(changes)
        return len(changes) > 0

    def _lease(self, delivery: Delivery, now_us: int, changes: list[Change]) -> Change:
        fact = Leased(
            at_us=now_us,
            holder=self._journal.holder,
            until_us=now_us + round(self.limits.lease_s * 1_000_000),
            unanswered_max=self.limits.unanswered_max,
        )
        # The lease before this one was an attempt written ahead; now it is known that nobody will
        # say what came of it.
        attempt = self._unanswered(delivery) if delivery.state is State.LEASED else None
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
            trigger=_trigger(delivery),
            at_us=at_us,
            url="",
            reason=Reason.NO_OUTCOME,
            detail=f"{delivery.holder} leased it and recorded no outcome; it may have been sent",
        )

    async def _complete(self, claimed: Sequence[Claimed]) -> list[Work]:
        """Each with its endpoint as it is now: nothing here is remembered from earlier."""
        if not claimed:
            return []
        ids = sorted({c.delivery.endpoint_id for c in claimed})
        try:
            endpoints = {e.id: e for e in await self._store.by_ids(Endpoint, ids)}
        except StoreError:
            # Nothing was sent, so these leases must not count as ones that nobody answered for.
            for one in claimed:
                fact = Released(at_us=self._clock.now_us())
                self._settler.put(self._journal.decide(one.delivery, fact))
            raise
        return [Work(c.delivery, c.message, endpoints.get(c.delivery.endpoint_id)) for c in claimed]

    def _count_claim(self, changes: Sequence[Change]) -> None:
        if not changes:
            return
        self._meters.batch("claim", len(changes))
        for change in changes:
            if not change.after.is_unfinished:
                self._meters.settled(change.after.state, change.after.reason)
            if change.attempt is not None:
                self._meters.attempted(change.attempt.reason, 0, False)

    # ── attempting ──

    def _start(self, work: Work) -> None:
        task = asyncio.create_task(self._attend(work))
        self._sending.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        self._meters.in_flight(len(self._sending))
        if self._room_is_awaited and self._free() >= min(
            _CLAIM_MIN, max(1, self.limits.sends_max // 4)
        ):
            self._room.set()
        if not task.cancelled() and task.exception() is not None:
            _log.error("an attempt failed inside", exc_info=task.exception())

    async def _attend(self, work: Work) -> None:
        obstacle = self._obstacle(work)
        if obstacle is not None:
            actor = "endpoint deleted" if work.endpoint is None else None
            self._settler.put(self._journal.decide(work.delivery, obstacle, actor=actor))
            return
        assert work.endpoint is not None
        began_us = self._clock.now_us()
        try:
            request = self._envelope(work, began_us)
        except ValueError as error:
            outcome = Outcome(reason=Reason.SIGN_FAILED, detail=str(error)[:200])
        else:
            outcome = await self._sender.send(request)
        await self._conclude(work, work.endpoint, began_us, outcome)

    def _obstacle(self, work: Work) -> Fact | None:
        """Why this must not be sent now, if it must not."""
        now_us = self._clock.now_us()
        if work.endpoint is None:
            return Cancelled(at_us=now_us, actor="the endpoint was deleted")
        if work.endpoint.disabled:
            reason = work.endpoint.disabled_reason or "the endpoint is disabled"
            return Parked(at_us=now_us, reason=reason)
        if work.message.payload is None:
            return Lost(at_us=now_us, reason=DeadReason.PAYLOAD_GONE)
        due_at_us = work.message.deliver_at_us
        if due_at_us is not None and due_at_us > now_us and not work.delivery.manual:
            # It was parked and resumed meanwhile. A person who asks for an attempt gets it.
            return Released(at_us=now_us, until_us=due_at_us)
        assert work.delivery.ready_at_us is not None
        needed_us = (self.limits.request_total_s + _LEASE_MARGIN_S) * 1_000_000
        if work.delivery.ready_at_us - now_us < min(needed_us, self.limits.lease_s * 500_000):
            return Released(at_us=now_us)
        return None

    async def _conclude(
        self, work: Work, endpoint: Endpoint, began_us: int, outcome: Outcome
    ) -> None:
        ended_us = self._clock.now_us()
        fact = fact_of(outcome, at_us=ended_us, chance=self._chance.fraction())
        if isinstance(fact, Gone):
            # First the endpoint, then the delivery: a crash in between only costs a lease, whereas
            # a delivery parked for an enabled endpoint would be resumed at once.
            await self._disable_gone(endpoint)
        attempt = self._attempt(work, endpoint, began_us, outcome)
        change = self._journal.decide(
            work.delivery,
            fact,
            self._policy(endpoint),
            attempt=attempt,
            config_version=endpoint.version,
        )
        self._settler.put(change)
        succeeded = outcome.reason is Reason.OK
        if outcome.reason is not Reason.SIGN_FAILED:  # our own failure says nothing about it
            self._health.observe(endpoint, ended_us, succeeded=succeeded)
        if succeeded and work.delivery.leases == 1:
            due_at_us = work.message.deliver_at_us or work.message.accepted_at_us
            self._meters.received(ended_us - due_at_us)

    async def _disable_gone(self, endpoint: Endpoint) -> None:
        try:
            await self._health.disable(endpoint, "the receiver answered 410 Gone", cause="gone")
        except StoreError as error:
            # The outcome is worth more: it is written when the database is back. The delivery is
            # then resumed, since its endpoint is enabled, and the receiver says 410 once more.
            _log.warning("endpoint %s answered 410 and is not disabled yet: %s", endpoint.id, error)

    def _attempt(self, work: Work, endpoint: Endpoint, began_us: int, outcome: Outcome) -> Attempt:
        return Attempt(
            id=new_id("atmpt_", began_us, self._chance.entropy(ENTROPY_BYTES)),
            message_id=work.delivery.message_id,
            endpoint_id=work.delivery.endpoint_id,
            app_id=work.delivery.app_id,
            number=work.delivery.leases,
            trigger=_trigger(work.delivery),
            at_us=began_us,
            url=endpoint.url,
            reason=outcome.reason,
            status=outcome.status,
            first_byte_us=outcome.first_byte_us,
            total_us=outcome.total_us,
            request_bytes=outcome.request_bytes,
            detail=outcome.detail,
            response_headers=outcome.headers,
            response_body=outcome.body,
        )

    def _policy(self, endpoint: Endpoint) -> RetryPolicy:
        if endpoint.retry_delays_s is None:
            return self.limits.policy
        return msgspec.structs.replace(self.limits.policy, delays_s=endpoint.retry_delays_s)

    # ── waiting ──

    def _free(self) -> int:
        # Outcomes that the database does not take as fast as they come occupy room too: they are
        # in memory alone, and would all be sent again when their leases run out.
        unwritten = max(0, self._settler.pending - _UNWRITTEN_MAX)
        return self.limits.sends_max - len(self._sending) - self._reserved - unwritten

    async def _wait(self, event: asyncio.Event) -> None:
        """Until `event`, or the next poll: a missed wake-up costs a moment, never a delivery.

        One that came while the database was asked counts: it may be about what came after.
        """
        self._room_is_awaited = event is self._room
        try:
            await asyncio.wait_for(event.wait(), self.limits.poll_s)
        except TimeoutError:
            pass
        finally:
            self._room_is_awaited = False
            event.clear()


def _trigger(delivery: Delivery) -> Trigger:
    return Trigger.MANUAL if delivery.manual else Trigger.SCHEDULED
