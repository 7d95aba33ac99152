"""What came back from an attempt: a value, never an exception.

What each outcome leads to (the written table; `fact_of` is its code):

| outcome | next |
|---|---|
| 2xx | delivered |
| 410 | the endpoint is disabled, the delivery is parked |
| 429, 503 with Retry-After | tried again, not before that (up to a day) |
| any other status, redirects included | tried again by the schedule |
| no usable answer: DNS, connect, TLS, time-out, reset, garbage, blocked address | the same |
| the schedule is at its end | dead, `attempts_exhausted` |
| the same, and the last attempt came no further than our own rules, DNS or TLS | dead, by that |
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from homing.core.lifecycle import DeadReason, Failed, Gone, Succeeded
from homing.core.retry import RETRY_AFTER_STATUSES, parse_retry_after


class Reason(StrEnum):
    """What an attempt came to, in one word of a closed set; also a metric label."""

    OK = "ok"  #: 2xx
    STATUS = "status"  #: any other complete response
    DNS_FAILED = "dns_failed"
    ADDRESS_BLOCKED = "address_blocked"  #: the egress rules forbid the address
    CONNECT_REFUSED = "connect_refused"
    CONNECT_FAILED = "connect_failed"  #: unreachable network or host
    CONNECT_TIMEOUT = "connect_timeout"
    TLS_FAILED = "tls_failed"  #: handshake or certificate
    TLS_TIMEOUT = "tls_timeout"
    FIRST_BYTE_TIMEOUT = "first_byte_timeout"
    IDLE_TIMEOUT = "idle_timeout"  #: the response stalled
    TOTAL_TIMEOUT = "total_timeout"
    RESET = "reset"  #: the connection ended before the response was complete
    GARBAGE = "garbage"  #: not HTTP
    URL_INVALID = "url_invalid"
    SIGN_FAILED = "sign_failed"  #: our own side: no usable key, or none that opens
    NO_OUTCOME = "no_outcome"  #: the lease ran out and nobody said what came of it


#: no answer came, for a reason that the next attempt would likely meet too
UNANSWERED: Final = frozenset(
    {
        Reason.DNS_FAILED,
        Reason.CONNECT_REFUSED,
        Reason.CONNECT_FAILED,
        Reason.CONNECT_TIMEOUT,
        Reason.TLS_FAILED,
        Reason.TLS_TIMEOUT,
        Reason.FIRST_BYTE_TIMEOUT,
        Reason.IDLE_TIMEOUT,
        Reason.TOTAL_TIMEOUT,
        Reason.RESET,
    }
)


class Opening(NamedTuple):
    """How long a connection took to open: microseconds from the attempt's start to each end."""

    looked_up_us: int  #: the name's addresses were known, and permitted
    connected_us: int | None = None  #: None: it came no further
    secured_us: int | None = None  #: None: without TLS, or it came no further


class Outcome(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What came back from one HTTP request."""

    reason: Reason
    status: int | None = None  #: HTTP status, when a status line came
    headers: tuple[tuple[str, str], ...] = ()  #: of the response, at most 64
    body: bytes = b""  #: of the response, capped (see the sender)
    body_truncated: bool = False
    detail: str = ""  #: one line for people, at most 200 characters
    first_byte_us: int | None = None  #: from start to the first byte of the response
    total_us: int = 0  #: from start to end
    request_bytes: int = 0  #: handed to the socket, headers included
    #: None: a connection was open already, or not even a name was looked up
    opening: Opening | None = None

    @property
    def error(self) -> str:
        """One line that says what went wrong; empty when nothing did."""
        if self.reason is Reason.OK:
            return ""
        if self.reason is Reason.STATUS:
            return f"status {self.status}"
        return f"{self.reason}: {self.detail}"[:200] if self.detail else str(self.reason)


GONE_STATUS: Final = 410

#: what a dead letter is called whose last attempt came to this; any other: attempts_exhausted
_ENDS_AS: Final = {
    Reason.DNS_FAILED: DeadReason.DNS_FAILED,
    Reason.TLS_FAILED: DeadReason.TLS_INVALID,
    Reason.ADDRESS_BLOCKED: DeadReason.SSRF_BLOCKED,
    Reason.SIGN_FAILED: DeadReason.SIGN_FAILED,
}


def fact_of(outcome: Outcome, *, at_us: int, chance: float) -> Succeeded | Failed | Gone:
    """What `outcome` means for the delivery.

    Args:
        outcome: of the attempt.
        at_us: when the response ended, microseconds UTC.
        chance: in [0, 1), for the retry's jitter.
    """
    if outcome.reason is Reason.OK:
        return Succeeded(at_us=at_us)
    if outcome.status == GONE_STATUS:
        return Gone(at_us=at_us, error=outcome.error)
    retry_after_s = None
    if outcome.status in RETRY_AFTER_STATUSES:
        for name, value in outcome.headers:
            if name.lower() == "retry-after":
                retry_after_s = parse_retry_after(value, at_us)
    return Failed(
        at_us=at_us,
        chance=chance,
        error=outcome.error,
        retry_after_s=retry_after_s,
        ends_as=_ENDS_AS.get(outcome.reason, DeadReason.ATTEMPTS_EXHAUSTED),
    )
