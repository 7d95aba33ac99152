"""Who may do which part of a background task when. Pure: the time is an argument.

A process takes a task by a write that raises its version, does a chunk, and writes where it has got
to together with what the chunk changed. Whoever writes over an older version writes nothing, so a
chunk is done once, whatever is killed when.
"""

from __future__ import annotations

from typing import Final

import msgspec

from homing.core.identifiers import made_at_us
from homing.core.plurals import plural
from homing.core.tasks import Task, TaskStatus

#: how long a process may take over one chunk before another may go on with the task. A chunk takes
#: milliseconds; what is long is a database that is restarted.
LEASE_US: Final = 30_000_000
#: how often a task may be taken without getting any further before it is given up
TRIES_MAX: Final = 5
#: the first wait after a chunk that failed; doubled with each that follows
_PAUSE_US: Final = 1_000_000


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """How much further a task has got."""

    cursor: str | None  #: where the next chunk begins; None: there is none
    counts: dict[str, int] = {}  #: to be added
    rows: list[dict[str, object]] | None = None  #: what was found by now; None: as it was
    fields: dict[str, object] = {}  #: other fields of the task, as they are now
    under_way: tuple[str, ...] = ()  #: of those sent earlier, whose outcome is still not known
    verdict: str | None = None  #: why it must not go on; None: it may


def taken(task: Task, holder: str, at_us: int) -> Task | None:
    """The task as `holder` may take it; None when it may not.

    One that was taken too often without getting any further comes back as failed.
    """
    if not task.is_running or task.paused_by is not None or at_us < task.free_at_us:
        return None
    if task.tries >= TRIES_MAX:
        why = task.error or "the process that was at it ended each time"
        return failed(
            task, f"given up after {plural(task.tries, 'try')} at the same place: {why}", at_us
        )
    return _changed(task, at_us, holder=holder, free_at_us=at_us + LEASE_US, tries=task.tries + 1)


def advanced(task: Task, chunk: Chunk, at_us: int) -> Task:
    """After a chunk: still leased to its holder, or finished when that was the last."""
    counts = dict(task.counts)
    for name, count in chunk.counts.items():
        counts[name] = counts.get(name, 0) + count
    rows = task.rows if chunk.rows is None else chunk.rows
    done = {**chunk.fields, "counts": counts, "rows": rows}
    if chunk.verdict is not None:
        return _ended(task, at_us, TaskStatus.FAILED, error=chunk.verdict, **done)
    if chunk.cursor is None:
        return _ended(task, at_us, TaskStatus.FINISHED, error=None, **done)
    return _changed(
        task,
        at_us,
        cursor=chunk.cursor,
        **done,
        free_at_us=at_us + LEASE_US,
        tries=0,
        error=None,
    )


def released(task: Task, at_us: int) -> Task:
    """Given back by a process that stops: anybody may take it at once."""
    return _changed(task, at_us, holder=None, free_at_us=at_us, tries=max(task.tries - 1, 0))


def put_off(task: Task, error: str, at_us: int) -> Task:
    """Given back after a chunk that failed: it is tried again after a pause."""
    pause_us = _PAUSE_US << max(task.tries - 1, 0)
    return _changed(task, at_us, holder=None, free_at_us=at_us + pause_us, error=error)


def paused(task: Task, by: str, at_us: int) -> Task:
    """Stopped where it has got to, until somebody resumes it."""
    return _changed(task, at_us, holder=None, free_at_us=at_us, tries=0, paused_by=by)


def resumed(task: Task, at_us: int) -> Task:
    """Anybody may take it again."""
    return _changed(task, at_us, paused_by=None, free_at_us=at_us)


def failed(task: Task, error: str, at_us: int) -> Task:
    """Ended before it was done."""
    return _ended(task, at_us, TaskStatus.FAILED, error=error)


def progress(task: Task) -> float:
    """How far it has got, from 0 to 1: by the time that it has come to within its span."""
    if task.status is TaskStatus.FINISHED:
        return 1.0
    if task.total is not None:
        settled = task.counts.get("looked", 0) - len(task.under_way)
        return min(max(settled / max(task.total, 1), 0.0), 1.0)
    since_us, until_us = task.which.since_us or 0, task.which.until_us or task.created_at_us
    if task.cursor is None or until_us <= since_us:
        return 0.0
    place = task.cursor.partition(".")[0]
    try:
        at_us = int(place) if place.isdecimal() else made_at_us(place)
    except ValueError:
        return 0.0
    return min(max((at_us - since_us) / (until_us - since_us), 0.0), 1.0)


def _ended(task: Task, at_us: int, status: TaskStatus, **fields: object) -> Task:
    return _changed(
        task, at_us, status=status, holder=None, finished_at_us=at_us, tries=0, **fields
    )


def _changed(task: Task, at_us: int, **fields: object) -> Task:
    after: Task = msgspec.structs.replace(
        task, version=task.version + 1, updated_at_us=at_us, **fields
    )
    return after
