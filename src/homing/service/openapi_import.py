"""Event types from the webhooks that an OpenAPI document describes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from homing.core.errors import Invalid, NotFound, Problem, Refused
from homing.core.queries import Page
from homing.core.resources import EventType
from homing.service.context import Service
from homing.service.event_types import (
    EventTypeDraft,
    check_schemas,
    find_event_type,
    patch_event_type,
    put_event_type,
)
from homing.service.listing import is_plain_name
from homing.service.tokens import Caller

#: event types of one document
_TYPES_MAX: Final = 1_000
#: what all schemas may come to, bytes: each carries the components that it refers to
_SCHEMAS_BYTES_MAX: Final = 8 * 1024 * 1024
_COMPONENT: Final = "#/components/schemas/"
_DEFINITION: Final = "#/definitions/"
#: the operations of a path item
_METHODS: Final = ("post", "put", "patch", "get", "delete")
_PAGE: Final = 1_000


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """An event type as a document describes it."""

    name: str
    draft: EventTypeDraft


def parse_spec(text: str) -> dict[str, Any]:
    """The document that a text of JSON holds.

    Raises:
        Refused: it holds none.
    """
    try:
        spec = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Refused("generic_error", f"expected specRaw in JSON: {error}") from error
    if not isinstance(spec, dict):
        raise Refused("generic_error", "expected specRaw to be a JSON object")
    return spec


def described(spec: Mapping[str, Any]) -> list[Described]:
    """The event types that a document describes, in its order.

    They are its `webhooks` (OpenAPI 3.1), or `x-webhooks` before there were any.

    Raises:
        Invalid: a name, or a schema, that an event type cannot have.
        Refused: too many, or too large.
    """
    webhooks = {**_object(spec.get("x-webhooks")), **_object(spec.get("webhooks"))}
    if len(webhooks) > _TYPES_MAX:
        raise Refused("generic_error", f"expected at most {_TYPES_MAX} webhooks")
    components = _object(_object(spec.get("components")).get("schemas"))
    wrong = [
        Problem(("body", "spec", "webhooks", name), "expected letters, digits, '-', '_' and '.'")
        for name in webhooks
        if not is_plain_name(name)
    ]
    if wrong:
        raise Invalid(wrong)
    found = []
    room = _SCHEMAS_BYTES_MAX
    for name, item in webhooks.items():
        try:
            draft = _draft(_object(item), components)
        except RecursionError:
            problem = Problem(("body", "spec", "webhooks", name), "nested too deeply")
            raise Invalid([problem]) from None
        room -= len(msgspec.json.encode(draft.schemas))
        if room < 0:
            raise Refused("generic_error", f"expected schemas of {_SCHEMAS_BYTES_MAX} bytes in all")
        check_schemas(draft.schemas)
        found.append(Described(name=name, draft=draft))
    return found


async def import_event_types(
    service: Service,
    caller: Caller,
    spec: Mapping[str, Any],
    *,
    dry_run: bool,
    replace_all: bool,
) -> list[Described]:
    """Make or change event types until they are as a document describes them.

    What is broken off in between is completed by asking again.

    Args:
        dry_run: change nothing.
        replace_all: archive those that the document does not describe.

    Returns:
        Those that were changed, or that would be; archived ones are described as such.

    Raises:
        Invalid, Refused: as `described`.
    """
    changed = []
    wanted = described(spec)
    for one in wanted:
        if not await _is_so(service, caller, one):
            changed.append(one)
            if not dry_run:
                await put_event_type(service, caller, one.name, one.draft)
    if replace_all:
        names = {one.name for one in wanted}
        for present in await _all(service, caller):
            if present.id not in names and not present.archived:
                changed.append(_archived(present))
                if not dry_run:
                    await patch_event_type(service, caller, present.id, {"archived": True})
    return changed


async def _is_so(service: Service, caller: Caller, one: Described) -> bool:
    try:
        present = await find_event_type(service, caller, one.name)
    except NotFound:
        return False
    fields = msgspec.structs.asdict(one.draft)
    return all(getattr(present, name) == value for name, value in fields.items())


async def _all(service: Service, caller: Caller) -> list[EventType]:
    found: list[EventType] = []
    page = Page(limit=_PAGE)
    while True:
        more = await service.store.list(EventType, caller.org_id, page)
        found += more
        if len(more) < _PAGE:
            return found
        page = Page(limit=_PAGE, after=more[-1].id)


def _archived(present: EventType) -> Described:
    draft = EventTypeDraft(
        description=present.description,
        schemas=present.schemas,
        archived=True,
        deprecated=present.deprecated,
        feature_flags=present.feature_flags,
        group_name=present.group_name,
    )
    return Described(name=present.id, draft=draft)


def _draft(item: Mapping[str, Any], components: Mapping[str, Any]) -> EventTypeDraft:
    operation = next((_object(item[one]) for one in _METHODS if one in item), {})
    body = _object(operation.get("requestBody"))
    schema = _object(_object(body.get("content")).get("application/json")).get("schema")
    texts = (operation.get("description"), operation.get("summary"), item.get("description"),
             item.get("summary"), body.get("description"))  # fmt: skip
    group = operation.get("x-svix-group-name")
    flags = operation.get("x-svix-feature-flags")
    return EventTypeDraft(
        description=next((t[:4_096] for t in texts if isinstance(t, str) and "\0" not in t), ""),
        schemas=None if not isinstance(schema, dict) else {"1": _whole(schema, components)},
        deprecated=operation.get("deprecated") is True,
        group_name=group if isinstance(group, str) and is_plain_name(group) else None,
        feature_flags=tuple(
            one for one in (flags if isinstance(flags, list) else ())
            if isinstance(one, str) and is_plain_name(one)
        ),
    )  # fmt: skip


def _whole(schema: Mapping[str, Any], components: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with all that it refers to, so that it can be read without the document."""
    whole = _moved(schema)
    wanted = [*_names(schema)]
    definitions: dict[str, Any] = {}
    while wanted:
        name = wanted.pop()
        if name in definitions or name not in components:
            continue
        definitions[name] = _moved(components[name])
        wanted += _names(components[name])
    if definitions:
        whole["definitions"] = {**_object(whole.get("definitions")), **definitions}
    return dict(whole)


def _moved(value: Any) -> Any:
    """The same, its references to components pointing to where they are put."""
    if isinstance(value, dict):
        return {
            key: _DEFINITION + one.removeprefix(_COMPONENT)
            if key == "$ref" and isinstance(one, str) and one.startswith(_COMPONENT)
            else _moved(one)
            for key, one in value.items()
        }  # fmt: skip
    return [_moved(one) for one in value] if isinstance(value, list) else value


def _names(value: Any) -> Iterator[str]:
    """The components that are referred to."""
    if isinstance(value, dict):
        reference = value.get("$ref")
        if isinstance(reference, str) and reference.startswith(_COMPONENT):
            yield reference.removeprefix(_COMPONENT)
        for one in value.values():
            yield from _names(one)
    elif isinstance(value, list):
        for one in value:
            yield from _names(one)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
