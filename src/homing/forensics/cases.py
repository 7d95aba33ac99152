"""One row per delivery from the events, with what happened to it in which order: Ibis, any engine."""

from __future__ import annotations

import functools
import operator
from typing import Any, Final

import ibis
from ibis import _

from homing.forensics.operations import Op, Stand
from homing.forensics.words import SAID

#: ops of a life in which nothing went wrong
_PLAIN: Final = (
    Op.ACCEPTED,
    Op.QUEUED,
    Op.CLAIMED,
    Op.SENT,
    Op.SUCCEEDED,
    Op.WRITTEN,
    Op.NOTED,
    Op.ATTEMPTED,
)
_PLAIN_MASK: Final = sum(1 << op for op in _PLAIN)
#: an end that comes sooner than this after a claim cannot have contained a request
INSTANT_US: Final = 50_000
#: two lines of one turn (`popped`, `taken`) are no further apart, with nothing between them
TOLD_AGAIN_US: Final = 1_000_000
#: attempts are told apart up to this number
ATTEMPT_MAX: Final = 30


#: how a delivery stands that is at its end, by whatever line
_ENDS: Final = [int(s) for s in (Stand.DELIVERED, Stand.DEAD, Stand.CANCELLED, Stand.EXHAUSTED)]
#: by these a delivery goes on
_MOVES: Final = [Op.SENT, Op.QUEUED, Op.RETRY, Op.POSTPONED, Op.RESUMED, Op.SUCCEEDED]


def has(mask: Any, *ops: Op) -> Any:
    """Whether any of the operations is among those of a delivery."""
    return (mask & sum(1 << op for op in ops)) != 0


def by_delivery(events: Any, takes: Op, extras: int, *, has_bit_or: bool = True) -> Any:
    """The aggregates of each delivery that need no order of its lines.

    Args:
        events: the table of events.
        takes: the operation by which a worker takes a delivery in this log: CLAIMED, or SENT.
        extras: how many columns x0, x1, … are in use.
        has_bit_or: the engine can fold bits; else the set of operations is put together one by one.
    """
    e = events
    take = _takes(e, takes)
    is_written = (e.rows_written.isnull()) | (e.rows_written != 0)
    # a late failure that leaves a delivery as it is does not call it delivered
    is_end = (e.stand == Stand.DELIVERED) & (e.from_stand != Stand.DELIVERED)
    # nor is a hand-over to the queue that fails again and again a sign of life
    changes = ~e.act.isin([Op.NOTED, Op.NOT_QUEUED])
    lapse = (e.act == Op.LAPSED) & (e.stand == Stand.FAILED)
    stands = (e.stand > 0) & is_written
    # "failed", unsigned and with no answer, says no more of an end than the line that made it
    is_bare = e.act.isin([Op.FAILED, Op.WRITTEN]) & (e.stand == Stand.FAILED) & e.worker.isnull()
    is_bare = is_bare & e.status.isnull()
    firm_pos = e.pos.max(where=stands & e.stand.isin([Stand.CANCELLED, Stand.DEAD, Stand.GONE]))
    other_pos = e.pos.max(where=stands & ~is_bare)
    return e.group_by("d").aggregate(
        n=e.count(),
        first_at=e.at_us.min(),
        last_at=ibis.coalesce(e.at_us.max(where=changes), e.at_us.max()),
        accept_at=e.at_us.min(where=e.act == Op.ACCEPTED),
        accepted_us=e.accepted_us.min(),
        mask=_mask(e, has_bit_or),
        takes=take.cast("int64").sum(),
        good=(e.result == 1).cast("int64").sum(),
        said=(e.result == SAID).cast("int64").sum(),
        bad=(e.result == -1).cast("int64").sum(),
        exhausted=((e.act == Op.EXHAUSTED) | (e.stand == Stand.EXHAUSTED)).max(),
        refused=(~is_written).cast("int64").sum(),
        attempt=e.attempt.max(),
        allowed=e.max_attempts.max(),
        last_pos=ibis.coalesce(e.pos.max(where=changes), e.pos.max()),
        lapse_pos=e.pos.max(where=lapse),
        lapse_attempt=e.attempt.max(where=lapse),
        move_pos=e.pos.max(where=take | e.act.isin(_MOVES)),
        bad_attempt=e.attempt.max(where=e.result == -1),
        said_attempt=e.attempt.max(where=(e.result == SAID) | is_end),
        stand_pos=ibis.ifelse(firm_pos == other_pos, firm_pos, e.pos.max(where=stands)),
        bad_pos=e.pos.max(
            # given up by a line that says how long the request took: it had an answer, or a time-out
            where=(e.result == -1) | ((e.act == Op.DEAD) & e.total_us.notnull())
        ),
        take_pos=e.pos.max(where=take),
        said_pos=e.pos.max(where=(e.result == SAID) | (is_end & is_written)),
        cancel_pos=e.pos.max(where=e.act == Op.CANCELLED),
        signed_pos=e.pos.max(where=(e.act == Op.CANCELLED) & e.has_actor),
        dead_pos=e.pos.max(where=e.act == Op.DEAD),
        resume_pos=e.pos.max(where=e.act == Op.RESUMED),
        named=(e.has_actor & (e.stand == Stand.GONE)).max(),
        ended_bad=(is_end & is_written & (e.result == -1)).max(),
        is_put_off=(e.due_us > e.at_us).max().fill_null(False),
        total_us=e.total_us.max(),
        bytes=e.bytes.max(),
        commit_lag_us=e.commit_lag_us.max(),
        worker=e.worker.max(),
        two_workers=e.worker.min() != e.worker.max(),
        endpoint=e.endpoint.max(),
        app=e.app.max(),
        event_type=e.event_type.max(),
        build=e.build.min(),
        config=e.config.min(),
        **{f"x{i}": e[f"x{i}"].max() for i in range(extras)},
    )


