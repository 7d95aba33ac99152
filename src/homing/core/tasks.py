"""Background tasks: work that is too long for a request, as documents."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from homing.core.lifecycle import State
from homing.core.resources import Resource


class Action(StrEnum):
    """What a task does."""

    RECOVER = "recover"  #: redrive the dead letters of an endpoint
    REDRIVE = "redrive"  #: redrive the dead letters of an application
    REPLAY_MISSING = "replay-missing"  #: deliver what an endpoint wants and never had
    REPLAY = "replay"  #: send again what an endpoint had, whatever became of it
    EXPUNGE = "expunge"  #: forget the payloads of an application
    EVENT_TYPES = "event-types"  #: list what each application's endpoints want
    USAGE = "usage"  #: count each application's deliveries


class TaskStatus(StrEnum):
    """Where a task stands."""

    RUNNING = "running"  #: at work, or waiting for somebody who takes it
    FINISHED = "finished"
    FAILED = "failed"  #: with a reason: it could not go on, or somebody cancelled it


class Selection(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a task is about. Empty and None mean all."""

    endpoint_id: str | None = None
    since_us: int | None = None  #: accepted after
    until_us: int | None = None  #: accepted before
    event_types: tuple[str, ...] = ()
    channel: str | None = None
    tag: str | None = None
    states: tuple[State, ...] = ()
    status_class: int | None = None  #: an attempt was answered with this hundred; 0: with nothing
    reason: str | None = None  #: why a dead letter was given up
    keep_unfinished: bool = False  #: of payloads: those that something is still to be sent of
    app_ids: tuple[str, ...] = ()


class Task(Resource, frozen=True, kw_only=True):
    """One piece of background work. Scope: the organisation."""

    kind = "task"

    action: Action
    app_id: str | None = None  #: None: it is about the organisation
    actor: str  #: who asked for it
    which: Selection = Selection()
    status: TaskStatus = TaskStatus.RUNNING
    cursor: str | None = None  #: how far it has got; None: nothing is done yet
    counts: dict[str, int] = {}
    rows: list[dict[str, object]] = []  #: what it found, for tasks that only look
    holder: str | None = None  #: the process that is at it
    free_at_us: int = 0  #: from when on anybody may take it (again)
    tries: int = 0  #: times it was taken since it last got any further
    error: str | None = None  #: why it failed, or last failed to get any further
    finished_at_us: int | None = None

    @property
    def is_running(self) -> bool:
        return self.status is TaskStatus.RUNNING
