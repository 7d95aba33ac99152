"""What single turns of workers show in the lines of a delivery. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from homing.forensics.cases import INSTANT_US, TOLD_AGAIN_US
from homing.forensics.operations import Op, Stand
from homing.forensics.traces import Step, Trace
from homing.forensics.vocabulary import meaning, normal


class Ended(NamedTuple):
    """That a delivery was ended while attempts were left."""

    strength: float  #: 0 to 1
    what: str  #: the signature in words
    twins: tuple[str, ...] = ()  #: mechanisms that may leave the same lines


def is_take(step: Step) -> bool:
    """Whether a worker took the delivery by this line."""
    return step.act is Op.CLAIMED or (step.act is Op.ACCEPTED and step.stand is Stand.LEASED)


def is_told_again(steps: Sequence[Step], i: int) -> bool:
    """Whether a line tells of a turn that the line before tells of too: of the same worker, at once."""
    one, before = steps[i], steps[i - 1] if i else None
    if before is None or not (is_take(one) and is_take(before)) or one.worker is None:
        return False
    is_next = (one.attempt or 0) > (before.attempt or one.attempt or 0)
    return one.worker == before.worker and one.at_us - before.at_us < TOLD_AGAIN_US and not is_next


def is_begun(steps: Sequence[Step]) -> bool:
    """Whether a worker took the delivery, or made a request of it: then it was listed, and found."""
    return any(is_take(step) or step.act is Op.SENT for step in steps)


def is_put_off(step: Step) -> bool:
    """Whether a line lets a delivery wait until a later time."""
    return step.due_us is not None and step.due_us > step.at_us


def plans_retry(step: Step) -> bool:
    """Whether a line plans a retry: by its operation, or as a failure that waits for a later time."""
    is_due = is_put_off(step)
    if step.act in (Op.PARKED, Op.POSTPONED):
        return is_due
    return step.act is Op.RETRY or (step.result < 0 and step.stand is Stand.WAITING and is_due)


def saves_as_taken(step: Step) -> bool:
    """Whether a write that is no turn saves what waits as in progress."""
    is_write = step.act in (Op.WRITTEN, Op.RELEASED)
    return is_write and step.before is Stand.WAITING and step.stand is Stand.LEASED


#: a state that is older by this than the answer of the attempt does not follow from it
UNDER_WAY_US: Final = 1_000_000


def is_unanswered(steps: Sequence[Step], no: int) -> bool:
    """Whether the attempt of that number was begun and has no answer, in lines of its own."""
    of_attempt = [s for s in steps if s.attempt == no and not s.is_row]
    return any(s.act is Op.SENT for s in of_attempt) and not any(s.result for s in of_attempt)


def failed_under_way(
    trace: Trace, attempts_last: int | None, *, has_table: bool, has_workers: bool
) -> Ended | None:
    """Called failed, with attempts left, while its only attempt at that time had no answer yet.

    Args:
        attempts_last: after so many a delivery is given up; None: that is not known.
        has_table: the log has rows that only say how a delivery stands.
        has_workers: its lines say which worker writes.
    """
    steps = trace.steps
    made = max((s.attempt or 0 for s in steps), default=0)
    if attempts_last is None or not 0 < made < attempts_last:
        return None
    for i, failed in enumerate(steps):
        # of what the row of a delivery says of answers, none is of an attempt that has none
        is_others = failed.is_row and is_unanswered(steps, made)
        is_bare = not failed.status or is_others
        is_bare = is_bare and failed.total_us is None and failed.due_us is None
        if failed.stand is not Stand.FAILED or not is_bare:
            continue
        later = steps[i + 1 :]
        if any(is_take(s) or s.act in (Op.SENT, Op.RETRY) for s in later):
            continue
        begun = max((s.at_us for s in steps[:i] if s.act is Op.SENT), default=None)
        answers = [s for s in later if s.result and s.attempt in (failed.attempt, None)]
        starts = [s.at_us - s.total_us if s.total_us else begun for s in answers]
        if answers and all(
            start is not None and start < failed.at_us <= s.at_us - UNDER_WAY_US
            for s, start in zip(answers, starts, strict=True)
        ):
            return Ended(0.92, "called failed with attempts left, and its answer came later")
        is_open = begun is not None and not any(s.result for s in steps[:i] if s.at_us > begun)
        # an error in the row of an attempt is what came of it
        if not later and has_table and is_open and (is_others or not failed.reason):
            return Ended(0.9, "called failed with attempts left, and no answer ever came")
        holders = {s.worker for s in steps[:i] if is_take(s) or s.act is Op.SENT}
        is_of_another = failed.worker is not None and failed.worker not in holders
        if not later and is_open and is_of_another and has_workers and None not in holders:
            what = "called failed with attempts left, by one who had not got it, and no answer came"
            return Ended(0.9, what)
        is_answered = any(s.result and s.attempt == failed.attempt for s in steps[:i])
        is_unsigned = failed.worker is None and has_workers
        if not later and is_unsigned and not is_answered:
            what = "failed for good with attempts left, by no worker"
            return Ended(0.6, what, ("D2", "D4"))
    return None


def given_up_open(steps: Sequence[Step], attempts_last: int | None) -> Ended | None:
    """Whether its job was given up with attempts left, while a request had begun and had no answer,
    and the delivery's own row was left as it was."""
    made = max((s.attempt or 0 for s in steps), default=0)
    if not 0 < made < (attempts_last or 0):
        return None
    for i, one in enumerate(steps):
        if one.act not in (Op.DISCARDED, Op.DEAD, Op.EXHAUSTED) or one.is_row:
            continue
        begun = max((n for n, s in enumerate(steps[:i]) if s.act is Op.SENT), default=None)
        is_open = begun is not None and not any(s.result for s in steps[begun:])
        if is_open and not any(is_take(s) or s.act is Op.SENT for s in steps[i + 1 :]):
            return Ended(0.9, "its job was given up with attempts left, and no answer had come")
    return None


