"""The whole API of one process, as an ASGI application."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from typing import NamedTuple

from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from homing.core.errors import NotFound
from homing.service.context import Service
from homing.web import create_message as hot_request
from homing.web.create_message import CreateMessage, application_of
from homing.web.fast_path import FastPathProtocol, protocol_factory
from homing.web.frame import Frame
from homing.web.idempotency import IdempotentRequests
from homing.web.not_served import not_served
from homing.web.operation import Operation
from homing.web.operations import (
    access,
    alerts,
    applications,
    attempts,
    board,
    books,
    deliveries,
    desk,
    endpoint_requests,
    endpoint_traffic,
    endpoints,
    event_types,
    expunging,
    incidents,
    messages,
    objectives,
    operational_webhooks,
    replays,
    sent,
    statistics,
    tasks,
)
from homing.web.operations.health import Vitals, health_operations
from homing.web.operations.openapi import openapi_operation
from homing.web.pages import alerts as alert_pages
from homing.web.pages import board as board_page
from homing.web.pages import (
    catalogue,
    desk_many,
    endpoint_editing,
    endpoint_sent,
    incident_rows,
    incident_story,
    objective_editing,
    portal,
    redrives,
    walks,
    walkthrough,
)
from homing.web.pages import deliveries as delivery_pages
from homing.web.pages import desk as desk_pages
from homing.web.pages import endpoints as endpoint_pages
from homing.web.pages import incidents as incident_pages
from homing.web.pages import messages as message_pages
from homing.web.pages import objectives as objective_pages
from homing.web.pages.errors import ErrorPages, wants_page
from homing.web.pages.home import HomePage
from homing.web.pages.shell import NAVIGATION, Entry, Page, PageRoute, PathPages, Visit
from homing.web.pages.sign_in import SigningIn
from homing.web.pages.static_files import StaticFiles
from homing.web.running import PathOperations


class Api(NamedTuple):
    """What a server is made of."""

    app: ASGIApp  #: answers everything
    protocol: Callable[..., FastPathProtocol]  #: makes uvicorn's protocol of each connection


def create_api(
    service: Service,
    *,
    vitals: Callable[[], Vitals] = Vitals,
    metrics: Callable[[], bytes] = bytes,
) -> Api:
    """The API.

    Args:
        service: of this process.
        vitals: what this process knows of itself at the moment, for the probes.
        metrics: the text that Prometheus reads.
    """
    served = route_table(service, vitals, metrics)
    operations = [*served, *not_served(served)]
    idempotent = IdempotentRequests(service.store)
    pages = page_table(service)
    navigation = navigation_of(pages)
    looked_at = {page.path for page in pages if page.method == "GET"}
    missing = PathPages(service, [PageRoute("GET", "", _nothing_here, public=True)], navigation)
    router = Router(
        [
            Route("/static/{name:path}", StaticFiles()),
            *(
                Route(path, PathPages(service, list(found), navigation, looked_at))
                for path, found in groupby(
                    sorted(pages, key=_specific_first), key=lambda page: page.path
                )
            ),
            *(
                Route(path, PathOperations(service, idempotent, list(found)))
                for path, found in groupby(
                    sorted(operations, key=_specific_first), key=lambda operation: operation.path
                )
            ),
        ],
        redirect_slashes=False,
        default=partial(_not_found, missing),
    )
    create_message = CreateMessage(service)
    frame = Frame(
        _Fork(create_message, router),
        clock=service.clock,
        chance=service.chance,
        error_page=ErrorPages(service, navigation),
    )
    return Api(frame, protocol_factory(frame, create_message))


def page_table(service: Service) -> Sequence[PageRoute]:
    """Every page that is served; a module of `web.pages` each."""
    return (
        *SigningIn().PAGES,
        *HomePage(service).PAGES,
        *endpoint_pages.PAGES,
        *endpoint_editing.PAGES,
        *endpoint_sent.PAGES,
        *catalogue.PAGES,
        *portal.Entering().PAGES,
        *portal.PAGES,
        *message_pages.PAGES,
        *delivery_pages.PAGES,
        *desk_pages.PAGES,
        *desk_many.PAGES,
        *redrives.PAGES,
        *objective_pages.PAGES,
        *objective_editing.PAGES,
        *board_page.PAGES,
        *alert_pages.PAGES,
        *incident_pages.PAGES,
        *walkthrough.PAGES,
        *walks.PAGES,
        *incident_rows.PAGES,
        *incident_story.PAGES,
    )


def navigation_of(pages: Sequence[PageRoute]) -> Sequence[Entry]:
    """The entries of the navigation whose pages exist."""
    paths = {page.path for page in pages}
    return [entry for entry in NAVIGATION if entry.href in paths]


def route_table(
    service: Service,
    vitals: Callable[[], Vitals] = Vitals,
    metrics: Callable[[], bytes] = bytes,
) -> Sequence[Operation]:
    """Every operation that is served."""
    operations = (
        *applications.OPERATIONS,
        *endpoints.OPERATIONS,
        *endpoint_requests.OPERATIONS,
        *endpoint_traffic.OPERATIONS,
        *replays.OPERATIONS,
        *sent.OPERATIONS,
        *event_types.OPERATIONS,
        *hot_request.OPERATIONS,
        *messages.OPERATIONS,
        *expunging.OPERATIONS,
        *attempts.OPERATIONS,
        *deliveries.OPERATIONS,
        *desk.OPERATIONS,
        *tasks.OPERATIONS,
        *statistics.OPERATIONS,
        *books.OPERATIONS,
        *objectives.OPERATIONS,
        *board.OPERATIONS,
        *incidents.OPERATIONS,
        *operational_webhooks.OPERATIONS,
        *alerts.OPERATIONS,
        *access.OPERATIONS,
        *health_operations(service, vitals, metrics),
    )
    return (*operations, openapi_operation(operations))


def _specific_first(operation: Operation | PageRoute) -> list[tuple[bool, str]]:
    """Sorts `/msg/batch` before `/msg/{msg_id}`."""
    return [(part.startswith("{"), part) for part in operation.path.split("/")]


class _Fork:
    """Sends the one hot request past the router."""

    def __init__(self, create_message: CreateMessage, router: ASGIApp) -> None:
        self._create_message = create_message
        self._router = router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path: str = scope["path"]
            if path.endswith("/") and len(path) > 1:
                scope["path"] = path.rstrip("/") or "/"
            app = application_of(scope["method"], scope["path"])
            if app is not None:
                await self._create_message(app, scope, receive, send)
                return
        await self._router(scope, receive, send)


async def _nothing_here(visit: Visit) -> Page:
    raise NotFound(f"there is no {visit.request.url.path!r} here")


async def _not_found(missing: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close"})
        return
    if wants_page(scope) and scope["method"] == "GET":
        await missing(scope, receive, send)
    raise NotFound(f"there is no {scope['path']!r} here; /api/v1/openapi.json lists what there is")
