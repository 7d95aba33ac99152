"""Where every delivery went: delivered, dead, still on its way, or nowhere. Ibis, any engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final, NamedTuple

import ibis
from ibis import _

from homing.forensics import cases as by_case
from homing.forensics.rows import Line, row, rows
from homing.forensics.vocabulary import Op, Stand

_MINUTE_US: Final = 60_000_000
_DAY_US: Final = 86_400_000_000
#: kept as a table under a name, and given back as an expression
Keep = Callable[[str, Any], Any]


class Verdict(IntEnum):
    """What a delivery came to; the columns of the books."""

    DELIVERED = 1
    DEAD = 2  #: given up, on record
    CANCELLED = 3
    PARKED = 4
    LATER = 5  #: due at a time after the log's end
    OPEN = 6  #: too young to judge: what was to come may still come
    DROPPED = 7


class Why(IntEnum):
    """What makes a dropped delivery one."""

    NONE = 0
    SILENT = 1  #: nothing happened any more, and it was long due
    FALSE_DELIVERED = 2  #: it is called delivered, and no request for it succeeded
    GIVEN_UP_EARLY = 3  #: it was ended although attempts were left and none had failed last
    NO_DEAD_LETTER = 4  #: its retries came to their end, and no dead letter was made
    SKIPPED = 5
    DISCARDED = 6
    PURGED = 7
    NEVER_DUE = 8  #: its due time is beyond all reason


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
    judges_said: bool = False  #: "delivered" after a failure with no new turn is a contradiction
    judges_early: bool = False
    judges_retried: bool = False  #: the status beside "delivered" is that of the last attempt
    permanent: tuple[int, ...] = ()  #: statuses that this system does not retry
    exhausted_has_dead: bool = False
    tells_failures: bool = True  #: a failed attempt has a line that says so, apart from its retry
    fails_finally: bool = False  #: "failed" is said of the last attempt only, and ends a delivery
    fails_to_letter: bool = False  #: the same, and a dead letter follows
    #: of the attempts allowed, one may have no row: they are counted, and nearly all have them all
    may_lack_one: bool = False
    passed_us: int = 0  #: deliveries accepted until then were taken by workers
    limits: tuple[int, ...] = ()  #: attempts after which this system gives up, as it shows
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
            return int(1.5 * self.gap_max_us) + _MINUTE_US
        return max(5 * _MINUTE_US, self.span_us // 50)

    def limit_us(self, op: int, no: int) -> int:
        """The longest silence after such a line that is no drop."""
        gap, _, lines = self.gaps.get((op, no), (0, 0, 0))
        if lines < 5:
            return self.fallback_us
        return min(3 * gap, 2 * self.gap_max_us) + _MINUTE_US

    def late_us(self, op: int, no: int) -> int:
        """How long after its due time a line may come."""
        _, lateness, lines = self.gaps.get((op, no), (0, 0, 0))
        return 3 * max(0, lateness if lines >= 5 else self.lateness_max_us) + 2 * _MINUTE_US


def _totals(c: Any, moved: Any) -> Line:
    """Counts over all deliveries that tell what is normal in a log."""
    return row(
        c.aggregate(
            shown=(c.good > 0).cast("int64").sum(),
            said_only=((c.good == 0) & (c.said > 0)).cast("int64").sum(),
            said_after_bad=((c.good == 0) & (c.said > 0) & (c.bad > 0)).cast("int64").sum(),
            contradicts=(
                (c.good == 0)
                & (c.bad > 0)
                & (c.said_pos > c.bad_pos.fill_null(0))
                & ((c.take_pos.isnull()) | (c.take_pos < c.bad_pos))
            )
            .cast("int64")
            .sum(),
            row_bad=(_on_one_row(c) & (c.n <= _TABLE_LINES) & (c.attempt > 1)).cast("int64").sum(),
            row_good=((c.good > 0) & (c.bad == 0) & (c.attempt > 1)).cast("int64").sum(),
            row_bare=(_on_one_row(c) & (c.n <= _TABLE_LINES) & c.attempt.isnull())
            .cast("int64")
            .sum(),
            retried=((c.good + c.said > 0) & (c.bad > 0)).cast("int64").sum(),
            allowed=c.allowed.max(),
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
            dead_attempt=c.attempt.max(where=by_case.has(c.mask, Op.DEAD)),
            own_attempt=c.attempt.max(where=~by_case.has(c.mask, Op.RESUMED)),
            dead_bad=c.bad.max(where=by_case.has(c.mask, Op.DEAD)),
            exhausted=c.exhausted.cast("int64").sum(),
            exhausted_dead=(c.exhausted & by_case.has(c.mask, Op.DEAD)).cast("int64").sum(),
            plain_gap=(c.last_at - c.first_at).max(where=~by_case.is_hard(c)),
        )
    )


#: operations for which no worker is needed
_IDLE: Final = sum(1 << op for op in (Op.ACCEPTED, Op.QUEUED, Op.SKIPPED, Op.NOT_QUEUED))
#: of what is delivered, so many times more must show a 2xx than be called so only; those that a
#: fault calls so are among the latter
_SHOWN_MIN: Final = 6
#: so many times "failed" must end a delivery, and never be followed, to be the end on record
_FINAL_MIN: Final = 5
#: lines that a row of a table of deliveries gives
_TABLE_LINES: Final = 2


def _on_one_row(c: Any) -> Any:
    """Called delivered by the very line that shows a bad status: a table's row, mostly."""
    return (c.good == 0) & (c.said == 0) & (c.bad > 0) & (c.said_pos == c.bad_pos)


