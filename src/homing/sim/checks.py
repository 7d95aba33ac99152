"""What must hold, as named functions over plain values.

Shared by the simulation, the end-to-end tests and whoever holds the rows of a store. Each function
is one invariant: it looks and answers with what it found wrong, an empty list when all is well.
None of them asks a store, the time or chance.

Two kinds: `AT_ANY_MOMENT` holds after every commit; `AT_REST` only once faults have stopped and
everything had the time to come to its end.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from homing.core.identifiers import DeliveryId
from homing.core.lifecycle import SCHEDULE_ENDED, TRANSITIONS, DeadReason, Delivery, State
from homing.core.outcome import Reason
from homing.core.queries import LedgerRow, Misfit
from homing.core.records import Attempt, LogEntry, Trigger
from homing.insight.ledger import imbalance

#: (state before, op of the log line) → states that may follow: the transition table by name
_STEPS: Final = {
    (str(before), fact.__name__.lower()): {str(after) for after in afters}
    for (before, fact), afters in TRANSITIONS.items()
}
_BORN: Final = frozenset({"accepted", "added"})
_BORN_STATES: Final = frozenset({State.WAITING, State.LEASED, State.PARKED})


class Breach(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that must not be."""

    invariant: str  #: the name of the function that found it
    text: str  #: one sentence
    delivery: DeliveryId | None = None
    before: str = ""  #: what was, in a few words
    after: str = ""  #: what is

    def __str__(self) -> str:
        place = f"{self.delivery}: " if self.delivery else ""
        return f"{self.invariant}: {place}{self.text}"


class Sent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request as its receiver saw it: the truth that no row can change."""

    delivery: DeliveryId
    holder: str  #: the process that sent it
    epoch: int  #: the delivery's `leases` that it was sent under
    status: int | None  #: what the receiver answered; None: it hung up or never answered
    #: whether the sender was alive and saw the answer, and its database was never away since
    answered: bool = False


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to look at. Empty where somebody does not know."""

    hot: Mapping[DeliveryId, Delivery] = {}
    history: Mapping[DeliveryId, Delivery] = {}
    lines: Sequence[LogEntry] = ()  #: in the order in which they were committed
    attempts: Sequence[Attempt] = ()
    #: deliveries that must exist: what publishers were told is accepted, times its fan-out
    promised: Collection[DeliveryId] = ()
    sent: Sequence[Sent] = ()  #: in the order in which receivers saw them
    #: endpoints that exist and are enabled, or None where nobody knows
    enabled: Collection[str] | None = None
    attempts_max: int = 0  #: attempts that a whole schedule has; 0: not known
    unanswered_max: int = 0  #: leases in a row with no word before quarantine; 0: not known
    #: the longest that a delivery may be put off, µs; 0: not known
    delay_max_us: int = 0
    #: lines that a follower of the log was shown, by (holder, sequence); None: nobody followed
    followed: Collection[tuple[str, int]] | None = None

    def row(self, which: DeliveryId) -> Delivery | None:
        return self.hot.get(which) or self.history.get(which)

    def rows(self) -> Iterable[Delivery]:
        yield from self.hot.values()
        yield from self.history.values()


Invariant = Callable[[Books], list[Breach]]


def said(delivery: Delivery | None) -> str:
    """A row in a few words: `leased v3 by b, due …`."""
    if delivery is None:
        return "in no table"
    holder = f" by {delivery.holder}" if delivery.holder else ""
    reason = f" ({delivery.reason})" if delivery.reason else ""
    return f"{delivery.state} v{delivery.version}{holder}{reason}"


def _line_said(entry: LogEntry) -> str:
    return f"{entry.op} by {entry.holder}: v{entry.version_before} to v{entry.version_after}"


#: as good a key as a DeliveryId, equal to it, and made in a tenth of the time
_Key = tuple[str, str]


def _id_of(line: LogEntry | Attempt) -> DeliveryId:
    return DeliveryId(line.message_id, line.endpoint_id)


# --- at any moment ------------------------------------------------------------------------------


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
        *(found for row in books.hot.values() if (found := misshapen(row, hot=True))),
        *(found for row in books.history.values() if (found := misshapen(row, hot=False))),
    ]