def _mask(e: Any, has_bit_or: bool) -> Any:
    """The set of a delivery's operations, a bit each."""
    if has_bit_or:
        return (ibis.literal(1, "int64") << e.act.cast("int64")).bit_or()
    bits = [(e.act == op).cast("int64").max() * (1 << op) for op in Op]
    return functools.reduce(operator.add, bits)


def _takes(e: Any, takes: Op) -> Any:
    return (e.act == takes) | ((e.act == Op.ACCEPTED) & (e.stand == Stand.LEASED))


def is_unshown(c: Any) -> Any:
    """Called delivered from its acceptance on within the log, with no answer at all on record."""
    return (c.said > 0) & (c.good == 0) & (c.bad == 0) & c.accept_at.notnull()


def is_ended_by_lapse(c: Any) -> Any:
    """Whether nothing moved a delivery any more since a lease that ran out was called its failure."""
    ended = c.lapse_pos.notnull() & (c.move_pos.isnull() | (c.lapse_pos > c.move_pos))
    return ended & ~(c.attempt > c.lapse_attempt).fill_null(False)


def is_hard(cases: Any) -> Any:
    """Whether the order of a delivery's lines can matter: all but the plainly delivered."""
    return (
        (cases.good + cases.said == 0)
        | (cases.bad > 0)
        | (cases.takes > 1)
        | (cases.refused > 0)
        | ((cases.mask & ~_PLAIN_MASK) != 0)
    )