def gather(events: Any, cases: Any, hard: Any, context: Context) -> Context:
    """The limits of a log, from what is normal in it.

    Args:
        cases: one row a delivery.
        hard: the lines of the hard ones, with what came before.
    """
    c = cases
    moved = (c.mask & ~_IDLE) != 0
    totals = _totals(c, moved)

    def number(name: str) -> int:
        value = totals[name]
        return int(value or 0)

    context.has_status = number("shown") > _SHOWN_MIN * number("said_only")
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
    context.exhausted_has_dead = 5 * number("exhausted_dead") >= max(1, number("exhausted"))
    context.is_max_told = number("allowed") > 0
    context.attempts_max = number("allowed") or number("attempt") or number("bad") or None
    # when the workers themselves stand still at the end of a log, what waits for them is not lost
    context.end_us = number("moved_at") or context.end_us
    context.passed_us = number("moved_accepted") or context.end_us
    _gather_failures(hard, context)
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
    if not number("attempt") and not number("dead"):
        context.may_lack_one = _may_lack_one(c)
    if not number("allowed") and number("dead"):
        most = number("dead_attempt") or number("dead_bad") or context.attempts_max
        # where others failed as often and went on by themselves, those were given up early
        stops = most in context.limits
        context.attempts_max = most if stops else max(most or 1, number("own_attempt"))
    context.used_up_has_dead = number("dead") > 0 and (
        (number("dead_attempt") or number("dead_bad"))
        >= min((*context.limits, context.attempts_max or 1))
    )
    _gather_gaps(hard, context, number("plain_gap"))
    context.permanent = _permanent_statuses(hard)
    return context


def _gather_failures(hard: Any, context: Context) -> None:
    """What a failed attempt leaves in the log, and whether a delivery ends with one."""
    said = row(by_case.failures(hard))
    context.tells_failures = (said.by_retry or 0) <= (said.lines or 0)
    context.fails_finally = (
        not context.tells_failures and not said.followed and (said.lines or 0) >= _FINAL_MIN
    )
    context.fails_to_letter = (
        not context.tells_failures
        and (said.buried or 0) >= _FINAL_MIN
        and said.buried >= 0.95 * said.followed
    )


def _gather_gaps(hard: Any, context: Context, plain: int) -> None:
    """How long it takes from one line to the next, µs; `plain`: where nothing went wrong."""
    for one in rows(by_case.gaps(hard)):
        context.gaps[int(one.act), int(one.no)] = (int(one.gap), int(one.lateness), int(one.lines))
    accepted = context.gaps.get((int(Op.ACCEPTED), 0), (0, 0, 0))
    context.gaps[int(Op.ACCEPTED), 0] = (max(accepted[0], plain), max(accepted[1], plain), 1_000)
    context.gap_max_us = max(g for g, _, _ in context.gaps.values())
    context.lateness_max_us = max((late for _, late, _ in context.gaps.values()), default=0)
    followed = hard.filter(hard.next_at.notnull() & hard.due_us.notnull())
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


