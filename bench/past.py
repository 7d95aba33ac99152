"""Writes a past that never was, by the rules: each delivery accepted, attempted and settled as it
would have been, at times of long ago. For pages that show hours, made in seconds.

The clock is the only thing that is not real. What is not over by the end stays as it stands; a
service that is started then goes on with it.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from homing.core.identifiers import ENTROPY_BYTES, new_id
from homing.core.journal import Journal, newborn
from homing.core.lifecycle import Delivery, Failed, Leased, State, Succeeded
from homing.core.outcome import Reason
from homing.core.records import Acceptance, Accepted, Attempt, Change, Message, Trigger
from homing.core.resources import Application, Endpoint
from homing.core.retry import RetryPolicy
from homing.core.sealing import Seals, secret_place
from homing.core.signature import SigningKey, beginnings, parse_secret, sign
from homing.core.store import Store

_LEASE_US = 60_000_000
_BATCH = 400


@dataclass
class Answer:
    """What a receiver does with one attempt."""

    status: int | None  #: None: nothing came
    took_ms: float
    body: bytes = b""
    reason: Reason = Reason.STATUS


#: (random numbers, when, which attempt) → what the receiver answers
Behaviour = Callable[[random.Random, int, int], Answer]


class PastClock:
    """Says what it is told to say."""

    def __init__(self) -> None:
        self.at_us = 0

    def now_us(self) -> int:
        return self.at_us

    def mono_us(self) -> int:
        return self.at_us


@dataclass
class Sent:
    """A message as it was sent in the past."""

    at_us: int
    app: Application
    endpoints: Sequence[tuple[Endpoint, Behaviour]]
    event_type: str
    payload: bytes
    event_id: str | None = None
    tags: tuple[str, ...] = ()


@dataclass
class Past:
    """The writer.

    Args:
        until_us: the present: nothing is written that would be later.
        seed: of all that is drawn.
    """

    store: Store
    until_us: int
    seed: int = 1
    clock: PastClock = field(default_factory=PastClock)
    #: opens the secrets that requests were signed with; None: nothing was signed
    seals: Seals | None = None

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)
        self._journal = Journal(self.clock, "past")
        self._ties = count()
        self._keys: dict[str, list[SigningKey]] = {}  # of each endpoint
        #: what happens next: (when, tie, what to do)
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._acceptances: list[Acceptance] = []
        self._changes: list[Change] = []

    async def write(self, sent: Sequence[Sent]) -> None:
        """Write these and what became of them, in order of time."""
        for one in sent:
            self._at(one.at_us, lambda one=one: self._accept(one))  # type: ignore[misc]
        while self._due:
            at_us, _, act = heapq.heappop(self._due)
            if at_us > self.until_us:
                break
            self.clock.at_us = at_us
            act()
            if len(self._changes) + len(self._acceptances) >= _BATCH:
                await self._flush()
        await self._flush()

    def _at(self, at_us: int, act: Callable[[], None]) -> None:
        heapq.heappush(self._due, (at_us, next(self._ties), act))

    def _id(self, prefix: str) -> str:
        return new_id(prefix, self.clock.at_us, self._chance.randbytes(ENTROPY_BYTES))

    def _accept(self, one: Sent) -> None:
        at_us = self.clock.at_us
        message = Message(
            id=self._id("msg_"),
            app_id=one.app.id,
            event_type=one.event_type,
            payload=one.payload,
            accepted_at_us=at_us,
            fanout=len(one.endpoints),
            event_id=one.event_id,
            tags=one.tags,
        )
        born = []
        for endpoint, behaviour in one.endpoints:
            parked = endpoint.disabled_reason if endpoint.disabled else None
            delivery = newborn(
                message_id=message.id,
                endpoint_id=endpoint.id,
                app_id=one.app.id,
                at_us=at_us,
                parked=parked,
            )
            born.append(delivery)
            if not parked:
                self._plan(delivery, endpoint, behaviour, one.payload)
        self._acceptances.append(
            Acceptance(
                message=message,
                deliveries=tuple(born),
                entries=tuple(map(self._journal.accepted, born)),
                application_version=one.app.version,
            )
        )

    def _plan(
        self, delivery: Delivery, endpoint: Endpoint, behaviour: Behaviour, payload: bytes
    ) -> None:
        assert delivery.ready_at_us is not None
        start_us = delivery.ready_at_us + self._chance.randrange(2_000, 40_000)
        self._at(start_us, lambda: self._lease(delivery, endpoint, behaviour, payload))

    def _lease(
        self, delivery: Delivery, endpoint: Endpoint, behaviour: Behaviour, payload: bytes
    ) -> None:
        at_us = self.clock.at_us
        answer = behaviour(self._chance, at_us, delivery.leases + 1)
        end_us = at_us + round(answer.took_ms * 1_000)
        if end_us > self.until_us:
            return  # it stays due: who starts then sends it
        fact = Leased(at_us=at_us, holder="past", until_us=at_us + _LEASE_US)
        change = self._journal.decide(delivery, fact)
        self._put(change)
        self._at(
            end_us,
            lambda: self._conclude(change.after, endpoint, behaviour, answer, at_us, payload),
        )

    def _conclude(
        self,
        delivery: Delivery,
        endpoint: Endpoint,
        behaviour: Behaviour,
        answer: Answer,
        began_us: int,
        payload: bytes,
    ) -> None:
        at_us = self.clock.at_us
        is_ok = answer.status is not None and 200 <= answer.status < 300
        took_us = round(answer.took_ms * 1_000)
        attempt = Attempt(
            id=new_id("atmpt_", began_us, self._chance.randbytes(ENTROPY_BYTES)),
            message_id=delivery.message_id,
            endpoint_id=delivery.endpoint_id,
            app_id=delivery.app_id,
            number=delivery.leases,
            trigger=Trigger.SCHEDULED,
            at_us=began_us,
            url=endpoint.url,
            reason=Reason.OK if is_ok else answer.reason,
            status=answer.status,
            first_byte_us=None if answer.status is None else round(took_us * 0.9),
            total_us=took_us,
            request_bytes=640,
            response_headers=(("content-type", "application/json"), ("server", "nginx")),
            response_body=answer.body,
            signed=self._signed(endpoint, delivery.message_id, began_us, payload),
        )
        error = f"status {answer.status}" if answer.status else str(answer.reason).replace("_", " ")
        fact: Succeeded | Failed = Succeeded(at_us=at_us)
        if not is_ok:
            fact = Failed(at_us=at_us, chance=self._chance.random(), error=error)
        delays_s = endpoint.retry_delays_s
        policy = RetryPolicy() if delays_s is None else RetryPolicy(delays_s=delays_s)
        change = self._journal.decide(delivery, fact, policy, attempt=attempt)
        self._put(change)
        if change.after.state is State.WAITING:
            self._plan(change.after, endpoint, behaviour, payload)

    def _signed(
        self, endpoint: Endpoint, message_id: str, at_us: int, payload: bytes
    ) -> str | None:
        """What is kept of the signature that the request would have had."""
        if self.seals is None:
            return None
        if endpoint.id not in self._keys:
            place = secret_place(endpoint.id)
            texts = [self.seals.open(one.key, place) for one in endpoint.secrets]
            self._keys[endpoint.id] = [parse_secret(text) for text in texts]
        return beginnings(sign(message_id, at_us // 1_000_000, payload, self._keys[endpoint.id]))

    def _put(self, change: Change) -> None:
        self._changes.append(change)

    async def _flush(self) -> None:
        """Acceptances first; then the changes, one of a delivery in each commit."""
        if self._acceptances:
            results = await self.store.accept(self._acceptances)
            assert all(isinstance(one, Accepted) for one in results), results[0]
            self._acceptances = []
        todo, self._changes = self._changes, []
        while todo:
            now, later, seen = [], [], set()
            for change in todo:
                key = (change.after.message_id, change.after.endpoint_id)
                (later if key in seen else now).append(change)
                seen.add(key)
            assert all(await self.store.settle(now))
            todo = later