def ordered(events: Any, takes: Op, *, has_versions: bool = False) -> Any:
    """The lines of the hard deliveries, each with what came before it in the same delivery.

    Args:
        has_versions: whatever is written tells the version that it leaves.
    """
    one = ibis.window(group_by="d", order_by="pos")
    before = ibis.window(group_by="d", order_by="pos", preceding=(None, 1))
    events = events.filter(events.act != Op.NOTED)
    events = events.mutate(take=_takes(events, takes))
    events = events.mutate(take=events.take & ~_is_told_again(events, one))
    e = events.mutate(
        answers=(events.result != 0)
        | events.act.isin([Op.LAPSED, Op.RELEASED, Op.DEAD, Op.SKIPPED, Op.POSTPONED, Op.RETRY]),
        writes=(events.rows_written.isnull()) | (events.rows_written != 0),
        ends=events.stand.isin([Stand.DELIVERED, Stand.DEAD, Stand.CANCELLED, Stand.GONE]),
    )
    # an answer of the receiver that has a line of its own writes nothing by itself
    tells = (e.result != 0) & (e.stand == Stand.NONE)
    if has_versions:
        tells = tells | (e.version_after.isnull() & e.version_before.isnull())
    results = e.result.isin([1, -1]) & e.writes & ~tells
    e = e.mutate(
        results=results,
        reports=e.writes & ~tells & _is_report(e, has_versions),
        taken=e.take.cast("int64").sum().over(ibis.cumulative_window(group_by="d", order_by="pos")),
        answered=e.answers.cast("int64").sum().over(before),
        resumed=(e.act == Op.RESUMED).cast("int64").max().over(before),
        # what was passed over was no attempt
        attempt_before=e.attempt.max(where=e.act != Op.SKIPPED).over(before),
        version_before_max=e.version_after.max(where=e.writes).over(before),
        ended_before=(e.ends & e.writes).cast("int64").max().over(before),
        next_at=e.at_us.lead().over(one),
        next_op=e.act.lead().over(one),
        next_attempt=e.attempt.lead().over(one),
        next_signed=e.has_actor.lead().over(one),
    )
    hold = ibis.window(group_by=["d", "taken"], order_by="pos")
    so_far = ibis.cumulative_window(group_by=["d", "taken"], order_by="pos")
    return e.mutate(
        hold_worker=e.worker.first(include_null=True).over(hold),
        hold_epoch=e.epoch.first(include_null=True).over(hold),
        hold_lease=e.lease_us.first(include_null=True).over(hold),
        hold_at=e.at_us.first().over(hold),
        # what was planned in this turn, by this line or one before it
        plan_due=e.due_us.max().over(so_far),
        # the late answer of an earlier turn may come after it
        hold_results=(e.result.isin([1, -1])).cast("int64").sum().over(so_far),
        hold_differs=_differs(e, hold),
        hold_sent=(e.act == Op.SENT).cast("int64").sum().over(hold),
        results_so_far=e.results.cast("int64").sum().over(so_far),
    )


def _is_told_again(e: Any, one: Any) -> Any:
    """Whether a line tells of a turn that the line before tells of too: of the same worker, at once."""
    is_same = (e.worker == e.worker.lag().over(one)) & e.take.lag().over(one)
    is_same = is_same & (e.at_us - e.at_us.lag().over(one) < TOLD_AGAIN_US)
    attempt = e.attempt.nullif(0).lag().over(one)  # a queue counts what was before
    return (is_same & ~(e.attempt > attempt).fill_null(False)).fill_null(False)


def _is_report(e: Any, has_versions: bool) -> Any:
    """Whether a worker writes by this line what came of its turn."""
    done = (e.result != 0) | e.act.isin([Op.SUCCEEDED, Op.FAILED, Op.DEAD, Op.WRITTEN])
    if has_versions:  # then it is no answer's line that does, but the plan that follows from it
        done = done | ((e.act == Op.RETRY) & e.worker.notnull() & e.attempt.notnull())
    return done


def _differs(e: Any, hold: Any) -> Any:
    """Whether the results of a turn are more than two lines about the same answer: of two workers, of
    two attempts, or a success and a failure."""
    is_result = e.result.isin([1, -1])
    return functools.reduce(
        operator.or_,
        [
            (
                column.max(where=is_result).over(hold) != column.min(where=is_result).over(hold)
            ).fill_null(False)
            for column in (e.worker, e.attempt, e.result)
        ],
    )


