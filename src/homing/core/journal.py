"""Turns decisions into changes that carry their line of the delivery log."""

from __future__ import annotations

from itertools import count

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
        if attempt is None:
            return LogEntry(
                at_us=clock.now_us(),
                mono_us=clock.mono_us(),
                holder=self.holder,
                sequence=next(self._sequence),
                op=op,
                message_id=after.message_id,
                endpoint_id=after.endpoint_id,
                app_id=after.app_id,
                from_state=before.state if before else None,
                to_state=after.state,
                version_before=before.version if before else 0,
                version_after=after.version,
                rows_written=1,
                lease_epoch=after.leases,
                ready_at_us=after.ready_at_us,
                reason=after.reason,
                actor=actor,
                config_version=config_version,
                due_at_us=before.ready_at_us if before and op == "leased" else None,
            )
        return LogEntry(
            at_us=clock.now_us(),
            mono_us=clock.mono_us(),
            holder=self.holder,
            sequence=next(self._sequence),
            op=op,
            message_id=after.message_id,
            endpoint_id=after.endpoint_id,
            app_id=after.app_id,
            from_state=before.state if before else None,
            to_state=after.state,
            version_before=before.version if before else 0,
            version_after=after.version,
            rows_written=1,
            lease_epoch=after.leases,
            ready_at_us=after.ready_at_us,
            attempt_id=attempt.id,
            attempt_no=attempt.number,
            request_bytes=attempt.request_bytes,
            status=attempt.status,
            first_byte_us=attempt.first_byte_us,
            total_us=attempt.total_us,
            outcome=attempt.reason,
            reason=after.reason,
            actor=actor,
            config_version=config_version,
        )


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


def born_leased(delivery: Delivery, *, holder: str, until_us: int) -> Delivery:
    """The same newborn, already leased to the process that accepts it.

    It keeps version 1: it is stored once, so nobody has ever seen another.
    """
    assert delivery.version == 1
    assert delivery.state is State.WAITING
    return Delivery(
        message_id=delivery.message_id,
        endpoint_id=delivery.endpoint_id,
        app_id=delivery.app_id,
        state=State.LEASED,
        accepted_at_us=delivery.accepted_at_us,
        ready_at_us=until_us,
        holder=holder,
        leases=1,
        unanswered=1,
    )
