"""Asking for deliveries to be sent again in bulk; what each task does is in `task_chunks`."""

from __future__ import annotations

from typing import Final

import msgspec

from homing.core.errors import Invalid, Problem
from homing.core.lifecycle import DeadReason, State
from homing.core.queries import DeliveryFilter, Page, Span
from homing.core.tasks import Action, Selection, Task
from homing.service.applications import find_application
from homing.service.context import Once, Service
from homing.service.endpoints import find_endpoint
from homing.service.tasks import beginning_us, present_us, start_task
from homing.service.tokens import Caller

#: how far back `recover` may reach: 14 days and 5 minutes for clocks that disagree
_RECOVERED_US_MAX: Final = (14 * 86_400 + 300) * 1_000_000
_PAGE: Final = 1_000
#: dead letters that are counted before the answer is "at least so many"
_COUNTED_MAX: Final = 100_000


async def recover(
    service: Service,
    caller: Caller,
    app: str,
    endpoint: str,
    *,
    since_us: int,
    until_us: int | None,
    once: Once[Task] | None = None,
) -> Task:
    """Redrive every dead letter of an endpoint accepted within a span of time.

    Deliveries that still have retries due are left to them.

    Raises:
        NotFound: no such application or endpoint.
        Invalid: longer ago than 14 days, or no span at all.
    """
    await find_endpoint(service, caller, app, endpoint)
    if since_us < service.clock.now_us() - _RECOVERED_US_MAX:
        raise Invalid([Problem(("body", "since"), "expected at most 14 days ago")])
    which = Selection(since_us=since_us, until_us=until_us)
    return await _start(service, caller, app, endpoint, Action.RECOVER, which, once)


async def replay_missing(
    service: Service,
    caller: Caller,
    app: str,
    endpoint: str,
    *,
    since_us: int,
    until_us: int | None,
    once: Once[Task] | None = None,
) -> Task:
    """Deliver the messages of a span of time that an endpoint wants and never had.

    Raises:
        NotFound: no such application or endpoint.
        Invalid: no span at all.
    """
    which = Selection(since_us=since_us, until_us=until_us)
    return await _start(service, caller, app, endpoint, Action.REPLAY_MISSING, which, once)


async def replay(
    service: Service,
    caller: Caller,
    app: str,
    endpoint: str,
    which: Selection,
    *,
    once: Once[Task] | None = None,
) -> Task:
    """Send again what an endpoint had, whatever became of it.

    Args:
        which: with a beginning; its endpoint is filled in.

    Raises:
        NotFound: no such application or endpoint.
        Invalid: no span at all.
    """
    return await _start(service, caller, app, endpoint, Action.REPLAY, which, once)


async def redrive_all(
    service: Service,
    caller: Caller,
    app: str,
    which: Selection,
    *,
    once: Once[Task] | None = None,
) -> Task:
    """Redrive the dead letters of an application.

    Args:
        which: its endpoint, where there is one, by id or uid.

    Raises:
        NotFound: no such application or endpoint.
        Invalid: no span at all.
    """
    application = await find_application(service, caller, app)
    which = await _resolved(service, caller, app, which)
    return await start_task(
        service, caller, Action.REDRIVE, which, application=application, once=once
    )


async def count_dead(
    service: Service, caller: Caller, app: str, which: Selection
) -> tuple[int, bool]:
    """How many dead letters `redrive_all` would redrive, and whether there may be more.

    Raises:
        as `redrive_all`.
    """
    application = await find_application(service, caller, app)
    which = await _resolved(service, caller, app, which)
    matching = DeliveryFilter(
        app_id=application.id,
        endpoint_id=which.endpoint_id,
        states=(State.DEAD,),
        event_types=which.event_types,
        channel=which.channel,
        span=Span(since_us=which.since_us, until_us=which.until_us),
    )
    count, looked, after = 0, 0, None
    while looked < _COUNTED_MAX:
        found = await service.store.deliveries(matching, Page(limit=_PAGE, after=after))
        looked += len(found)
        count += sum(
            one.reason != DeadReason.PAYLOAD_GONE and which.reason in (None, one.reason)
            for one in found
        )
        if len(found) < _PAGE:
            return count, False
        last = found[-1]
        after = last.message_id if which.endpoint_id is not None else str(last.id)
    return count, True


async def _start(
    service: Service,
    caller: Caller,
    app: str,
    endpoint: str,
    action: Action,
    which: Selection,
    once: Once[Task] | None,
) -> Task:
    application, found = await find_endpoint(service, caller, app, endpoint)
    which = _until_now(service, which, endpoint_id=found.id)
    return await start_task(service, caller, action, which, application=application, once=once)


async def _resolved(service: Service, caller: Caller, app: str, which: Selection) -> Selection:
    endpoint_id = None
    if which.endpoint_id is not None:
        endpoint_id = (await find_endpoint(service, caller, app, which.endpoint_id))[1].id
    if which.since_us is None:
        which = msgspec.structs.replace(which, since_us=await beginning_us(service))
    return _until_now(service, which, endpoint_id=endpoint_id)


def _until_now(service: Service, which: Selection, *, endpoint_id: str | None) -> Selection:
    """With an end: a task does not run after what is accepted while it is at work."""
    now_us = present_us(service)
    until_us = now_us if which.until_us is None else min(which.until_us, now_us)
    if which.since_us is not None and until_us <= which.since_us:
        raise Invalid([Problem(("body", "until"), "expected a time after `since`")])
    return msgspec.structs.replace(which, endpoint_id=endpoint_id, until_us=until_us)
