"""What is normal in a log, and the limits of silence, of attempts and of lateness that follow. Ibis."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import comb
from typing import Any, Final, NamedTuple

import ibis

from homing.forensics import cases as by_case
from homing.forensics.operations import Op
from homing.forensics.rows import Line, row, rows

MINUTE_US: Final = 60_000_000


#: fewer lines of a kind tell nothing of how long the next one takes
_LINES_MIN: Final = 5


class Fate(NamedTuple):
    """A kind of last line after which nothing has come any more, to any delivery."""

    act: int
    no: int  #: of the attempt
    stand: int
    answer: int  #: the hundreds of the status; 0 for none
    silent: int  #: dropped deliveries that end with it
    since_us: int  #: from when on none was followed
    purged: int  #: of the dropped ones, deleted


@dataclass(slots=True)
class Context:
    """What holds for a log as a whole, and the limits that follow from it."""

    end_us: int
    span_us: int
    takes: Op
    fine_clock: bool = True  #: its times are finer than whole seconds
    attempts_max: int | None = None
    is_max_told: bool = False  #: a column says how many attempts there may be
    has_status: bool = False  #: what is delivered shows a 2xx, nearly always
    shows_all: bool = False  #: and so nearly always that what shows none was not delivered
    judges_said: bool = False  #: "delivered" after a failure with no new turn is a contradiction
    judges_early: bool = False
    judges_retried: bool = False  #: the status beside "delivered" is that of the last attempt
    permanent: tuple[int, ...] = ()  #: statuses that this system does not retry
    exhausted_has_dead: bool = False
    letters_stop: bool = False  #: so had the first of them, and none since
    tells_failures: bool = True  #: a failed attempt has a line that says so, apart from its retry
    plans_apart: bool = False  #: when the next attempt is due is said by a line of its own
    lapse_ends: bool = False  #: a lease that ran out, and is called a failure, is never followed
    fails_finally: bool = False  #: "failed" is said of the last attempt only, and ends a delivery
    buries_failed: bool = False  #: what "failed", without a retry, has a dead letter next
    fails_to_letter: bool = False  #: the same, where "failed" is said of the last attempt only
    #: of the attempts allowed, one may have no row: they are counted, and nearly all have them all
    may_lack_one: bool = False
    passed_us: int = 0  #: deliveries accepted until then were taken by workers
    limits: tuple[int, ...] = ()  #: attempts after which this system gives up, as it shows
    ends_unplanned: bool = False  #: the last failure of what is given up tells of no next attempt
    used_up_has_dead: bool = False  #: what is given up then has a dead letter
    gap_max_us: int = 0
    due_delay_max_us: int = 0
    lateness_max_us: int = 0
    gaps: dict[tuple[int, int], tuple[int, int, int]] = field(default_factory=dict)
    horizon_us: int | None = None  #: given by the caller: one limit for all
    fated: tuple[Fate, ...] = ()

    @property
    def fallback_us(self) -> int:
        """The longest silence that is no drop, where nothing in the log tells."""
        if self.gap_max_us:
            return int(1.5 * self.gap_max_us) + MINUTE_US
        return max(5 * MINUTE_US, self.span_us // 50)

    def is_known(self, op: int, no: int) -> bool:
        """Whether enough lines of a kind had a next one to tell how long that may take."""
        return self.gaps.get((op, no), (0, 0, 0))[2] >= _LINES_MIN

    @property
    def turn_us(self) -> int:
        """The longest that a worker may have a delivery, where nothing else tells."""
        turns = [
            gap
            for (op, no), (gap, _, _) in self.gaps.items()
            if op in (int(Op.CLAIMED), int(Op.SENT)) and self.is_known(op, no)
        ]
        if not turns:
            return self.fallback_us
        return min(3 * max(turns) + 5 * MINUTE_US, self.fallback_us)

    def limit_us(self, op: int, no: int) -> int:
        """The longest silence after such a line that is no drop."""
        gap, _, _ = self.gaps.get((op, no), (0, 0, 0))
        if not self.is_known(op, no):
            return self.fallback_us
        return min(3 * gap, 2 * self.gap_max_us) + MINUTE_US

    def late_us(self, op: int, no: int) -> int:
        """How long after its due time a line may come."""
        _, lateness, lines = self.gaps.get((op, no), (0, 0, 0))
        return 3 * max(0, lateness if lines >= 5 else self.lateness_max_us) + 2 * MINUTE_US


def _totals(c: Any, moved: Any) -> Line:
    """Counts over all deliveries that tell what is normal in a log."""
    # a person may try what is dead again, more often than the machine does
    ended = by_case.has(c.mask, Op.DEAD) & ~by_case.has(c.mask, Op.RESUMED)
    return row(
        c.aggregate(
            shown=(c.good > 0).cast("int64").sum(),
            said_only=((c.good == 0) & (c.said > 0)).cast("int64").sum(),
            said_bare=by_case.is_unshown(c).cast("int64").sum(),
            said_after_bad=((c.good == 0) & (c.said > 0) & (c.bad > 0)).cast("int64").sum(),
            contradicts=(
                (c.good == 0)
                & (c.bad > 0)
                & (c.said_pos > c.bad_pos.fill_null(0))
                & ((c.take_pos.isnull()) | (c.take_pos < c.bad_pos))
                & ~(c.said_attempt > c.bad_attempt).fill_null(False)
            )
            .cast("int64")
            .sum(),
            lapsed=c.lapse_pos.notnull().cast("int64").sum(),
            lapsed_last=by_case.is_ended_by_lapse(c).cast("int64").sum(),
            row_bad=(on_one_row(c) & (c.n <= TABLE_LINES) & (c.attempt > 1)).cast("int64").sum(),
            row_good=((c.good > 0) & (c.bad == 0) & (c.attempt > 1)).cast("int64").sum(),
            row_bare=(on_one_row(c) & (c.n <= TABLE_LINES) & c.attempt.isnull())
            .cast("int64")
            .sum(),
            # as often as itself is allowed to, which may be less than others
            dead_used_up=(ended & (c.attempt >= c.allowed)).cast("int64").sum(),
            retried=((c.good + c.said > 0) & (c.bad > 0)).cast("int64").sum(),
            allowed=c.allowed.max(),
            allowed_least=c.allowed.min(),
            attempt=c.attempt.max(),
            bad=c.bad.max(),
            dead=by_case.has(c.mask, Op.DEAD).cast("int64").sum(),
            dead_unanswered=(
                by_case.has(c.mask, Op.DEAD)
                & ((c.bad_pos.isnull()) | (c.bad_pos < c.take_pos.fill_null(0)))
            )
            .cast("int64")
            .sum(),
            moved_at=c.last_at.max(where=moved),
            moved_accepted=ibis.coalesce(c.accept_at, c.accepted_us, c.first_at).max(where=moved),
            dead_attempt=c.attempt.max(where=ended),
            own_attempt=c.attempt.max(where=~by_case.has(c.mask, Op.RESUMED)),
            dead_bad=c.bad.max(where=ended),
            exhausted=c.exhausted.cast("int64").sum(),
            exhausted_dead=(c.exhausted & by_case.has(c.mask, Op.DEAD)).cast("int64").sum(),
            plain_gap=(c.last_at - c.first_at).max(
                where=~by_case.is_hard(c) & ~c.is_put_off & ((c.mask & _NO_TURN) == 0)
            ),
        )
    )


#: operations for which no worker is needed
IDLE: Final = sum(1 << op for op in (Op.ACCEPTED, Op.QUEUED, Op.SKIPPED, Op.NOT_QUEUED, Op.NOTED))
#: what ends a wait, and comes when a person or the publisher brings it about
_NO_TURN: Final = sum(
    1 << op for op in (Op.CANCELLED, Op.PARKED, Op.RESUMED, Op.PURGED, Op.DISCARDED, Op.SKIPPED)
)
#: of what is delivered, so many times more must show a 2xx than be called so only; those that a
#: fault calls so are among the latter
_SHOWN_MIN: Final = 6
#: the same where one of them is a contradiction by itself, and so few have ever been lost at once
_SHOWN_ALL: Final = 25
_SHOWN_FEWEST: Final = 200
#: so many times "failed" must end a delivery, and never be followed, to be the end on record
_FINAL_MIN: Final = 5
#: so many leases must have run out, and been called failures, to tell what follows
_LAPSED_MIN: Final = 3
#: lines that a row of a table of deliveries gives
TABLE_LINES: Final = 2


def on_one_row(c: Any) -> Any:
    """Called delivered by the very line that shows a bad status: a table's row, mostly."""
    is_one = (c.said_pos == c.bad_pos) | c.ended_bad.fill_null(False)
    return (c.good == 0) & (c.said == 0) & (c.bad > 0) & is_one