def is_idle(trace: Trace) -> bool:
    """Whether the last attempt to begin ended at once, with no answer and no error: no request
    was made, in a log that tells both."""
    begun = [s for s in trace.steps if s.act is Op.SENT]
    if len(begun) < 2 or begun[-1].attempt is None:
        return False
    last = [s for s in trace.steps if s.attempt == begun[-1].attempt and s.act is not Op.SENT]
    ends = [s for s in last if s.act in (Op.UNKNOWN, Op.ATTEMPTED) or _is_done(s)]
    return bool(ends) and all(
        s.at_us - begun[-1].at_us <= INSTANT_US and s.status is None and not s.reason for s in ends
    )


def is_done_idle(steps: Sequence[Step]) -> bool:
    """Whether the job of its last turn is called done, and no request of that turn shows."""
    taken = max((i for i, s in enumerate(steps) if is_take(s)), default=None)
    if taken is None or any(s.act is Op.SENT or s.result for s in steps[taken + 1 :]):
        return False
    return any(map(_is_done, steps[taken + 1 :]))


def is_let_go(steps: Sequence[Step], taken: int) -> bool:
    """Whether whoever took it at that place gave it back at once, and that is its last line."""
    last = steps[-1]
    return last.act is Op.RELEASED and last.at_us - steps[taken].at_us <= INSTANT_US


_THROWN: Final = re.compile(r"(^|_)(unhandled|uncaught|panic(ked)?|traceback)(_|$)")


def has_thrown(steps: Sequence[Step]) -> bool:
    """Whether the last line of a turn tells of an error that nobody caught."""
    last = steps[-1]
    return last.act is Op.NOTED and bool(_THROWN.search(normal(f"{last.word} {last.reason or ''}")))


