"""Finds messages and deliveries for people, newest first, at a cost that has a bound.

A search walks until its page is full, or until it has looked at so many messages or for so long;
then it says how far it came, and the next request goes on from there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

import msgspec

from homing.core.errors import Invalid, NotFound, Problem
from homing.core.identifiers import DeliveryId, made_at_us
from homing.core.lifecycle import UNFINISHED, Delivery
from homing.core.queries import Page, Span
from homing.core.resources import Application, Endpoint
from homing.core.searching import Head, Looked, Sought
from homing.service.context import Service
from homing.service.operational import find_traffic
from homing.service.querying import Query
from homing.service.text_search import TextNote, TextSearch, payload_has
from homing.service.tokens import Caller

T = TypeVar("T")

#: messages of one look: a few milliseconds of a database's time
_LOOKS: Final = 500
#: looks of one search: 20,000 messages
_LOOKS_MAX: Final = 40
#: how long a search may go on looking, microseconds: its page is to be painted within 200 ms, of
#: which the browser needs the greater part
_LOOKING_US: Final = 50_000
#: applications of an organisation that are searched at once; with more, one has to be named
APPLICATIONS_MAX: Final = 1_000
#: applications that are asked for an event id at once
_NAMED_MAX: Final = 50
#: applications that are walked through side by side; more are found among everybody's
_APART_MAX: Final = 8
#: sorts after every id of an endpoint
_AFTER_ALL: Final = "~"


class Found(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A page of what was looked for."""

    rows: list[T]  #: newest first
    below: DeliveryId | None  #: the next page begins below it; None: that was all
    #: it stopped for its cost rather than for a full page: everything since then was looked at
    looked_back_to_us: int | None = None
    text: TextNote | None = None  #: of a search by words of payloads


async def search_messages(
    service: Service,
    caller: Caller,
    query: Query,
    *,
    below: DeliveryId | None = None,
    limit: int = 50,
) -> Found[Head]:
    """Messages of an organisation.

    Args:
        below: only those before it, as `Found.below` says.

    Raises:
        Invalid: an endpoint or a status is asked for, which only deliveries have; and as below.
        NotFound: there is no such application.
    """
    if query.endpoint is not None or query.states:
        text = "messages have no endpoint and no status; look for deliveries instead"
        raise Invalid([Problem(("query", "find"), text)])
    which = await _sought(service, caller, query)
    if which is None:
        return Found(rows=[], below=None)
    return await _search(service, service.store.look_for_messages, which, query, below, limit)


async def search_deliveries(
    service: Service,
    caller: Caller,
    query: Query,
    *,
    below: DeliveryId | None = None,
    limit: int = 50,
) -> Found[Delivery]:
    """Deliveries of an organisation.

    Args:
        below: only those before it, as `Found.below` says.

    Raises:
        Invalid: an endpoint is named by its uid without its application, or the organisation has
            too many applications to search them all.
        NotFound: there is no such application or endpoint.
    """
    which = await _sought(service, caller, query)
    if which is None:
        return Found(rows=[], below=None)
    return await _search(service, service.store.look_for_deliveries, which, query, below, limit)


async def applications_of(service: Service, caller: Caller) -> dict[str, Application]:
    """The caller's applications by id, at most `APPLICATIONS_MAX` and one."""
    page = Page(limit=APPLICATIONS_MAX + 1)
    found = await service.store.list(Application, caller.org_id, page)
    return {one.id: one for one in found if caller.app_id in (None, one.id)}


async def _sought(service: Service, caller: Caller, query: Query) -> Sought | None:
    """What to ask the store for; None: there can be nothing."""
    endpoint = await _endpoint(service, caller, query)
    apps = await _apps(service, caller, query, endpoint)
    message_ids: tuple[str, ...] = ()
    if query.delivery_id is not None:
        message_ids = (query.delivery_id.message_id,)
    elif query.message_id is not None:
        message_ids = (query.message_id,)
    elif query.event_id is not None:
        message_ids = await _with_event_id(service, apps, query.event_id)
        if not message_ids:
            return None
    if message_ids and query.words:
        message_ids = await _with_words(service, message_ids, query.words)
        if not message_ids:
            return None
    return Sought(
        message_ids=message_ids,
        app_ids=apps,
        endpoint_id=query.delivery_id.endpoint_id if query.delivery_id else endpoint,
        states=query.states,
        event_id=query.event_id,
        event_types=query.event_types,
        channel=query.channel,
        tags=query.tags,
        span=Span(since_us=query.after_us, until_us=query.before_us),
    )


async def _apps(
    service: Service, caller: Caller, query: Query, endpoint: str | None
) -> tuple[str, ...]:
    """Ids of the applications to look in."""
    if query.app is not None:
        return ((await find_traffic(service, caller, query.app)).id,)
    if endpoint is not None:
        [found] = await service.store.by_ids(Endpoint, [endpoint])
        return (found.scope,)
    apps = await applications_of(service, caller)
    if len(apps) > APPLICATIONS_MAX:
        text = f"this organisation has more than {APPLICATIONS_MAX:,} applications; say app:…"
        raise Invalid([Problem(("query", "find"), text)])
    return tuple(apps) or ("",)  # without any, nothing fits


