"""Incidents as whoever writes them down sees them: listed, opened, added to, carried in."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from homing.core.errors import Conflict, Invalid, NotFound, Problem
from homing.review.incident import Change, Incident, Status, add, opened
from homing.service.context import Once, Service
from homing.service.editing import edit
from homing.service.listing import Ask, Listing, is_id, paginate
from homing.service.tokens import Caller

PREFIX: Final = "inc_"
#: the newest incidents, among which open ones are looked for
_NEWEST_MAX: Final = 25
_KEPT_BY_EDIT: Final = ("version", "updated_at_us")
#: NUL, which PostgreSQL cannot keep
_NUL: Final = b"\\u0000"


class IncidentDraft(msgspec.Struct, frozen=True, kw_only=True):
    """An incident as it is opened."""

    title: str
    severity: str = "unrated"
    owner: str = ""
    service: str = ""
    objective: str = "99.9%"


async def list_incidents(service: Service, caller: Caller, ask: Ask) -> Listing[Incident]:
    """The organisation's incidents, by id: the order in which they were opened."""
    return await paginate(
        lambda page: service.store.list(Incident, caller.org_id, page),
        lambda one: one.id,
        ask,
        is_name=is_id(PREFIX),
    )


async def open_incidents(service: Service, caller: Caller) -> list[Incident]:
    """Those of the newest that nobody has mended or closed, the newest first."""
    ask = Ask(limit=_NEWEST_MAX, descending=True)
    found = await list_incidents(service, caller, ask)
    return [one for one in found.data if one.status is Status.OPEN]


async def find_incident(service: Service, caller: Caller, name: str) -> Incident:
    """By id.

    Raises:
        NotFound: there is none.
    """
    found = await service.store.get(Incident, caller.org_id, name)
    if found is None:
        raise NotFound(f"there is no incident {name!r}")
    return found


async def open_incident(
    service: Service,
    caller: Caller,
    draft: IncidentDraft,
    actor: str,
    *,
    once: Once[Incident] | None = None,
) -> Incident:
    """A new incident.

    Raises:
        Invalid: a field is not as it must be.
    """
    made = opened(
        scope=caller.org_id,
        id=service.new_id(PREFIX),
        at_us=service.clock.now_us(),
        actor=actor,
        **msgspec.structs.asdict(draft),
    )
    if once is None:
        await service.store.put(made)
    else:
        await service.store.put(made, key=once.key, reply=once.reply(made))
    return made


async def change_incident(
    service: Service, caller: Caller, name: str, kind: str, fields: dict[str, Any], actor: str
) -> Incident:
    """Add something to an incident; its timeline gets a line.

    Args:
        kind: of the change: "said", "deployed", …
        fields: of that kind.

    Raises:
        NotFound: there is no such incident.
        Conflict: it is closed.
        Invalid: the change is not as it must be.
    """
    change = read_change(kind, fields)
    at_us = service.clock.now_us()

    def changed(before: Incident) -> dict[str, Any]:
        after = msgspec.structs.asdict(add(before, change, at_us=at_us, actor=actor))
        return {name: one for name, one in after.items() if name not in _KEPT_BY_EDIT}

    return await edit(service, lambda: find_incident(service, caller, name), changed)


def read_change(kind: str, fields: dict[str, Any]) -> Change:
    """A change from plain values.

    Raises:
        Invalid: it is none.
    """
    _refuse_nul("fields", fields)
    try:
        found: Change = msgspec.convert({**fields, "type": kind}, type=Change)
    except msgspec.ValidationError as error:
        raise Invalid([Problem(("body", "fields"), str(error))]) from error
    return found


async def bring_incident(
    service: Service, caller: Caller, name: str, record: dict[str, Any]
) -> Incident:
    """Put an incident from a file into the store, or what was added to it since.

    Raises:
        Invalid: the record is none, or another incident's.
        Conflict: the one that is there has a timeline that the file's does not continue.
    """
    _refuse_nul("record", record)
    try:
        brought = msgspec.convert(record, Incident)
    except msgspec.ValidationError as error:
        raise Invalid([Problem(("body", "record"), str(error))]) from error
    if brought.id != name or not is_id(PREFIX)(name):
        raise Invalid(
            [Problem(("path", "incident_id"), f"expected the record's id {brought.id!r}")]
        )
    known = await service.store.get(Incident, caller.org_id, name)
    if known is not None and brought.timeline[: len(known.timeline)] != known.timeline:
        text = "the incident here has entries that the file has not: export it and add to that"
        raise Conflict(text)
    after = msgspec.structs.replace(
        brought,
        scope=caller.org_id,
        version=known.version + 1 if known else 1,
        updated_at_us=service.clock.now_us(),
    )
    await service.store.put(after)
    return after


def _refuse_nul(name: str, value: object) -> None:
    if _NUL in msgspec.json.encode(value):
        raise Invalid([Problem(("body", name), "expected texts without NUL characters")])
