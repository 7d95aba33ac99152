"""Making and changing an endpoint: what it wants, its limits, its headers, its secret."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from homing.core.errors import Conflict, Invalid, Problem
from homing.core.resources import Endpoint
from homing.service import endpoints
from homing.service.applications import find_application, list_applications
from homing.service.listing import Ask
from homing.service.tokens import Role
from homing.web.pages.endpoint_form import blank, draft_in, form_values, texts_in, texts_of, wrongs
from homing.web.pages.endpoints import names
from homing.web.pages.places import PORTAL, in_both, page_at, place_of
from homing.web.pages.shell import Page, Visit, get, post

#: applications that are offered to choose from; with more of them one is typed
_APPS_MAX: Final = 50
_HEADERS_LENGTH_MAX: Final = 65_536
#: how long the old secret signs beside the new one, in seconds, and in words
GRACES: Final = (
    (86_400, "1 day"),
    (3_600, "1 hour"),
    (604_800, "7 days"),
    (0, "Not at all: it was exposed"),
)

Texts = dict[str, Any]


# --- new ---


async def show_new(visit: Visit) -> Page:
    return await _form(visit, blank(), {}, app=visit.query.get("app", ""))


async def create(visit: Visit) -> Page | Response:
    fields = await visit.form()
    texts = texts_in(fields)
    app = place_of(visit).app or fields.get("app", "")
    secret = fields.get("secret", "").strip() or None
    try:
        draft = draft_in(texts)
        made = await endpoints.create_endpoint(
            visit.service, visit.caller, app, draft, secret=secret
        )
    except (Invalid, Conflict) as error:
        return await _form(visit, texts, wrongs(error), app=app)
    url = place_of(visit).endpoint(place_of(visit).app or made.scope, made.id)
    return visit.go(url, said="The endpoint is made. Send it a test, and take its secret along.")


async def _form(visit: Visit, texts: Texts, wrong: dict[str, str], *, app: str) -> Page:
    place = place_of(visit)
    values = await form_values(visit.service, visit.caller, texts, wrong)
    values |= {"endpoint": None, "app": app, "apps": None, "action": f"{place.endpoints}"}
    if place.is_portal:
        values["action"] = f"{PORTAL}/{place.app}/endpoints"
        await find_application(visit.service, visit.caller, place.app)
    else:
        listing = await list_applications(visit.service, visit.caller, Ask(limit=_APPS_MAX))
        values["apps"] = listing.data if listing.done else None
    page = page_at(visit, "endpoint_form.html", "New endpoint", values)
    return page._replace(status=422) if wrong else page


# --- edit ---


async def show_edit(visit: Visit) -> Page:
    _, endpoint = await endpoints.find_endpoint(visit.service, visit.caller, *names(visit))
    return await _edit_form(visit, endpoint, texts_of(endpoint), {})


async def change(visit: Visit) -> Page | Response:
    app, id = names(visit)
    _, endpoint = await endpoints.find_endpoint(visit.service, visit.caller, app, id)
    texts = texts_in(await visit.form())
    try:
        fields = draft_in(texts, present=endpoint).given()
        del fields["disabled"], fields["metadata"]  # the form does not show them
        await endpoints.patch_endpoint(visit.service, visit.caller, app, id, fields)
    except (Invalid, Conflict) as error:
        return await _edit_form(visit, endpoint, texts, wrongs(error))
    return visit.go(place_of(visit).endpoint(app, id), said="Changed.")


async def _edit_form(visit: Visit, endpoint: Endpoint, texts: Texts, wrong: dict[str, str]) -> Page:
    values = await form_values(visit.service, visit.caller, texts, wrong)
    url = place_of(visit).endpoint(*names(visit))
    values |= {"endpoint": endpoint, "action": f"{url}/edit", "url": url, "app": "", "apps": None}
    page = page_at(visit, "endpoint_form.html", "Edit endpoint", values)
    return page._replace(status=422) if wrong else page


# --- headers ---


async def show_headers(visit: Visit) -> Page:
    shown, hidden = await endpoints.shown_headers(visit.service, visit.caller, *names(visit))
    text = "\n".join(f"{name}: {value}" for name, value in shown.items())
    return await _headers_page(visit, text, hidden, "")


async def change_headers(visit: Visit) -> Page | Response:
    """Replace those that are shown; a hidden one stays unless it is set anew or removed."""
    app, id = names(visit)
    fields = await visit.form()
    text = fields.get("headers", "")[:_HEADERS_LENGTH_MAX]
    shown, hidden = await endpoints.shown_headers(visit.service, visit.caller, app, id)
    try:
        given = _headers_in(text)
        removed = [*shown, *(one for one in hidden if one in fields.getlist("remove"))]
        named = {name.lower() for name in given}
        changes: dict[str, str | None] = {n: None for n in removed if n.lower() not in named}
        await endpoints.change_headers(
            visit.service, visit.caller, app, id, changes | given, replace=False
        )
    except Invalid as error:
        wrong = "; ".join(f"{one.where[-1]}: {one.message}" for one in error.problems)
        return await _headers_page(visit, text, hidden, wrong)
    return visit.go(place_of(visit).endpoint(app, id), said="Headers changed.")


def _headers_in(text: str) -> dict[str, str]:
    """Raises: Invalid: a line is not `Name: value`."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        name, colon, value = line.partition(":")
        if not colon:
            raise Invalid([Problem(("body", f"line {number}"), "expected Name: value")])
        found[name.strip()] = value.strip()
    return found