def interleavings(o: Any, *, fine_clock: bool) -> Any:
    """Per delivery, whether its lines cross in one of the ways that lose deliveries.

    Args:
        o: the lines as `ordered` gives them.
        fine_clock: the times of the log are finer than whole seconds.
    """
    if fine_clock:
        is_instant = (o.at_us - o.hold_at < INSTANT_US) & (o.hold_sent == 0)
        is_instant = is_instant & (o.ends | (o.act == Op.SKIPPED) | (o.result == SAID))
    else:
        is_instant = o.act == Op.SKIPPED
    flags = {
        # a worker took it while another had not said what came of its turn
        "two_holders": o.take & (o.taken - o.answered.fill_null(0) >= 2),
        # a worker reported on it although somebody else had taken it since
        "foreign_write": o.reports & ~o.take & (o.taken >= 1) & (o.worker != o.hold_worker),
        "old_epoch": o.reports & ~o.take & (o.taken >= 1) & (o.epoch != o.hold_epoch),
        # the result of an attempt after a later attempt had begun; or a row that was saved whole,
        # with the number of an earlier attempt
        "late_attempt": ((o.reports | o.take) & (o.attempt > 0) & (o.attempt < o.attempt_before))
        # or the row of a table of deliveries counts fewer than there were
        | ((o.act == Op.ACCEPTED) & (o.attempt < o.attempt_before)),
        "after_lease": (o.result != 0) & (o.at_us > o.hold_lease),
        # it was written over a version that its writer had not read
        "lost_update": o.writes
        & (
            ((o.version_before > 0) & (o.version_before < o.version_before_max))
            # or, where only the version that it left is told, it left an older one than there was
            | (o.version_before.isnull() & (o.version_after < o.version_before_max)).fill_null(
                False
            )
        ),
        # one turn brought two results
        "second_result": o.results & (o.taken >= 1) & (o.results_so_far >= 2) & o.hold_differs,
        "taken_after_end": o.take & (o.ended_before == 1),
        "instant_end": (o.taken >= 2) & ~o.take & (o.hold_results == 0) & is_instant,
    }
    is_planned = (o.stand == Stand.WAITING) & (o.due_us > o.at_us) & o.writes
    stands = (o.stand > 0) & o.writes
    found = o.group_by("d").aggregate(
        # what is deleted, or given back, after its end is tidied up, and stands as it ended
        kept_pos=o.pos.max(where=stands & ~o.act.isin([Op.PURGED, Op.RELEASED])),
        ended_pos=o.pos.max(where=stands & o.stand.isin(_ENDS)),
        plan_pos=o.pos.max(where=o.due_us > o.at_us),
        plan_at=o.at_us.max(where=o.due_us > o.at_us),
        plan_due=o.due_us.max(),
        dead_at=o.at_us.max(where=o.act == Op.DEAD),
        bad_at=o.at_us.max(where=o.result == -1),
        # where no line shows the answer, by the one that calls it delivered
        good_end=ibis.coalesce(o.pos.max(where=o.result == 1), o.pos.max(where=o.result == SAID)),
        bad_end=o.pos.max(where=(o.result == -1) & o.writes),
        good_turn=o.taken.max(where=o.result == 1),
        said_turn=o.taken.max(where=o.result == SAID),
        bad_turn=o.taken.max(where=(o.result == -1) & o.writes),
        good_no=ibis.coalesce(
            # what nobody signs may be a row, whose number is that of the last attempt of all
            o.attempt.fill_null(0).argmax(o.pos, where=(o.result == 1) & o.worker.notnull()),
            o.attempt.fill_null(0).argmax(o.pos, where=o.result == 1),
            o.attempt.fill_null(0).argmax(o.pos, where=o.result == SAID),
        ),
        bad_no=o.attempt.fill_null(0).argmax(o.pos, where=o.result == -1),
        # nor does what nobody signs say whose success it was
        good_worker=ibis.coalesce(
            o.worker.argmax(o.pos, where=(o.result == 1) & o.worker.notnull()), 0
        ),
        good_at=o.at_us.max(where=(o.result == 1) & o.worker.notnull()),
        bad_began=(o.at_us - o.total_us.fill_null(0)).argmax(o.pos, where=o.result == -1),
        bad_worker=o.worker.fill_null(0).argmax(o.pos, where=o.result == -1),
        turns=o.taken.max(),
        # those with an answer before the next one began
        told_turns=o.taken.nunique(where=(o.result != 0) & (o.taken > 0)),
        has_lapsed=(o.act == Op.LAPSED).max(),
        # the last attempt after which another one was planned
        planned_no=o.attempt.max(where=is_planned.fill_null(False)),
        **{name: flag.fill_null(False).cast("int8").max() for name, flag in flags.items()},
    )
    return found.mutate(taken_back=_is_taken_back(found)).drop(*_OF_TAKING_BACK)


