"""Turns decisions into changes that carry their line of the delivery log."""

from __future__ import annotations

from itertools import count
from typing import Any

from homing.core.lifecycle import TRANSITIONS, Delivery, Fact, State, step
from homing.core.ports import Clock
from homing.core.records import Attempt, Change, LogEntry
from homing.core.retry import RetryPolicy

_NO_SCHEDULE = RetryPolicy(delays_s=())
#: what a line of the log calls each kind of fact
_OPS = {kind: kind.__name__.lower() for _, kind in TRANSITIONS}


class Journal:
    """The pen of one process: knows its name and numbers its lines.

    Args:
        holder: names this process among all that ever ran.
    """

    def __init__(self, clock: Clock, holder: str) -> None:
        self.clock = clock
        self.holder = holder
        self._sequence = count(1)

    def decide(
        self,
        before: Delivery,
        fact: Fact,
        policy: RetryPolicy = _NO_SCHEDULE,
        *,
        attempt: Attempt | None = None,
        actor: str | None = None,
        config_version: int | None = None,
    ) -> Change:
        """What `fact` makes of the delivery, ready to be written.

        Args:
            policy: only a failed attempt needs one.
            attempt: the request that led to the fact, if one was made.
            actor: the person or rule behind it, when not the dispatcher's routine.
            config_version: of the endpoint that the attempt was made for.

        Raises:
            IllegalTransition: the fact cannot happen to a delivery in this state.
        """
        after = step(before, fact, policy)
        entry = self._entry(_OPS[type(fact)], before, after, attempt, actor, config_version)
        return Change(before=before, after=after, entry=entry, attempt=attempt)

    def accepted(self, delivery: Delivery, *, config_version: int | None = None) -> LogEntry:
        """The line for a delivery accepted together with its message.

        Args:
            config_version: of the application, whose endpoints decided the fan-out.
        """
        return self._entry("accepted", None, delivery, None, None, config_version)

    def added(self, delivery: Delivery, *, actor: str) -> Change:
        """A delivery of an earlier message to one more endpoint."""
        entry = self._entry("added", None, delivery, None, actor, None)
        return Change(before=None, after=delivery, entry=entry)

    def _entry(
        self,
        op: str,
        before: Delivery | None,
        after: Delivery,
        attempt: Attempt | None,
        actor: str | None,
        config_version: int | None,
    ) -> LogEntry:
        clock = self.clock
        made: Any = attempt or _NoAttempt
        return LogEntry(  # by position: see there
            clock.now_us(),
            clock.mono_us(),
            self.holder,
            next(self._sequence),
            op,
            after.message_id,
            after.endpoint_id,
            after.app_id,
            before.state if before else None,
            after.state,
            before.version if before else 0,
            after.version,
            1,  # rows_written
            after.leases,
            after.ready_at_us,
            made.id,
            made.number,
            made.request_bytes,
            made.status,
            made.first_byte_us,
            made.total_us,
            made.reason,
            after.reason,
            actor,
            config_version,
            before.ready_at_us if before and attempt is None and op == "leased" else None,
        )


class _NoAttempt:
    """What a line says of the attempt behind it, where there was none."""

    id = number = request_bytes = status = first_byte_us = total_us = reason = None


def newborn(
    *,
    message_id: str,
    endpoint_id: str,
    app_id: str,
    at_us: int,
    parked: str | None = None,
    due_at_us: int | None = None,
) -> Delivery:
    """A delivery as it is accepted: due at once or at a time, or parked for the given reason."""
    return Delivery(
        message_id=message_id,
        endpoint_id=endpoint_id,
        app_id=app_id,
        state=State.PARKED if parked else State.WAITING,
        accepted_at_us=at_us,
        ready_at_us=None if parked else max(at_us, due_at_us or 0),
        reason=parked,
    )


def born_leased(
    *, message_id: str, endpoint_id: str, app_id: str, at_us: int, holder: str, until_us: int
) -> Delivery:
    """A newborn that is due at once, already leased to the process that accepts it.

    It has version 1: it is stored once, so nobody has ever seen it waiting.
    """
    return Delivery(
        message_id=message_id,
        endpoint_id=endpoint_id,
        app_id=app_id,
        state=State.LEASED,
        accepted_at_us=at_us,
        ready_at_us=until_us,
        holder=holder,
        leases=1,
        unanswered=1,
    )
