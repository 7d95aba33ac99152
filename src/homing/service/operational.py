"""Operational webhooks: an organisation's endpoints for what Homing has to tell of itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from homing.core.errors import Conflict, NotFound
from homing.core.operational import (
    UID,
    Announcement,
    Event,
    Follower,
    about_endpoint,
    announcement,
    changes_of,
    is_hidden,
    scope_of,
)
from homing.core.ports import Clock
from homing.core.resources import Application, Endpoint, Resource
from homing.core.store import Store
from homing.service.applications import PREFIX, find_application
from homing.service.context import Service
from homing.service.log_export import end_of_log
from homing.service.tokens import Caller

#: the one `Follower`
FOLLOWER: Final = ("operational", "log")

#: see `herald`: the event, the endpoint as it is then, what tells this event from its like, and
#: what it says besides
Herald = Callable[[Event, Endpoint, int | None, Mapping[str, Any]], Awaitable[Sequence[Resource]]]


def insider(caller: Caller) -> Caller:
    """The caller as the owner of the hidden application, for the verbs of applications."""
    return Caller(scope_of(caller.org_id), read_only=caller.read_only, role=caller.role)


async def hidden_application(store: Store, org_id: str) -> Application | None:
    """Whose endpoints are told; None: the organisation never asked for any."""
    return await store.get(Application, scope_of(org_id), UID)


async def open_hidden(service: Service, caller: Caller) -> None:
    """Make the hidden application, if there is none.

    From now on the delivery log is followed; what it holds already is not told.
    """
    scope = scope_of(caller.org_id)
    if await service.store.get(Application, scope, UID) is not None:
        return
    at_us = service.clock.now_us()
    if await service.store.get(Follower, *FOLLOWER) is None:
        end = await end_of_log(service.store)
        follower = Follower(
            scope=FOLLOWER[0],
            id=FOLLOWER[1],
            transaction=end.transaction,
            line=end.line,
            created_at_us=at_us,
            updated_at_us=at_us,
        )
        await _put_first(service.store, follower)
    hidden = Application(
        scope=scope,
        id=service.new_id(PREFIX),
        uid=UID,
        name="Operational webhooks",
        created_at_us=at_us,
        updated_at_us=at_us,
    )
    await _put_first(service.store, hidden)


async def _put_first(store: Store, resource: Resource) -> None:
    """Create it, unless somebody else has just now."""
    with suppress(Conflict):
        await store.put(resource)


async def find_traffic(service: Service, caller: Caller, name: str) -> Application:
    """An application whose traffic the caller may see: his own, or by its id the hidden one.

    Raises:
        NotFound: there is none, or it is not the caller's.
    """
    try:
        return await find_application(service, caller, name)
    except NotFound:
        hidden = None
        if caller.app_id is None and name.startswith(PREFIX):
            hidden = await hidden_application(service.store, caller.org_id)
        if hidden is None or hidden.id != name:
            raise
        return hidden


async def find_traffic_endpoint(
    service: Service, caller: Caller, app: str, name: str
) -> tuple[Application, Endpoint]:
    """An endpoint whose traffic the caller may see, and its application.

    Raises:
        NotFound: there is no such application, or no such endpoint in it.
    """
    application = await find_traffic(service, caller, app)
    endpoint = await service.store.get(Endpoint, application.id, name)
    if endpoint is None:
        raise NotFound(f"there is no endpoint {name!r} in this application")
    return application, endpoint


def herald(store: Store, clock: Clock) -> Herald:
    """What is to be stored along with a change of an endpoint; nothing where nobody listens."""

    async def tell(
        event: Event, endpoint: Endpoint, mark: int | None, more: Mapping[str, Any]
    ) -> Sequence[Resource]:
        if is_hidden(endpoint.org_id) or await hidden_application(store, endpoint.org_id) is None:
            return ()
        found = await store.by_ids(Application, [endpoint.scope])
        uid = found[0].uid if found else None
        return (about_endpoint(event, endpoint, uid, at_us=clock.now_us(), mark=mark, more=more),)

    return tell


async def news_of_change(
    service: Service, before: Endpoint | None, after: Endpoint | None
) -> Sequence[Resource]:
    """What to store along with a person's change of an endpoint.

    Args:
        before: None: it is new.
        after: None: it is deleted.
    """
    tell = herald(service.store, service.clock)
    if before is None:
        assert after is not None
        return await tell(Event.ENDPOINT_CREATED, after, None, {})
    if after is None:
        return await tell(Event.ENDPOINT_DELETED, before, None, {})
    told: list[Resource] = []
    for event in changes_of(before, after):
        more = {"failSince": None, "trigger": "manual"} if event is Event.ENDPOINT_DISABLED else {}
        told += await tell(event, after, after.version, more)
    return told


async def news(
    service: Service, org_id: str, event_type: str, data: Mapping[str, Any], *, event_id: str
) -> tuple[Announcement, ...]:
    """What to store along with its cause (`Store.put(…, also=…)`), so that it is told.

    Nothing where nobody listens.

    Args:
        event_id: see `homing.core.operational.announcement`.
    """
    if is_hidden(org_id) or await hidden_application(service.store, org_id) is None:
        return ()
    at_us = service.clock.now_us()
    return (announcement(org_id, event_type, data, event_id=event_id, at_us=at_us),)
