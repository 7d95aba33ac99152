"""Event types: the kinds of messages of an organisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jsonschema
import msgspec

from homing.core.errors import Conflict, Invalid, NotFound, Problem, Refused
from homing.core.money import MoneyPaths
from homing.core.operational import Event, is_hidden
from homing.core.resources import EventType
from homing.service.context import Once, Service
from homing.service.editing import edit
from homing.service.listing import Ask, Listing, is_plain_name, paginate
from homing.service.tokens import Caller


class EventTypeExists(Conflict):
    """There is an event type with this name."""

    code = "event_type_exists"


class EventTypeDraft(msgspec.Struct, frozen=True, kw_only=True):
    """An event type as its owner describes it."""

    description: str = ""
    schemas: dict[str, object] | None = None
    archived: bool = False
    deprecated: bool = False
    feature_flags: tuple[str, ...] = ()
    group_name: str | None = None
    money: MoneyPaths | None = None


async def find_event_type(service: Service, caller: Caller, name: str) -> EventType:
    """By name.

    Raises:
        NotFound: there is none.
    """
    event_type = await service.store.get(EventType, caller.org_id, name)
    if event_type is None:
        raise NotFound(f"there is no event type {name!r}")
    return event_type


async def list_event_types(
    service: Service, caller: Caller, ask: Ask, *, include_archived: bool = False
) -> Listing[EventType]:
    """The organisation's event types, by name."""
    return await paginate(
        lambda page: service.store.list(EventType, caller.org_id, page),
        lambda event_type: event_type.id,
        ask,
        is_name=is_plain_name,
        keep=lambda event_type: include_archived or not event_type.archived,
    )


async def create_event_type(
    service: Service,
    caller: Caller,
    name: str,
    draft: EventTypeDraft,
    *,
    once: Once[EventType] | None = None,
) -> EventType:
    """A new event type; one that is archived comes back as described now.

    Raises:
        EventTypeExists: there is one that is not archived.
        Invalid: a schema is not a JSON Schema.
    """
    check_schemas(draft.schemas)
    present = await service.store.get(EventType, caller.org_id, name)
    if present is not None:
        if not present.archived:
            raise EventTypeExists(f"there is an event type {name!r} already")
        return await patch_event_type(service, caller, name, msgspec.structs.asdict(draft))
    at_us = service.clock.now_us()
    event_type = EventType(
        scope=caller.org_id,
        id=name,
        created_at_us=at_us,
        updated_at_us=at_us,
        **msgspec.structs.asdict(draft),
    )
    try:
        if once is None:
            await service.store.put(event_type)
        else:
            await service.store.put(event_type, key=once.key, reply=once.reply(event_type))
    except Conflict as error:
        raise EventTypeExists(f"there is an event type {name!r} already") from error
    return event_type


async def put_event_type(
    service: Service, caller: Caller, name: str, draft: EventTypeDraft
) -> tuple[EventType, bool]:
    """Replace an event type, or create one where there is none; and whether it is new.

    Raises:
        Invalid: a schema is not a JSON Schema.
    """
    try:
        return await patch_event_type(service, caller, name, msgspec.structs.asdict(draft)), False
    except NotFound:
        return await create_event_type(service, caller, name, draft), True


async def patch_event_type(
    service: Service, caller: Caller, name: str, fields: Mapping[str, Any]
) -> EventType:
    """Replace the given fields.

    Raises:
        NotFound: no such event type.
        Invalid: a schema is not a JSON Schema.
    """
    check_schemas(fields.get("schemas"))
    return await edit(
        service, lambda: find_event_type(service, caller, name), lambda event_type: fields
    )


async def delete_event_type(
    service: Service, caller: Caller, name: str, *, expunge: bool = False
) -> None:
    """Archive an event type, or with `expunge` forget it. Messages are not touched.

    Raises:
        NotFound: no such event type.
    """
    if expunge:
        await service.store.delete(await find_event_type(service, caller, name))
    else:
        await patch_event_type(service, caller, name, {"archived": True})


async def example_of(service: Service, caller: Caller, name: str) -> object:
    """An example payload: the first of the first schema version that has one.

    Raises:
        NotFound: no such event type.
        Refused: it has no example.
    """
    if name == "svix.ping":  # built in, so that an endpoint can be tried before there are types
        return {"success": True}
    event_type = await find_event_type(service, caller, name)
    for schema in (event_type.schemas or {}).values():
        examples = schema.get("examples") if isinstance(schema, dict) else None
        if isinstance(examples, list) and examples and isinstance(examples[0], dict):
            return examples[0]
    raise Refused("invalid_scheme", f"no schema of the event type {name!r} has an example object")


async def refuse_unknown(service: Service, caller: Caller, names: Sequence[str]) -> None:
    """Raises: Invalid: an event type that does not exist would silently never be sent."""
    unknown = [name for name in names if not await _exists(service, caller.org_id, name)]
    if unknown:
        text = f"there are no such event types: {', '.join(unknown)}"
        raise Invalid([Problem(("body", "eventTypes"), text)])


async def _exists(service: Service, org_id: str, name: str) -> bool:
    if is_hidden(org_id):
        return name in set(Event)
    return await service.store.get(EventType, org_id, name) is not None


def check_schemas(schemas: Mapping[str, object] | None) -> None:
    """Raises: Invalid: one of these is not a JSON Schema of draft 7."""
    problems = []
    for version, schema in (schemas or {}).items():
        try:
            jsonschema.Draft7Validator.check_schema(schema)
        except jsonschema.SchemaError as error:
            text = f"expected a JSON Schema (draft 7): {error.message[:300]}"
            problems.append(Problem(("body", "schemas", version), text))
        except RecursionError:
            problems.append(Problem(("body", "schemas", version), "nested too deeply"))
    if problems:
        raise Invalid(problems)