def gather(cases: Any, hard: Any, context: Context) -> Context:
    """The limits of a log, from what is normal in it.

    Args:
        cases: one row a delivery.
        hard: the lines of the hard ones, with what came before.
    """
    c = cases
    moved = (c.mask & ~IDLE) != 0
    totals = _totals(c, moved)

    def number(name: str) -> int:
        value = totals[name]
        return int(value or 0)

    context.has_status = number("shown") > _SHOWN_MIN * number("said_only")
    context.shows_all = number("shown") > _SHOWN_ALL * number("said_bare") and (
        number("shown") >= _SHOWN_FEWEST
    )
    context.judges_said = number("contradicts") * 2 < max(
        1, number("retried") + number("contradicts")
    )
    # a table may keep the status of the last failure: then what is delivered late never shows 2xx
    context.judges_retried = number("row_bad") <= number("row_good") and 20 * number(
        "row_bare"
    ) <= number("shown")
    context.judges_early = (
        2 * number("dead_unanswered") < max(number("dead"), 1) or number("dead") < 4
    )
    exhausted, letters = number("exhausted"), number("exhausted_dead")
    # where none that was tried as often as it may be has one, and others have, all of these are lost
    is_kept_elsewhere = not letters and number("dead") >= _LETTERS_FEWEST
    context.exhausted_has_dead = 5 * letters >= max(1, exhausted) or is_kept_elsewhere
    context.letters_stop = _letters_stop(c, exhausted, letters)
    context.lapse_ends = number("lapsed") >= _LAPSED_MIN and number("lapsed_last") >= 0.98 * number(
        "lapsed"
    )
    context.is_max_told = number("allowed") > 0
    context.attempts_max = number("allowed") or number("attempt") or number("bad") or None
    # when the workers themselves stand still at the end of a log, what waits for them is not lost
    context.end_us = number("moved_at") or context.end_us
    context.passed_us = number("moved_accepted") or context.end_us
    _gather_failures(hard, context)
    # where the end of the attempts has a word of its own, a failure is no end
    context.fails_finally = context.fails_finally and not number("exhausted")
    # what a turn that ended a delivery came to shows only where failures have lines
    context.judges_early = context.judges_early and context.tells_failures
    failed = rows(by_case.stops(hard))
    context.limits = tuple(
        int(one.attempt)
        for one in failed
        if one.attempt >= 3
        and one.lines >= 3
        and one.followed <= 0.2 * one.lines
        # nor does anything fail more often: else what ends here was ended by a fault
        and sum(o.lines for o in failed if o.attempt > one.attempt) <= 0.2 * one.lines
    )
    # fewer attempts than a column allows are the end where a dead letter was made after as many
    buried = number("dead_attempt") if number("dead") else 0
    context.limits = tuple(n for n in context.limits if n >= number("allowed_least") or n == buried)
    if not number("attempt") and not number("dead"):
        context.may_lack_one = _may_lack_one(c)
    if not number("allowed") and number("dead"):
        most = number("dead_attempt") or number("dead_bad") or context.attempts_max
        # where others failed as often and went on by themselves, those were given up early
        stops = most in context.limits
        context.attempts_max = most if stops else max(most or 1, number("own_attempt"))
    most = number("dead_attempt") or number("dead_bad")
    is_most = most >= min((*context.limits, context.attempts_max or 1))
    context.used_up_has_dead = number("dead") > 0 and (is_most or number("dead_used_up") > 0)
    _gather_gaps(hard, context, number("plain_gap"))
    context.permanent = _permanent_statuses(hard)
    return context


