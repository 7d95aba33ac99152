"""Counting over a whole organisation, as background tasks."""

from __future__ import annotations

from collections.abc import Sequence

from homing.core.errors import Invalid, Problem
from homing.core.resources import Application
from homing.core.tasks import Action, Selection, Task
from homing.service.context import Once, Service
from homing.service.tasks import beginning_us, start_task
from homing.service.tokens import Caller


async def aggregate_event_types(service: Service, caller: Caller) -> Task:
    """List what the endpoints of each application want."""
    return await start_task(service, caller, Action.EVENT_TYPES, Selection())


async def resolve_applications(
    service: Service, caller: Caller, names: Sequence[str]
) -> tuple[tuple[str, ...], list[str]]:
    """The ids of these applications (by id or uid), and the names that nobody has.

    Raises:
        Invalid: nobody has any of them.
    """
    ids, unknown = [], []
    for name in names:
        found = await service.store.get(Application, caller.org_id, name)
        if found is None:
            unknown.append(name)
        else:
            ids.append(found.id)
    if unknown and not ids:
        raise Invalid([Problem(("body", "appIds"), "there is none of these applications")])
    return tuple(dict.fromkeys(ids)), unknown


async def aggregate_usage(
    service: Service,
    caller: Caller,
    app_ids: tuple[str, ...],
    *,
    since_us: int,
    until_us: int,
    once: Once[Task] | None = None,
) -> Task:
    """Count the deliveries of each application accepted in a span of time.

    Args:
        app_ids: of which applications; none: of all.

    Raises:
        Invalid: no span at all.
    """
    until_us = min(until_us, service.clock.now_us())
    if until_us <= since_us:
        raise Invalid([Problem(("body", "until"), "expected a time after `since`")])
    since_us = min(max(since_us, await beginning_us(service)), until_us)
    which = Selection(since_us=since_us, until_us=until_us, app_ids=app_ids)
    return await start_task(service, caller, Action.USAGE, which, once=once)