def judge(cases: Any, hard: Any, events: Any, context: Context, keep: Keep) -> Any:
    """The table of deliveries with `verdict`, `why`, `silent_us`, the crossings and the last line."""
    crossed = keep("crossed", by_case.interleavings(hard, fine_clock=context.fine_clock))
    c = cases.left_join(crossed, "d").drop("d_right")
    c = c.mutate(**{name: c[name].fill_null(0) > 0 for name in by_case.CROSSINGS})
    last = events.select(
        stand_pos_="pos",
        last_op="act",
        last_stand="stand",
        last_status="status",
        last_due="due_us",
        last_lease="lease_us",
        last_attempt="attempt",
        last_actor="has_actor",
        last_line="at_us",
    )
    unsure = cases.filter(cases.good == 0).select("d", "stand_pos", "last_pos", "bad_pos")
    at_stand = unsure.inner_join(last, unsure.stand_pos == last.stand_pos_).drop(
        "stand_pos_", "stand_pos", "last_pos", "bad_pos"
    )
    final = events.select(pos_="pos", end_op="act", end_status="status", end_due="due_us")
    at_end = unsure.inner_join(final, unsure.last_pos == final.pos_).drop(
        "pos_", "stand_pos", "last_pos", "bad_pos"
    )
    answer = events.select(bad_pos_="pos", bad_status="status")
    at_bad = unsure.inner_join(answer, unsure.bad_pos == answer.bad_pos_).select("d", "bad_status")
    c = c.left_join(keep("at_stand", at_stand), "d").drop("d_right")
    c = c.left_join(keep("at_end", at_end), "d").drop("d_right")
    c = c.left_join(keep("at_bad", at_bad), "d").drop("d_right")
    c = c.mutate(
        accepted_at=ibis.coalesce(c.accept_at, c.accepted_us, c.first_at),
        last_op=c.last_op.fill_null(c.end_op.fill_null(0)),
        last_stand=c.last_stand.fill_null(0),
        # a line that tells no state may set a due time all the same
        last_due=ibis.ifelse(
            c.end_due.notnull() & (c.last_due.isnull() | (c.end_due > c.last_due)),
            c.end_due,
            c.last_due,
        ),
        made=ibis.greatest(c.attempt.fill_null(0), c.bad.cast("int32")),
    )
    silent = _silent(c, context)
    c = c.mutate(silent_us=silent)
    is_drop = c.silent_us > 0
    cases_ = _rules(c, context, is_drop)
    verdict = ibis.cases(*[(test, int(v)) for test, v, _ in cases_], else_=int(Verdict.OPEN))
    why = ibis.cases(*[(test, int(w)) for test, _, w in cases_], else_=0)
    return _foreseen(c.mutate(verdict=verdict, why=why), hard, context)


#: siblings that must have been left before the next one is given up
_SIBLINGS_MIN: Final = 8
_ANSWERS: Final = (Op.FAILED, Op.RETRY, Op.LAPSED, Op.RELEASED, Op.POSTPONED)


