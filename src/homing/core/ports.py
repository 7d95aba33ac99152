"""What the rules need from the world besides a store (`core.store`), as protocols.

Implementations import this, never the reverse.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from homing.core.lifecycle import Delivery, State
from homing.core.outcome import Outcome, Reason
from homing.core.records import (
    Attempt,
    Message,
)
from homing.core.resources import Application, Endpoint
from homing.core.retention import Purged


class Clock(Protocol):
    """Tells the time."""

    def now_us(self) -> int:
        """Wall clock: microseconds since 1970, UTC. May jump."""

    def mono_us(self) -> int:
        """Monotonic clock: microseconds since some fixed moment of this process."""


class Chance(Protocol):
    """Draws."""

    def fraction(self) -> float:
        """Uniform in [0, 1)."""

    def entropy(self, count: int) -> bytes:
        """`count` uniform bytes, fit for keys."""


class Request(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One signed HTTP request, ready to be sent."""

    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    pool: str  #: requests with the same word may share connections: the endpoint's id
    app_id: str = ""  #: the application on whose word the URL is called
    method: str = "POST"
    signature: str | None = None  #: the value of the header of that name


class Sender(Protocol):
    """Makes one HTTP request. Never raises for what the other side did."""

    async def send(self, request: Request) -> Outcome: ...

    async def close(self) -> None: ...


class Work(msgspec.Struct, frozen=True, gc=False):
    """A leased delivery with all that is needed to attempt it."""

    delivery: Delivery
    message: Message
    endpoint: Endpoint | None  #: None: it has been deleted


class LocalDispatcher(Protocol):
    """The dispatcher of this process, as seen by whoever accepts messages."""

    def reserve(self, application: Application, endpoint: Endpoint) -> bool:
        """Promise room for one attempt now, if there is some for this endpoint."""

    def release(self, work: Sequence[Work]) -> None:
        """Give back room that was reserved for these and is not needed."""

    def take(self, work: Sequence[Work]) -> None:
        """Attempt these now; each has had room reserved and is leased to this process."""

    def wake(self) -> None:
        """There may be something due."""


class Meters(Protocol):
    """Counts what happens. Must be cheap and must never raise."""

    def accepted(self, messages: int, deliveries: int) -> None: ...

    def attempted(self, reason: Reason, total_us: int, *, late: bool) -> None: ...

    def received(self, after_us: int) -> None:
        """A first attempt succeeded, this long after acceptance."""

    def settled(self, state: State, reason: str | None) -> None: ...

    def batch(self, kind: str, size: int) -> None:
        """A batch was written; kind is "accept", "claim" or "settle"."""

    def in_flight(self, count: int) -> None: ...

    def endpoint_disabled(self, cause: str) -> None:
        """cause is "gone" or "failing"."""

    def breaker_changed(self, change: str, open_now: int) -> None:
        """change is "opened" or "closed"; open_now: breakers of this process that are open."""

    def purged(self, what: Purged) -> None:
        """Something was beyond its retention."""

    def expiring(self, dead_letters: int) -> None:
        """So many dead letters are about to go, unless somebody handles them."""


class Tracer(Protocol):
    """Tells of what happened to single messages. Must be cheap and must never raise."""

    def traceparent(self, message: Message, endpoint_id: str, number: int) -> str | None:
        """The header of that name for an attempt, by which its receiver goes on with the trace."""

    def accepted(self, message: Message) -> None:
        """A message is committed."""

    def attempted(self, work: Work, attempt: Attempt) -> None:
        """An attempt has ended."""


class NoTracer:
    """Tells nobody, and hands a publisher's trace to its receivers as it came."""

    def traceparent(self, message: Message, endpoint_id: str, number: int) -> str | None:
        return message.traceparent

    def accepted(self, message: Message) -> None:
        pass

    def attempted(self, work: Work, attempt: Attempt) -> None:
        pass


class NoMeters:
    """Counts nothing."""

    def accepted(self, messages: int, deliveries: int) -> None:
        pass

    def attempted(self, reason: Reason, total_us: int, *, late: bool) -> None:
        pass

    def received(self, after_us: int) -> None:
        pass

    def settled(self, state: State, reason: str | None) -> None:
        pass

    def batch(self, kind: str, size: int) -> None:
        pass

    def in_flight(self, count: int) -> None:
        pass

    def endpoint_disabled(self, cause: str) -> None:
        pass

    def breaker_changed(self, change: str, open_now: int) -> None:
        pass

    def purged(self, what: Purged) -> None:
        pass

    def expiring(self, dead_letters: int) -> None:
        pass
