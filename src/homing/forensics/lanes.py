"""A delivery as lanes: one column per worker, the rows that cross marked. Pure."""

from __future__ import annotations

from typing import Final, NamedTuple

from homing.forensics.operations import Op
from homing.forensics.traces import Step, Trace
from homing.forensics.turns import is_take

ROWS_MAX: Final = 12
_LETTERS: Final = "ABCDEFGH"


class LaneRow(NamedTuple):
    """One line of a delivery, placed in a lane."""

    after_s: float  #: since the delivery's first line
    lane: str  #: "A", "B", … a worker; "" nobody in particular
    what: str
    state: str
    epoch: str
    is_crossing: bool
    line: int  #: of the log: its number over all files


def workers_of(trace: Trace) -> dict[str, str]:
    """Worker → its letter, in order of appearance; who only accepted it is no worker."""
    acted = (s.worker for s in trace.steps if s.worker and s.act is not Op.ACCEPTED)
    names = list(dict.fromkeys(acted))
    return {name: _LETTERS[min(i, len(_LETTERS) - 1)] for i, name in enumerate(names)}


def lane_rows(trace: Trace) -> list[LaneRow]:
    """The rows to show, at most 12: the first, and the last ones, which decide."""
    letters = workers_of(trace)
    marks = crossing_rows(trace)
    start = trace.steps[0].at_us
    ends = {s.line: i for i, s in enumerate(trace.steps)}
    rows = [
        LaneRow(
            round((s.at_us - start) / 1e6, 3),
            letters.get(s.worker or "", ""),
            _what(told),
            told.state or (told.stand.name.lower() if told.stand else ""),
            "" if s.epoch is None or s.epoch > 1_000_000 else str(s.epoch),
            i in marks,
            s.line,
        )
        for i, s in enumerate(trace.steps)
        for told in [s if ends[s.line] == i else _before_its_end(s)]
    ]
    return rows if len(rows) <= ROWS_MAX else [rows[0], *rows[1 - ROWS_MAX :]]


def _before_its_end(step: Step) -> Step:
    """What was true already at an earlier time of a line: how it came out is told at its last."""
    return step._replace(state=None, status=None, total_us=None, reason=None)


def _what(step: Step) -> str:
    parts = [step.word or step.act.name.lower()]
    if step.attempt is not None:
        parts.append(f"attempt {step.attempt}")
    if step.status is not None:
        parts.append(f"status {step.status}")
    if step.total_us is not None:
        parts.append(f"after {step.total_us / 1e6:.3g} s")
    if step.reason:
        parts.append(str(step.reason)[:40])
    if step.is_refused:
        parts.append("(refused)")
    return " · ".join(parts)


def crossing_rows(trace: Trace) -> set[int]:
    """The rows by which turns cross: a take over an open turn, and a write by who no longer holds it."""
    marked: set[int] = set()
    holder: Step | None = None
    holder_at, is_open, attempt = 0, False, 0
    for i, step in enumerate(trace.steps):
        if is_take(step):
            if is_open and holder is not None:
                marked |= {holder_at, i}
            holder, holder_at, is_open = step, i, True
            attempt = max(attempt, step.attempt or 0)
        elif holder is not None and (step.result or step.act in (Op.WRITTEN, Op.DEAD)):
            other = bool(step.worker and holder.worker and step.worker != holder.worker)
            older = bool(
                step.epoch is not None and holder.epoch is not None and step.epoch != holder.epoch
            )
            earlier = step.attempt is not None and step.attempt < attempt
            if other or older or earlier:
                marked |= {holder_at, i}
            else:
                is_open = False
        elif step.act in (Op.LAPSED, Op.RELEASED):
            is_open = False
        attempt = max(attempt, step.attempt or 0)
    return marked
