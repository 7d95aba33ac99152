"""What the rules of the mechanisms ask about the lines of a delivery. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from homing.forensics.operations import Op
from homing.forensics.traces import Step, Trace
from homing.forensics.turns import is_late, is_of_lapse, is_take, is_told_again

#: crossings in which one worker's write meets another worker's turn
RACES: Final = frozenset(
    {"foreign_write", "old_epoch", "late_attempt", "lost_update", "second_result"}
)


def _significant(trace: Trace) -> list[Step]:
    """The lines that changed something, in order."""
    return [s for s in trace.steps if not s.is_refused]


def _is_told_by_retry(steps: Sequence[Step], i: int) -> bool:
    """Whether an attempt's failure has no line of its own but that a retry was planned."""
    if steps[i].act is not Op.RETRY or i == 0:
        return False
    return steps[i - 1].act is Op.SENT or is_take(steps[i - 1])


def _has_failed(step: Step) -> bool:
    """Whether a request failed by this line; so it did where a state of being taken says how long it
    took."""
    return step.result < 0 or (is_take(step) and step.total_us is not None and step.result == 0)


#: of the turns, so many say how long taking them took, where each line does
_TIMED_MIN: Final = 0.5


def without_lengths_of_takes(
    dropped: Sequence[Trace], fine: Sequence[Trace]
) -> tuple[list[Trace], list[Trace]]:
    """The traces; where most turns say how long they took to be taken, as spans do, that tells of none of
    their requests."""
    takes = [s for t in (*dropped, *fine) for s in t.steps if is_take(s) and s.result == 0]
    if sum(s.total_us is not None for s in takes) <= _TIMED_MIN * len(takes):
        return [*dropped], [*fine]

    def plain(trace: Trace) -> Trace:
        steps = (s._replace(total_us=None) if is_take(s) else s for s in trace.steps)
        return trace._replace(steps=tuple(steps))

    return [plain(t) for t in dropped], [plain(t) for t in fine]


class Life(NamedTuple):
    """What the rules ask about a trace."""

    takes: list[int]
    sent: list[int]
    failures: list[int]
    lapses: list[int]
    skips: list[int]
    queued: bool
    last: Step
    last_act: Op
    races: frozenset[str]
    reasons: str


def life(trace: Trace) -> Life:
    """The places of a trace's takes, requests, failures and so on."""
    steps = trace.steps
    after_first = steps[1:]
    telling = _significant(trace) or list(steps)
    takes = [i for i, s in enumerate(steps) if is_take(s) and not is_told_again(steps, i)]
    sent = [i for i, s in enumerate(steps) if s.act is Op.SENT]
    # who has it alone cannot be crossed: two results of one turn are two lines about it
    of_one = frozenset({"second_result"} if max(len(takes), len(sent)) < 2 else ())
    return Life(
        takes=takes,
        sent=sent,
        failures=[
            i
            for i, s in enumerate(steps)
            if (_has_failed(s) or _is_told_by_retry(steps, i)) and not is_of_lapse(steps, i)
        ],
        lapses=[i for i, s in enumerate(steps) if s.act is Op.LAPSED and not is_late(steps, i)],
        skips=[i for i, s in enumerate(steps) if s.act is Op.SKIPPED],
        queued=any(s.act is Op.QUEUED for s in after_first),
        last=telling[-1],
        last_act=telling[-1].act,
        races=(trace.crossings & RACES) - of_one,
        reasons=" ".join(str(s.reason) for s in steps if s.reason),
    )