#: what only that asks for
_OF_TAKING_BACK: Final = (
    *("good_end", "bad_end", "good_no", "bad_no", "good_worker", "bad_worker"),
    *("good_at", "bad_began"),
    *("good_turn", "said_turn", "bad_turn", "turns", "told_turns", "has_lapsed"),
)


def _is_taken_back(found: Any) -> Any:
    """Whether an attempt succeeded by one line and failed by a later one, of the same turn."""
    is_same = (found.good_no == found.bad_no) | (found.bad_no == 0)
    # of the one turn there was, or of the last, where each one before had its answer in time
    is_of_last = (found.turns <= 1) | ((found.told_turns >= found.turns) & ~found.has_lapsed)
    is_sure = (found.bad_turn <= found.bad_no) | is_of_last
    # what a receiver says later of what it took is no worker's line
    is_told_later = is_sure & ~found.has_lapsed
    is_same = is_same & ((found.good_worker == found.bad_worker) | is_told_later)
    # without its number, the failure may be of any turn before that was left open
    is_same = is_same & ((found.bad_no > 0) | is_of_last)
    # nor, where an attempt was taken twice, whose it is, if nobody signs, or if one has it again after
    # its lease ran out
    is_signed = (found.bad_worker != 0) & ~found.has_lapsed
    is_same = is_same & (is_signed | is_sure)
    # a request of another worker that was under way already is another one
    signed = (found.good_worker != 0) & (found.bad_worker != 0)
    is_other = signed & (found.good_worker != found.bad_worker) & (found.bad_began < found.good_at)
    is_same = is_same & ~is_other.fill_null(False)
    is_open = ibis.coalesce(found.good_turn, found.said_turn) == found.bad_turn
    return ((found.bad_end > found.good_end) & is_open & is_same).fill_null(False)


#: the crossings that `interleavings` finds, with what each is in words
CROSSINGS: Final = {
    "two_holders": "two workers held it at once",
    "foreign_write": "a worker wrote to it after another had taken it",
    "old_epoch": "a write came from an older lease",
    "late_attempt": "the result of an earlier attempt came after a later one had begun",
    "after_lease": "the response came after the lease had run out",
    "lost_update": "a write replaced a version that its writer had not read",
    "second_result": "one turn brought two results",
    "taken_after_end": "it was taken again after it had ended",
    "instant_end": "a later turn ended at once, with no request",
}


