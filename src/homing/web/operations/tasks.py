"""`/background-task`: work that goes on after its request was answered."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from msgspec import Meta

from homing.core.tasks import Action, RedrivePlan, Task, TaskStatus
from homing.service import tasks
from homing.service.task_news import TYPES, TaskType
from homing.service.task_rules import progress
from homing.web.operation import Answer, Call, answer, operation
from homing.web.operations.applications import OrderedQuery
from homing.web.schemas import ListOut, NoQuery, Schema, Timestamp, page_of, rfc3339

TAG: Final = "Background Task"
_ONE: Final = "/background-task/{task_id}"

Status = Literal["running", "finished", "failed"]
ActionName = Literal[
    "recover",
    "redrive",
    "discard",
    "undo",
    "replay-missing",
    "replay",
    "expunge",
    "event-types",
    "usage",
]


class TasksQuery(OrderedQuery, frozen=True, kw_only=True):
    """Which tasks."""

    status: Status | None = None
    task: TaskType | None = None


class TaskStarted(Schema, kw_only=True):
    """A task that was started; `GET /background-task/{id}` tells how far it has got."""

    id: str
    status: Status
    task: TaskType
    updated_at: Timestamp


class TaskOut(TaskStarted, kw_only=True):
    """A task, and how far it has got. What follows `data` is beyond Svix."""

    data: dict[str, Any]  #: counts by what became of what it looked at, or what it found
    action: ActionName  #: what it does, in Homing's words
    app_id: str | None
    endpoint_id: str | None
    progress: Annotated[float, Meta(ge=0, le=1)]  #: by the time it has come to within its span
    error: str | None  #: failed: why; running: why it last could not go on
    actor: str  #: who asked for it
    paused_by: str | None  #: who stopped it for the time being; its status stays "running"
    created_at: Timestamp
    finished_at: Timestamp | None


def started_fields(task: Task) -> dict[str, Any]:
    """What every representation of a task has."""
    return {
        "id": task.id,
        "status": task.status.value,
        "task": TYPES[task.action],
        "updated_at": rfc3339(task.updated_at_us),
    }


def started(task: Task) -> Answer:
    """The answer to a request that started a task."""
    return answer(202, TaskStarted(**started_fields(task)))


def task_out(task: Task) -> TaskOut:
    finished_us = task.finished_at_us
    return TaskOut(
        **started_fields(task),
        data=_data(task),
        action=task.action.value,
        app_id=task.app_id,
        endpoint_id=task.which.endpoint_id,
        progress=round(progress(task), 4),
        error=task.error,
        actor=task.actor,
        paused_by=task.paused_by,
        created_at=rfc3339(task.created_at_us),
        finished_at=None if finished_us is None else rfc3339(finished_us),
    )


def _data(task: Task) -> dict[str, Any]:
    """The members that Svix's documents show for a finished task, and more in their manner."""
    rows = task.rows if task.status is TaskStatus.FINISHED else []
    count = task.counts.get
    match task.action:
        case Action.EVENT_TYPES:
            return {"event_types": rows}
        case Action.USAGE:
            return {"appStats": rows, **_span(task)}
        case Action.EXPUNGE:
            return {
                "messagesPurged": count("purged", 0),
                "messagesKept": count("kept", 0),
                "messagesLookedAt": count("looked", 0),
                "deliveriesLost": count("lost", 0),
            }
        case Action.DISCARD:
            return {
                "deliveriesDiscarded": count("discarded", 0),
                "deliveriesLookedAt": count("looked", 0),
                "reason": task.why,
            }
        case Action.UNDO:
            return {
                "deliveriesRestored": count("restored", 0),
                "deliveriesLookedAt": count("looked", 0),
            }
        case Action.REDRIVE:
            plan = task.plan or RedrivePlan()
            return {
                "messagesSent": count("sent", 0),
                "messagesSkipped": count("skipped", 0),
                "messagesLookedAt": count("looked", 0),
                "messagesUnderWay": len(task.under_way),
                "messagesDelivered": count("delivered", 0),
                "messagesFailedAgain": count("failed", 0),
                "messagesSetAside": count("aside", 0),
                "total": task.total,
                "canary": plan.canary or None,
                "canaryPassed": task.canary_passed if plan.canary else None,
                **_span(task),
            }
        case _:
            return {
                "messagesSent": count("sent", 0),
                "messagesSkipped": count("skipped", 0),
                "messagesLookedAt": count("looked", 0),
                **_span(task),
            }


def _span(task: Task) -> dict[str, Any]:
    since_us, until_us = task.which.since_us, task.which.until_us
    return {
        "since": None if since_us is None else rfc3339(since_us),
        "until": None if until_us is None else rfc3339(until_us),
    }


@operation(
    "GET",
    "/background-task",
    "v1.background-task.list",
    "List background tasks, newest first",
    tag=TAG,
    query=TasksQuery,
    answers={200: ListOut[TaskOut]},
)
async def list_tasks(call: Call[TasksQuery, None]) -> Answer:
    query = call.query
    listing = await tasks.list_tasks(
        call.service,
        call.caller,
        query.ask(descending=query.order != "ascending"),
        status=None if query.status is None else TaskStatus(query.status),
        actions=[action for action, name in TYPES.items() if name == query.task],
    )
    return answer(200, page_of(listing, task_out))


@operation(
    "GET",
    _ONE,
    "v1.background-task.get",
    "Get a background task, and how far it has got",
    tag=TAG,
    answers={200: TaskOut},
)
async def get_task(call: Call[NoQuery, None]) -> Answer:
    return answer(
        200, task_out(await tasks.find_task(call.service, call.caller, call.path["task_id"]))
    )


@operation(
    "POST",
    f"{_ONE}/cancel",
    "v1.background-task.cancel",
    "End a background task where it has got to; what it has done stays done",
    tag=TAG,
    answers={200: TaskOut},
)
async def cancel_task(call: Call[NoQuery, None]) -> Answer:
    return answer(
        200, task_out(await tasks.cancel_task(call.service, call.caller, call.path["task_id"]))
    )


@operation(
    "POST",
    f"{_ONE}/pause",
    "v1.background-task.pause",
    "Stop a background task where it has got to, until it is resumed",
    tag=TAG,
    answers={200: TaskOut},
)
async def pause_task(call: Call[NoQuery, None]) -> Answer:
    return answer(
        200, task_out(await tasks.pause_task(call.service, call.caller, call.path["task_id"]))
    )


@operation(
    "POST",
    f"{_ONE}/resume",
    "v1.background-task.resume",
    "Have a background task go on that was paused",
    tag=TAG,
    answers={200: TaskOut},
)
async def resume_task(call: Call[NoQuery, None]) -> Answer:
    return answer(
        200, task_out(await tasks.resume_task(call.service, call.caller, call.path["task_id"]))
    )


OPERATIONS = (list_tasks, get_task, cancel_task, pause_task, resume_task)
