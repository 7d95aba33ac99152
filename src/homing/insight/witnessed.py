"""What must hold between the books and those who saw what happened, as named functions. Pure.

As `invariants`, and asked with what publishers were told, what receivers saw, and what a follower
of the log was shown: no row can change that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from homing.core.identifiers import DeliveryId
from homing.core.lifecycle import State
from homing.core.outcome import Reason
from homing.core.plurals import plural
from homing.insight.evidence import Books, Breach, id_of, said


def nothing_is_lost(books: Books) -> list[Breach]:
    """Every delivery that a publisher was promised is in one of the tables."""
    return [
        Breach(
            invariant="nothing_is_lost",
            delivery=which,
            text="a publisher was told that it is accepted, and it is in no table",
            before="accepted",
            after="in no table",
        )
        for which in books.promised
        if which not in books.hot and which not in books.history
    ]


def every_send_is_written_ahead(books: Books) -> list[Breach]:
    """Whoever sends has a lease on disk first: as many leases as there are requests."""
    leased = {
        ((line.message_id, line.endpoint_id), line.lease_epoch, line.holder)
        for line in books.lines
        if line.to_state is State.LEASED and line.rows_written
    }
    sends = [(one.delivery, one.epoch, one.holder) for one in books.sent]
    if leased.issuperset(sends) and len(set(sends)) == len(sends):
        return []
    times = Counter(sends)
    return [
        Breach(
            invariant="every_send_is_written_ahead",
            delivery=which,
            text=f"{holder} made {plural(count, 'request')} under lease {epoch}, "
            + ("one is allowed" if (which, epoch, holder) in leased else "which it never had"),
            before=f"lease {epoch}",
            after=plural(count, "request"),
        )
        for (which, epoch, holder), count in times.items()
        if count > 1 or (which, epoch, holder) not in leased
    ]


def delivered_means_2xx(books: Books) -> list[Breach]:
    """What is delivered was answered 2xx by its receiver, and an attempt says so."""
    ok_rows = {(a.message_id, a.endpoint_id) for a in books.attempts if a.reason is Reason.OK}
    ok_seen = {s.delivery for s in books.sent if s.status is not None and s.status // 100 == 2}
    return [
        Breach(
            invariant="delivered_means_2xx",
            delivery=which,
            text="it is delivered, and "
            + (
                "its receiver never answered 2xx"
                if which not in ok_seen
                else "no attempt that succeeded is recorded"
            ),
            before="no 2xx",
            after=said(row),
        )
        for which, row in books.history.items()
        if row.state is State.DELIVERED and (which not in ok_rows or which not in ok_seen)
    ]


def every_answer_is_recorded(books: Books) -> list[Breach]:
    """What a sender that lives saw come back is an attempt row, with that status."""
    recorded = {((a.message_id, a.endpoint_id), a.number, a.status) for a in books.attempts}
    return [
        Breach(
            invariant="every_answer_is_recorded",
            delivery=one.delivery,
            text=f"{one.holder} saw {one.status} under lease {one.epoch}, and no attempt says so",
            before=f"answered {one.status}",
            after="no attempt row",
        )
        for one in books.sent
        if one.answered and (one.delivery, one.epoch, one.status) not in recorded
    ]


def every_2xx_leaves_a_trace(books: Books) -> list[Breach]:
    """For each 2xx that a receiver gave there is an attempt row, be it one with no outcome."""
    recorded = {((one.message_id, one.endpoint_id), one.number) for one in books.attempts}
    return [
        Breach(
            invariant="every_2xx_leaves_a_trace",
            delivery=one.delivery,
            text=f"its receiver answered {one.status} under lease {one.epoch}, and no attempt row "
            "tells of it",
            before=f"answered {one.status}",
            after="no attempt row",
        )
        for one in books.sent
        if one.status is not None
        and one.status // 100 == 2
        and (one.delivery, one.epoch) not in recorded
    ]


def more_2xx_than_attempts(
    answered: Mapping[DeliveryId, int], made: Mapping[DeliveryId, int]
) -> list[Breach]:
    """`every_2xx_leaves_a_trace` where only numbers are known: of 2xx given, and of attempts."""
    return [
        Breach(
            invariant=every_2xx_leaves_a_trace.__name__,
            delivery=which,
            text=f"its receiver answered 2xx {plural(count, 'time')}, and attempts made: "
            f"{made.get(which, 0)}",
            before=plural(count, "answer"),
            after=plural(made.get(which, 0), "attempt"),
        )
        for which, count in answered.items()
        if made.get(which, 0) < count
    ]


def followers_see_every_line(books: Books) -> list[Breach]:
    """Whoever follows the delivery log was shown every line of it."""
    if books.followed is None:
        return []
    committed = [(line.holder, line.sequence) for line in books.lines]
    if set(books.followed).issuperset(committed):
        return []
    return [
        Breach(
            invariant="followers_see_every_line",
            delivery=id_of(line),
            text=f"the line of {line.op} by {line.holder} was committed, and no follower of the "
            "log was ever shown it",
            before="committed",
            after="passed over",
        )
        for line in books.lines
        if (line.holder, line.sequence) not in books.followed
    ]
