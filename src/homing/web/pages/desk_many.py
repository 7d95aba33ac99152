"""`/dead-letters/many`: redrive or discard what is alike, from all issues of an application."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

from homing.core.errors import Invalid, Problem
from homing.core.lifecycle import DeadReason
from homing.core.money import amounts
from homing.core.resources import Endpoint
from homing.core.tasks import Selection
from homing.service import desk
from homing.service.applications import find_application, list_applications
from homing.service.desk_reading import latest_attempt
from homing.service.listing import Ask
from homing.web.pages.asking import moment_in, needed, text_in, whole_in
from homing.web.pages.desk import APPS_MAX, PLAN, plan_in
from homing.web.pages.noting import names_of, note, offered
from homing.web.pages.outcomes import outcome_words
from homing.web.pages.shell import Page, Visit, get, post

_PATH: Final = "/dead-letters/many"
#: what narrows it down; the application is always said
_WHICH: Final = ("app", "endpoint", "type", "reason", "status", "since", "until")
#: endpoints that are named in a preview
_ENDPOINTS: Final = 20


async def show_many(visit: Visit) -> Page:
    """The filters; with `check`, what a redrive of what matches would do."""
    service, caller = visit.service, visit.caller
    fields = dict(visit.query)
    apps = await list_applications(service, caller, Ask(limit=APPS_MAX))
    asked = {name: fields[name] for name in (*_WHICH, *PLAN) if fields.get(name)}
    values: dict[str, Any] = {
        "apps": apps.data if apps.done else None,
        "reasons": list(DeadReason),
        "asked": asked,
        "canary": fields.get("canary", "10"),
        "preview": None,
        "latest": None,
        "incidents": [],
        "plan": plan_in(fields),
        "undo_us": round(service.limits.undo_s * 1_000_000),
    }
    if "check" in fields:
        app = (await find_application(service, caller, needed(fields, "app", "an application"))).id
        which = selection_in(fields)
        preview = await desk.preview(service, caller, app, which, plan=values["plan"])
        endpoints = await service.store.by_ids(Endpoint, sorted(preview.endpoints)[:1_000])
        names = {one.id: one.description or one.uid or one.url for one in endpoints}
        counts = sorted(preview.endpoints.items(), key=lambda one: -one[1])
        values |= {
            "preview": preview,
            "preview_money": amounts(preview.micro),
            "counts": [(names.get(one, one), count) for one, count in counts[:_ENDPOINTS]],
            "more": max(len(counts) - _ENDPOINTS, 0),
        }
        about = [one for endpoint in endpoints for one in names_of(endpoint)]
        values |= await offered(visit, about)
        if len(counts) == 1:
            latest = await latest_attempt(service.store, app, counts[0][0])
            values |= {"latest": latest, "latest_words": outcome_words(latest) if latest else ""}
    return Page("dead_letters_many.html", "Redrive many at once", "dead-letters", values)


def selection_in(fields: Mapping[str, str]) -> Selection:
    """Which dead letters, out of a form.

    Raises:
        Invalid: a field is not as it must be.
    """
    reason = text_in(fields, "reason") or None
    if reason is not None and reason not in list(DeadReason):
        text = f"expected one of {', '.join(DeadReason)}, found {reason!r}"
        raise Invalid([Problem(("body", "reason"), text)])
    kind = text_in(fields, "type")
    return Selection(
        endpoint_id=text_in(fields, "endpoint") or None,
        event_types=(kind,) if kind else (),
        reason=reason,
        status=whole_in(fields, "status", low=100, high=599),
        since_us=moment_in(fields, "since"),
        until_us=moment_in(fields, "until"),
    )


async def redrive_many(visit: Visit) -> Response:
    fields = dict(await visit.form())
    app = needed(fields, "app", "an application")
    task = await desk.redrive_many(
        visit.service, visit.caller, app, selection_in(fields), plan_in(fields)
    )
    alike = ", ".join(f"{name} {fields[name]}" for name in _WHICH if fields.get(name))
    said = await note(visit, fields, task, f"began to send dead letters again: all of {alike}")
    return visit.go(f"/dead-letters/tasks/{task.id}", said=said)


async def discard_many(visit: Visit) -> Response:
    fields = dict(await visit.form())
    app = needed(fields, "app", "an application")
    why = needed(fields, "why", "the reason: it is kept with each of them", most=200)
    task = await desk.discard_many(visit.service, visit.caller, app, selection_in(fields), why=why)
    return visit.go(f"/dead-letters/tasks/{task.id}")


PAGES = (
    get(_PATH, show_many, role="operator"),
    post(f"{_PATH}/redrive", redrive_many),
    post(f"{_PATH}/discard", discard_many),
)
