"""Where every delivery went: delivered, dead, still on its way, or nowhere. Ibis, any engine."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, Final

import ibis
from ibis import _

from homing.forensics import cases as by_case
from homing.forensics.limits import IDLE, MINUTE_US, TABLE_LINES, Context, Fate, on_one_row
from homing.forensics.operations import Op, Stand
from homing.forensics.rows import row, rows

#: no schedule waits so long for one retry: the longest wait of those published is of hours
_AHEAD_MAX_US: Final = 7 * 86_400_000_000
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


def judge(cases: Any, hard: Any, events: Any, context: Context, keep: Keep) -> Any:
    """The table of deliveries with `verdict`, `why`, `silent_us`, the crossings and the last line."""
    crossed = keep("crossed", by_case.interleavings(hard, fine_clock=context.fine_clock))
    c = cases.left_join(crossed, "d").drop("d_right")
    c = c.mutate(**{name: c[name].fill_null(0) > 0 for name in by_case.CROSSINGS})
    c = c.mutate(
        taken_back=c.taken_back.fill_null(False) & _judges_taken_back(crossed, cases),
        stand_pos=ibis.ifelse(c.kept_pos == c.ended_pos, c.kept_pos, c.stand_pos),
    )
    last = events.select(
        stand_pos_="pos",
        last_op="act",
        last_stand="stand",
        last_status="status",
        last_due="due_us",
        last_lease="lease_us",
        last_attempt="attempt",
        last_line="at_us",
    )
    unsure = c.filter((c.good == 0) | c.taken_back)
    unsure = unsure.select("d", "stand_pos", "last_pos", "bad_pos")
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
        made=_made(c),
    )
    c = c.mutate(last_stand=ibis.ifelse(_waits_on(c), int(Stand.WAITING), c.last_stand))
    c = c.mutate(last_due=_last_due(c, context))
    silent = _silent(c, context)
    c = c.mutate(silent_us=silent)
    is_drop = (c.silent_us > 0) & ~c.is_doubted
    cases_ = _rules(c, context, is_drop)
    verdict = ibis.cases(*[(test, int(v)) for test, v, _ in cases_], else_=int(Verdict.OPEN))
    why = ibis.cases(*[(test, int(w)) for test, _, w in cases_], else_=0)
    judged = keep("judged", c.mutate(verdict=verdict, why=why))
    return _foreseen(judged, hard, context, keep)


#: a line so soon after a plan is told with it
_AT_ONCE_US: Final = 1_000_000


def _waits_on(c: Any) -> Any:
    """Whether a line passes over what waits for its time: a duplicate of its acceptance, say."""
    is_planned = (c.plan_pos > c.take_pos.fill_null(0)) & (c.plan_due > c.last_at)
    return ((c.last_op == Op.SKIPPED) & is_planned).fill_null(False)


def _last_due(c: Any, context: Context) -> Any:
    """When a delivery is due: a line that tells no state may say so, and so may one before the line by
    which the turn was over."""
    # nor does the late failure of an earlier turn undo a plan, where no failure's line has ever one
    is_over = c.last_op == Op.RELEASED
    if context.plans_apart:
        is_over = is_over | (c.last_stand == Stand.FAILED)
    # nor a table's row, which may keep it elsewhere, after the plan that it is the outcome of
    is_row = (c.last_stand == Stand.WAITING) & c.last_op.isin([Op.ACCEPTED, Op.WRITTEN])
    is_planned = c.last_due.isnull() & (is_over | is_row)
    is_planned = is_planned & (c.plan_pos > c.take_pos.fill_null(0)).fill_null(False)
    # a worker that has it at once holds it until then, and a plan may be told twice; what is written
    # later without a time may have taken it away
    is_kept = c.last_stand.isin([Stand.LEASED, Stand.WAITING]) & c.last_due.isnull()
    is_kept = is_kept & (c.last_at - c.plan_at <= _AT_ONCE_US) & (c.plan_due > c.last_at)
    is_planned = is_planned | is_kept.fill_null(False) | _waits_on(c)
    due = ibis.ifelse(is_planned, c.plan_due, c.last_due)
    return ibis.ifelse(c.end_due.notnull() & (due.isnull() | (c.end_due > due)), c.end_due, due)


def _made(c: Any) -> Any:
    """How many attempts were made: by their numbers, or, where a row lacks one or they begin at 0, by
    the failures; more of these are two lines about the same one."""
    failures = c.bad.cast("int32")
    is_told_twice = c.bad_attempt.notnull() & (failures > c.attempt + 1)
    told = c.attempt.fill_null(0)
    return ibis.ifelse(is_told_twice.fill_null(False), told, ibis.greatest(told, failures))


def _judges_taken_back(crossed: Any, cases: Any) -> bool:
    """Whether a failure after the success of the same attempt says that it failed: where that is most
    of what failed and came through, it is how the log is written."""
    is_both = (cases.good + cases.said > 0) & (cases.bad > 0)
    both = crossed.inner_join(cases.filter(is_both).select("d"), "d")
    found = row(both.aggregate(n=both.count(), k=both.taken_back.cast("int64").sum()))
    return 0 < 2 * int(found.k or 0) < int(found.n)


#: siblings that must have been left before the next one is given up
_SIBLINGS_MIN: Final = 8
_ANSWERS: Final = (Op.FAILED, Op.RETRY, Op.LAPSED, Op.RELEASED, Op.POSTPONED)


def _foreseen(judged: Any, hard: Any, context: Context, keep: Keep) -> Any:
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
    young = judged.verdict.isin([int(Verdict.OPEN), int(Verdict.LATER)]) & ~judged.is_doubted
    is_lost = young & judged.is_fated.fill_null(False)
    foreseen = judged.mutate(
        verdict=ibis.ifelse(is_lost, int(Verdict.DROPPED), judged.verdict),
        why=ibis.ifelse(is_lost, int(why), judged.why),
        is_foreseen=is_lost,
    )
    return keep("foreseen", foreseen.drop("is_fated"))


def _silent(c: Any, context: Context) -> Any:
    """How long a delivery has been silent beyond what is legal; at most 0 if it has not."""
    untried = (c.mask & ~IDLE) == 0
    end = ibis.ifelse(untried, min(context.passed_us, context.end_us), context.end_us)
    if context.horizon_us is not None:
        waits = ibis.greatest(c.last_at, ibis.coalesce(c.last_due, c.last_at))
        return end - waits - context.horizon_us
    no = ibis.least(c.last_attempt.fill_null(0), by_case.ATTEMPT_MAX)
    # a turn that is over says nothing of what follows an end
    is_used_up = c.last_stand == Stand.EXHAUSTED
    end_op = ibis.ifelse(is_used_up, int(Op.EXHAUSTED), c.end_op)
    keys = sorted(context.gaps)
    known = [key for key in keys if context.is_known(*key)]
    # what waits for its first turn waits as long as others did, and a worker has it as long
    unknown = ibis.cases(
        (untried, context.limit_us(int(Op.ACCEPTED), 0)),
        (c.last_stand == Stand.LEASED, context.turn_us),
        # how it stands after a failure is no line of its own: it waits as long as others did
        *_standing(c, context),
        else_=context.fallback_us,
    )
    limit = ibis.cases(
        *[((end_op == op) & (no == n), context.limit_us(op, n)) for op, n in known],
        else_=unknown,
    )
    late = ibis.cases(
        *[((c.end_op == op) & (no == n), context.late_us(op, n)) for op, n in keys],
        else_=3 * max(0, context.lateness_max_us) + 2 * MINUTE_US,
    )
    due = ibis.coalesce(c.last_due, c.last_lease)
    # a due time is only to be trusted where it is later than the line that sets it
    return ibis.ifelse(
        due.notnull() & (due >= c.last_line),
        end - ibis.greatest(due, c.last_at) - late,
        end - c.last_at - limit,
    )


def _standing(c: Any, context: Context) -> list[tuple[Any, int]]:
    """Where the last row of a delivery is that of a table, after a failure: by its attempt."""
    is_standing = c.end_op.isin([int(Op.ACCEPTED), int(Op.WRITTEN)]) & (c.bad > 0)
    failed = sorted(no for op, no in context.gaps if op == Op.FAILED and context.is_known(op, no))
    return [
        (is_standing & (c.bad_attempt == no), context.limit_us(int(Op.FAILED), no)) for no in failed
    ]


def _said_bad(c: Any, context: Context) -> Any:
    """Called delivered after a failure, and nobody had tried it again."""
    # a later attempt is another turn, whether or not turns have lines
    is_later = (c.said_attempt > c.bad_attempt).fill_null(False)
    if not context.has_status:  # nor is it a contradiction that an earlier one came through, late
        is_later = (c.said_attempt != c.bad_attempt).fill_null(False)
    no_turn_since = ((c.take_pos.isnull()) | (c.take_pos < c.bad_pos)) & ~is_later
    return (c.bad > 0) & (c.said_pos > c.bad_pos) & no_turn_since


def _contradicts(c: Any, context: Context) -> Any:
    """Called delivered, while what is written of it says otherwise."""
    is_later = (c.said_attempt > c.bad_attempt).fill_null(False)
    no_turn_after = ((c.take_pos.isnull()) | (c.take_pos < c.said_pos)) & ~is_later
    said_nothing = (c.takes >= 2) & c.instant_end
    contradicts = ibis.literal(False)
    if context.judges_said:
        contradicts = contradicts | _said_bad(c, context)
    if context.has_status:
        # or after a line by which it was passed over, with no request at all
        is_passed = by_case.has(c.mask, Op.DISCARDED) & ~by_case.has(c.mask, Op.SENT)
        contradicts = contradicts | said_nothing | (is_passed & (c.bad == 0))
        # called delivered before its last answer came, which was a failure
        contradicts = contradicts | (
            (c.bad > 0) & (c.said > 0) & (c.said_pos < c.bad_pos) & no_turn_after
        )
        shows = (c.attempt == 1).fill_null(False) | (c.n > TABLE_LINES)
        shows = shows | ibis.literal(context.judges_retried)
        contradicts = contradicts | (on_one_row(c) & shows)
        # or by the row of an attempt that failed, whatever said so before it
        is_of_attempt = (c.said_pos == c.bad_pos) & (c.said_attempt == c.bad_attempt)
        contradicts = contradicts | (
            is_of_attempt.fill_null(False) & (c.good == 0) & ibis.literal(context.judges_retried)
        )
    if context.shows_all:  # or with no answer at all, as no other is
        contradicts = contradicts | (by_case.is_unshown(c) & ~_is_by_hand(c))
    return contradicts


#: lines of one answer are written within so long
_LATE_US: Final = 1_000_000


def _ended_early(c: Any, context: Context, most: int) -> Any:
    """Ended with attempts left, and without an answer to the last."""
    unanswered = (c.bad_pos.isnull()) | (c.bad_pos < c.take_pos.fill_null(0))
    # the answer came when it had been given up already
    is_lapsed = by_case.has(c.mask, Op.LAPSED) & (c.bad_pos > c.dead_pos)
    is_late = is_lapsed | (c.bad_at > c.dead_at + _LATE_US)
    unanswered = unanswered | is_late.fill_null(False)
    # a turn that a lease ended has no result, and counts as an attempt
    early = (
        ~_is_at_last(c, context, most)
        & unanswered
        & ((c.takes > 0) | (c.attempt >= 1))
        & ~c.exhausted
    )
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


#: Request Timeout, Too Early and Too Many Requests (RFC 9110, 8470 and 6585)
_ASK_AGAIN: Final = (408, 425, 429)


def _asks_again(c: Any) -> Any:
    """Answered by a status that asks for another attempt: with no word of an end, that there was none
    does not make it final."""
    return c.bad_status.isin(_ASK_AGAIN).fill_null(False)


def _is_used_up(c: Any, context: Context, most: int) -> Any:
    """Has had all of its attempts."""
    is_used_up = (c.made >= ibis.coalesce(c.allowed, most)) if most > 1 else ibis.literal(False)
    if context.may_lack_one and most > 2:
        is_used_up = c.made >= most - 1
    if context.limits:
        is_used_up = is_used_up | (c.made >= min(context.limits))
    # where a retry is on record, attempts were left, even if a late result has cleared it since
    is_planned = (c.last_stand == Stand.WAITING) & c.last_due.notnull()
    # or in the line of the failure itself, of one that others are past, or where an end has none
    others_go_on = (c.made < most) | ibis.literal(context.ends_unplanned)
    is_planned = is_planned | ((c.last_due > c.last_line) & others_go_on).fill_null(False)
    is_used_up = is_used_up & ~is_planned
    if not context.limits and not context.is_max_told:
        is_used_up = is_used_up & ~(c.planned_no >= c.made).fill_null(False)
    return is_used_up


def _is_at_last(c: Any, context: Context, most: int) -> Any:
    """Whether a delivery has come to its last attempt, which may be another one than for others: by what
    its endpoint is allowed, or after a resumption by hand."""
    allowed = ibis.coalesce(c.allowed, most)
    return c.made >= ibis.least(allowed, min((*context.limits, most)))


def _left_after_lapse(c: Any, context: Context, most: int) -> Any:
    """Called a failure when its lease ran out, with attempts left, where nothing ever follows that."""
    return (
        ibis.literal(context.lapse_ends)
        & by_case.is_ended_by_lapse(c)
        & ~_is_at_last(c, context, most)
        & ~c.last_stand.isin([Stand.DEAD, Stand.CANCELLED, Stand.PARKED])
        & ~by_case.has(c.mask, Op.DEAD)
        & ~c.exhausted
    )


def _ends_failed(c: Any) -> Any:
    """Whether the failure of a turn is the last line, and leaves it neither waiting nor in progress."""
    is_failed = (c.end_op == Op.FAILED).fill_null(False) & (c.takes > 0)
    return is_failed & ~c.last_stand.isin([Stand.WAITING, Stand.LEASED])


def _goes_on(c: Any) -> Any:
    """Whether a turn came after the last failure, or the plan of one, or an end."""
    is_moved = (c.stand_pos > c.bad_pos) & (c.last_stand != Stand.DELIVERED)
    # or the line that tells of the failure lets it wait again
    is_moved = is_moved | ((c.stand_pos == c.bad_pos) & (c.last_stand == Stand.WAITING))
    return ((c.take_pos > c.bad_pos) | is_moved).fill_null(False)


def _is_kept(c: Any, is_silent: Any) -> Any:
    """Parked; but until a time that is long past it waits like any other."""
    is_past = is_silent & (c.last_due > c.last_line).fill_null(False)
    return (c.last_stand == Stand.PARKED) & ~is_past


def _is_by_hand(c: Any) -> Any:
    """Whether a person had a hand in what became of it."""
    return c.named.fill_null(False) | by_case.has(c.mask, Op.RESUMED) | c.cancel_pos.notnull()


def _is_withdrawn(c: Any) -> Any:
    """Withdrawn, and nothing but its place in the queue was told after that, or its acceptance, by a
    clock that is ahead; or withdrawn by a person: what a request that was on its way came to, nobody
    asks any more."""
    before = ibis.greatest(c.resume_pos.fill_null(0), c.bad_pos.fill_null(0))
    is_left = c.last_op.isin([Op.QUEUED, Op.CLAIMED, Op.ACCEPTED])
    # a request of before that fails now was on its way as well, if nothing was planned or begun since
    is_over = c.cancel_pos > ibis.greatest(c.resume_pos.fill_null(0), c.move_pos.fill_null(0))
    return (((c.cancel_pos > before) & is_left) | is_over).fill_null(False) | _is_signed(c)


def _is_signed(c: Any) -> Any:
    """Whether a person withdrew it last."""
    return (c.signed_pos > c.resume_pos.fill_null(0)).fill_null(False)


def _rules(c: Any, context: Context, is_silent: Any) -> list[tuple[Any, Verdict, Why]]:
    """The first that holds decides."""
    has, drop = by_case.has, Verdict.DROPPED
    most = context.attempts_max or 1
    stands = c.last_stand
    early = _ended_early(c, context, most).fill_null(False)
    permanent = _met_permanent(c, context).fill_null(False)
    is_used_up = _is_used_up(c, context, most)
    never_due = (c.last_due - c.last_line) > max(_AHEAD_MAX_US, 20 * context.due_delay_max_us)
    # a success that was taken back is none, and what came after it tells how it stands
    goes_on = c.taken_back & _goes_on(c)
    said = (c.said > 0) | (stands == Stand.DELIVERED)
    said = said & (~goes_on | (c.said_pos > c.bad_pos).fill_null(False))
    is_dead = (stands == Stand.DEAD) | (c.dead_pos > c.resume_pos.fill_null(0)).fill_null(False)
    ends_failed = _ends_failed(c)
    has_letters = context.exhausted_has_dead or context.used_up_has_dead
    # as the log itself says, or by the number of its attempts
    is_last = _is_at_last(c, context, most) | (stands == Stand.EXHAUSTED)
    dlq_missing = is_silent & is_last if has_letters else ibis.literal(False)
    dlq_missing = dlq_missing | (is_silent & ibis.literal(context.letters_stop))
    return [
        (c.taken_back & ~goes_on, drop, Why.FALSE_DELIVERED),
        ((c.good > 0) & ~c.taken_back, Verdict.DELIVERED, Why.NONE),
        # an entry that leaves its queue with a dead letter is acknowledged like any other
        (_said_bad(c, context) & has(c.mask, Op.DEAD), Verdict.DEAD, Why.NONE),
        # the task by which a person withdrew it succeeds, and no request does
        (said & _contradicts(c, context) & _is_signed(c), Verdict.CANCELLED, Why.NONE),
        (said & _contradicts(c, context), drop, Why.FALSE_DELIVERED),
        (said, Verdict.DELIVERED, Why.NONE),
        (is_dead & early & ~permanent, drop, Why.GIVEN_UP_EARLY),
        (_left_after_lapse(c, context, most), drop, Why.GIVEN_UP_EARLY),
        (has(c.mask, Op.DEAD_FAILED) & ~has(c.mask, Op.DEAD), drop, Why.NO_DEAD_LETTER),
        (is_dead, Verdict.DEAD, Why.NONE),
        (ibis.literal(context.fails_finally) & ends_failed, Verdict.DEAD, Why.NONE),
        (
            ibis.literal(context.fails_to_letter) & ends_failed & is_silent,
            drop,
            Why.NO_DEAD_LETTER,
        ),
        (
            # what was withdrawn may be deleted later, and the queue tells of its entry after that
            (stands == Stand.CANCELLED)
            | _is_withdrawn(c)
            | (stands == Stand.GONE) & (c.cancel_pos > c.resume_pos.fill_null(0)).fill_null(False),
            Verdict.CANCELLED,
            Why.NONE,
        ),
        # whatever came after somebody had thrown it away, as a duplicate that was passed over
        ((stands == Stand.GONE) & c.named.fill_null(False), Verdict.CANCELLED, Why.NONE),
        # as a queue of jobs calls those whose attempts are used up
        (
            (stands == Stand.GONE) & (c.last_op == Op.DISCARDED) & (c.attempt >= c.allowed),
            Verdict.DEAD,
            Why.NONE,
        ),
        ((stands == Stand.GONE) & (c.last_op == Op.PURGED), drop, Why.PURGED),
        ((stands == Stand.GONE) & (c.last_op == Op.SKIPPED), drop, Why.SKIPPED),
        ((stands == Stand.GONE), drop, Why.DISCARDED),
        (_is_kept(c, is_silent), Verdict.PARKED, Why.NONE),
        ((stands == Stand.EXHAUSTED) & dlq_missing, drop, Why.NO_DEAD_LETTER),
        ((stands == Stand.EXHAUSTED), Verdict.DEAD, Why.NONE),
        (never_due.fill_null(False), drop, Why.NEVER_DUE),
        (permanent & ~_asks_again(c) & (c.bad > 0) & is_silent, Verdict.DEAD, Why.NONE),
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
