"""Background tasks: work that is too long for a request, as documents."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from homing.core.lifecycle import State
from homing.core.resources import Resource


class Action(StrEnum):
    """What a task does."""

    RECOVER = "recover"  #: redrive the dead letters of an endpoint
    REDRIVE = "redrive"  #: redrive dead letters of an application
    DISCARD = "discard"  #: withdraw dead letters of an application
    UNDO = "undo"  #: bring discarded dead letters of an application back
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
    status: int | None = None  #: of a dead letter's last answer
    issue_ids: tuple[str, ...] = ()  #: dead letters that are filed under one of these
    deliveries: tuple[str, ...] = ()  #: dead letters by id
    keep_unfinished: bool = False  #: of payloads: those that something is still to be sent of
    app_ids: tuple[str, ...] = ()


class RedrivePlan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How dead letters are sent again."""

    rate_per_s: float | None = None  #: at most so many a second; None: what the process allows
    concurrency: int | None = None  #: at most so many whose next outcome is not known yet
    canary: int = 0  #: so many first; the rest only when these do well
    failure_ratio_max: float = 0.1  #: a canary does well when no greater part of it fails again


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
    paused_by: str | None = None  #: who stopped it for the time being; nobody takes it then
    total: int | None = None  #: how many there were to look at when it was asked for, if counted
    why: str | None = None  #: what a person gave as the reason
    plan: RedrivePlan | None = None
    under_way: tuple[str, ...] = ()  #: redriven by it, next outcome not known yet: delivery ids
    canary_passed: bool = False
    next_at_us: int = 0  #: a plan's rate: nothing more before

    @property
    def is_running(self) -> bool:
        return self.status is TaskStatus.RUNNING
