"""The dispatcher of one process: claims what is due, attempts it, hands the outcome to the settler.

Nothing here decides what becomes of a delivery: that is `core.lifecycle.step`, by way of `Journal`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from typing import Final

import msgspec

from homing.core.errors import StoreError, Unavailable
from homing.core.identifiers import ENTROPY_BYTES, new_id
from homing.core.journal import Journal
from homing.core.lifecycle import (
    Cancelled,
    DeadReason,
    Fact,
    Gone,
    Lost,
    Parked,
    Released,
)
from homing.core.outcome import Outcome, Reason, fact_of
from homing.core.ports import Chance, Meters, NoMeters, NoTracer, Request, Sender, Tracer, Work
from homing.core.records import Attempt, Change
from homing.core.resources import Application, Endpoint
from homing.core.retry import RetryPolicy
from homing.core.signature import beginnings
from homing.core.store import Store
from homing.dispatch.breaker import BreakerRules
from homing.dispatch.claimer import Claimer, trigger_of
from homing.dispatch.health import HealthKeeper
from homing.dispatch.planner import BATCH_MIN, Plan, Planner, Shares
from homing.dispatch.settler import BATCH_MAX, Settler
from homing.dispatch.suspects import Suspects

_log = logging.getLogger("homing.dispatch")

#: the least pause after a look that led to nothing, seconds: wake-ups may come with every message
_PAUSE_S: Final = 0.02
#: the longest while there may be lanes that were not looked at, seconds
_BACKLOG_POLL_S: Final = 0.05
#: how often what is not needed any more is forgotten, microseconds
_FORGET_EVERY_US: Final = 60_000_000
#: decisions that may wait to be written before they are counted as if they were still under way;
#: two batches: less is what a busy moment looks like
_UNWRITTEN_MAX: Final = 2 * BATCH_MAX
#: attempts begun in one turn of the event loop. With all of a commit's at once, the messages that
#: come meanwhile were read after them, and their commit had nothing left to overlap with
_TURN_MAX: Final = 16
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
    unanswered_max: int = 8  #: leases in a row with no outcome before a delivery is quarantined
    policy: RetryPolicy = RetryPolicy()
    shares: Shares = Shares()
    breakers: BreakerRules = BreakerRules()


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
        tracer: Tracer | None = None,
    ) -> None:
        self._store = store
        self._sender = sender
        self._chance = chance
        self._journal = journal
        self._clock = journal.clock
        self._envelope = envelope
        self.limits = limits or DispatchLimits()
        self._meters = meters or NoMeters()
        self._tracer = tracer or NoTracer()
        self._health = health or HealthKeeper(store, self._clock)
        self._settler = Settler(store, self._meters, self._written)
        self._planner = Planner(
            self.limits.sends_max, shares=self.limits.shares, breakers=self.limits.breakers
        )
        self._suspects = Suspects()
        self._claimer = Claimer(
            store,
            chance,
            journal,
            self._planner,
            self._suspects,
            lease_s=self.limits.lease_s,
            unanswered_max=self.limits.unanswered_max,
            meters=self._meters,
        )
        self._handed: deque[Work] = deque()  #: taken, to be begun in the next turns
        self._begun = count(1)
        self._sending: dict[int, asyncio.Task[None]] = {}  #: by a number of their own
        self._stopping = False
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._room_is_awaited = False
        #: the free places at which a claim that lacked room is tried again; None: it lacked none
        self._crowded_until: int | None = None
        self._forgot_at_us = 0
        self._stopped = asyncio.Event()
        self._stopped.set()

    # ── what the intake sees (core.ports.LocalDispatcher) ──

    def reserve(self, application: Application, endpoint: Endpoint) -> bool:
        now_us = self._clock.mono_us() if self._planner.breakers.known else 0
        return not self._stopping and self._planner.admit(
            application, endpoint, free=self._free(), now_us=now_us
        )

    def release(self, work: Sequence[Work]) -> None:
        for one in work:
            self._planner.leave(one.delivery.app_id, one.delivery.endpoint_id)

    def take(self, work: Sequence[Work]) -> None:
        for one in work:
            self._suspects.started(one.delivery)
        is_under_way = bool(self._handed)
        self._handed += work
        if not is_under_way:
            self._start_some()

    def wake(self) -> None:
        self._wake.set()

    # ── running ──

    @property
    def in_flight(self) -> int:
        """Attempts under way."""
        return len(self._sending) + len(self._handed)

    @property
    def late_since_us(self) -> int | None:
        """Since when something has been due that neither a limit nor a breaker holds back.

        By the latest look; when that was long ago, since then. None: nothing, or it never looked.
        """
        return self._claimer.late_since_us

    async def run(self) -> None:
        """Claim and attempt until `drain`; a database that is away is waited for."""
        self._stopped.clear()
        try:
            while not self._stopping:
                pause_s = await self._claim_or_wait_for_database()
                if pause_s > 0:
                    await self._wait(self._wake, pause_s)
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
        while self._handed:
            self._start_some()
        if self._sending:
            rest_s = max(0.0, deadline - loop.time() - 1.0)
            await asyncio.wait(self._sending.values(), timeout=rest_s)
        left = len(self._sending)
        tasks = list(self._sending.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=1.0)
        self._sending.clear()  # one that was cancelled before its first turn has not left
        written = await self._settler.close(max(1.0, deadline - loop.time()))
        with suppress(TimeoutError):
            await asyncio.wait_for(self._health.flush(), max(1.0, deadline - loop.time()))
        return written and left == 0

    async def flush(self) -> None:
        """Return when nothing is in flight and everything is written."""
        while True:
            while self._sending:
                await asyncio.wait(self._sending.values())
            await self._settler.flush()
            if not self._sending:  # nothing was begun meanwhile
                return

    # ── claiming ──

    async def _claim_or_wait_for_database(self) -> float:
        try:
            return await self._claim()
        except Unavailable as error:
            _log.warning("cannot claim: %s", error)
            await asyncio.sleep(max(self.limits.poll_s, 0.5))
            return self.limits.poll_s

    async def _claim(self) -> float:
        """Take what is due; seconds to wait before the next look, 0: there is likely more."""
        if self._free() < self._room_min():
            # Then look anyhow: what is due may belong to somebody else than those who have it all.
            await self._wait(self._room, self.limits.poll_s)
        if self._free() <= 0 or self._stopping:
            return 0.0
        self._crowded_until = None
        self._forget_old()
        claim = await self._claimer.claim(self._free)
        self.take(claim.work)
        if claim.came_to_something:
            return 0.0
        if claim.plan is None:
            return self.limits.poll_s
        return await self._pause(claim.plan, is_partial=claim.is_partial)

    async def _pause(self, plan: Plan, *, is_partial: bool) -> float:
        """After a look that led to nothing: seconds to wait for the next, or until a wake-up."""
        await asyncio.sleep(min(_PAUSE_S, self.limits.poll_s))
        if plan.crowded:
            self._crowded_until = self._free() + self._room_min()
        waits_s = [self.limits.poll_s]
        if plan.held_for_us is not None:
            waits_s.append(max(plan.held_for_us / 1_000_000, _PAUSE_S))
        if is_partial:
            waits_s.append(_BACKLOG_POLL_S)
        return min(waits_s)

    # ── attempting ──

    def _start_some(self) -> None:
        """Begin what was taken, as much as fits one turn of the event loop."""
        handed = self._handed
        for _ in range(min(_TURN_MAX, len(handed))):
            self._start(handed.popleft())
        if handed:
            asyncio.get_running_loop().call_soon(self._start_some)

    def _start(self, work: Work) -> None:
        number = next(self._begun)
        self._sending[number] = asyncio.create_task(self._attend(work, number))

    async def _attend(self, work: Work, number: int) -> None:
        try:
            await self._attempt_or_not(work)
        except Exception:
            _log.exception("an attempt failed inside")
        finally:
            self._suspects.ended(work.delivery)
            self._planner.leave(work.delivery.app_id, work.delivery.endpoint_id)
            self._finished(number)

    def _finished(self, number: int) -> None:
        """Its place is free. Not a callback of its task: each of those takes a turn of the loop."""
        self._sending.pop(number, None)
        self._meters.in_flight(self.in_flight)
        if self._room_is_awaited and self._free() >= self._room_min():
            self._room.set()
        if self._crowded_until is not None and self._free() >= self._crowded_until:
            self._wake.set()

    async def _attempt_or_not(self, work: Work) -> None:
        began_us = self._clock.now_us()
        obstacle = self._obstacle(work, began_us)
        if obstacle is not None:
            actor = "endpoint deleted" if work.endpoint is None else None
            self._settler.put(self._journal.decide(work.delivery, obstacle, actor=actor))
            return
        assert work.endpoint is not None
        signature = None
        try:
            request = self._envelope(work, began_us)
        except ValueError as error:
            outcome = Outcome(reason=Reason.SIGN_FAILED, detail=str(error)[:200])
        else:
            signature = request.signature
            outcome = await self._sender.send(request)
        await self._conclude(work, work.endpoint, began_us, outcome, signature)

    def _obstacle(self, work: Work, now_us: int) -> Fact | None:
        """Why this must not be sent now, if it must not."""
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
        self,
        work: Work,
        endpoint: Endpoint,
        began_us: int,
        outcome: Outcome,
        signature: str | None,
    ) -> None:
        ended_us = self._clock.now_us()
        chance = self._chance.fraction()
        fact = fact_of(outcome, at_us=ended_us, chance=chance)
        self._watch(endpoint, outcome.reason, chance)
        if isinstance(fact, Gone):
            # First the endpoint, then the delivery: a crash in between only costs a lease, whereas
            # a delivery parked for an enabled endpoint would be resumed at once.
            await self._disable_gone(endpoint)
        attempt = self._attempt(work, endpoint, began_us, outcome, signature)
        self._tracer.attempted(work, attempt)
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

    def _watch(self, endpoint: Endpoint, reason: Reason, chance: float) -> None:
        """Tell the endpoint's breaker, and people when it opens or closes."""
        breakers = self._planner.breakers
        if reason is Reason.OK and not breakers.known:
            return
        change = breakers.observe(endpoint.id, reason, self._clock.mono_us(), chance)
        if change is None:
            return
        self._meters.breaker_changed(change, breakers.open)
        extra = {"endpoint": endpoint.id, "application": endpoint.scope}
        if change == "opened":
            _log.warning("deliveries wait: the endpoint does not answer", extra=extra)
        else:
            _log.info("the endpoint answers again", extra=extra)
            self._wake.set()

    async def _disable_gone(self, endpoint: Endpoint) -> None:
        try:
            await self._health.disable(endpoint, "the receiver answered 410 Gone", cause="gone")
        except StoreError as error:
            # The outcome is worth more: it is written when the database is back. The delivery is
            # then resumed, since its endpoint is enabled, and the receiver says 410 once more.
            _log.warning("endpoint %s answered 410 and is not disabled yet: %s", endpoint.id, error)

    def _attempt(
        self,
        work: Work,
        endpoint: Endpoint,
        began_us: int,
        outcome: Outcome,
        signature: str | None,
    ) -> Attempt:
        delivery = work.delivery
        return Attempt(  # by position: see there
            new_id("atmpt_", began_us, self._chance.entropy(ENTROPY_BYTES)),
            delivery.message_id,
            delivery.endpoint_id,
            delivery.app_id,
            delivery.leases,
            trigger_of(delivery),
            began_us,
            endpoint.url,
            outcome.reason,
            outcome.status,
            outcome.first_byte_us,
            outcome.total_us,
            outcome.request_bytes,
            outcome.detail,
            outcome.headers,
            outcome.body,
            False,  # not late, as far as is known
            outcome.opening,
            None if signature is None else beginnings(signature),
        )

    def only_probes(self, endpoint_id: str) -> bool:
        """Whether the endpoint gave no answer lately, so that one attempt at a time is made."""
        return self._planner.breakers.is_open(endpoint_id)

    def _policy(self, endpoint: Endpoint) -> RetryPolicy:
        if endpoint.retry_delays_s is None:
            return self.limits.policy
        return msgspec.structs.replace(self.limits.policy, delays_s=endpoint.retry_delays_s)

    # ── waiting ──

    def _free(self) -> int:
        # Outcomes that the database does not take as fast as they come occupy room too: they are
        # in memory alone, and would all be sent again when their leases run out.
        free = self.limits.sends_max - self._planner.taken
        unwritten = self._settler.pending - _UNWRITTEN_MAX
        return free - unwritten if unwritten > 0 else free

    def _room_min(self) -> int:
        """Room that is worth a look."""
        return min(BATCH_MIN, max(1, self.limits.sends_max // 4))

    def _written(self, changes: Sequence[Change]) -> None:
        """These are in the database: leases that a limit waits for may have ended."""
        if self._planner.waits_for_leases and self._planner.ease({c.after.app_id for c in changes}):
            self._wake.set()

    def _forget_old(self) -> None:
        now_us = self._clock.mono_us()
        if now_us - self._forgot_at_us >= _FORGET_EVERY_US:
            self._forgot_at_us = now_us
            self._planner.forget_old(now_us)

    async def _wait(self, event: asyncio.Event, most_s: float) -> None:
        """Until `event`, or for so long: a missed wake-up costs a moment, never a delivery.

        One that came while the database was asked counts: it may be about what came after.
        """
        self._room_is_awaited = event is self._room
        timer = asyncio.get_running_loop().call_later(most_s, event.set)
        try:
            await event.wait()
        finally:
            timer.cancel()
            self._room_is_awaited = False
            event.clear()
