"""Asking for deliveries to be sent again in bulk; what each task does is in `task_chunks`."""

from __future__ import annotations

from typing import Final

import msgspec

from homing.core.errors import Invalid, Problem
from homing.core.tasks import Action, Selection, Task
from homing.service.context import Once, Service
from homing.service.endpoints import find_endpoint
from homing.service.tasks import present_us, start_task
from homing.service.tokens import Caller

#: how far back `recover` may reach: 14 days and 5 minutes for clocks that disagree
_RECOVERED_US_MAX: Final = (14 * 86_400 + 300) * 1_000_000


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
    which = until_now(service, which, endpoint_id=found.id)
    return await start_task(service, caller, action, which, application=application, once=once)


def until_now(service: Service, which: Selection, *, endpoint_id: str | None) -> Selection:
    """With an end: a task does not run after what is accepted while it is at work."""
    now_us = present_us(service)
    until_us = now_us if which.until_us is None else min(which.until_us, now_us)
    if which.since_us is not None and until_us <= which.since_us:
        raise Invalid([Problem(("body", "until"), "expected a time after `since`")])
    return msgspec.structs.replace(which, endpoint_id=endpoint_id, until_us=until_us)
