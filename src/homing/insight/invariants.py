"""What must hold of rows and delivery log by themselves, as named functions. Pure.

Each function is one invariant: it looks at the books and answers with what it found wrong, an empty
list when all is well. Simulation, end-to-end tests and `homing audit` ask the same ones. What takes
witnesses, at the ends or in the world, is in `witnessed`; what takes one line or one row, in
`steps`; which of the promises each belongs to, in `promises`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence

from homing.core.lifecycle import SCHEDULE_ENDED, DeadReason, Delivery, State
from homing.core.outcome import Reason
from homing.core.plurals import plural
from homing.core.queries import LedgerRow, Misfit
from homing.core.records import LogEntry, Trigger
from homing.insight import steps
from homing.insight.evidence import Books, Breach, id_of, said
from homing.insight.ledger import imbalance

#: as good a key as a DeliveryId, equal to it, and made in a tenth of the time
_Key = tuple[str, str]


def nothing_is_doubled(books: Books) -> list[Breach]:
    """No delivery is in the hot table and in history at once."""
    return [
        Breach(
            invariant="nothing_is_doubled",
            delivery=which,
            text="it is in the hot table and in history at once",
            before=said(books.hot[which]),
            after=said(books.history[which]),
        )
        for which in books.hot
        if which in books.history
    ]


def unfinished_is_due(books: Books) -> list[Breach]:
    """Waiting and leased rows have a due time, leased ones a holder; parked and final ones none."""
    return [
        *(found for row in books.hot.values() if (found := steps.misshapen(row, hot=True))),
        *(found for row in books.history.values() if (found := steps.misshapen(row, hot=False))),
    ]


def due_within_reach(books: Books) -> list[Breach]:
    """No delivery is put off for longer than the longest delay there is.

    After an attempt that a person asked for, what was planned before stands, by whoever's clock.
    """
    if not books.delay_max_us:
        return []
    most_us = books.delay_max_us
    far = [
        line
        for line in books.lines
        if line.op == "failed"
        and line.to_state is State.WAITING
        and line.rows_written
        and line.ready_at_us is not None
        and line.ready_at_us - line.at_us > most_us
    ]
    if not far:
        return []
    manual = {one.id for one in books.attempts if one.trigger is Trigger.MANUAL}
    return [
        Breach(
            invariant="due_within_reach",
            delivery=id_of(line),
            text=f"it is put off for {(line.ready_at_us - line.at_us) / 1e6:.0f} s, "
            f"and nothing may be for more than {most_us / 1e6:.0f} s",
            before=f"{line.from_state} v{line.version_before}",
            after=f"{line.to_state} v{line.version_after}",
        )
        for line in far
        if line.ready_at_us is not None and line.attempt_id not in manual
    ]


def no_stale_write(books: Books) -> list[Breach]:
    """Each written line was decided on the version that the line before it left behind."""
    return _each_step(books, steps.stale)


def _each_step(
    books: Books, look: Callable[[LogEntry | None, LogEntry], Breach | None]
) -> list[Breach]:
    last: dict[_Key, LogEntry] = {}
    found = []
    for line in books.lines:
        if line.rows_written:
            which = line.message_id, line.endpoint_id
            breach = look(last.get(which), line)
            if breach:
                found.append(breach)
            last[which] = line
    return found


def every_step_is_legal(books: Books) -> list[Breach]:
    """Each written line is an entry of the transition table, from the state before it."""
    return _each_step(books, steps.illegal)


def leases_are_numbered(books: Books) -> list[Breach]:
    """The number of the lease, which is that of the attempt, rises by one with each lease."""
    return _each_step(books, steps.skipping)


def the_end_is_final(books: Books) -> list[Breach]:
    """Delivered, dead and cancelled are for ever, unless somebody wanted otherwise, by name."""
    return _each_step(books, lambda _, line: steps.nameless(line))


def row_is_its_last_line(books: Books) -> list[Breach]:
    """Each row says what the last written line about it says, and each has such a line."""
    last = {(one.message_id, one.endpoint_id): one for one in books.lines if one.rows_written}
    return [
        found
        for row in books.rows()  # as a rule there is nothing to be said, and it is not asked
        if (line := last.get((row.message_id, row.endpoint_id))) is None
        or row.version != line.version_after
        or row.state is not line.to_state
        if (found := steps.unlike(row, line))
    ]


def one_holder_per_lease(books: Books) -> list[Breach]:
    """No lease, named by delivery and number, was ever given to two holders."""
    leases = [
        (line.message_id, line.endpoint_id, line.lease_epoch)
        for line in books.lines
        if line.to_state is State.LEASED and line.rows_written
    ]
    if len(set(leases)) == len(leases):
        return []
    holders: dict[tuple[str, str, int], str] = {}
    found = []
    for line in books.lines:
        if not line.rows_written or line.to_state is not State.LEASED:
            continue
        name = (line.message_id, line.endpoint_id, line.lease_epoch)
        other = holders.setdefault(name, line.holder)
        if other != line.holder:
            found.append(
                Breach(
                    invariant="one_holder_per_lease",
                    delivery=id_of(line),
                    text=f"lease {line.lease_epoch} was given to {other} and to {line.holder}",
                    before=f"lease {line.lease_epoch} of {other}",
                    after=f"lease {line.lease_epoch} of {line.holder}",
                )
            )
    return found


def nothing_called_late_was_written(books: Books) -> list[Breach]:
    """An attempt whose decision was written is not marked as late."""
    decided = {line.attempt_id for line in books.lines if line.rows_written and line.attempt_id}
    return [
        Breach(
            invariant="nothing_called_late_was_written",
            delivery=id_of(one),
            text=f"attempt {one.number} decided what became of it, and is marked as late",
            before="decided",
            after="late",
        )
        for one in books.attempts
        if one.late and one.id in decided
    ]


def every_decision_has_its_attempt(books: Books) -> list[Breach]:
    """A line that was decided by an attempt has that attempt's row: attempts are no fewer."""
    recorded = {one.id for one in books.attempts}
    return [
        Breach(
            invariant="every_decision_has_its_attempt",
            delivery=id_of(line),
            text=f"{line.op} was decided by attempt {line.attempt_no}, and there is no such row",
            before=f"attempt {line.attempt_no}",
            after="no attempt row",
        )
        for line in books.lines
        if line.attempt_id and line.attempt_id not in recorded and line.rows_written
    ]


