"""The portal: the pages of one application, for whoever receives its messages.

It is entered by a link with the application's token behind the `#`. A script of the page takes it
from there and sends it in a form; the token is then a cookie that goes to the portal alone.
"""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from homing.core.errors import Invalid, NotFound, Problem, Unauthenticated
from homing.core.identifiers import DeliveryId, parse_delivery_id
from homing.core.lifecycle import State
from homing.service import attempts, deliveries
from homing.service.applications import find_application
from homing.service.attempts import AttemptNarrowing
from homing.service.endpoints import find_endpoint, list_endpoints
from homing.service.listing import Ask, is_plain_name
from homing.service.messages import find_message
from homing.service.page_sessions import open_portal
from homing.service.querying import Query
from homing.service.search import search_deliveries
from homing.service.tokens import Role
from homing.web.pages.endpoints import body_text
from homing.web.pages.guarding import Guard
from homing.web.pages.hostile import body, plain
from homing.web.pages.outcomes import explain
from homing.web.pages.places import PORTAL, page_at
from homing.web.pages.shell import PORTAL_COOKIE, THEME_COOKIE, Page, Visit, get, post

#: how long it stays open without a new link, seconds
_OPEN_S: Final = 12 * 3_600
_LINES: Final = 25
_ENDPOINTS_MAX: Final = 100
_PAYLOAD_MAX: Final = 20_000
#: how far back a list looks, in hours, and in words; 0: all that is kept
_SPANS: Final = ((0, "All that is kept"), (1, "Last hour"), (24, "Last day"), (168, "Last 7 days"))