async def _headers_page(visit: Visit, text: str, hidden: list[str], wrong: str) -> Page:
    _, endpoint = await endpoints.find_endpoint(visit.service, visit.caller, *names(visit))
    url = place_of(visit).endpoint(*names(visit))
    values = {"endpoint": endpoint, "text": text, "hidden": hidden, "wrong": wrong, "url": url}
    page = page_at(visit, "endpoint_headers.html", "Headers", values)
    return page._replace(status=422) if wrong else page


# --- the secret ---


async def show_secret(visit: Visit) -> Page:
    """What signs, without any of it: to see a secret somebody has to ask for it."""
    return await _secret_page(visit, "", "")


async def reveal(visit: Visit) -> Page:
    key = await endpoints.verifying_key(visit.service, visit.caller, *names(visit))
    return await _secret_page(visit, key, "")


async def rotate(visit: Visit) -> Page:
    fields = await visit.form()
    grace_s = next((s for s, _ in GRACES if str(s) == fields.get("grace", "")), GRACES[0][0])
    try:
        key = await endpoints.rotate_secret(
            visit.service,
            visit.caller,
            *names(visit),
            key=fields.get("key", "").strip() or None,
            grace_s=grace_s,
        )
    except Invalid as error:
        return await _secret_page(visit, "", error.problems[0].message)
    return await _secret_page(visit, key, "", is_new=True)


async def _secret_page(visit: Visit, key: str, wrong: str, *, is_new: bool = False) -> Page:
    _, endpoint = await endpoints.find_endpoint(visit.service, visit.caller, *names(visit))
    at_us = visit.service.clock.now_us()
    older = [one for one in endpoint.secrets[1:] if (one.expires_at_us or 0) > at_us]
    values = {
        "endpoint": endpoint,
        "older": older,
        "key": key,
        "is_new": is_new,
        "wrong": wrong,
        "graces": GRACES,
        "url": place_of(visit).endpoint(*names(visit)),
    }
    page = page_at(visit, "endpoint_secret.html", "Signing secret", values)
    return page._replace(status=422) if wrong else page


_ONE: Final = "/endpoints/{app}/{id}"
_ADMIN: Final = {"role": Role.ADMIN}
PAGES = (
    get("/endpoints/new", show_new, **_ADMIN),
    post("/endpoints", create, **_ADMIN),
    get("/portal/{app}/endpoints/new", show_new, portal=True, **_ADMIN),
    post("/portal/{app}/endpoints", create, portal=True, **_ADMIN),
    *in_both(
        (
            get(f"{_ONE}/edit", show_edit, **_ADMIN),
            post(f"{_ONE}/edit", change, **_ADMIN),
            get(f"{_ONE}/headers", show_headers, **_ADMIN),
            post(f"{_ONE}/headers", change_headers, **_ADMIN),
            get(f"{_ONE}/secret", show_secret, **_ADMIN),
            post(f"{_ONE}/secret", reveal, **_ADMIN),
            post(f"{_ONE}/secret/rotate", rotate, **_ADMIN),
        )
    ),
)
