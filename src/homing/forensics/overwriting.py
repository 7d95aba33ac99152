"""Whether a stale worker wrote over what another had written of a delivery. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from homing.forensics.lives import life
from homing.forensics.operations import Op, Stand
from homing.forensics.traces import Step, Trace
from homing.forensics.turns import is_refusal, is_take, plans_retry, saves_as_taken
from homing.forensics.words import is_of_another_field


def has_cleared_retry(trace: Trace) -> bool:
    """Whether turns crossed, and a worker wrote again after a retry was planned, which nobody took."""
    steps = trace.steps
    plan = _last_plan(steps)
    if plan is None or any(s.act is Op.DEAD_FAILED for s in steps):
        return False
    writers = _late_writers(steps, plan)
    planner = steps[plan].worker
    is_other = planner is not None and bool(writers - {planner, None})
    after = steps[plan + 1 :]
    is_crossed = is_other or _is_of_earlier(steps, plan) or bool(life(trace).races)
    # nor is what waits for its retry saved as in progress but by who read it before it waited
    is_crossed = is_crossed or any(map(saves_as_taken, after))
    planned = steps[plan].attempt
    made = max((s.attempt or 0 for s in steps[:plan]), default=0)
    is_tried = any(
        is_take(s)
        or (s.act is Op.SENT and planned and (s.attempt or 0) >= planned)
        or (s.result and 0 < made < (s.attempt or 0))
        for s in after
    )
    return bool(writers) and is_crossed and not is_tried


def counts_fewer(trace: Trace) -> bool:
    """Whether the row of a table counts fewer attempts than were made, of which one answered after the next."""
    row, bad = trace.steps[-1], [s.attempt for s in trace.steps if s.result < 0 and s.attempt]
    return row.is_row and bad != sorted(bad) and 0 < (row.attempt or 0) < max(bad)


def _last_plan(steps: Sequence[Step]) -> int | None:
    """The place of the last plan of a retry, other than by the late turn of an earlier attempt."""
    plan, highest = None, 0
    for i, step in enumerate(steps):
        # what tells neither when nor which attempt only says that it waits
        is_told = step.due_us is not None or step.attempt is not None
        is_waiting = plan is not None and steps[plan].due_us is not None
        if is_waiting and not is_told and not any(map(is_take, steps[plan:i])):
            continue
        if plans_retry(step) and (step.attempt or highest) >= highest:
            plan, highest = i, max(highest, step.attempt or 0)
    return plan


def _is_of_earlier(steps: Sequence[Step], plan: int) -> bool:
    """Whether an earlier attempt than the one that planned the retry wrote after the plan."""
    planned, after = steps[plan].attempt or 0, steps[plan + 1 :]
    wrote = (
        s
        for s in after
        if (s.result < 0 or s.act in (Op.WRITTEN, Op.RELEASED)) and not s.is_refused
    )
    return any(0 < (s.attempt or 0) < planned for s in wrote)


def _late_writers(steps: Sequence[Step], plan: int) -> set[str | None]:
    """Who wrote after a retry was planned, other than of the retry itself, and was not refused."""
    planned, after = steps[plan].attempt, steps[plan + 1 :]
    return {
        s.worker
        for i, s in enumerate(after)
        if s.result < 0 or s.act in (Op.WRITTEN, Op.RELEASED, Op.RETRY)
        if not any(is_refusal(t) and t.worker == s.worker for t in after[i:])
        if s.attempt is None or planned is None or s.attempt <= planned
        if not is_of_another_field(s.word) or _saves_as_queued(s)
    }


def _saves_as_queued(step: Step) -> bool:
    """Whether a write saves a delivery as one that is in the queue, which no planned retry is."""
    return _IN_QUEUE.search(step.state or "") is not None


_IN_QUEUE: Final = re.compile(r"(?i)queued$")


def wrote_after_lapse(steps: Sequence[Step], lapse: int) -> bool:
    """Whether it waited again when its lease had run out, and whoever had held it then saved it as in
    progress."""
    held = next((s.worker for s in reversed(steps[:lapse]) if is_take(s)), None)
    is_last = not any(map(is_take, steps[lapse:]))
    return (is_last and steps[lapse].stand is Stand.WAITING) and any(
        s.stand is Stand.LEASED and s.worker == held is not None
        for s in steps[lapse + 1 :]
        if s.act is Op.WRITTEN or (s.act is Op.SENT and s.state)
    )


def with_lost_update(trace: Trace) -> Trace:
    """The trace, with a lost update among its crossings if a line says that it changed a state which the
    delivery had been in, and had left: its writer had read it before another wrote."""
    state: str | None = None
    left: set[str | None] = set()
    for step in trace.steps:
        if step.is_row or not step.state:
            continue
        is_change = step.was is not None
        if is_change and state is not None and step.was in left and step.was != state:
            return trace._replace(crossings=trace.crossings | {"lost_update"})
        if step.state != state:
            left.add(state)
            state = step.state
    return trace
