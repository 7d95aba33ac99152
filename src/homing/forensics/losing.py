"""When deliveries were lost that were deleted: not when they were accepted. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from homing.forensics.judging import Why
from homing.forensics.operations import Op
from homing.forensics.traces import Trace


class Loss(NamedTuple):
    """Between which two instants the first of them was lost; the same, if a line tells it."""

    after_us: int
    until_us: int


def first_deleted(dropped: Sequence[Trace]) -> Loss | None:
    """The first deletion: by the line that tells it, or else after a last line and before what was due.

    Args:
        dropped: deliveries that were deleted before they were finished (D11).

    Returns:
        None where neither is in the log.
    """
    told = [s.at_us for t in dropped for s in t.steps if s.act is Op.PURGED]
    if told:
        return Loss(min(told), min(told))
    last = [t.steps[-1] for t in dropped if t.why is Why.SILENT]
    waits = [(s.due_us, s.at_us) for s in last if s.due_us is not None and s.due_us > s.at_us]
    if not waits:
        return None
    due_us, seen_us = min(waits)
    return Loss(seen_us, due_us)
