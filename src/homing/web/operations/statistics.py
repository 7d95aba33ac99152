"""`/stats`: counts over the organisation; each request starts a background task."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from homing.service import statistics
from homing.web.operation import Answer, Call, answer, operation
from homing.web.operations.tasks import TaskStarted, started, started_fields
from homing.web.schemas import Moment, NoQuery, Schema, Uid, distinct, microseconds

_TAG = "Statistics"


class UsageIn(Schema, kw_only=True):
    """Deliveries of which applications to count: of messages accepted in this time."""

    since: Moment
    until: Moment
    app_ids: Annotated[list[Uid], Meta(max_length=1_000)] | None = None  #: none: all


class UsageStarted(TaskStarted, kw_only=True):
    """A task that was started, and the applications that there are not."""

    unresolved_app_ids: list[str]


@operation(
    "PUT",
    "/stats/usage/event-types",
    "v1.statistics.aggregate-event-types",
    "List the event types that each application's endpoints want, as a background task",
    tag=_TAG,
    answers={202: TaskStarted},
    org_only=True,
)
async def aggregate_event_types(call: Call[NoQuery, None]) -> Answer:
    return started(await statistics.aggregate_event_types(call.service, call.caller))


@operation(
    "POST",
    "/stats/usage/app",
    "v1.statistics.aggregate-app-stats",
    "Count each application's deliveries, as a background task",
    tag=_TAG,
    body=UsageIn,
    answers={202: UsageStarted},
    org_only=True,
)
async def aggregate_usage(call: Call[NoQuery, UsageIn]) -> Answer:
    ids, unknown = await statistics.resolve_applications(
        call.service, call.caller, distinct(call.body.app_ids)
    )
    task = await statistics.aggregate_usage(
        call.service,
        call.caller,
        ids,
        since_us=microseconds(call.body.since),
        until_us=microseconds(call.body.until),
        once=call.once(
            lambda task: answer(
                202, UsageStarted(**started_fields(task), unresolved_app_ids=unknown)
            )
        ),
    )
    return answer(202, UsageStarted(**started_fields(task), unresolved_app_ids=unknown))


OPERATIONS = (aggregate_event_types, aggregate_usage)
