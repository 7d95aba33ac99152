"""What must hold of one line of the delivery log after another, and of a row by itself. Pure.

Each function looks at one thing and answers with what is wrong with it, or with None. `follows` and
`is_what` ask the same of many in one look, for whoever reads millions: when they say yes, none of
the others has anything to say.
"""

from __future__ import annotations

from typing import Final

from homing.core.lifecycle import TRANSITIONS, UNFINISHED, Delivery, State
from homing.core.records import LogEntry
from homing.insight.evidence import Breach, Left, Step, id_of, said

#: (state before, op of the log line) → states that may follow: the transition table by name
_STEPS: Final = {
    (before, fact.__name__.lower()): afters for (before, fact), afters in TRANSITIONS.items()
}
_BORN: Final = frozenset({"accepted", "added"})
_BORN_STATES: Final = frozenset({State.WAITING, State.LEASED, State.PARKED})
_FINAL_SHAPE: Final = (True, True, False)
#: which of a due time, a holder and an end a row lacks, by its state
_SHAPES: Final = {
    State.WAITING: (False, True, True),
    State.LEASED: (False, False, True),
    State.PARKED: (True, True, True),
    State.DELIVERED: _FINAL_SHAPE,
    State.DEAD: _FINAL_SHAPE,
    State.CANCELLED: _FINAL_SHAPE,
}


# --- a line of the log, after the one before it --------------------------------------------------


def follows(before: LogEntry | Left | None, line: LogEntry | Step) -> bool:
    """Whether a written `line` may follow the written line `before` of the same delivery."""
    if before is None:
        return (
            line.version_before == 0
            and line.op in _BORN
            and line.to_state in _BORN_STATES
            and line.lease_epoch == (line.to_state is State.LEASED)
        )
    from_state, to_state, version = line.from_state, line.to_state, line.version_before
    return (
        version == before.version_after
        and line.version_after == version + 1
        and from_state is before.to_state
        and to_state in _STEPS.get((from_state, line.op), ())
        # Only a lease leads to "leased", so its op need not be looked at.
        and line.lease_epoch == before.lease_epoch + (to_state is State.LEASED)
        and (from_state in UNFINISHED or line.actor is not None)
    )


def wrongs(before: LogEntry | Left | None, line: LogEntry) -> list[Breach]:
    """Everything that is wrong with `line` after `before`: what the functions below say."""
    if follows(before, line):
        return []
    looks = (stale(before, line), illegal(before, line), skipping(before, line), nameless(line))
    return [found for found in looks if found is not None]


def stale(before: LogEntry | Left | None, line: LogEntry) -> Breach | None:
    """Whether a written `line` may follow the written line `before` of the same delivery."""
    expected = before.version_after if before else 0
    if line.version_before == expected and line.version_after == (
        line.version_before + 1 if before else line.version_after
    ):
        return None
    left = f"v{expected}, {before.to_state}" if before else "nothing"
    return Breach(
        invariant="no_stale_write",
        delivery=id_of(line),
        text=f"{line.op} by {line.holder} was decided on v{line.version_before} and written over "
        f"v{expected}",
        before=f"{left} ({before.op} by {before.holder})" if before else left,
        after=f"v{line.version_after}, {line.to_state} ({line.op} by {line.holder})",
    )


def illegal(before: LogEntry | Left | None, line: LogEntry) -> Breach | None:
    """Whether a written `line` is a step that the transition table has."""
    state = before.to_state if before else None
    if line.op in _BORN:
        if state is None and line.to_state in _BORN_STATES:
            return None
    elif state and state is line.from_state and line.to_state in _STEPS.get((state, line.op), ()):
        return None
    return Breach(
        invariant="every_step_is_legal",
        delivery=id_of(line),
        text=f"{line.op} cannot lead from {state or 'nothing'} to {line.to_state}",
        before=str(state or "nothing"),
        after=f"{line.to_state} ({_line_said(line)})",
    )


def skipping(before: LogEntry | Left | None, line: LogEntry) -> Breach | None:
    """Whether the number of the lease, and so of the attempt, does not rise by one with each."""
    gives = line.to_state is State.LEASED and line.op in ("leased", *_BORN)
    expected = (before.lease_epoch if before else 0) + gives
    if line.lease_epoch == expected:
        return None
    return Breach(
        invariant="leases_are_numbered",
        delivery=id_of(line),
        text=f"{line.op} by {line.holder} is of lease {line.lease_epoch}, not {expected}",
        before=f"lease {expected - gives}",
        after=f"lease {line.lease_epoch} ({_line_said(line)})",
    )


def nameless(line: LogEntry) -> Breach | None:
    """Whether what had ended was taken up again, and nobody is named who wanted it."""
    if line.from_state is None or line.from_state in UNFINISHED or line.actor is not None:
        return None
    return Breach(
        invariant="the_end_is_final",
        delivery=id_of(line),
        text=f"it was {line.from_state}, and {line.op} by {line.holder} is in nobody's name",
        before=str(line.from_state),
        after=f"{line.to_state} ({_line_said(line)})",
    )


def _line_said(entry: LogEntry) -> str:
    return f"{entry.op} by {entry.holder}: v{entry.version_before} to v{entry.version_after}"


# --- a row ---------------------------------------------------------------------------------------


def is_what(row: Delivery, line: LogEntry | Left) -> bool:
    """Whether neither `unlike` nor `misshapen` has anything to say of a row in its right table."""
    return row.version == line.version_after and row.state is line.to_state and is_shaped(row)


def is_shaped(row: Delivery) -> bool:
    """Whether `misshapen` has nothing to say of a row in its right table."""
    lacks = (row.ready_at_us is None, row.holder is None, row.finished_at_us is None)
    return lacks == _SHAPES[row.state]


def misshapen(row: Delivery, *, hot: bool) -> Breach | None:
    """What is wrong with one row by itself."""
    wrong = ""
    if hot != row.is_unfinished:
        wrong = f"it is {row.state} and {'in the hot table' if hot else 'in history'}"
    elif (row.ready_at_us is not None) != (row.state in (State.WAITING, State.LEASED)):
        wrong = f"it is {row.state} and {'has a' if row.ready_at_us else 'has no'} due time"
    elif (row.holder is not None) != (row.state is State.LEASED):
        wrong = f"it is {row.state} and {'has a' if row.holder else 'has no'} holder"
    elif (row.finished_at_us is not None) == row.is_unfinished:
        wrong = f"it is {row.state} and has {'an' if row.finished_at_us else 'no'} end"
    if not wrong:
        return None
    return Breach(invariant="unfinished_is_due", delivery=row.id, text=wrong, after=said(row))


def unlike(row: Delivery, line: LogEntry | Left | None) -> Breach | None:
    """Whether a row differs from the last written line about it."""
    if line is not None and line.version_after == row.version and line.to_state is row.state:
        return None
    return Breach(
        invariant="row_is_its_last_line",
        delivery=row.id,
        text="the row is not what the delivery log says of it",
        before=f"{line.to_state} v{line.version_after} (log)" if line else "no line in the log",
        after=f"{said(row)} (row)",
    )
