"""Endpoints: which need somebody, why one fails, what waits for it, and what to do about it.

The pages of one endpoint serve operators and, in the portal, its receiver.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from starlette.responses import Response

from homing.core.errors import Invalid, NotFound, Problem, Refused
from homing.core.lifecycle import State
from homing.core.outcome import Reason
from homing.core.records import Attempt
from homing.core.resources import Application, Endpoint
from homing.core.watching import Failure
from homing.insight.endpoints import Condition
from homing.service import attempts, endpoints, messages, replays
from homing.service.applications import find_application, list_applications
from homing.service.attempts import AttemptNarrowing
from homing.service.context import Service
from homing.service.endpoint_views import (
    COUNTED,
    LISTED_MOST,
    MOST,
    RANGES,
    SAMPLED,
    EndpointLine,
    EndpointView,
    Health,
    endpoint_load,
    endpoint_view,
    list_failing,
    list_lines,
)
from homing.service.event_types import list_event_types
from homing.service.listing import Ask
from homing.service.messages import Narrowing
from homing.service.operational import find_traffic_endpoint
from homing.service.tokens import Caller, Role
from homing.web.pages.asking import turns
from homing.web.pages.hostile import body, plain
from homing.web.pages.outcomes import explain
from homing.web.pages.places import in_both, page_at, place_of
from homing.web.pages.shell import Page, Visit, get, post

_LINES: Final = 50
#: applications that fit a list to choose from; with more of them one is typed
_APPS_MAX: Final = 50
_RECENT: Final = 10
#: kind of badge and words of each condition
_BADGES: Final = {
    Condition.FAILING: ("bad", "Failing"),
    Condition.BREAKER_OPEN: ("warn", "Not answering"),
    Condition.PARKED: ("off", "Parked"),
    Condition.DISABLED: ("off", "Disabled"),
    Condition.FINE: ("good", "Fine"),
    Condition.QUIET: ("wait", "Quiet"),
}
_TYPES_MAX: Final = 100
_BODY_MAX: Final = 2_000
PING: Final = "svix.ping"
#: how far back a recovery may reach, in hours, and in words
_RECOVERIES: Final = ((1, "1 hour"), (24, "1 day"), (168, "7 days"), (336, "14 days"))

Renew = Callable[[Visit, str, str], Awaitable[dict[str, Any]]]


# --- the list ---


async def show_endpoints(visit: Visit) -> Page:
    """Endpoints of the organisation, or of one application; what needs somebody first."""
    place = place_of(visit)
    app = place.app or visit.query.get("app") or None
    ask = Ask(limit=_LINES, iterator=visit.query.get("from") or None)
    find = visit.query.get("find", "")
    listing = await list_lines(visit.service, visit.caller, ask, app=app, text=find)
    lines = {line.endpoint.id: line for line in listing.data}
    if not (listing.done or ask.iterator or find):  # those of later pages need somebody now too
        failing = await list_failing(visit.service, visit.caller, app=app)
        lines |= {line.endpoint.id: line for line in failing}
    values: dict[str, Any] = {
        "lines": in_order(list(lines.values())),
        "turns": turns(visit, listing),
        "further": "",
        "find": find,
        "app": app or "",
        "most": LISTED_MOST,
        "apps": None,
        "application": None,
        "badges": _BADGES,
        "plain": plain,
    }
    if not listing.data and listing.iterator and not listing.done:
        values["further"] = visit.with_query(**{"from": listing.iterator})
    if place.is_portal:
        values["application"] = await find_application(visit.service, visit.caller, place.app)
    else:
        apps = await list_applications(visit.service, visit.caller, Ask(limit=_APPS_MAX))
        values["apps"] = apps.data if apps.done else None
    return page_at(visit, "endpoints.html", "Endpoints", values)


def in_order(lines: Sequence[EndpointLine]) -> list[EndpointLine]:
    """What needs somebody first; of the same condition the longest backlog."""
    conditions = list(Condition)
    return sorted(lines, key=lambda line: (conditions.index(line.condition), -line.backlog))


# --- one endpoint ---


async def show_endpoint(visit: Visit) -> Page:
    """How an endpoint is, why, and what waits for it; or only the part that the page renews."""
    service, caller = visit.service, visit.caller
    renew = _PARTS.get(visit.query.get("part", ""))
    if renew is not None:
        return await _part(visit, visit.query["part"], renew)
    # What came of a test is read first: what is told besides then knows of it.
    tested: dict[str, Any] = {"test": None}
    if "test" in visit.query:
        application, endpoint = await endpoints.find_endpoint(service, caller, *names(visit))
        tested = await _test_values(visit, application.id, endpoint.id)
    view = await endpoint_view(
        service, caller, *names(visit), range_key=visit.query.get("range", "")
    )
    app, id = view.application.id, view.endpoint.id
    headers, hidden = await _headers(service, caller, app, id)
    values: dict[str, Any] = {
        "ranges": RANGES,
        "recoveries": _RECOVERIES,
        "headers": headers,
        "hidden": hidden,
        "delays_s": service.sending.policy.delays_s,
        "replays_per_s": service.limits.replays_per_s,
        "test_types": await _test_types(service, caller),
        **_frame_of(visit, view.application, view.endpoint),
        **_health_values(view),
        **await _recent_values(visit, app, id),
        **tested,
    }
    title = plain(view.endpoint.description or view.endpoint.url, 80)
    return page_at(visit, "endpoint.html", title, values)


async def _part(visit: Visit, part: str, renew: Renew) -> Page:
    """One part of the page, at the cost of that part."""
    application, endpoint = await find_traffic_endpoint(visit.service, visit.caller, *names(visit))
    values = await renew(visit, application.id, endpoint.id)
    frame = _frame_of(visit, application, endpoint)
    return page_at(visit, f"endpoint_renew-{part}.html", "", frame | values)


def _frame_of(visit: Visit, application: Application, endpoint: Endpoint) -> dict[str, Any]:
    """What every part of the page needs."""
    return {
        "application": application,
        "endpoint": endpoint,
        "url": place_of(visit).endpoint(application.id, endpoint.id),
        "bounds": {"most": MOST, "counted": COUNTED, "sampled": SAMPLED},
        "plain": plain,
    }


def _health_values(view: EndpointView) -> dict[str, Any]:
    """All that is counted at the same moment, so that no two parts of the page disagree."""
    return {
        "view": view,
        "condition": _BADGES[view.condition],
        "health": view.health,
        "failures": failures(view.health),
        "load": view.load,
        "charts": charts(view.health),
    }


async def _renew_health(visit: Visit, app: str, id: str) -> dict[str, Any]:
    view = await endpoint_view(
        visit.service, visit.caller, app, id, range_key=visit.query.get("range", "")
    )
    return _health_values(view)


async def _renew_waiting(visit: Visit, app: str, id: str) -> dict[str, Any]:
    load = await endpoint_load(visit.service, visit.caller, app, id)
    return {"load": load, **await _recent_values(visit, app, id)}


async def _recent_values(visit: Visit, app: str, id: str) -> dict[str, Any]:
    recent = await attempts.list_deliveries(
        visit.service, visit.caller, app, Narrowing(), Ask(limit=_RECENT), endpoint=id
    )
    return {"recent": recent.data}


def names(visit: Visit) -> tuple[str, str]:
    """The application and the endpoint that the URL names."""
    return visit.path["app"], visit.path["id"]


async def _headers(
    service: Service, caller: Caller, app: str, id: str
) -> tuple[dict[str, str], list[str]]:
    """Headers to show; to who may only look, their names."""
    try:
        shown, hidden = await endpoints.shown_headers(service, caller, app, id)
    except NotFound:  # of the hidden application, whose headers are none
        return {}, []
    if not caller.may(Role.ADMIN):
        return {}, [*shown, *hidden]
    return shown, hidden


def charts(health: Health) -> list[dict[str, Any]]:
    """What the page draws: the success of each slice, attempts, and how long they took."""
    times = [one.since_us / 1_000_000 for one in health.slices]
    made = [sum(one.counts.values()) for one in health.slices]
    good = [one.counts.get(Reason.OK, 0) for one in health.slices]
    taken = [health.percentiles_of(one) for one in health.slices]

    def chart(title: str, kind: str, unit: str, series: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "title": title,
            "spec": {"kind": kind, "unit": unit, "times": times, "series": series},
        }

    share = [round(ok / all, 5) if all else None for ok, all in zip(good, made, strict=True)]
    found = [
        chart("Success", "area", "share", [{"label": "Share", "values": share, "tone": "good"}]),
        chart(
            "Attempts",
            "bars",
            "count",
            [
                {"label": "All", "values": made, "tone": "accent"},
                {
                    "label": "Failed",
                    "values": [all - ok for all, ok in zip(made, good, strict=True)],
                    "tone": "bad",
                },
            ],
        ),
        chart(
            "How long an attempt took",
            "line",
            "ms",
            [
                {
                    "label": label,
                    "values": [None if one is None else round(one[at] / 1_000, 2) for one in taken],
                    "tone": tone,
                }
                for at, (label, tone) in enumerate(
                    (("p50", "good"), ("p95", "accent"), ("p99", "warn"))
                )
            ],
        ),
    ]
    found[0]["spec"]["top"] = 1
    return found


def failures(health: Health) -> list[tuple[Failure, str, str, float]]:
    """Each way to fail, in words, what helps, and its share of all failures that were counted."""
    counted = sum(one.count for one in health.failures)
    return [(one, *explain(one.reason, one.status), one.count / counted) for one in health.failures]


# --- trying it ---


async def _test_types(service: Service, caller: Caller) -> list[str]:
    """Event types that have an example to send; a ping always has."""
    listing = await list_event_types(service, caller, Ask(limit=_TYPES_MAX))
    return [PING, *(one.id for one in listing.data if example_in(one.schemas) is not None)]


def example_in(schemas: dict[str, object] | None) -> object | None:
    """The first example object of the first schema that has one."""
    for schema in (schemas or {}).values():
        found = schema.get("examples") if isinstance(schema, dict) else None
        if isinstance(found, list) and found and isinstance(found[0], dict):
            return found[0]
    return None


async def _test_values(visit: Visit, app: str, id: str) -> dict[str, Any]:
    """What came of the test that the query names; None: there is none, or not any more."""
    message_id = visit.query.get("test", "")
    if not message_id:
        return {"test": None}
    service, caller = visit.service, visit.caller
    try:
        delivery = await attempts.find_delivery(service, caller, app, f"{message_id}.{id}")
    except NotFound:
        return {"test": None}
    tries = await attempts.list_attempts(
        service, caller, app, AttemptNarrowing(), Ask(limit=1), message=message_id, endpoint=id
    )
    newest = tries.data[0] if tries.data else None
    test = {
        "delivery": delivery,
        "attempt": newest,
        "explained": explain(newest.reason, newest.status) if newest else ("", ""),
        "body": body_text(newest) if newest else "",
        "is_over": newest is not None
        or delivery.state in (State.DEAD, State.CANCELLED, State.PARKED),
    }
    return {"test": test}


async def _renew_test(visit: Visit, app: str, id: str) -> dict[str, Any]:
    """What came of the test; with it, once it has ended, all that it changed."""
    values = await _test_values(visit, app, id)
    if values["test"] is None or not values["test"]["is_over"]:
        return values
    recent = await _recent_values(visit, app, id)
    return {**values, **recent, **await _renew_health(visit, app, id)}


#: parts of the page that it asks for again, by the id of their element
_PARTS: Final[dict[str, Renew]] = {
    "health": _renew_health,
    "waiting": _renew_waiting,
    "test-result": _renew_test,
}


def body_text(attempt: Attempt, most: int = _BODY_MAX) -> str:
    """The beginning of a receiver's answer, as text that is safe to look at."""
    return body(attempt.response_body or b"", most).text


