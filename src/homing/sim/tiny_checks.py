"""What must hold in a tiny world: of every delivery at every moment, and of every write. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from homing.core.lifecycle import SCHEDULE_ENDED, DeadReason, State
from homing.core.outcome import Reason
from homing.core.queries import LedgerRow
from homing.insight.ledger import imbalance
from homing.sim.tiny_world import (
    DISPATCHERS,
    Bounds,
    Lot,
    Phase,
    Recorded,
    Write,
)

# ── what must hold of every delivery, at every moment; each gives a complaint or None ──


def is_in_one_place(lot: Lot) -> str | None:
    """It is in the hot table or in history: never in both, never in neither."""
    hot, history = lot.tables.hot, lot.tables.history
    if hot is None and history is None:
        return "the delivery is in neither table: lost"
    if hot is not None and history is not None:
        return "the delivery is in both tables"
    if hot is not None and not hot.is_unfinished:
        return f"the hot table has a delivery that is {hot.state}"
    if history is not None and history.is_unfinished:
        return f"history has a delivery that is {history.state}"
    return None


def is_found_by_somebody(lot: Lot) -> str | None:
    """Unfinished: the claim finds it by its due time, or the sweeper by its being parked."""
    row = lot.tables.hot
    if row is not None and (row.ready_at_us is None) != (row.state is State.PARKED):
        return f"it is {row.state} with ready_at_us {row.ready_at_us}: no query selects it"
    return None


def has_a_reason(lot: Lot) -> str | None:
    """Dead and cancelled deliveries say why."""
    row = lot.tables.history
    if row is not None and row.state is not State.DELIVERED and not row.reason:
        return f"it is {row.state} without a reason"
    return None


def has_one_owner_per_epoch(lot: Lot) -> str | None:
    """No two dispatchers hold the same lease."""
    epochs = [hand.before.leases for hand in lot.hands[:DISPATCHERS] if hand is not None]
    if len(epochs) != len(set(epochs)):
        return f"two dispatchers hold lease {epochs[0]}"
    return None


def is_written_ahead(lot: Lot) -> str | None:
    """Whoever has sent a request did so under a lease that was on disk before."""
    for hand in lot.hands[:DISPATCHERS]:
        if hand is not None and hand.phase is Phase.SENT and hand.before.state is not State.LEASED:
            return f"a request went out for a delivery that is {hand.before.state}"
    return None


def will_be_recorded(lot: Lot) -> str | None:
    """Each request is recorded, or will be: by whoever made it, or by the next claim."""
    row = lot.tables.row
    held = {hand.before.leases for hand in lot.hands[:DISPATCHERS] if hand is not None}
    if row is not None and row.state is State.LEASED:
        held.add(row.leases)
    if lot.unrecorded - held:
        return "a request went out that nobody has recorded, and nobody will"
    return None


def balances(lot: Lot) -> str | None:
    """The ledger: accepted = delivered + dead + cancelled + parked + leased + waiting."""
    rows = [row for row in (lot.tables.hot, lot.tables.history) if row is not None]
    counts = {str(state): sum(row.state is state for row in rows) for state in State}
    books = LedgerRow(endpoint_id="ep_1", app_id="app_1", window_at_us=0, accepted=1, **counts)
    return f"the ledger is out by {imbalance(books)}" if imbalance(books) else None


# ── what must hold of every write ──


def is_no_stale_write(write: Write) -> str | None:
    """Only a decision on the present version changes the row."""
    row, left = write.before.row, write.after.row
    before = write.change.before
    assert before is not None
    if row is not None and row.version != before.version and left != row:
        return f"a decision on version {before.version} was written over version {row.version}"
    return None


def only_goes_on(write: Write) -> str | None:
    """The version rises by one with each change of the row; leases are never counted down."""
    row, left = write.before.row, write.after.row
    if row is None or left is None or row == left:
        return None
    if left.version != row.version + 1:
        return f"version {row.version} became version {left.version}"
    if left.leases < row.leases:
        return f"lease {row.leases} was followed by lease {left.leases}"
    return None


def answers_truly(write: Write) -> str | None:
    """The store says "written" of what it wrote now or before, and of nothing else."""
    if write.before.row != write.after.row and not write.answer:
        return "the row changed, and the store said that nothing was written"
    if not write.answer or write.before.row != write.after.row:
        return None
    attempt = write.change.attempt
    if attempt is None:
        was_written = write.after.row == write.change.after
    else:
        was_written = Recorded(attempt.number, True, False) in write.before.attempts
    return None if was_written else "the store said “written” of what it never wrote"


def stays_final(write: Write) -> str | None:
    """What has ended is changed by a person only."""
    row, left = write.before.row, write.after.row
    if row is None or row.is_unfinished or row == left:
        return None
    actor = write.change.entry.op
    if actor in ("resent", "redriven", "cancelled"):
        return None
    return f"it was {row.state}, and “{actor}” made it {left.state if left else 'nothing'}"


def is_delivered_only_by_2xx(write: Write) -> str | None:
    """Delivered is what a receiver said, or what a resend of it goes back to."""
    before, after = write.change.before, write.change.after
    assert before is not None
    if after.state is not State.DELIVERED or before.resume is State.DELIVERED:
        return None
    attempt = write.change.attempt
    if attempt is None or attempt.reason is not Reason.OK:
        return "it is delivered, and no receiver answered 2xx"
    return None


def keeps_the_machine_at_work(write: Write) -> str | None:
    """A manual attempt that fails leaves what the machine had planned, or how it had ended."""
    before, after = write.change.before, write.change.after
    assert before is not None
    if not before.manual or after.manual or write.change.entry.op in ("succeeded", "cancelled"):
        return None
    if before.resume is State.WAITING and after.is_unfinished:
        return None
    if before.resume is State.WAITING and write.change.entry.op == "lost":
        return None
    if before.resume == after.state and before.failures == after.failures:
        return None
    return f"a resend ended, and what was {before.resume} is {after.state}"


def is_given_up_when_due(bounds: Bounds, write: Write) -> str | None:
    """Dead exactly when the schedule is at its end, or when nobody answers for its leases."""
    before, after = write.change.before, write.change.after
    assert before is not None
    if after.state is not State.DEAD or before.manual or not before.is_unfinished:
        return None
    if after.reason in SCHEDULE_ENDED and after.failures <= bounds.retries:
        return f"it was given up after {after.failures} failures"
    if after.reason == DeadReason.POISON_WORKER_CRASH and before.unanswered < bounds.unanswered:
        return f"it was given up after {before.unanswered} lapsed leases"
    return None


LOT_CHECKS: Final[tuple[Callable[[Lot], str | None], ...]] = (
    is_in_one_place,
    is_found_by_somebody,
    has_a_reason,
    has_one_owner_per_epoch,
    is_written_ahead,
    will_be_recorded,
    balances,
)
WRITE_CHECKS: Final[tuple[Callable[[Write], str | None], ...]] = (
    is_no_stale_write,
    only_goes_on,
    answers_truly,
    stays_final,
    is_delivered_only_by_2xx,
    keeps_the_machine_at_work,
)


def complaint_of_lot(lot: Lot) -> tuple[str, str] | None:
    for check in LOT_CHECKS:
        complaint = check(lot)
        if complaint is not None:
            return check.__name__, complaint
    return None


def complaint_of_write(bounds: Bounds, write: Write) -> tuple[str, str] | None:
    for check in WRITE_CHECKS:
        complaint = check(write)
        if complaint is not None:
            return check.__name__, complaint
    complaint = is_given_up_when_due(bounds, write)
    return None if complaint is None else (is_given_up_when_due.__name__, complaint)
