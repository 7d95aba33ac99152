"""Writing an objective: first what it would have said, then it is promised."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from starlette.responses import Response

from homing.core.errors import Conflict, Invalid, NotFound
from homing.core.objectives import Objective
from homing.insight.objectives import DEFAULT_NAMES
from homing.service import objectives
from homing.service.applications import list_applications
from homing.service.listing import Ask
from homing.service.tokens import Role
from homing.web.pages.asking import whole_in
from homing.web.pages.objective_form import (
    blank,
    draft_in,
    form_values,
    texts_in,
    texts_of,
    wrongs,
)
from homing.web.pages.objectives import noticed, row_of
from homing.web.pages.shell import Page, Visit, get, post

#: applications that are offered to choose from; with more of them one is typed
_APPS_MAX: Final = 50
_VERSION_MAX: Final = 2**31
#: what somebody is asked for, the most urgent last
_CALLS: Final = {"": "nobody", "ticket": "a ticket", "page": "a page"}

Texts = dict[str, Any]


async def show_new(visit: Visit) -> Page:
    return await _form(visit, blank(), {}, None)


async def show_edit(visit: Visit) -> Page:
    present = await _present(visit)
    return await _form(visit, texts_of(present), {}, present)


async def create(visit: Visit) -> Page | Response:
    """Show what a new one would have said; once that was seen, write it."""
    texts = texts_in(await visit.form())
    try:
        await objectives.find_objective(visit.service, visit.caller, texts["name"])
    except NotFound:
        return await _write(visit, texts, None)
    wrong = {"name": "There is an objective of this name already; change that one instead."}
    return await _form(visit, texts, wrong, None)


async def change(visit: Visit) -> Page | Response:
    present = await _present(visit)
    texts = texts_in(await visit.form()) | {"name": present.id}
    return await _write(visit, texts, present)


async def remove(visit: Visit) -> Response:
    name = visit.path["name"]
    await objectives.remove_objective(visit.service, visit.caller, name)
    if name in DEFAULT_NAMES:
        return visit.go(f"/objectives/{name}", said="It is again as it is without configuration.")
    return visit.go("/objectives", said=f"{name} is promised no more.")


async def _present(visit: Visit) -> Objective:
    return await objectives.find_objective(visit.service, visit.caller, visit.path["name"])


async def _write(visit: Visit, texts: Texts, present: Objective | None) -> Page | Response:
    service, caller = visit.service, visit.caller
    fields = await visit.form()
    try:
        draft = draft_in(texts, present=present)
        if fields.get("act") != "write":
            made = await objectives.draft_objective(service, caller, texts["name"], draft)
            return await _form(visit, texts, {}, present, made)
        seen = whole_in(fields, "version", low=0, high=_VERSION_MAX, default=0)
        await objectives.put_objective(service, caller, texts["name"], draft, instead_of=seen)
    except (Invalid, Conflict) as error:
        return await _form(visit, texts, wrongs(error), present)
    said = "Written down: it is promised from now on."
    return visit.go(f"/objectives/{texts['name']}", said=said)


async def _form(
    visit: Visit,
    texts: Texts,
    wrong: dict[str, str],
    present: Objective | None,
    made: Objective | None = None,
) -> Page:
    listing = await list_applications(visit.service, visit.caller, Ask(limit=_APPS_MAX))
    url = "/objectives" if present is None else f"/objectives/{present.id}"
    values = form_values(texts, visit.service.measure, wrong, present) | {
        "apps": listing.data if listing.done else None,
        "present": present,
        "version": 0 if present is None or present.is_default else present.version,
        "url": url,
        "action": url if present is None else f"{url}/edit",
        "preview": None if made is None else await _preview(visit, made, present),
    }
    title = "New objective" if present is None else f"Change {present.id}"
    return Page("objective_form.html", title, "objectives", values, 422 if wrong else 200)


async def _preview(visit: Visit, made: Objective, present: Objective | None) -> dict[str, Any]:
    """What it would have said of the time that lies behind."""
    both = [made] if present is None else [made, present]
    found, *before = await objectives.report(visit.service, visit.caller, both)
    of_all = made.app_id is not None and not found.counts.total
    if of_all:  # an application is counted once something is promised of it
        made = msgspec.structs.replace(made, app_id=None)
        [found] = await objectives.report(visit.service, visit.caller, [made])
    values = row_of(visit.service, found) | await noticed(visit, found)
    calls = [str(one.tier.severity) for one in found.burning if one.fires]
    return values | {
        "of_all": of_all,
        "others": sum(one.count for one in found.bad if not one.counts),
        "calls": _CALLS[max(calls, key=list(_CALLS).index, default="")],
        "before": row_of(visit.service, before[0]) if before else None,
    }


_ONE: Final = "/objectives/{name}"
_ADMIN: Final = {"role": Role.ADMIN}

PAGES = (
    get("/objectives/new", show_new, **_ADMIN),
    post("/objectives", create, **_ADMIN),
    get(f"{_ONE}/edit", show_edit, **_ADMIN),
    post(f"{_ONE}/edit", change, **_ADMIN),
    post(f"{_ONE}/remove", remove, **_ADMIN),
)