def dead_only_when_exhausted(books: Books) -> list[Breach]:
    """A dead letter had its whole schedule, or lapsed as often in a row as quarantine asks for."""
    if not books.attempts_max:
        return []
    dead = {which for which, row in books.history.items() if row.state is State.DEAD}
    if not dead:
        return []
    messages = {which.message_id for which in dead}
    lives: dict[_Key, list[LogEntry]] = defaultdict(list)
    for line in books.lines:
        if line.message_id in messages and line.rows_written:
            lives[line.message_id, line.endpoint_id].append(line)
    manual = {one.id for one in books.attempts if one.trigger is Trigger.MANUAL}
    found = []
    for which in sorted(dead):
        row = books.history[which]
        text = _too_early(row, lives[which], manual, books)
        if text:
            found.append(
                Breach(
                    invariant="dead_only_when_exhausted",
                    delivery=which,
                    text=text,
                    before="attempts left",
                    after=said(row),
                )
            )
    return found


def _too_early(
    row: Delivery, life: Sequence[LogEntry], manual: Collection[str], books: Books
) -> str | None:
    failures = lapses = 0
    for line in life:
        if line.op in ("redriven", "resumed"):
            failures = lapses = 0
        elif line.op == "failed" and line.attempt_id not in manual:
            failures, lapses = failures + 1, 0
        elif line.op in ("leased", "postponed") and line.outcome is Reason.NO_OUTCOME:
            lapses += 1
    if row.reason in SCHEDULE_ENDED and failures < books.attempts_max:
        return (
            f"it was given up after {failures} of {plural(books.attempts_max, 'scheduled attempt')}"
        )
    if row.reason == DeadReason.POISON_WORKER_CRASH and lapses < books.unanswered_max:
        return (
            f"it was given up after {lapses} lapsed lease{'s' if lapses != 1 else ''}, "
            f"and {books.unanswered_max} in a row are borne"
        )
    return None


def everything_comes_to_its_end(books: Books) -> list[Breach]:
    """With the faults gone, nothing waits and nothing is leased; only the disabled are parked."""
    found = []
    for row in books.hot.values():
        if row.state is State.PARKED:
            if books.enabled is None or row.endpoint_id not in books.enabled:
                continue
            text = "it is parked, its endpoint is enabled, and nothing will ever resume it"
        else:
            text = f"it is still {row.state} long after it was due, and nobody takes it"
        found.append(
            Breach(
                invariant="everything_comes_to_its_end",
                delivery=row.id,
                text=text,
                before="should have ended",
                after=said(row),
            )
        )
    return found


def ledger_balances(rows: Iterable[LedgerRow], misfits: Iterable[Misfit]) -> list[Breach]:
    """accepted = delivered + dead + cancelled + parked + leased + waiting, with no misfit."""
    found = [
        Breach(
            invariant="ledger_balances",
            text=f"{plural(abs(imbalance(row)), 'delivery')} of {row.endpoint_id} "
            + ("missing" if imbalance(row) > 0 else "too many"),
            before=f"{row.accepted} accepted",
            after=f"{row.accepted - imbalance(row)} accounted for",
        )
        for row in rows
        if imbalance(row)
    ]
    found += [
        Breach(
            invariant="ledger_balances",
            delivery=misfit.delivery,
            text=f"the books cannot place it: {misfit.kind}",
            after=misfit.kind,
        )
        for misfit in misfits
    ]
    return found
