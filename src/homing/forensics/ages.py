"""At which age, and after how many attempts, a retry that was due is still taken up, and at which not. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from homing.forensics.operations import Op
from homing.forensics.traces import Step, Trace
from homing.forensics.turns import is_take

#: so many of the drops may have been kept although they were as old: a sweep comes now and then
_KEPT_BY_CHANCE: Final = 0.02
#: and so many may have failed no more often than what went on: they were as old after fewer attempts
_FEWER_MAX: Final = 0.1


def kept_us(fine: Sequence[Trace], dropped: Sequence[Trace]) -> int:
    """How long after its acceptance a delivery was due and was still taken up, once drops began: once
    the first were due that nobody took up."""
    ages = sorted(
        step.due_us - trace.accepted_us for trace, step, _ in taken_up(fine, dropped) if step.due_us
    )
    by_chance = int(_KEPT_BY_CHANCE * len(dropped))
    return ages[-1 - by_chance] if len(ages) > by_chance else 0


def are_later_attempts(fine: Sequence[Trace], dropped: Sequence[Trace]) -> bool:
    """Whether nearly all that was dropped had failed more often than whatever was taken up by then: a
    query that leaves out the later attempts, and one that deletes what is old, leave the same."""
    lost = sorted(_failures(t.steps) for t in dropped if _due_us(t))
    kept = max((failures for _, _, failures in taken_up(fine, dropped)), default=0)
    return bool(lost) and lost[int(_FEWER_MAX * len(lost))] > kept


def _due_us(trace: Trace) -> int:
    return max((s.due_us or 0 for s in trace.steps), default=0)


def last_plan(trace: Trace) -> Step | None:
    """The line that says when its last retry is due, later than it was written; None: none does."""
    plans = [s for s in trace.steps if s.due_us and s.due_us > s.at_us]
    return max(plans, key=lambda s: s.due_us or 0, default=None)


def taken_up(fine: Sequence[Trace], dropped: Sequence[Trace]) -> Iterator[tuple[Trace, Step, int]]:
    """The plans of retries that were taken up, once the first were due that nobody took up, and how
    many failures there had been by then."""
    missed = sorted(due for t in dropped if (due := _due_us(t)))
    begins_us = missed[int(_KEPT_BY_CHANCE * len(missed))] if missed else 0
    for trace in (*fine, *dropped):
        last = _last_turn(trace)
        for i, step in enumerate(trace.steps[:last]):
            is_plan = step.result < 0 or step.act in _PLANNING
            due_us = step.due_us or 0
            # what came before that, as the late answer of an earlier turn, took up nothing
            is_come = due_us <= trace.steps[last].at_us + _CLOCKS_US
            if is_plan and is_come and due_us > step.at_us and due_us >= begins_us:
                yield trace, step, _failures(trace.steps[: i + 1])


def _failures(steps: Sequence[Step]) -> int:
    """How often it has failed: by the lines that say so, or by the number of the attempt."""
    numbered = max((s.attempt or 0 for s in steps), default=0)
    return max(sum(s.result < 0 for s in steps), numbered)


#: clocks of a poller and of a worker may differ by so much
_CLOCKS_US: Final = 60_000_000
#: lines that may tell when the next attempt is due
_PLANNING: Final = (Op.RETRY, Op.POSTPONED, Op.WRITTEN, Op.ATTEMPTED)


def _last_turn(trace: Trace) -> int:
    """The place of the last line of a turn: what was planned before it was taken up."""
    turns = (i for i, s in enumerate(trace.steps) if is_take(s) or s.result or s.act is Op.SENT)
    return max(turns, default=0)


#: drops that begin within so much of the oldest that were kept begin with an age
_SHARP: Final = 1.05
_SHARP_FEWEST: Final = 8


def is_sharp(dropped: Sequence[Trace], kept_us: int) -> bool:
    """Whether what was dropped was due only just longer after its acceptance than what was kept."""
    ages = [due - t.accepted_us for t in dropped if (due := _due_us(t))]
    return len(ages) >= _SHARP_FEWEST and kept_us < min(ages) <= _SHARP * kept_us