async def send_test(visit: Visit) -> Response:
    """Send an example; the page then shows what came of it."""
    app, id = names(visit)
    fields = await visit.form()
    event_type = fields.get("event_type") or PING
    message = await messages.send_example(visit.service, visit.caller, app, id, event_type)
    return visit.go(f"{place_of(visit).endpoint(app, id)}?test={message.id}#test")


# --- what changes it ---


async def park(visit: Visit) -> Response:
    """Disable it: what is for it waits until it is enabled."""
    app, id = names(visit)
    await endpoints.patch_endpoint(visit.service, visit.caller, app, id, {"disabled": True})
    said = "Disabled. What is for it is kept, and waits until it is enabled."
    return visit.go(place_of(visit).endpoint(app, id), said=said)


async def enable(visit: Visit) -> Response:
    """Enable it: what was parked is sent."""
    app, id = names(visit)
    await endpoints.patch_endpoint(visit.service, visit.caller, app, id, {"disabled": False})
    return visit.go(
        place_of(visit).endpoint(app, id), said="Enabled. What was kept for it is being sent."
    )


async def recover(visit: Visit) -> Response:
    """Send the dead letters of a time again, as a background task."""
    app, id = names(visit)
    text = (await visit.form()).get("hours", "")
    hours = next((hours for hours, _ in _RECOVERIES if str(hours) == text), None)
    if hours is None:
        choices = ", ".join(str(hours) for hours, _ in _RECOVERIES)
        raise Invalid([Problem(("body", "hours"), f"expected one of {choices}")])
    since_us = visit.service.clock.now_us() - hours * 3_600_000_000
    await replays.recover(visit.service, visit.caller, app, id, since_us=since_us, until_us=None)
    said = "Its dead letters are being sent again; the numbers below follow."
    return visit.go(place_of(visit).endpoint(app, id) + "#retried", said=said)


async def delete(visit: Visit) -> Response:
    """Remove it for good, once somebody has typed what it is."""
    app, id = names(visit)
    _, endpoint = await endpoints.find_endpoint(visit.service, visit.caller, app, id)
    if (await visit.form()).get("sure", "") != "delete":
        raise Refused("generic_error", "type the word delete to remove an endpoint")
    await endpoints.delete_endpoint(visit.service, visit.caller, app, endpoint.id)
    return visit.go(place_of(visit).endpoints, said=f"Removed {endpoint.url}.")


_ONE: Final = "/endpoints/{app}/{id}"
PAGES = (
    get("/endpoints", show_endpoints),
    get("/portal/{app}", show_endpoints, portal=True),
    # operators have the desk instead, which sends a few first
    post("/portal/{app}/endpoints/{id}/recover", recover, portal=True),
    *in_both(
        (
            get(_ONE, show_endpoint),
            post(f"{_ONE}/test", send_test),
            post(f"{_ONE}/park", park),
            post(f"{_ONE}/enable", enable),
            post(f"{_ONE}/delete", delete, role=Role.ADMIN),
        )
    ),
)
