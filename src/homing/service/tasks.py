"""Background tasks, as whoever asks for them sees them: started, looked at, cancelled."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from homing.core.errors import Conflict, NotFound, Refused, Stale, Unavailable
from homing.core.identifiers import STEP_US
from homing.core.resources import Application
from homing.core.tasks import Action, RedrivePlan, Selection, Task, TaskStatus
from homing.service.context import Once, Service
from homing.service.listing import Ask, Listing, is_id, paginate
from homing.service.task_news import listens, news_of_end
from homing.service.task_rules import failed, paused, resumed
from homing.service.tokens import Caller

PREFIX: Final = "qtask_"

#: tasks of one application, or of an organisation as such, that may be under way at a time. A
#: person has a handful; a script that asks again and again is told so before it fills the queue.
RUNNING_MAX: Final = 10
#: tasks that are looked at to count those
_LOOKED_AT_MAX: Final = 1_000
_TRIES_MAX: Final = 8


async def start_task(
    service: Service,
    caller: Caller,
    action: Action,
    which: Selection,
    *,
    application: Application | None = None,
    once: Once[Task] | None = None,
    plan: RedrivePlan | None = None,
    why: str | None = None,
    total: int | None = None,
) -> Task:
    """A new task; a process takes it up within a second or so.

    Args:
        application: whose deliveries or messages it is about; None: the organisation.
        once: makes the request repeatable: its repeat gets the same task.
        plan: of a redrive.
        why: the reason that was given for a discard.
        total: how many there are to look at, if they were counted.

    Raises:
        Refused: `limit_reached`: too many tasks of this application are under way.
    """
    app_id = None if application is None else application.id
    running = await service.store.running_tasks(limit=_LOOKED_AT_MAX)
    own = [task for task in running if (task.scope, task.app_id) == (caller.org_id, app_id)]
    if len(own) >= RUNNING_MAX:
        text = f"{RUNNING_MAX} background tasks of it are under way; wait for one, or cancel one"
        raise Refused("limit_reached", text)
    at_us = service.clock.now_us()
    task = Task(
        scope=caller.org_id,
        id=service.new_id(PREFIX),
        created_at_us=at_us,
        updated_at_us=at_us,
        action=action,
        app_id=app_id,
        actor=caller.actor,
        which=which,
        plan=plan,
        why=why,
        total=total,
    )
    if once is None:
        await service.store.put(task)
    else:
        await service.store.put(task, key=once.key, reply=once.reply(task))
    service.wake_tasks()
    return task


async def find_task(service: Service, caller: Caller, task_id: str) -> Task:
    """One task.

    Raises:
        NotFound: there is none, or it is not the caller's.
    """
    task = await service.store.get(Task, caller.org_id, task_id)
    if task is None or not _may_see(caller, task):
        raise NotFound(f"there is no background task {task_id!r}")
    return task


async def list_tasks(
    service: Service,
    caller: Caller,
    ask: Ask,
    *,
    status: TaskStatus | None = None,
    actions: Collection[Action] = (),
) -> Listing[Task]:
    """Tasks of the organisation, or of the one application that the token is for, by id."""
    return await paginate(
        lambda page: service.store.list(Task, caller.org_id, page),
        lambda task: task.id,
        ask,
        is_name=is_id(PREFIX),
        keep=lambda task: (
            _may_see(caller, task)
            and status in (None, task.status)
            and (not actions or task.action in actions)
        ),
    )


async def cancel_task(service: Service, caller: Caller, task_id: str) -> Task:
    """End a task where it has got to. What it has done stays done.

    Raises:
        NotFound: there is none, or it is not the caller's.
        Conflict: it has ended already.
    """
    for _ in range(_TRIES_MAX):
        task = await find_task(service, caller, task_id)
        if not task.is_running:
            raise Conflict(f"task {task_id} is not running but {task.status}")
        after = failed(task, f"cancelled by {caller.actor}", service.clock.now_us())
        news = news_of_end(after) if await listens(service.store, after.scope) else ()
        try:
            await service.store.put(after, also=news)
        except Stale:  # it got a chunk further
            continue
        return after
    raise Unavailable("the task keeps changing; ask again")


async def pause_task(service: Service, caller: Caller, task_id: str) -> Task:
    """Stop a task where it has got to, until it is resumed; the chunk under way is done or not.

    Raises:
        NotFound: there is none, or it is not the caller's.
        Conflict: it has ended already.
    """
    return await _change(
        service, caller, task_id, lambda task, at_us: paused(task, caller.actor, at_us)
    )


async def resume_task(service: Service, caller: Caller, task_id: str) -> Task:
    """Have a task go on that was paused; one that was not goes on anyway.

    Raises:
        NotFound: there is none, or it is not the caller's.
        Conflict: it has ended already.
    """
    task = await find_task(service, caller, task_id)
    if task.is_running and task.paused_by is None:
        return task
    after = await _change(service, caller, task_id, resumed)
    service.wake_tasks()
    return after


async def _change(
    service: Service, caller: Caller, task_id: str, change: Callable[[Task, int], Task]
) -> Task:
    for _ in range(_TRIES_MAX):
        task = await find_task(service, caller, task_id)
        if not task.is_running:
            raise Conflict(f"task {task_id} is not running but {task.status}")
        after = change(task, service.clock.now_us())
        try:
            await service.store.put(after)
        except Stale:  # it got a chunk further
            continue
        return after
    raise Unavailable("the task keeps changing; ask again")


async def beginning_us(service: Service) -> int:
    """A time before everything that is kept: where a task about all of it begins."""
    first_us = await service.store.first_accepted_at_us()
    return (service.clock.now_us() if first_us is None else first_us) - 2 * STEP_US


def present_us(service: Service) -> int:
    """A time after everything that has been accepted by now: ids count in steps of 4 ms."""
    return service.clock.now_us() + STEP_US


def _may_see(caller: Caller, task: Task) -> bool:
    return caller.app_id in (None, task.app_id)