def _foreseen(judged: Any, hard: Any, context: Context) -> Any:
    """What is too young to judge is dropped where all that ended like it were left for good."""
    by_hand = [Op.RESUMED, Op.PURGED, Op.CANCELLED, Op.PARKED]
    lines = hard.filter(hard.act.isin(_ANSWERS)).select(
        "d",
        "act",
        "stand",
        "at_us",
        no=ibis.least(hard.attempt.fill_null(0), by_case.ATTEMPT_MAX).cast("int64"),
        answer=(hard.status.fill_null(0) // 100).cast("int64"),
        is_last=hard.next_at.isnull(),
        went_on=hard.next_at.notnull() & ~hard.next_op.isin(by_hand).fill_null(False),
    )
    key = ["act", "no", "stand", "answer"]
    columns = (*key, "silent", "since", "purged")
    lost = judged.filter(
        (judged.verdict == int(Verdict.DROPPED))
        & judged.why.isin([int(Why.SILENT), int(Why.PURGED)])
    )
    lost = lost.select("d", is_purged=lost.why == int(Why.PURGED))
    left = lines.filter(~lines.went_on).inner_join(lost, "d")
    left = left.group_by(key).aggregate(
        silent=left.count(), since=left.at_us.min(), purged=left.is_purged.cast("int64").sum()
    )
    left = left.filter(left.silent >= _SIBLINGS_MIN)
    went = lines.filter(lines.went_on).group_by(key).aggregate(lately=_.at_us.max())
    both = left.left_join(went, key)
    context.fated = tuple(
        sorted(
            Fate(*(int(one[name]) for name in columns))
            for one in rows(both.select(*(left[name] for name in columns), "lately"))
            if one.lately is None or one.lately < one.since
        )
    )
    if not context.fated:
        return judged
    fated = ibis.or_(
        *[
            (lines.act == f.act)
            & (lines.no == f.no)
            & (lines.stand == f.stand)
            & (lines.answer == f.answer)
            & (lines.at_us >= f.since_us)
            for f in context.fated
        ]
    )
    is_swept = sum(f.purged for f in context.fated) * 2 > sum(f.silent for f in context.fated)
    why = Why.NEVER_DUE if is_swept else Why.SILENT
    ends = lines.filter(lines.is_last & fated).select("d", is_fated=ibis.literal(True))
    judged = judged.left_join(ends, "d").drop("d_right")
    young = judged.verdict.isin([int(Verdict.OPEN), int(Verdict.LATER)])
    is_lost = young & judged.is_fated.fill_null(False)
    return judged.mutate(
        verdict=ibis.ifelse(is_lost, int(Verdict.DROPPED), judged.verdict),
        why=ibis.ifelse(is_lost, int(why), judged.why),
        is_foreseen=is_lost,
    ).drop("is_fated")


def _silent(c: Any, context: Context) -> Any:
    """How long a delivery has been silent beyond what is legal; at most 0 if it has not."""
    untried = (c.mask & ~_IDLE) == 0
    end = ibis.ifelse(untried, min(context.passed_us, context.end_us), context.end_us)
    if context.horizon_us is not None:
        waits = ibis.greatest(c.last_at, ibis.coalesce(c.last_due, c.last_at))
        return end - waits - context.horizon_us
    no = ibis.least(c.last_attempt.fill_null(0), by_case.ATTEMPT_MAX)
    keys = sorted(context.gaps)
    limit = ibis.cases(
        *[((c.end_op == op) & (no == n), context.limit_us(op, n)) for op, n in keys],
        else_=context.fallback_us,
    )
    late = ibis.cases(
        *[((c.end_op == op) & (no == n), context.late_us(op, n)) for op, n in keys],
        else_=3 * max(0, context.lateness_max_us) + 2 * _MINUTE_US,
    )
    due = ibis.coalesce(c.last_due, c.last_lease)
    # a due time is only to be trusted where it is later than the line that sets it
    return ibis.ifelse(
        due.notnull() & (due >= c.last_line),
        end - ibis.greatest(due, c.last_at) - late,
        end - c.last_at - limit,
    )


def _contradicts(c: Any, context: Context) -> Any:
    """Called delivered, while what is written of it says otherwise."""
    no_turn_since = (c.take_pos.isnull()) | (c.take_pos < c.bad_pos)
    said_bad = (c.bad > 0) & (c.said_pos > c.bad_pos) & no_turn_since
    said_nothing = (c.takes >= 2) & c.instant_end
    contradicts = ibis.literal(False)
    if context.judges_said:
        contradicts = contradicts | said_bad
    if context.has_status:
        contradicts = contradicts | said_nothing
        # called delivered before its only answer came, which was a failure
        contradicts = contradicts | (
            (c.bad > 0) & (c.said_pos < c.bad_pos) & (c.takes <= 1) & (c.said > 0)
        )
        shows = (c.attempt == 1).fill_null(False) | (c.n > _TABLE_LINES)
        shows = shows | ibis.literal(context.judges_retried)
        contradicts = contradicts | (_on_one_row(c) & shows)
    return contradicts


def _ended_early(c: Any, context: Context, most: int) -> Any:
    """Ended with attempts left, and without an answer to the last."""
    unanswered = (c.bad_pos.isnull()) | (c.bad_pos < c.take_pos.fill_null(0))
    early = (c.made < most) & unanswered & ((c.takes > 0) | (c.attempt >= 1))
    if context.judges_early:
        return early
    # Many ends show no answer here: then only a lease that ran out tells.
    return early & by_case.has(c.mask, Op.LAPSED)


def _met_permanent(c: Any, context: Context) -> Any:
    """Answered by a status after which nothing is tried again."""
    permanent = ibis.literal(False)
    for status in (c.last_status, c.end_status, c.bad_status):
        permanent = permanent | status.isin(list(context.permanent)).fill_null(False)
    return permanent


def _is_used_up(c: Any, context: Context, most: int) -> Any:
    """Has had all of its attempts."""
    is_used_up = (c.made >= most) if most > 1 else ibis.literal(False)
    if context.may_lack_one and most > 2:
        is_used_up = c.made >= most - 1
    if context.limits:
        is_used_up = is_used_up | (c.made >= min(context.limits))
    # where a retry is on record, attempts were left, even if a late result has cleared it since
    is_used_up = is_used_up & ~((c.last_stand == Stand.WAITING) & c.last_due.notnull())
    if not context.limits and not context.is_max_told:
        is_used_up = is_used_up & ~(c.planned_no >= c.made).fill_null(False)
    return is_used_up


def _rules(c: Any, context: Context, is_silent: Any) -> list[tuple[Any, Verdict, Why]]:
    """The first that holds decides."""
    has = by_case.has
    drop = Verdict.DROPPED
    most = context.attempts_max or 1
    stands = c.last_stand
    contradicts = _contradicts(c, context)
    early = _ended_early(c, context, most)
    permanent = _met_permanent(c, context)
    is_used_up = _is_used_up(c, context, most)
    never_due = (c.last_due - c.last_line) > max(30 * _DAY_US, 20 * context.due_delay_max_us)
    said = (c.said > 0) | (stands == Stand.DELIVERED)
    has_letters = context.exhausted_has_dead or context.used_up_has_dead
    dlq_missing = is_silent & (c.made >= most) if has_letters else ibis.literal(False)
    return [
        (c.good > 0, Verdict.DELIVERED, Why.NONE),
        (said & contradicts, drop, Why.FALSE_DELIVERED),
        (said, Verdict.DELIVERED, Why.NONE),
        (
            (stands == Stand.DEAD) & early.fill_null(False) & ~permanent.fill_null(False),
            drop,
            Why.GIVEN_UP_EARLY,
        ),
        (has(c.mask, Op.DEAD_FAILED) & ~has(c.mask, Op.DEAD), drop, Why.NO_DEAD_LETTER),
        (
            (stands == Stand.DEAD) | has(c.mask, Op.DEAD) & ~has(c.mask, Op.RESUMED),
            Verdict.DEAD,
            Why.NONE,
        ),
        (
            ibis.literal(context.fails_finally)
            & (c.end_op == Op.FAILED).fill_null(False)
            & (c.takes > 0),
            Verdict.DEAD,
            Why.NONE,
        ),
        (
            ibis.literal(context.fails_to_letter)
            & (c.end_op == Op.FAILED).fill_null(False)
            & (c.takes > 0)
            & is_silent,
            drop,
            Why.NO_DEAD_LETTER,
        ),
        ((stands == Stand.CANCELLED), Verdict.CANCELLED, Why.NONE),
        ((stands == Stand.GONE) & c.last_actor.fill_null(False), Verdict.CANCELLED, Why.NONE),
        ((stands == Stand.GONE) & (c.last_op == Op.PURGED), drop, Why.PURGED),
        ((stands == Stand.GONE) & (c.last_op == Op.SKIPPED), drop, Why.SKIPPED),
        ((stands == Stand.GONE), drop, Why.DISCARDED),
        ((stands == Stand.PARKED), Verdict.PARKED, Why.NONE),
        ((stands == Stand.EXHAUSTED) & dlq_missing, drop, Why.NO_DEAD_LETTER),
        ((stands == Stand.EXHAUSTED), Verdict.DEAD, Why.NONE),
        (never_due.fill_null(False), drop, Why.NEVER_DUE),
        (permanent.fill_null(False) & (c.bad > 0) & is_silent, Verdict.DEAD, Why.NONE),
        (
            is_used_up
            & (c.bad > 0)
            & is_silent
            & ~has(c.mask, Op.DEAD)
            & ibis.literal(context.used_up_has_dead),
            drop,
            Why.NO_DEAD_LETTER,
        ),
        (is_used_up & (c.bad > 0) & (stands != Stand.LEASED) & is_silent, Verdict.DEAD, Why.NONE),
        (is_silent, drop, Why.SILENT),
        ((c.last_due > context.end_us), Verdict.LATER, Why.NONE),
    ]
