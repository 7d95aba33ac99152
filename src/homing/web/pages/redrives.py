"""`/dead-letters/tasks/…`: how far a redrive, a discard or an undo has got, live."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from homing.core.errors import NotFound
from homing.core.identifiers import parse_delivery_id
from homing.core.issues import Issue
from homing.core.outcome import Reason
from homing.core.store import Store
from homing.core.tasks import Action, RedrivePlan, Task, TaskStatus
from homing.service import desk
from homing.service.deliveries import undo_discard
from homing.service.desk_reading import latest_attempt
from homing.service.task_rules import progress
from homing.service.tasks import cancel_task, find_task, pause_task, resume_task
from homing.web.pages.outcomes import outcome_words
from homing.web.pages.shell import Page, Visit, get, post

_ONE: Final = "/dead-letters/tasks/{task}"
_DESK: Final = {
    Action.REDRIVE: "Redrive",
    Action.RECOVER: "Redrive",
    Action.DISCARD: "Discard",
    Action.UNDO: "Bringing back",
}


def line_of_task(task: Task) -> dict[str, Any]:
    """A task in the words that a page uses."""
    count = task.counts.get
    share = progress(task)
    plan = task.plan or RedrivePlan()
    return {
        "task": task,
        "url": f"/dead-letters/tasks/{task.id}",
        "title": _DESK.get(task.action, str(task.action)),
        "word": _word(task),
        "share": share,
        "done": count("looked", 0) - len(task.under_way),
        "plan": plan,
        "in_canary": bool(plan.canary) and not task.canary_passed and task.is_running,
        "figures": _figures(task),
    }


def _word(task: Task) -> str:
    if task.is_running:
        return "paused" if task.paused_by else "running"
    if task.status is TaskStatus.FINISHED:
        return "finished"
    return "cancelled" if (task.error or "").startswith("cancelled") else "failed"


def _figures(task: Task) -> list[tuple[str, int, str, str]]:
    """(name, count, what it means, kind) of what became of what it looked at."""
    count = task.counts.get
    match task.action:
        case Action.DISCARD:
            found = [("Discarded", count("discarded", 0), "withdrawn, with the reason", "off")]
        case Action.UNDO:
            found = [("Brought back", count("restored", 0), "dead letters again", "good")]
        case _:
            found = [
                ("Sent", count("sent", 0), "given their whole schedule again", ""),
                ("Delivered", count("delivered", 0), "the receiver took them", "good"),
                ("Failed again", count("failed", 0), "dead again, or being retried", "bad"),
                ("Under way", len(task.under_way), "outcome not known yet", "busy"),
                ("Set aside", count("aside", 0), "parked or withdrawn meanwhile", "off"),
            ]
    if count("skipped", 0):
        found.append(
            ("Left alone", count("skipped", 0), "no longer dead, or nowhere to go", "wait")
        )
    return found


async def show_task(visit: Visit) -> Page:
    """One task, with its progress."""
    task = await _find(visit)
    line = line_of_task(task) | await _failures_of(visit, task)
    return Page("redrive.html", f"{line['title']} of dead letters", "dead-letters", line)


async def _failures_of(visit: Visit, task: Task) -> dict[str, Any]:
    """Where those are that failed again, and how their endpoint last answered."""
    found: dict[str, Any] = {"failed_at": "", "latest": None, "latest_words": ""}
    endpoint_id = await _endpoint_of(visit.service.store, task)
    if not task.counts.get("failed") or task.app_id is None or endpoint_id is None:
        return found
    found["failed_at"] = f"/deliveries?app={task.app_id}&endpoint={endpoint_id}"
    latest = await latest_attempt(visit.service.store, task.app_id, endpoint_id)
    if latest is not None and latest.reason is not Reason.OK:
        found |= {"latest": latest, "latest_words": outcome_words(latest)}
    return found


async def _endpoint_of(store: Store, task: Task) -> str | None:
    """The one endpoint that a task is about; None: there may be several."""
    which = task.which
    ids = {parse_delivery_id(name).endpoint_id for name in which.deliveries}
    if which.issue_ids:
        ids |= {one.endpoint_id for one in await store.by_ids(Issue, list(which.issue_ids))}
    if which.endpoint_id is not None:
        ids.add(which.endpoint_id)
    return ids.pop() if len(ids) == 1 else None


async def _find(visit: Visit) -> Task:
    task = await find_task(visit.service, visit.caller, visit.path["task"])
    if task.action not in _DESK:
        raise NotFound(f"there is no redrive {task.id!r}")
    return task


async def pause(visit: Visit) -> Response:
    task = await pause_task(visit.service, visit.caller, (await _find(visit)).id)
    return visit.go(_url(task), said="Paused. What was sent goes on; nothing more is sent.")


async def resume(visit: Visit) -> Response:
    task = await resume_task(visit.service, visit.caller, (await _find(visit)).id)
    return visit.go(_url(task), said="It goes on.")


async def cancel(visit: Visit) -> Response:
    task = await cancel_task(visit.service, visit.caller, (await _find(visit)).id)
    return visit.go(_url(task), said="Cancelled. What it has done stays done; the rest is left.")


async def undo(visit: Visit) -> Response:
    """Bring back what a discard withdrew."""
    task = await _find(visit)
    if task.action is not Action.DISCARD or task.app_id is None:
        raise NotFound("only a discard can be taken back here")
    service, caller = visit.service, visit.caller
    for name in task.which.deliveries:
        which = parse_delivery_id(name)
        await undo_discard(service, task.app_id, which, actor=caller.actor)
    if task.which.deliveries:
        return visit.go(_url(task), said="Brought back: they are dead letters again.")
    issue = task.which.issue_ids[0] if task.which.issue_ids else None
    after = await desk.undo_many(service, caller, task.app_id, issue=issue)
    return visit.go(_url(after))


def _url(task: Task) -> str:
    return f"/dead-letters/tasks/{task.id}"


PAGES = (
    get(_ONE, show_task),
    post(f"{_ONE}/pause", pause),
    post(f"{_ONE}/resume", resume),
    post(f"{_ONE}/cancel", cancel),
    post(f"{_ONE}/undo", undo),
)