#: so many dead letters show that a log has them
_LETTERS_FEWEST: Final = 2
#: so improbable must it be that all who have a dead letter are the first by chance
_STOP_CHANCE: Final = 0.01


def _letters_stop(c: Any, exhausted: int, dead: int) -> bool:
    """Whether the first that came to the end of their attempts all have a dead letter, and none has
    since. By chance, `dead` of `exhausted` are the first of them in one of C(exhausted, dead) orders."""
    if not dead or comb(exhausted, dead) * _STOP_CHANCE < 1:
        return False
    ends = c.filter(c.exhausted)
    last = row(ends.aggregate(at=ends.last_at.max(where=by_case.has(ends.mask, Op.DEAD)))).at
    lacking = ends.filter((ends.last_at < int(last)) & ~by_case.has(ends.mask, Op.DEAD))
    return int(row(lacking.aggregate(n=lacking.count())).n) == 0


#: of the failures with which deliveries end, so few may tell of a next attempt, if there are so many
_ENDS_FEWEST: Final = 2
_ENDS_PLANNED_MAX: Final = 0.1


def _gather_failures(hard: Any, context: Context) -> None:
    """What a failed attempt leaves in the log, and whether a delivery ends with one."""
    said = row(by_case.failures(hard))
    context.tells_failures = (said.by_retry or 0) <= (said.lines or 0)
    context.fails_finally = (
        not context.tells_failures and not said.followed and (said.lines or 0) >= _FINAL_MIN
    )
    context.buries_failed = (said.buried or 0) >= _FINAL_MIN and (
        said.buried >= 0.95 * said.followed
    )
    context.fails_to_letter = context.buries_failed and not context.tells_failures
    ended = said.ended or 0
    context.ends_unplanned = (
        ended >= _ENDS_FEWEST and (said.ended_planned or 0) <= _ENDS_PLANNED_MAX * ended
    )


