"""What can happen to a delivery, and what it becomes.

Rule 1: every change of state is an entry of TRANSITIONS, or it is a bug.
Rule 2: this module never asks for the time or for chance. Both arrive inside the fact.
Rule 3: every step raises `version` by one; a store writes it only over the version it came from.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from homing.core.errors import IllegalTransition
from homing.core.identifiers import DeliveryId
from homing.core.retry import RetryPolicy, next_attempt_at_us

_new_id: Final = tuple.__new__
_replace: Final = msgspec.structs.replace


class State(StrEnum):
    """Where a delivery stands; also the columns of the ledger."""

    WAITING = "waiting"  #: for its next attempt, due at `ready_at_us`
    LEASED = "leased"  #: one dispatcher may attempt it; anyone's again at `ready_at_us`
    PARKED = "parked"  #: kept until its endpoint is enabled again
    DELIVERED = "delivered"  #: the receiver answered 2xx
    DEAD = "dead"  #: given up, with a reason; a person can redrive it
    CANCELLED = "cancelled"  #: withdrawn by somebody, who is named in `reason`


#: states whose row lives in the hot table; the others live in history
UNFINISHED: Final = frozenset({State.WAITING, State.LEASED, State.PARKED})


class DeadReason(StrEnum):
    """Why a delivery was given up: a closed set, also a metric label.

    The first five are how a retry schedule comes to its end, told apart by the last attempt.
    """

    ATTEMPTS_EXHAUSTED = "attempts_exhausted"  #: the receiver refused it, or was not to be reached
    DNS_FAILED = "dns_failed"  #: the endpoint's host has no address
    TLS_INVALID = "tls_invalid"  #: no handshake, or a certificate that proves nothing
    SSRF_BLOCKED = "ssrf_blocked"  #: the egress rules forbid the endpoint's address
    SIGN_FAILED = "sign_failed"  #: the endpoint has no key that opens
    POISON_WORKER_CRASH = "poison_worker_crash"  #: leased too often with no outcome recorded
    PAYLOAD_GONE = "payload_gone"  #: the payload was expunged before it was delivered


#: reasons that say that the retry schedule came to its end
SCHEDULE_ENDED: Final = frozenset(
    {
        DeadReason.ATTEMPTS_EXHAUSTED,
        DeadReason.DNS_FAILED,
        DeadReason.TLS_INVALID,
        DeadReason.SSRF_BLOCKED,
        DeadReason.SIGN_FAILED,
    }
)


class Delivery(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One message for one endpoint: the unit of account.

    Times are integer microseconds since 1970, UTC.
    """

    message_id: str
    endpoint_id: str
    app_id: str
    state: State
    accepted_at_us: int
    #: the fence: raised by one at each step
    version: int = 1
    #: waiting: when it is due; leased: when the lease runs out; otherwise None
    ready_at_us: int | None = None
    #: who has the lease; None unless leased
    holder: str | None = None
    #: leases given so far. A lease is one attempt written ahead, so this numbers the attempts
    leases: int = 0
    #: leases in a row that ended with no outcome recorded, the present one included
    unanswered: int = 0
    #: failed attempts of the present retry schedule
    failures: int = 0
    #: the next attempt, or the one under way, was asked for by a person
    manual: bool = False
    #: what a manual attempt goes back to when it fails; None unless manual
    resume: State | None = None
    #: its due time (resume is waiting) or the time it had finished (otherwise)
    resume_at_us: int | None = None
    #: dead: a DeadReason; cancelled: who and why; parked: why
    reason: str | None = None
    first_error: str | None = None
    last_error: str | None = None
    #: delivered, dead, cancelled: when; otherwise None
    finished_at_us: int | None = None

    @property
    def id(self) -> DeliveryId:
        # As DeliveryId(…), which is a call of a function in Python; this one is asked for often.
        return _new_id(DeliveryId, (self.message_id, self.endpoint_id))

    @property
    def is_unfinished(self) -> bool:
        return self.state in UNFINISHED