def misshapen(row: Delivery, *, hot: bool) -> Breach | None:
    """What is wrong with one row by itself."""
    wrong = ""
    if hot != row.is_unfinished:
        wrong = f"it is {row.state} and {'in the hot table' if hot else 'in history'}"
    elif (row.ready_at_us is not None) != (row.state in (State.WAITING, State.LEASED)):
        wrong = f"it is {row.state} and {'has a' if row.ready_at_us else 'has no'} due time"
    elif (row.holder is not None) != (row.state is State.LEASED):
        wrong = f"it is {row.state} and {'has a' if row.holder else 'has no'} holder"
    elif (row.finished_at_us is not None) == row.is_unfinished:
        wrong = f"it is {row.state} and has {'an' if row.finished_at_us else 'no'} end"
    if not wrong:
        return None
    return Breach(invariant="unfinished_is_due", delivery=row.id, text=wrong, after=said(row))


def due_within_reach(books: Books) -> list[Breach]:
    """No delivery is put off for longer than the longest delay there is.

    After an attempt that a person asked for, what was planned before stands, by whoever's clock.
    """
    if not books.delay_max_us:
        return []
    manual = {one.id for one in books.attempts if one.trigger is Trigger.MANUAL}
    return [
        Breach(
            invariant="due_within_reach",
            delivery=_id_of(line),
            text=f"it is put off for {(line.ready_at_us - line.at_us) / 1e6:.0f} s, "
            f"and nothing may be for more than {books.delay_max_us / 1e6:.0f} s",
            before=f"{line.from_state} v{line.version_before}",
            after=f"{line.to_state} v{line.version_after}",
        )
        for line in books.lines
        if line.rows_written
        and line.to_state is State.WAITING
        and line.op == "failed"
        and line.ready_at_us is not None
        and line.ready_at_us - line.at_us > books.delay_max_us
        and line.attempt_id not in manual
    ]


def no_stale_write(books: Books) -> list[Breach]:
    """Each written line was decided on the version that the line before it left behind."""
    last: dict[_Key, LogEntry] = {}
    found = []
    for line in books.lines:
        if line.rows_written:
            which = line.message_id, line.endpoint_id
            breach = stale(last.get(which), line)
            if breach:
                found.append(breach)
            last[which] = line
    return found


def stale(before: LogEntry | None, line: LogEntry) -> Breach | None:
    """Whether a written `line` may follow the written line `before` of the same delivery."""
    expected = before.version_after if before else 0
    if line.version_before == expected and line.version_after == (
        line.version_before + 1 if before else line.version_after
    ):
        return None
    left = f"v{expected}, {before.to_state}" if before else "nothing"
    return Breach(
        invariant="no_stale_write",
        delivery=_id_of(line),
        text=f"{line.op} by {line.holder} was decided on v{line.version_before} and written over "
        f"v{expected}",
        before=f"{left} ({before.op} by {before.holder})" if before else left,
        after=f"v{line.version_after}, {line.to_state} ({line.op} by {line.holder})",
    )


def every_step_is_legal(books: Books) -> list[Breach]:
    """Each written line is an entry of the transition table, from the state before it."""
    last: dict[_Key, LogEntry] = {}
    found = []
    for line in books.lines:
        if line.rows_written:
            which = line.message_id, line.endpoint_id
            breach = illegal(last.get(which), line)
            if breach:
                found.append(breach)
            last[which] = line
    return found


def illegal(before: LogEntry | None, line: LogEntry) -> Breach | None:
    """Whether a written `line` is a step that the transition table has."""
    state = before.to_state if before else None
    if line.op in _BORN:
        if state is None and line.to_state in _BORN_STATES:
            return None
    elif state == line.from_state and line.to_state in _STEPS.get((str(state), line.op), ()):
        return None
    return Breach(
        invariant="every_step_is_legal",
        delivery=_id_of(line),
        text=f"{line.op} cannot lead from {state or 'nothing'} to {line.to_state}",
        before=str(state or "nothing"),
        after=f"{line.to_state} ({_line_said(line)})",
    )


def row_is_its_last_line(books: Books) -> list[Breach]:
    """Each row says what the last written line about it says, and each has such a line."""
    last = {(one.message_id, one.endpoint_id): one for one in books.lines if one.rows_written}
    return [
        found
        for row in books.rows()
        if (found := unlike(row, last.get((row.message_id, row.endpoint_id))))
    ]


def unlike(row: Delivery, line: LogEntry | None) -> Breach | None:
    """Whether a row differs from the last written line about it."""
    if line is not None and line.version_after == row.version and line.to_state is row.state:
        return None
    return Breach(
        invariant="row_is_its_last_line",
        delivery=row.id,
        text="the row is not what the delivery log says of it",
        before=f"{line.to_state} v{line.version_after} (log)" if line else "no line in the log",
        after=f"{said(row)} (row)",
    )