#: of the lines of failures, so few have the time of the next attempt
_APART_MAX: Final = 0.05


def _gather_gaps(hard: Any, context: Context, plain: int) -> None:
    """How long it takes from one line to the next, µs; `plain`: where nothing went wrong."""
    is_due_told = False
    failed = planned = 0
    for one in rows(by_case.gaps(hard)):
        if one.act == Op.FAILED:
            failed, planned = failed + int(one.lines), planned + int(one.due or 0)
        is_due_told = is_due_told or bool(one.due)
        context.gaps[int(one.act), int(one.no)] = (int(one.gap), int(one.lateness), int(one.lines))
    context.plans_apart = planned < _APART_MAX * failed
    accepted = context.gaps.get((int(Op.ACCEPTED), 0), (0, 0, 0))
    context.gaps[int(Op.ACCEPTED), 0] = (max(accepted[0], plain), max(accepted[1], plain), 1_000)
    context.gap_max_us = max(g for g, _, _ in context.gaps.values())
    context.lateness_max_us = max(late for _, late, _ in context.gaps.values())
    if not is_due_told:
        # no due time was seen kept: a retry is as late as a first turn, or little more
        context.lateness_max_us = context.gaps[int(Op.ACCEPTED), 0][0] + 5 * MINUTE_US
    # what came before its time, as a person's word does, kept no wait
    followed = hard.filter(hard.next_at >= hard.due_us - MINUTE_US)
    delay = row(followed.aggregate(most=(followed.due_us - followed.at_us).max())).most
    context.due_delay_max_us = int(delay or 0)


def _permanent_statuses(hard: Any) -> tuple[int, ...]:
    """Statuses after which nothing is tried again, where others are."""
    statuses = rows(by_case.endings(hard))
    retried = sum(one.retried for one in statuses) > 0.3 * sum(one.lines for one in statuses)
    return tuple(
        int(one.status)
        for one in statuses
        if one.status == 410
        or (
            retried
            and one.lines >= 5
            and one.retried < 0.02 * one.lines
            # a row that says when the next attempt is due was not the end
            and one.planned < 0.5 * one.lines
            and 400 <= one.status < 500
        )
    )


#: with so many at their last attempt, a twentieth of them one short of it lacks a row each
_AT_LAST_MIN: Final = 20


def _may_lack_one(c: Any) -> bool:
    """Whether those that ended one attempt short of the others are too few to be but rows lost."""
    left = c.filter((c.good + c.said == 0) & (c.bad > 0))
    ends = sorted(
        (int(one.bad), int(one.n)) for one in rows(left.group_by("bad").aggregate(n=left.count()))
    )
    if len(ends) < 2 or ends[-2][0] != ends[-1][0] - 1:
        return False
    return ends[-1][1] >= _AT_LAST_MIN and _AT_LAST_MIN * ends[-2][1] <= ends[-1][1]