class Entering:
    """The door of the portal.

    Args:
        guard: counts wrong tokens; one per process.
    """

    def __init__(self, guard: Guard | None = None) -> None:
        self._guard = guard or Guard()
        self.PAGES = (
            get(f"{PORTAL}/enter", show_door, public=True, portal=True),
            post(f"{PORTAL}/enter", self.enter, role=Role.VIEWER, public=True, portal=True),
            post(f"{PORTAL}/leave", leave, role=Role.VIEWER, public=True, portal=True),
        )

    async def enter(self, visit: Visit) -> Page | Response:
        fields = await visit.form()
        client = visit.request.client
        address = client.host if client else ""
        at_us = visit.service.clock.now_us()
        wait_s = self._guard.wait_s(address, at_us=at_us)
        if wait_s:
            return _door(f"Too many wrong tokens from your address. Try again in {wait_s} s.", 429)
        token = fields.get("token", "").strip()
        try:
            session = await open_portal(visit.service, token)
        except Unauthenticated as error:
            if not _is_ours(visit, token):  # a link that is too old guesses nothing
                self._guard.note_wrong(address, at_us=at_us)
            return _door(f"This link is not good any more: {error}.", 403)
        age_s = min(_OPEN_S, (session.expires_at_us - at_us) // 1_000_000)
        visit.set_cookie(PORTAL_COOKIE, token, age_s)
        theme = {"true": "dark", "false": "light"}.get(fields.get("dark", ""))
        if theme is not None:
            visit.set_cookie(THEME_COOKIE, theme, _OPEN_S)
        return visit.go(f"{PORTAL}/{session.caller.app_id}")


def _is_ours(visit: Visit, token: str) -> bool:
    """Whether it was once a good token: signed here, and over or ended since."""
    try:
        visit.service.tokens.session_of(token)
    except Unauthenticated:
        return False
    return True


async def show_door(visit: Visit) -> Page:
    return _door("", 200)


def _door(wrong: str, status: int) -> Page:
    return Page("portal_enter.html", "Webhooks", "", {"wrong": wrong}, status)


async def leave(visit: Visit) -> Response:
    visit.set_cookie(PORTAL_COOKIE, "", 0)
    return visit.go(f"{PORTAL}/enter", said="You have left. The link opens it again.")


# --- deliveries ---


async def show_deliveries(visit: Visit) -> Page:
    """What was for the application's endpoints, newest first."""
    service, caller, app = visit.service, visit.caller, visit.path["app"]
    query = visit.query
    state, endpoint, event_type = (query.get(n) or "" for n in ("state", "endpoint", "type"))
    hours = query.get("hours") or "0"
    if state and state not in [one.value for one in State]:
        raise Invalid([Problem(("query", "state"), "expected a state of deliveries")])
    if event_type and not is_plain_name(event_type):
        raise Invalid([Problem(("query", "type"), "expected the name of an event type")])
    if hours not in [str(one) for one, _ in _SPANS]:
        raise Invalid([Problem(("query", "hours"), "expected 0, 1, 24 or 168")])
    since_us = service.clock.now_us() - int(hours) * 3_600_000_000 if hours != "0" else None
    asked = Query(
        app=app,
        endpoint=endpoint or None,
        states=(State(state),) if state else (),
        event_types=(event_type,) if event_type else (),
        after_us=since_us,
    )
    below = _place(query.get("below") or "")
    result = await search_deliveries(service, caller, asked, below=below, limit=_LINES)
    found = await list_endpoints(service, caller, app, Ask(limit=_ENDPOINTS_MAX))
    heads = await service.store.heads([one.message_id for one in result.rows])
    names = {one.id: plain(one.description or one.url, 80) for one in found.data}
    further = str(result.below).rstrip(".") if result.below else ""
    values: dict[str, Any] = {
        "deliveries": result.rows,
        "types": {id: head.event_type for id, head in heads.items()},
        "names": names,
        "newest": visit.with_query(below=None) if below else "",
        "further": visit.with_query(below=further) if further else "",
        "looked_back_to_us": result.looked_back_to_us,
        "plain": plain,
        "states": [one.value for one in State],
        "asked": {"state": state, "endpoint": endpoint, "type": event_type, "hours": hours},
        "spans": _SPANS,
        "is_narrowed": bool(state or endpoint or event_type or hours != "0"),
        "application": await find_application(service, caller, app),
    }
    return page_at(visit, "portal_deliveries.html", "Deliveries", values, here="deliveries")


def _place(text: str) -> DeliveryId | None:
    """Where a list goes on, as its link says; anything else begins it."""
    message_id, _, endpoint_id = text.partition(".")
    return DeliveryId(message_id, endpoint_id) if message_id.startswith("msg_") else None


async def show_delivery(visit: Visit) -> Page:
    """What was sent, and what each attempt came to."""
    service, caller, app = visit.service, visit.caller, visit.path["app"]
    delivery = await attempts.find_delivery(service, caller, app, visit.path["id"])
    message = await find_message(service, caller, app, delivery.message_id)
    listing = await attempts.list_attempts(
        service,
        caller,
        app,
        AttemptNarrowing(),
        Ask(limit=50),
        message=message.id,
        endpoint=delivery.endpoint_id,
    )
    try:
        _, endpoint = await find_endpoint(service, caller, app, delivery.endpoint_id)
    except NotFound:
        endpoint = None  # removed since
    tries = [(one, *explain(one.reason, one.status), body_text(one)) for one in listing.data]
    values: dict[str, Any] = {
        "delivery": delivery,
        "message": message,
        "endpoint": endpoint,
        "tries": tries,
        "newest": listing.data[0].id if listing.data else "none",
        "payload": None if message.payload is None else body(message.payload, _PAYLOAD_MAX),
        "plain": plain,
        "application": await find_application(service, caller, app),
    }
    return page_at(visit, "portal_delivery.html", message.event_type, values, here="deliveries")


async def resend(visit: Visit) -> Response:
    """Ask for one more attempt now."""
    service, caller, app = visit.service, visit.caller, visit.path["app"]
    delivery = await attempts.find_delivery(service, caller, app, visit.path["id"])
    which = parse_delivery_id(str(delivery.id))
    written = await deliveries.resend(
        service, delivery.app_id, which.message_id, which.endpoint_id, actor=caller.subject
    )
    said = "It is being sent again." if written else "It is under way, or waits for its endpoint."
    return visit.go(f"{PORTAL}/{app}/deliveries/{delivery.id}", said=said)


PAGES = (
    get(f"{PORTAL}/{{app}}/deliveries", show_deliveries, portal=True),
    get(f"{PORTAL}/{{app}}/deliveries/{{id}}", show_delivery, portal=True),
    post(f"{PORTAL}/{{app}}/deliveries/{{id}}/resend", resend, portal=True),
)
