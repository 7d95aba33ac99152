"""Applications, and event types with their schemas: small pages to look, and to make one."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec
from starlette.responses import Response

from homing.core.errors import Conflict, Invalid, Problem
from homing.service import applications, event_types
from homing.service.applications import ApplicationDraft
from homing.service.event_types import EventTypeDraft
from homing.service.listing import Ask, is_plain_name
from homing.service.tokens import Role
from homing.web.operations.access import ENTER
from homing.web.pages.asking import turns
from homing.web.pages.endpoints import example_in
from homing.web.pages.places import PORTAL, page_at, place_of
from homing.web.pages.shell import Page, Visit, get, post

_LINES: Final = 50
_SCHEMA_MAX: Final = 200_000
_NAME_MAX: Final = 256
#: how long a portal that an operator opens stays open, seconds
_PORTAL_S: Final = 3_600


# --- applications ---


async def show_applications(visit: Visit) -> Page:
    return await _applications(visit, {}, "")


async def _applications(visit: Visit, texts: dict[str, str], wrong: str) -> Page:
    ask = Ask(limit=_LINES, iterator=visit.query.get("from") or None)
    listing = await applications.list_applications(visit.service, visit.caller, ask)
    values = {
        "applications": listing.data,
        "turns": turns(visit, listing),
        "texts": {"name": "", "uid": ""} | texts,
        "wrong": wrong,
    }
    page = page_at(visit, "applications.html", "Applications", values, here="applications")
    return page._replace(status=422) if wrong else page


async def create_application(visit: Visit) -> Page | Response:
    fields = await visit.form()
    texts = {name: fields.get(name, "").strip()[:_NAME_MAX] for name in ("name", "uid")}
    try:
        if not texts["name"]:
            raise Invalid([Problem(("body", "name"), "give it a name")])
        if texts["uid"] and not is_plain_name(texts["uid"]):
            text = "your own name for it has letters, digits, dots, hyphens and underscores"
            raise Invalid([Problem(("body", "uid"), text)])
        draft = ApplicationDraft(name=texts["name"], uid=texts["uid"] or None)
        await applications.create_application(visit.service, visit.caller, draft)
    except Conflict:
        return await _applications(visit, texts, "another application has that name of yours")
    except Invalid as error:
        return await _applications(visit, texts, error.problems[0].message)
    return visit.go("/applications", said=f"{texts['name']} is made. Now give it an endpoint.")


async def open_portal(visit: Visit) -> Response:
    """The portal of an application, as its receiver sees it."""
    token = await applications.application_token(
        visit.service,
        visit.caller,
        visit.path["app"],
        valid_s=_PORTAL_S,
        read_only=False,
        session="operator",
    )
    return visit.go(f"{ENTER}#key={token}")


# --- event types ---


async def show_event_types(visit: Visit) -> Page:
    return await _event_types(visit, {}, "")


async def _event_types(visit: Visit, texts: dict[str, str], wrong: str) -> Page:
    ask = Ask(limit=_LINES, iterator=visit.query.get("from") or None)
    listing = await event_types.list_event_types(visit.service, visit.caller, ask)
    values: dict[str, Any] = {
        "event_types": listing.data,
        "turns": turns(visit, listing),
        "texts": {"name": "", "description": "", "schema": ""} | texts,
        "wrong": wrong,
        "url": place_of(visit).event_types(visit.path.get("app", "")),
    }
    page = page_at(visit, "event_types.html", "Event types", values, here="event-types")
    return page._replace(status=422) if wrong else page


async def create_event_type(visit: Visit) -> Page | Response:
    fields = await visit.form()
    texts = {
        "name": fields.get("name", "").strip()[:_NAME_MAX],
        "description": fields.get("description", "").strip()[:4_096],
        "schema": fields.get("schema", "").strip()[:_SCHEMA_MAX],
    }
    try:
        if not is_plain_name(texts["name"]):
            text = "a name has letters, digits, dots, hyphens and underscores: payment.captured"
            raise Invalid([Problem(("body", "name"), text)])
        draft = EventTypeDraft(
            description=texts["description"], schemas=_schemas_in(texts["schema"])
        )
        await event_types.create_event_type(visit.service, visit.caller, texts["name"], draft)
    except Conflict:
        return await _event_types(visit, texts, "there is an event type of this name")
    except Invalid as error:
        return await _event_types(visit, texts, error.problems[0].message)
    return visit.go(f"/event-types/{texts['name']}", said="The event type is made.")


def _schemas_in(text: str) -> dict[str, object] | None:
    """Raises: Invalid: not a JSON object."""
    if not text:
        return None
    try:
        found = msgspec.json.decode(text.encode(), type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        wrong = f"the schema is not a JSON object: {error}"
        raise Invalid([Problem(("body", "schema"), wrong)]) from error
    return {"1": found}


async def show_event_type(visit: Visit) -> Page:
    """What messages of a type look like."""
    found = await event_types.find_event_type(visit.service, visit.caller, visit.path["name"])
    example = example_in(found.schemas)
    values: dict[str, Any] = {
        "event_type": found,
        "schemas": {version: _pretty(schema) for version, schema in (found.schemas or {}).items()},
        "fields": {version: fields_of(schema) for version, schema in (found.schemas or {}).items()},
        "example": None if example is None else _pretty(example),
        "url": place_of(visit).event_types(visit.path.get("app", "")),
    }
    return page_at(visit, "event_type.html", found.id, values, here="event-types")


def fields_of(schema: object, most: int = 100) -> list[tuple[str, str, bool, str]]:
    """The fields that a schema tells of: path, type, whether it is required, what it means."""
    found: list[tuple[str, str, bool, str]] = []

    def walk(part: object, path: str, depth: int) -> None:
        if not isinstance(part, dict) or depth > 4:
            return
        required = part.get("required")
        needed = set(required) if isinstance(required, list) else set()
        fields = part.get("properties")
        for name, field in fields.items() if isinstance(fields, dict) else ():
            if len(found) >= most or not isinstance(field, dict):
                continue
            kind = field.get("type", "")
            text = " or ".join(map(str, kind)) if isinstance(kind, list) else str(kind)
            about = str(field.get("description", ""))[:300]
            found.append((path + name, text, name in needed, about))
            walk(field, f"{path}{name}.", depth + 1)

    walk(schema, "", 0)
    return found


def _pretty(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


PAGES = (
    get("/applications", show_applications),
    post("/applications", create_application, role=Role.ADMIN),
    post("/applications/{app}/portal", open_portal, role=Role.ADMIN),
    get("/event-types", show_event_types),
    post("/event-types", create_event_type, role=Role.ADMIN),
    get("/event-types/{name}", show_event_type),
    get(f"{PORTAL}/{{app}}/event-types", show_event_types, portal=True),
    get(f"{PORTAL}/{{app}}/event-types/{{name}}", show_event_type, portal=True),
)
