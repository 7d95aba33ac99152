"""The rows that traffic leaves behind: messages, attempts, the delivery log."""

from __future__ import annotations

from enum import StrEnum
from hashlib import blake2b

import msgspec

from homing.core.identifiers import DeliveryId
from homing.core.lifecycle import Delivery, State
from homing.core.outcome import Opening, Reason


class Message(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a publisher sends."""

    id: str  #: "msg_…"
    app_id: str
    event_type: str
    payload: bytes | None  #: exactly as given; None once it was expunged
    accepted_at_us: int
    #: deliveries made at acceptance: an independent count for the ledger
    fanout: int
    is_raw: bool = False  #: `payload` is text that need not be JSON
    event_id: str | None = None
    channels: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    deliver_at_us: int | None = None  #: not sent before; None: at once
    traceparent: str | None = None  #: its publisher's, as core/trace.py reads it


class Trigger(StrEnum):
    """Who asked for an attempt."""

    SCHEDULED = "scheduled"
    MANUAL = "manual"


class Attempt(msgspec.Struct, frozen=True, gc=False):
    """One HTTP request made for a delivery, and what came of it.

    Not by keyword alone, for the dispatcher: see `LogEntry`.
    """

    id: str  #: "atmpt_…"
    message_id: str
    endpoint_id: str
    app_id: str
    number: int  #: the delivery's `leases` at the time, >= 1
    trigger: Trigger
    at_us: int  #: when it began
    url: str
    reason: Reason
    status: int | None = None
    first_byte_us: int | None = None
    total_us: int = 0
    request_bytes: int = 0
    detail: str = ""
    response_headers: tuple[tuple[str, str], ...] = ()
    response_body: bytes | None = b""  #: capped; None once it was expunged
    #: the outcome came after the lease had been given to somebody else, so it decided nothing
    late: bool = False
    #: how its connection was opened; None: it was open already, or not even a name was looked up
    opening: Opening | None = None
    #: the beginnings of the signatures that were sent, see `core.signature`; None: there were none
    signed: str | None = None


class LogEntry(msgspec.Struct, frozen=True, gc=False):
    """One change of a delivery (or one that was refused as stale): a line of the delivery log.

    `op` is "accepted" (with its message), "added" (to an earlier message) or the lower-case name of
    the fact. Written in the change's own transaction.

    Not by keyword alone, for the journal: with so many fields that takes 4 µs instead of 0.4, and
    two are made for every attempt.
    """

    at_us: int  #: wall clock of the writer
    mono_us: int  #: its monotonic clock; comparable within one holder
    holder: str  #: the writing process: host, process id and boot id
    sequence: int  #: rises with each decision of the writer; a gap is one never written
    op: str
    message_id: str
    endpoint_id: str
    app_id: str
    from_state: State | None  #: None: accepted or added just now
    to_state: State
    version_before: int  #: 0 when accepted or added just now
    version_after: int
    rows_written: int  #: 1, or 0 for a late outcome that changed nothing
    lease_epoch: int  #: leases given so far
    ready_at_us: int | None  #: leased: when the lease ends; waiting: when it is due
    attempt_id: str | None = None
    attempt_no: int | None = None
    request_bytes: int | None = None
    status: int | None = None
    first_byte_us: int | None = None
    total_us: int | None = None
    outcome: Reason | None = None
    reason: str | None = None
    actor: str | None = None  #: the person or rule behind it, when not the dispatcher's routine
    #: what was in force: of the application (accepted) or of the endpoint (an attempt)
    config_version: int | None = None
    #: leased by a claim: since when it could have been; otherwise None
    due_at_us: int | None = None


class Change(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One decision, to be written only if the row still has the version it was made on."""

    before: Delivery | None  #: None: it is added to a message that was accepted earlier
    after: Delivery
    entry: LogEntry
    attempt: Attempt | None = None

    @property
    def id(self) -> DeliveryId:
        return self.after.id


class RequestKey(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Recognises a request that was made before: an idempotency key or an event id."""

    digest: bytes  #: 16 bytes; of the key and everything it is scoped by
    fingerprint: bytes  #: 16 bytes; of the body that came with it
    expires_at_us: int


def digest16(*parts: str | bytes) -> bytes:
    """16 bytes that tell these parts from any others (BLAKE2b; each part with its length)."""
    pieces: list[bytes] = []
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        pieces += (len(raw).to_bytes(8, "big"), raw)
    return blake2b(b"".join(pieces), digest_size=16).digest()


class Acceptance(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One message to be stored together with its deliveries, its log lines and its keys."""

    message: Message
    #: born leased to this process, waiting for anybody, or parked
    deliveries: tuple[Delivery, ...]
    entries: tuple[LogEntry, ...]  #: one "accepted" line per delivery
    #: the application's version that the fan-out was computed from
    application_version: int
    keys: tuple[RequestKey, ...] = ()


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """The message and its deliveries are committed to disk."""


class Repeated(msgspec.Struct, frozen=True, gc=False):
    """A key was seen before with the same body; nothing was stored."""

    message_id: str


class Conflicting(msgspec.Struct, frozen=True, gc=False):
    """A key was seen before with another body; nothing was stored."""


class Outdated(msgspec.Struct, frozen=True, gc=False):
    """The application or its endpoints changed; nothing was stored. Compute the fan-out again."""


AcceptResult = Accepted | Repeated | Conflicting | Outdated


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A response kept for the repeat of its request."""

    status: int
    body: bytes


class Claimed(msgspec.Struct, frozen=True, gc=False):
    """A delivery leased to the caller, with the message to send."""

    delivery: Delivery
    message: Message