#: as tracing ends the lines of a span
_SPAN_CLOSES: Final = frozenset({"close", "closed"})


def _is_done(step: Step) -> bool:
    """Whether a line says that a turn is over, and nothing of what came of it."""
    is_called_so = meaning(step.word).op is Op.SUCCEEDED or normal(step.word or "") in _SPAN_CLOSES
    return step.act is Op.NOTED and is_called_so


def is_done_at_once(trace: Trace) -> bool:
    """Whether it is called delivered sooner after a worker took it than any request takes."""
    said = next((i for i, s in enumerate(trace.steps) if s.stand is Stand.DELIVERED), None)
    taken = [s.at_us for s in trace.steps[:said] if is_take(s)]
    return said is not None and bool(taken) and trace.steps[said].at_us - taken[-1] <= INSTANT_US


def skips(steps: Sequence[Step]) -> list[int]:
    """The places of later attempts that were skipped while an earlier one was under way, or for good."""
    return [
        i
        for i, s in enumerate(steps)
        if s.act is Op.SKIPPED and s.attempt and s.attempt > 1 and not s.reason
        if s is steps[-1]
        or any(t.result < 0 and (t.attempt or s.attempt) < s.attempt for t in steps[i:])
    ]


#: nobody needs so long to see that an endpoint is not there
_AT_ONCE_US: Final = 1_000_000


def is_left_by_worker(trace: Trace, attempts_last: int | None) -> bool:
    """Whether a table says that it was discarded, with attempts left and no reason, and its worker had
    taken it and said nothing of it any more; who passes it over because of its endpoint does so at
    once, and says so."""
    steps = trace.steps
    made = max((s.attempt or 0 for s in steps), default=0)
    has_reason = any(s.reason for s in steps)
    if not steps[-1].is_row or has_reason or not 0 < made < (attempts_last or 0):
        return False
    begun = max((i for i, s in enumerate(steps) if is_take(s) or s.act is Op.SENT), default=None)
    if begun is None or any(s.result or s.act is Op.SUCCEEDED for s in steps[begun + 1 :]):
        return False
    return steps[-1].at_us - steps[begun].at_us > _AT_ONCE_US


def is_refusal(step: Step) -> bool:
    """Whether a line says that a result was not written; that an entry of a queue is done with does not."""
    return step.act is Op.NOTED and meaning(step.word).op is not Op.SUCCEEDED


def without_refused(trace: Trace) -> Trace:
    """Without the answers that came when a later attempt had begun, or the lease had run out and nobody
    had taken it since, and of which the log says next that they were thrown away."""
    kept, highest, is_lapsed = [], 0, False
    for one, after in zip(trace.steps, [*trace.steps[1:], None], strict=True):
        is_refused = after is not None and is_refusal(after) and after.worker == one.worker
        is_late = is_lapsed or 0 < (one.attempt or 0) < highest
        if not (is_refused and one.result < 0 and is_late):
            kept.append(one)
        highest = max(highest, one.attempt or 0)
        is_lapsed = one.act is Op.LAPSED or (is_lapsed and not is_take(one))
    return trace._replace(steps=tuple(kept))


#: whoever finds that a lease ran out writes at once what becomes of the delivery
_BOOKED_US: Final = 50_000


def is_late(steps: Sequence[Step], i: int) -> bool:
    """Whether a worker says by this line that its answer came too late: the lease ran out before."""
    before = [s for s in steps[:i] if s.result and steps[i].at_us - s.at_us <= _BOOKED_US]
    return any(s.worker == steps[i].worker is not None for s in before)


def is_of_lapse(steps: Sequence[Step], i: int) -> bool:
    """Whether a failure is what is written of a lease that ran out, and no answer to a request."""
    one, before = steps[i], steps[i - 1] if i else None
    if before is None or before.act is not Op.LAPSED or one.at_us - before.at_us > _BOOKED_US:
        return False
    return one.status is None and one.total_us is None and not one.reason