def one_holder_per_lease(books: Books) -> list[Breach]:
    """No lease, named by delivery and number, was ever given to two holders."""
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
                    delivery=_id_of(line),
                    text=f"lease {line.lease_epoch} was given to {other} and to {line.holder}",
                    before=f"lease {line.lease_epoch} of {other}",
                    after=f"lease {line.lease_epoch} of {line.holder}",
                )
            )
    return found


def every_send_is_written_ahead(books: Books) -> list[Breach]:
    """Whoever sends has a lease on disk first: as many leases as there are requests."""
    leased = {
        ((line.message_id, line.endpoint_id), line.lease_epoch, line.holder)
        for line in books.lines
        if line.rows_written and line.to_state is State.LEASED
    }
    times = Counter((one.delivery, one.epoch, one.holder) for one in books.sent)
    return [
        Breach(
            invariant="every_send_is_written_ahead",
            delivery=which,
            text=f"{holder} made {count} request{'s' if count > 1 else ''} under lease {epoch}, "
            + ("one is allowed" if (which, epoch, holder) in leased else "which it never had"),
            before=f"lease {epoch}",
            after=f"{count} requests",
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


def nothing_called_late_was_written(books: Books) -> list[Breach]:
    """An attempt whose decision was written is not marked as late."""
    decided = {line.attempt_id for line in books.lines if line.rows_written and line.attempt_id}
    return [
        Breach(
            invariant="nothing_called_late_was_written",
            delivery=_id_of(one),
            text=f"attempt {one.number} decided what became of it, and is marked as late",
            before="decided",
            after="late",
        )
        for one in books.attempts
        if one.late and one.id in decided
    ]


def dead_only_when_exhausted(books: Books) -> list[Breach]:
    """A dead letter had its whole schedule, or lapsed as often in a row as quarantine asks for."""
    if not books.attempts_max:
        return []
    dead = {which for which, row in books.history.items() if row.state is State.DEAD}
    if not dead:
        return []
    lives: dict[_Key, list[LogEntry]] = defaultdict(list)
    for line in books.lines:
        if line.rows_written:
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
        return f"it was given up after {failures} of {books.attempts_max} scheduled attempts"
    if row.reason == DeadReason.POISON_WORKER_CRASH and lapses < books.unanswered_max:
        return (
            f"it was given up after {lapses} lapsed lease{'s' if lapses != 1 else ''}, "
            f"and {books.unanswered_max} in a row are borne"
        )
    return None


# --- once everything has come to rest -----------------------------------------------------------


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


def followers_see_every_line(books: Books) -> list[Breach]:
    """Whoever follows the delivery log was shown every line of it."""
    if books.followed is None:
        return []
    return [
        Breach(
            invariant="followers_see_every_line",
            delivery=_id_of(line),
            text=f"the line of {line.op} by {line.holder} was committed, and no follower of the "
            "log was ever shown it",
            before="committed",
            after="passed over",
        )
        for line in books.lines
        if (line.holder, line.sequence) not in books.followed
    ]


AT_ANY_MOMENT: Final[tuple[Invariant, ...]] = (
    nothing_is_lost,
    nothing_is_doubled,
    unfinished_is_due,
    due_within_reach,
    no_stale_write,
    every_step_is_legal,
    row_is_its_last_line,
    one_holder_per_lease,
    every_send_is_written_ahead,
    delivered_means_2xx,
    nothing_called_late_was_written,
    dead_only_when_exhausted,
)
AT_REST: Final[tuple[Invariant, ...]] = (
    everything_comes_to_its_end,
    every_answer_is_recorded,
    every_2xx_leaves_a_trace,
    followers_see_every_line,
)


def breaches(
    books: Books, *, at_rest: bool = False, known: Collection[Invariant] = ()
) -> list[Breach]:
    """Everything that is wrong with these books.

    Args:
        at_rest: whether faults have stopped and everything had the time to end.
        known: invariants that have been looked at line by line already.
    """
    invariants = (*AT_ANY_MOMENT, *AT_REST) if at_rest else AT_ANY_MOMENT
    invariants = tuple(one for one in invariants if one not in known)
    return [found for invariant in invariants for found in invariant(books)]


def ledger_balances(rows: Iterable[LedgerRow], misfits: Iterable[Misfit]) -> list[Breach]:
    """accepted = delivered + dead + cancelled + parked + leased + waiting, with no misfit."""
    found = [
        Breach(
            invariant="ledger_balances",
            text=f"{abs(imbalance(row))} deliveries of {row.endpoint_id} are "
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
