"""What Homing tells a client, and what it is told, as typed values."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec


class Told(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What Homing tells; members that this client does not know are left out."""


class BatchResult(Told, frozen=True, kw_only=True):
    """What became of one message of a batch."""

    status: int  #: as it would have been answered alone; 202: accepted
    id: str | None = None  #: of the message
    code: str | None = None
    detail: Any = None

    @property
    def accepted(self) -> bool:
        return self.status == 202


class LedgerRow(Told, frozen=True, kw_only=True):
    """accepted = delivered + dead + cancelled + parked + leased + waiting."""

    app_id: str
    endpoint_id: str
    window_at: datetime
    accepted: int
    delivered: int
    dead: int
    cancelled: int
    parked: int
    leased: int
    waiting: int


class Misfit(Told, frozen=True, kw_only=True):
    """A delivery that the books cannot place."""

    delivery_id: str
    kind: str


class Ledger(Told, frozen=True, kw_only=True):
    """The books."""

    balanced: bool
    unaccounted: int
    since: datetime
    until: datetime
    window_s: int
    total: LedgerRow
    rows: list[LedgerRow]
    misfits: list[Misfit]


class Delivery(Told, frozen=True, kw_only=True):
    """One message for one endpoint, and how it stands."""

    id: str
    msg_id: str
    endpoint_id: str
    state: Literal["waiting", "leased", "parked", "delivered", "dead", "cancelled"]
    reason: str | None
    attempts: int
    failures: int
    first_error: str | None
    last_error: str | None
    accepted_at: datetime
    due_at: datetime | None
    finished_at: datetime | None
    version: int


class Money(Told, frozen=True, kw_only=True):
    """An exact amount: a decimal as text, in the unit of an ISO 4217 currency."""

    currency: str
    amount: str


class DeadLetter(Delivery, frozen=True, kw_only=True):
    """A delivery that was given up."""

    issue_id: str | None
    died_at: datetime | None
    money: Money | None
    discarded_at: datetime | None


class Issue(Told, frozen=True, kw_only=True):
    """Dead letters that died of the same thing at the same endpoint."""

    id: str
    endpoint_id: str
    reason: str
    status: int | None
    error: str
    state: Literal["open", "acknowledged", "muted", "resolved"]
    count: int
    at_stake: list[Money]
    deaths: int
    first_seen_at: datetime
    last_seen_at: datetime
    note: str | None


class Objective(Told, frozen=True, kw_only=True):
    """What is promised."""

    name: str
    sli: str
    target: str
    target_text: str
    means: str
    period: str
    team: str
    default: bool


class ObjectiveReport(Told, frozen=True, kw_only=True):
    """How an objective stands. Decimals come as text, so that they stay exact."""

    objective: Objective
    at: datetime
    met: bool
    fires: bool
    good: int
    bad: int
    burn_rate: str
    budget_left: str
    left_text: str


class Incident(Told, frozen=True, kw_only=True):
    """What was noticed, found and done."""

    id: str
    title: str
    status: str
    severity: str
    owner: str
    version: int
    created_at: datetime
    updated_at: datetime
    record: dict[str, Any] | None = None  #: all of it, as a file has it; None in a listing


class Sent(Told, frozen=True, kw_only=True):
    """A message that was for an endpoint, whether it got there or not."""

    id: str  #: of the message: `webhook-id` of every request that carries it
    event_type: str
    event_id: str | None  #: the publisher's own id
    accepted_at: datetime
    state: Literal["waiting", "leased", "parked", "delivered", "dead", "cancelled"]
    attempts: int
    finished_at: datetime | None


class Task(Told, frozen=True, kw_only=True):
    """Work that goes on in the background."""

    id: str
    status: Literal["running", "finished", "failed"]


class NewMessage(msgspec.Struct, frozen=True, rename="camel"):
    """A message to send. The payload may be JSON that is written already (`msgspec.Raw`)."""

    event_type: str
    payload: dict[str, Any] | msgspec.Raw
    event_id: str | None = None  #: a repeat with this id and the same content is the same message
    channels: list[str] | None = None
    tags: list[str] | None = None