class _Fact(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    at_us: int  #: when it happened, by the clock of whoever saw it


class Leased(_Fact, frozen=True, kw_only=True, gc=False):
    """A dispatcher took it, until `until_us`."""

    holder: str
    until_us: int
    unanswered_max: int = 5  #: leases in a row without outcome after which it is given up


class Released(_Fact, frozen=True, kw_only=True, gc=False):
    """The holder gave the lease back without sending anything."""

    until_us: int | None = None  #: not to be sent before; None: at once


class Postponed(_Fact, frozen=True, kw_only=True, gc=False):
    """A dispatcher found it due, or its lease lapsed, and leaves it for later."""

    until_us: int


class Succeeded(_Fact, frozen=True, kw_only=True, gc=False):
    """The receiver answered 2xx."""


class Failed(_Fact, frozen=True, kw_only=True, gc=False):
    """An attempt ended in anything but 2xx."""

    chance: float  #: in [0, 1), drawn by the caller; spreads retries out
    error: str  #: one line, at most 200 characters
    retry_after_s: float | None = None  #: what the receiver asked for
    ends_as: DeadReason = DeadReason.ATTEMPTS_EXHAUSTED  #: the reason, if the schedule ends here


class Gone(_Fact, frozen=True, kw_only=True, gc=False):
    """The receiver answered 410: its endpoint is disabled, this delivery is kept for it."""

    error: str


class Parked(_Fact, frozen=True, kw_only=True, gc=False):
    """Its endpoint is disabled."""

    reason: str


class Resumed(_Fact, frozen=True, kw_only=True, gc=False):
    """Its endpoint was enabled again."""


class Lost(_Fact, frozen=True, kw_only=True, gc=False):
    """It can never be sent, for a reason of our own."""

    reason: DeadReason


class Cancelled(_Fact, frozen=True, kw_only=True, gc=False):
    """Somebody withdrew it."""

    actor: str  #: who and why, one line


class Resent(_Fact, frozen=True, kw_only=True, gc=False):
    """A person asked for one attempt now."""

    actor: str


class Redriven(_Fact, frozen=True, kw_only=True, gc=False):
    """A person asked for the whole schedule again."""

    actor: str


class Restored(_Fact, frozen=True, kw_only=True, gc=False):
    """Somebody took back that he discarded it: it is a dead letter again."""

    actor: str
    reason: DeadReason  #: why it had been given up


Fact = (
    Leased
    | Released
    | Postponed
    | Succeeded
    | Failed
    | Gone
    | Parked
    | Resumed
    | Lost
    | Cancelled
    | Resent
    | Redriven
    | Restored
)

_FINAL: Final = frozenset({State.DELIVERED, State.DEAD, State.CANCELLED})

#: (state before, fact) → the states that may follow
TRANSITIONS: Final[dict[tuple[State, type[_Fact]], frozenset[State]]] = {
    (State.WAITING, Leased): frozenset({State.LEASED}),
    # Whatever ends a manual attempt, a delivery that had finished before goes back to how it ended.
    (State.WAITING, Parked): frozenset({State.PARKED, *_FINAL}),
    (State.WAITING, Cancelled): frozenset({State.CANCELLED, *_FINAL}),
    (State.WAITING, Lost): frozenset({State.DEAD, *_FINAL}),
    (State.WAITING, Resent): frozenset({State.WAITING}),
    (State.WAITING, Postponed): frozenset({State.WAITING}),
    # A lease that ran out is taken by another; too often, and the delivery is quarantined, or goes
    # back to what was planned when it was a person who asked.
    (State.LEASED, Leased): frozenset({State.LEASED, State.WAITING, *_FINAL}),
    (State.LEASED, Released): frozenset({State.WAITING}),
    (State.LEASED, Postponed): frozenset({State.WAITING}),
    (State.LEASED, Succeeded): frozenset({State.DELIVERED}),
    (State.LEASED, Failed): frozenset({State.WAITING, *_FINAL}),
    (State.LEASED, Gone): frozenset({State.PARKED, *_FINAL}),
    (State.LEASED, Parked): frozenset({State.PARKED, *_FINAL}),
    (State.LEASED, Lost): frozenset({State.DEAD, *_FINAL}),
    (State.LEASED, Cancelled): frozenset({State.CANCELLED, *_FINAL}),
    (State.PARKED, Resumed): frozenset({State.WAITING}),
    (State.PARKED, Cancelled): frozenset({State.CANCELLED}),
    (State.PARKED, Lost): frozenset({State.DEAD}),
    (State.DELIVERED, Resent): frozenset({State.WAITING}),
    (State.DEAD, Resent): frozenset({State.WAITING}),
    (State.DEAD, Redriven): frozenset({State.WAITING}),
    (State.DEAD, Cancelled): frozenset({State.CANCELLED}),
    (State.CANCELLED, Resent): frozenset({State.WAITING}),
    (State.CANCELLED, Redriven): frozenset({State.WAITING}),
    (State.CANCELLED, Restored): frozenset({State.DEAD}),
}


def step(delivery: Delivery, fact: Fact, policy: RetryPolicy) -> Delivery:
    """The delivery as it is after `fact`; its version is one higher.

    Raises:
        IllegalTransition: `fact` cannot happen to a delivery in this state.
    """
    allowed = TRANSITIONS.get((delivery.state, type(fact)))
    if allowed is None:
        raise IllegalTransition(
            f"{type(fact).__name__} cannot happen to {delivery.id}, which is {delivery.state}"
        )
    after = _after(delivery, fact, policy)
    assert after.state in allowed, (delivery, fact, after.state)
    assert after.version == delivery.version + 1
    return after


def _after(delivery: Delivery, fact: Fact, policy: RetryPolicy) -> Delivery:
    if delivery.resume in _FINAL and isinstance(fact, _ENDS_A_RESEND):
        return _back(delivery, error=_error_of(fact))
    match fact:
        case Succeeded():
            return _finished(delivery, State.DELIVERED, fact.at_us, reason=None)
        case Leased():
            return _leased(delivery, fact)
        case Failed():
            return _failed(delivery, fact, policy)
        case Released():
            ready_at_us = fact.at_us if fact.until_us is None else fact.until_us
            return _waiting(delivery, ready_at_us, unanswered=max(delivery.unanswered - 1, 0))
        case Postponed():
            # Its lapsed leases still count: it was postponed because of them.
            return _waiting(delivery, fact.until_us)
        case Gone():
            return _parked(delivery, "the receiver answered 410 Gone", fact.error)
        case Parked():
            return _parked(delivery, fact.reason, None)
        case Resumed() | Redriven():
            # A receiver that comes back gets the whole schedule again.
            return _waiting(delivery, fact.at_us, failures=0, unanswered=0, reason=None)
        case Lost():
            return _finished(delivery, State.DEAD, fact.at_us, reason=fact.reason)
        case Cancelled():
            return _finished(delivery, State.CANCELLED, fact.at_us, reason=fact.actor)
        case Resent():
            return _resent(delivery, fact)
        case Restored():
            # Its time as a dead letter begins anew: what was taken back must not expire at once.
            return _finished(delivery, State.DEAD, fact.at_us, reason=fact.reason)


#: facts that end the manual attempt of a delivery that had finished before
_ENDS_A_RESEND: Final = (Failed, Gone, Parked, Lost, Cancelled)


def _error_of(fact: Failed | Gone | Parked | Lost | Cancelled) -> str | None:
    match fact:
        case Failed() | Gone():
            return fact.error
        case Lost():
            return str(fact.reason)
        case Parked() | Cancelled():
            return None


def _changed(delivery: Delivery, **fields: object) -> Delivery:
    changed: Delivery = _replace(delivery, version=delivery.version + 1, **fields)
    return changed


def _leased(delivery: Delivery, fact: Leased) -> Delivery:
    # Only when the last lease lapsed: one that was given back tells nothing against the delivery,
    # even where the bound has been lowered since.
    if delivery.state is State.LEASED and delivery.unanswered >= fact.unanswered_max:
        if delivery.manual:
            return _back(delivery, error=DeadReason.POISON_WORKER_CRASH)
        return _finished(delivery, State.DEAD, fact.at_us, reason=DeadReason.POISON_WORKER_CRASH)
    leased: Delivery = _replace(  # as _changed, without a detour on the hot path
        delivery,
        version=delivery.version + 1,
        state=State.LEASED,
        ready_at_us=fact.until_us,
        holder=fact.holder,
        leases=delivery.leases + 1,
        unanswered=delivery.unanswered + 1,
    )
    return leased


def _failed(delivery: Delivery, fact: Failed, policy: RetryPolicy) -> Delivery:
    if delivery.manual:
        return _back(delivery, error=fact.error)
    errors = {"first_error": delivery.first_error or fact.error, "last_error": fact.error}
    due_at_us = next_attempt_at_us(
        policy, delivery.failures, fact.at_us, fact.chance, fact.retry_after_s
    )
    if due_at_us is None:
        return _finished(
            delivery,
            State.DEAD,
            fact.at_us,
            reason=fact.ends_as,
            failures=delivery.failures + 1,
            **errors,
        )
    return _waiting(delivery, due_at_us, failures=delivery.failures + 1, unanswered=0, **errors)


def _back(delivery: Delivery, *, error: str | None) -> Delivery:
    """A manual attempt failed: what the machine had planned, or had finished, stands."""
    assert delivery.resume is not None
    assert delivery.resume_at_us is not None
    after = {
        "manual": False,
        "resume": None,
        "resume_at_us": None,
        "unanswered": 0,
        "holder": None,
        "first_error": delivery.first_error or error,
        "last_error": error or delivery.last_error,
    }
    if delivery.resume is State.WAITING:
        return _changed(delivery, state=State.WAITING, ready_at_us=delivery.resume_at_us, **after)
    return _changed(
        delivery,
        state=delivery.resume,
        ready_at_us=None,
        finished_at_us=delivery.resume_at_us,
        **after,
    )


def _resent(delivery: Delivery, fact: Resent) -> Delivery:
    if delivery.manual:  # asked for twice before it was tried: one attempt serves both
        return _changed(delivery, ready_at_us=fact.at_us)
    resume_at_us = (
        delivery.ready_at_us if delivery.state is State.WAITING else delivery.finished_at_us
    )
    return _changed(
        delivery,
        state=State.WAITING,
        ready_at_us=fact.at_us,
        finished_at_us=None,
        manual=True,
        resume=delivery.state,
        resume_at_us=resume_at_us,
    )


def _waiting(delivery: Delivery, ready_at_us: int, **fields: object) -> Delivery:
    waiting: Delivery = _replace(
        delivery,
        version=delivery.version + 1,
        state=State.WAITING,
        ready_at_us=ready_at_us,
        holder=None,
        finished_at_us=None,
        **fields,
    )
    return waiting


def _parked(delivery: Delivery, reason: str, error: str | None) -> Delivery:
    return _changed(
        delivery,
        state=State.PARKED,
        ready_at_us=None,
        holder=None,
        unanswered=0,
        manual=False,
        resume=None,
        resume_at_us=None,
        reason=reason,
        first_error=delivery.first_error or error,
        last_error=error or delivery.last_error,
    )


def _finished(
    delivery: Delivery, state: State, at_us: int, *, reason: str | None, **fields: object
) -> Delivery:
    finished: Delivery = _replace(
        delivery,
        version=delivery.version + 1,
        state=state,
        ready_at_us=None,
        holder=None,
        unanswered=0,
        manual=False,
        resume=None,
        resume_at_us=None,
        reason=reason,
        finished_at_us=at_us,
        **fields,
    )
    return finished


def diagram() -> str:
    """The transition table as a Mermaid state diagram, one arrow a line, in a stable order."""
    arrows = sorted(
        f"    {before} --> {after}: {fact.__name__}"
        for (before, fact), afters in TRANSITIONS.items()
        for after in afters
    )
    return "\n".join(["stateDiagram-v2", *arrows])
