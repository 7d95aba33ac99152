"""Tells an organisation, by operational webhook, that one of its background tasks has ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from homing.core.operational import Announcement, Event, announcement, is_hidden
from homing.core.store import Store
from homing.core.tasks import Action, Task
from homing.service.operational import hidden_application

TaskType = Literal[
    "endpoint.replay",
    "endpoint.recover",
    "endpoint.bulk-replay",
    "application.stats",
    "application.purge_content",
    "event-type.aggregate",
    "message.broadcast",
    "sdk.generate",
]
#: the names that the SDKs know for what Homing does; they refuse any other
TYPES: Final[Mapping[Action, TaskType]] = {
    Action.RECOVER: "endpoint.recover",
    Action.REDRIVE: "endpoint.recover",
    Action.DISCARD: "application.purge_content",
    Action.UNDO: "endpoint.recover",
    Action.REPLAY_MISSING: "endpoint.replay",
    Action.REPLAY: "endpoint.bulk-replay",
    Action.EXPUNGE: "application.purge_content",
    Action.EVENT_TYPES: "event-type.aggregate",
    Action.USAGE: "application.stats",
}


async def listens(store: Store, org_id: str) -> bool:
    """Whether an organisation wants to be told anything."""
    return not is_hidden(org_id) and await hidden_application(store, org_id) is not None


def news_of_end(task: Task) -> tuple[Announcement, ...]:
    """What to store along with a task that is written; nothing while it goes on."""
    if task.is_running:
        return ()
    event = Event.TASK_FINISHED
    data = {
        "taskId": task.id,
        "task": TYPES[task.action],
        "status": task.status.value,
        "data": {
            **task.counts,
            "messages_sent": task.counts.get("sent", 0),
            "endp_id": task.which.endpoint_id,
        },
        "appId": task.app_id,
        "error": task.error,
    }
    event_id = f"{event}.{task.id}"
    return (announcement(task.scope, event, data, event_id=event_id, at_us=task.updated_at_us),)