def gaps(o: Any) -> Any:
    """By operation and attempt: how long it may take until a delivery's next line.

    Lines that a person or a rule brings about are no sign of how long the machine takes; nor is what ends
    the wait for a turn without one.
    """
    by_hand = [Op.RESUMED, Op.PURGED, Op.CANCELLED, Op.PARKED]
    is_new = o.act.isin([Op.ACCEPTED, Op.QUEUED])
    is_put_off = o.act.isin([Op.RETRY, Op.POSTPONED])
    ends_wait = (is_new & o.next_op.isin([Op.DISCARDED, Op.SKIPPED])) | (
        is_put_off & (o.next_op == Op.DISCARDED)
    )
    # thrown away for its endpoint, by whom it names
    ends_wait = ends_wait | ((o.next_op == Op.DISCARDED) & o.next_signed).fill_null(False)
    machine = o.filter(o.next_at.notnull() & ~o.next_op.isin(by_hand) & ~ends_wait)
    machine = machine.mutate(
        gap=machine.next_at - machine.at_us,
        lateness=machine.next_at
        - ibis.greatest(
            machine.at_us,
            ibis.coalesce(machine.due_us, machine.plan_due, machine.lease_us, machine.at_us),
        ),
    )
    return machine.group_by("act", no=ibis.least(_.attempt.fill_null(0), ATTEMPT_MAX)).aggregate(
        gap=machine.gap.max(),
        lateness=machine.lateness.max(),
        lines=machine.count(),
        due=(machine.due_us.notnull() | machine.lease_us.notnull()).cast("int64").sum(),
    )


def stops(o: Any) -> Any:
    """By the number of an attempt that failed: how many there were, and after how many it went on; what
    somebody had tried again is left out, for it is no sign of how often the machine tries."""
    by_itself = o.resumed.fill_null(0) == 0
    failed = o.filter((o.result == -1) & o.attempt.notnull() & by_itself)
    # a second failure of the same attempt says more of its end; one of another attempt is later news
    ends = failed.next_op.isin([Op.DEAD, Op.EXHAUSTED, Op.DEAD_FAILED]) | (
        (failed.next_op == Op.FAILED) & (failed.next_attempt == failed.attempt)
    )
    went_on = failed.next_at.notnull() & ~ends.fill_null(False)
    return failed.group_by("attempt").aggregate(
        lines=failed.count(), followed=went_on.cast("int64").sum()
    )


def failures(o: Any) -> Any:
    """Of the lines that say failed: how many there are, and how many had a next one, or a dead letter;
    how many plans of a retry follow a worker's turn with no such line between; and how many deliveries
    ended with a failure, and of how many that one told when the next attempt was due."""
    is_failed = (o.act == Op.FAILED) & (o.stand != Stand.WAITING)
    waits = [Op.RETRY, Op.QUEUED, Op.POSTPONED, Op.ACCEPTED]
    turn = o.act.isin([Op.CLAIMED, Op.SENT]) & o.next_op.isin(waits).fill_null(False)
    is_end = (o.result == -1) & o.next_op.isin([Op.DEAD, Op.EXHAUSTED]).fill_null(False)
    return o.aggregate(
        lines=is_failed.cast("int64").sum(),
        followed=(is_failed & o.next_at.notnull()).cast("int64").sum(),
        buried=(is_failed & (o.next_op == Op.DEAD).fill_null(False)).cast("int64").sum(),
        by_retry=turn.cast("int64").sum(),
        ended=is_end.cast("int64").sum(),
        ended_planned=(is_end & (o.due_us > o.at_us).fill_null(False)).cast("int64").sum(),
    )


def endings(o: Any) -> Any:
    """By the status of a failed attempt: how many there were, and how many had a next line."""
    failed = o.filter((o.result == -1) & o.status.notnull())
    return failed.group_by("status").aggregate(
        lines=failed.count(),
        followed=(failed.next_at.notnull()).cast("int64").sum(),
        planned=(failed.due_us > failed.at_us).fill_null(False).cast("int64").sum(),
        retried=failed.next_op.isin(
            [
                Op.CLAIMED,
                Op.SENT,
                Op.RETRY,
                Op.POSTPONED,
                Op.FAILED,
                Op.SUCCEEDED,
                Op.QUEUED,
                Op.LAPSED,
                Op.ATTEMPTED,
            ]
        )
        .fill_null(False)
        .cast("int64")
        .sum(),
    )
