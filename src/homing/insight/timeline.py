"""The life of one delivery as a person reads it: its moments, its attempts, what is to come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from homing.core.lifecycle import Delivery, State
from homing.core.outcome import Reason
from homing.core.records import Attempt, LogEntry
from homing.core.retry import RetryPolicy


class Moment(NamedTuple):
    """Something that happened to a delivery."""

    at_us: int
    title: str  #: what happened, in a few words
    about: str  #: what follows from it; may be empty
    tone: str  #: good, busy, wait, warn, bad or off
    attempt: Attempt | None  #: the request that was made, if one was
    actor: str | None  #: the person or rule behind it, when not the dispatcher's routine
    holder: str | None  #: the process that wrote it down; None: known by its attempt alone
    next_us: int | None = None  #: when it is due again because of this


class Stage(NamedTuple):
    """A part of an attempt, in microseconds from its start."""

    name: str
    begin_us: int
    end_us: int
    failed: bool  #: the attempt ended here


class Planned(NamedTuple):
    """An attempt that comes unless one before it succeeds."""

    number: int  #: of the delivery's attempts
    earliest_us: int
    latest_us: int
    is_last: bool  #: if it fails too, the delivery is given up


#: fact → (title, tone); what is not here is told by more than its name
_TITLES: Final = {
    "parked": ("Parked", "off"),
    "resumed": ("Resumed: its endpoint was enabled", "wait"),
    "released": ("Given back unsent", "wait"),
    "postponed": ("Put off", "wait"),
    "lost": ("Given up", "bad"),
    "cancelled": ("Cancelled", "off"),
    "resent": ("Resend asked for", "wait"),
    "redriven": ("Redriven: the whole schedule begins again", "wait"),
    "restored": ("Brought back: a dead letter again", "bad"),
}

#: where an attempt ended that came to no answer
_LOOK_UP: Final = frozenset({Reason.DNS_FAILED, Reason.ADDRESS_BLOCKED})
_CONNECT: Final = frozenset({Reason.CONNECT_REFUSED, Reason.CONNECT_FAILED, Reason.CONNECT_TIMEOUT})
_TLS: Final = frozenset({Reason.TLS_FAILED, Reason.TLS_TIMEOUT})
#: no request was begun
_NOT_BEGUN: Final = frozenset({Reason.URL_INVALID, Reason.SIGN_FAILED, Reason.NO_OUTCOME})
#: nothing of the request can have reached anybody
_NOT_LEFT: Final = _LOOK_UP | _CONNECT | _TLS | {Reason.URL_INVALID, Reason.SIGN_FAILED}


def timeline(
    delivery: Delivery, lines: Sequence[LogEntry], attempts: Sequence[Attempt]
) -> list[Moment]:
    """What happened, oldest first.

    Args:
        delivery: as it is now.
        lines: of the log, as `Searching.life` gives them: without the routine.
        attempts: all that are stored, or the newest of them.
    """
    by_id = {attempt.id: attempt for attempt in attempts}
    moments = [_of_line(line, by_id.pop(line.attempt_id or "", None)) for line in lines]
    if not any(line.from_state is None for line in lines):
        moments.append(_accepted(delivery))
    moments += [_of_attempt(attempt) for attempt in by_id.values()]
    return sorted(moments, key=lambda moment: moment.at_us)


def _accepted(delivery: Delivery) -> Moment:
    text = "its line of the log is beyond its retention"
    return Moment(delivery.accepted_at_us, "Accepted", text, "wait", None, None, None)


def _of_line(line: LogEntry, attempt: Attempt | None) -> Moment:
    if line.from_state is None:
        return _born(line)
    at_us = line.at_us if attempt is None else attempt.at_us
    next_us = line.ready_at_us if line.to_state is State.WAITING else None
    if not line.rows_written:
        title, tone = _attempted(line, "A late outcome"), "warn"
        about = "it came after its lease had ended, so it changed nothing"
        return Moment(at_us, title, about, tone, attempt, line.actor, line.holder)
    if line.op in ("failed", "gone", "succeeded"):
        tone = "good" if line.to_state is State.DELIVERED else _TONES.get(line.to_state, "warn")
        title = _attempted(line, f"Attempt {line.attempt_no}")
        about = _about(line)
        return Moment(at_us, title, about, tone, attempt, line.actor, line.holder, next_us)
    if line.op == "leased":
        title, about = "A lease ran out with no outcome recorded", _about(line)
        if line.to_state is State.LEASED:
            about = "another process took it; its receiver may have had it already"
        return Moment(at_us, title, about, "warn", attempt, line.actor, line.holder, next_us)
    title, tone = _TITLES.get(line.op, (line.op.capitalize(), "wait"))
    return Moment(at_us, title, _about(line), tone, attempt, line.actor, line.holder, next_us)


#: of an attempt that failed, by where that led
_TONES: Final = {State.DEAD: "bad", State.PARKED: "off", State.CANCELLED: "off"}


def _born(line: LogEntry) -> Moment:
    title = "Accepted" if line.op == "accepted" else "Added: the endpoint gets an earlier message"
    about = {
        State.LEASED: "by the process that sent it at once",
        State.PARKED: line.reason or "its endpoint is disabled",
    }.get(line.to_state, "")
    next_us = line.ready_at_us if line.to_state is State.WAITING else None
    if next_us is not None and next_us <= line.at_us:
        next_us = None
    tone = "off" if line.to_state is State.PARKED else "wait"
    return Moment(line.at_us, title, about, tone, None, line.actor, line.holder, next_us)


def _attempted(line: LogEntry, what: str) -> str:
    if line.status is not None:
        return f"{what}: status {line.status}"
    return f"{what}: {reason_words(line.outcome)}" if line.outcome is not None else what


def _about(line: LogEntry) -> str:
    match line.to_state:
        case State.DEAD:
            return f"given up: {dead_words(line.reason)}"
        case State.PARKED:
            return f"kept until its endpoint is enabled: {line.reason or 'it is disabled'}"
        case State.CANCELLED:
            return line.reason or ""
        case _:
            return ""


def _of_attempt(attempt: Attempt) -> Moment:
    """One that no line told of: it went well, or its line is gone."""
    if attempt.status is not None:
        title = f"Attempt {attempt.number}: status {attempt.status}"
    else:
        title = f"Attempt {attempt.number}: {reason_words(attempt.reason)}"
    is_good = attempt.reason is Reason.OK and not attempt.late
    about = "it came late, and changed nothing" if attempt.late else ""
    return Moment(
        attempt.at_us, title, about, "good" if is_good else "warn", attempt, None, None, None
    )


_REASONS: Final = {
    Reason.OK: "answered 2xx",
    Reason.STATUS: "another status",
    Reason.DNS_FAILED: "the host name was not found",
    Reason.ADDRESS_BLOCKED: "the address is not allowed",
    Reason.CONNECT_REFUSED: "the connection was refused",
    Reason.CONNECT_FAILED: "no connection",
    Reason.CONNECT_TIMEOUT: "no connection in time",
    Reason.TLS_FAILED: "no secure connection",
    Reason.TLS_TIMEOUT: "no secure connection in time",
    Reason.FIRST_BYTE_TIMEOUT: "no answer in time",
    Reason.IDLE_TIMEOUT: "the answer stalled",
    Reason.TOTAL_TIMEOUT: "it took too long in all",
    Reason.RESET: "the connection broke",
    Reason.GARBAGE: "the answer was not HTTP",
    Reason.URL_INVALID: "the URL cannot be used",
    Reason.SIGN_FAILED: "it could not be signed",
    Reason.NO_OUTCOME: "no outcome was recorded",
}


def reason_words(reason: Reason) -> str:
    """What an attempt came to, for people."""
    return _REASONS[reason]


_DEAD: Final = {
    "attempts_exhausted": "the last attempt of its schedule failed",
    "dns_failed": "its host has no address",
    "tls_invalid": "no secure connection could be made",
    "ssrf_blocked": "its address is not allowed",
    "sign_failed": "it could not be signed",
    "poison_worker_crash": "too many leases ran out with no outcome",
    "payload_gone": "its payload was deleted",
}


def dead_words(reason: str | None) -> str:
    """Why a delivery was given up, for people."""
    return _DEAD.get(reason or "", reason or "no reason was recorded")


def may_have_left(attempt: Attempt) -> bool:
    """Whether any of the request may have gone out: false where there was nobody to send it to."""
    return attempt.reason not in _NOT_LEFT


def waterfall(attempt: Attempt) -> list[Stage]:
    """Where an attempt's time went: stages that touch, from its start to its end.

    Empty when no request was begun. Without `opening` the request went out on a connection that
    was open already, so waiting for the answer is its first stage.
    """
    reason, total_us = attempt.reason, attempt.total_us
    if reason in _NOT_BEGUN:
        return []
    names = ["Look-up", "Connect", "TLS"]
    ends: list[tuple[str, int]] = []
    if attempt.opening is not None:
        marks = [mark for mark in attempt.opening if mark is not None]
        ends = list(zip(names, marks, strict=False))
    if reason in _LOOK_UP:
        ends = [("Look-up", total_us)]
    elif reason in _CONNECT:
        ends.append(("Connect", total_us))
    elif reason in _TLS:
        ends.append(("TLS", total_us))
    elif attempt.first_byte_us is None:
        ends.append(("Waiting for the answer", total_us))
    else:
        ends.append(("Waiting for the answer", attempt.first_byte_us))
        ends.append(("Reading the answer", total_us))
    stages: list[Stage] = []
    begin_us = 0
    for name, end_us in ends:
        end = max(begin_us, min(end_us, total_us))
        stages.append(Stage(name, begin_us, end, failed=False))
        begin_us = end
    if reason not in (Reason.OK, Reason.STATUS):
        stages[-1] = stages[-1]._replace(failed=True)
    return stages


def to_come(delivery: Delivery, policy: RetryPolicy, *, most: int = 20) -> list[Planned]:
    """The attempts that come, in turn, each unless one before it succeeds.

    The first is due at a time; those after it are spread by the policy's jitter, and a receiver
    may put them off (Retry-After). A resend that a person asked for comes before them, and does
    not move them.

    Args:
        policy: the endpoint's schedule.
        most: how many at most.
    """
    if delivery.state is not State.WAITING or delivery.ready_at_us is None:
        return []
    planned: list[Planned] = []
    number = delivery.leases + 1
    due_us = delivery.ready_at_us
    if delivery.manual:
        planned.append(Planned(number, due_us, due_us, is_last=False))
        if delivery.resume is not State.WAITING or delivery.resume_at_us is None:
            return planned
        number, due_us = number + 1, delivery.resume_at_us
    earliest = latest = float(due_us)
    delays_s = policy.delays_s[delivery.failures :]
    for place in range(len(delays_s) + 1):
        is_last = place == len(delays_s)
        planned.append(Planned(number + place, round(earliest), round(latest), is_last))
        if is_last or len(planned) >= most:
            break
        delay_us = delays_s[place] * 1_000_000
        earliest += delay_us * (1 - policy.jitter)
        latest += delay_us * (1 + policy.jitter)
    return planned