async def _endpoint(service: Service, caller: Caller, query: Query) -> str | None:
    """The id of the endpoint that is asked for."""
    name = query.endpoint
    if name is None:
        return None
    if query.app is not None:
        application = await find_traffic(service, caller, query.app)
        endpoint = await service.store.get(Endpoint, application.id, name)
        if endpoint is not None:
            return endpoint.id
    elif name.startswith("ep_"):
        for found in await service.store.by_ids(Endpoint, [name]):
            await find_traffic(service, caller, found.scope)
            return found.id
    else:
        text = f"{name} is no endpoint's id (ep_…); a uid needs its application: app:… beside it"
        raise Invalid([Problem(("query", "find"), text)])
    raise NotFound(f"there is no endpoint {name!r}")


async def _with_event_id(service: Service, apps: tuple[str, ...], event_id: str) -> tuple[str, ...]:
    """The newest message that each application has with it."""
    if len(apps) > _NAMED_MAX:
        text = f"in more than {_NAMED_MAX} applications event: needs app:… beside it"
        raise Invalid([Problem(("query", "find"), text)])
    found = [await service.store.message(app_id, event_id) for app_id in apps]
    return tuple(one.id for one in found if one is not None)


async def _search(
    service: Service,
    look: Callable[..., Awaitable[Looked[T]]],
    which: Sought,
    query: Query,
    below: DeliveryId | None,
    limit: int,
) -> Found[T]:
    """Look until the page is full, everything was looked at, or it has cost enough."""
    until_us = service.clock.mono_us() + _LOOKING_US
    which = msgspec.structs.replace(which, below=below)
    if query.words and not which.message_ids:
        return await _search_texts(service, look, which, query.words, limit, until_us)
    rows: list[T] = []
    place = below
    for _ in range(_LOOKS_MAX):
        asked = msgspec.structs.replace(which, below=place)
        looked = await _look_in_each(look, asked, limit - len(rows))
        rows += looked.found
        if looked.reached is None or len(rows) >= limit:
            return Found(rows=rows, below=looked.reached)
        place = looked.reached
        if service.clock.mono_us() > until_us:
            break
    assert place is not None
    return Found(rows=rows, below=place, looked_back_to_us=made_at_us(place.message_id))


async def _look_in_each(
    look: Callable[..., Awaitable[Looked[T]]], which: Sought, limit: int
) -> Looked[T]:
    """One look: past a few applications side by side, so that others' traffic costs nothing."""
    apps = which.app_ids
    walks_apart = which.endpoint_id is None and not which.message_ids
    if which.states and set(which.states) <= UNFINISHED:
        walks_apart = False  # these are few, and found without asking whose they are
    if not walks_apart or not 2 <= len(apps) <= _APART_MAX:
        return await look(which, looks=_LOOKS, limit=limit)
    looks = -(-_LOOKS // len(apps))
    parts = [
        await look(msgspec.structs.replace(which, app_ids=(app_id,)), looks=looks, limit=limit)
        for app_id in apps
    ]
    # Nothing is missing above the highest place that one of them has reached.
    reached = max((part.reached for part in parts if part.reached is not None), default=None)
    rows = [one for part in parts for one in part.found if reached is None or _at(one) >= reached]
    rows.sort(key=_at, reverse=True)
    if len(rows) > limit:
        rows = rows[:limit]
        reached = _at(rows[-1])
    return Looked(found=rows, reached=reached)


def _at(row: object) -> DeliveryId:
    """The place of a message or of a delivery."""
    if isinstance(row, Delivery):
        return row.id
    assert isinstance(row, Head)
    return DeliveryId(row.id, "")


async def _search_texts(
    service: Service,
    look: Callable[..., Awaitable[Looked[T]]],
    which: Sought,
    words: tuple[str, ...],
    limit: int,
    until_us: int,
) -> Found[T]:
    """The same among messages whose payloads have these words."""
    low, high = which.span.half_open_bounds("msg_")
    if which.below is not None:
        message_id, endpoint_id = which.below
        high = min(high, f"{message_id} " if endpoint_id else message_id)
    texts = TextSearch(service, words, app_ids=which.app_ids, low=low, high=high, until_us=until_us)
    rows: list[T] = []
    while True:
        ids = await texts.more(limit)
        if ids:
            asked = msgspec.structs.replace(which, message_ids=tuple(ids))
            looked = await look(asked, looks=len(ids) + 1, limit=limit - len(rows))
            rows += looked.found
            if looked.reached is not None:
                return Found(rows=rows, below=looked.reached, text=texts.note)
        if texts.is_done:
            return Found(rows=rows, below=None, text=texts.note)
        place = _place_of(texts.place)
        if len(rows) >= limit:
            return Found(rows=rows, below=place, text=texts.note)
        if texts.is_spent:
            back_us = made_at_us(place.message_id)
            return Found(rows=rows, below=place, looked_back_to_us=back_us, text=texts.note)


def _place_of(name: str) -> DeliveryId:
    """Below an id; or, when it has a space at its end, up to it with all its deliveries."""
    return DeliveryId(name.rstrip(), _AFTER_ALL if name.endswith(" ") else "")


async def _with_words(
    service: Service, message_ids: tuple[str, ...], words: tuple[str, ...]
) -> tuple[str, ...]:
    """Those of these messages whose payloads have the words."""
    found = await service.store.messages_by_ids(message_ids)
    return tuple(
        name
        for name in message_ids
        if name in found and payload_has(found[name].payload or b"", words)
    )
