"""Where the pages of an endpoint are: among the operators' pages, or in its receiver's portal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from homing.web.pages.shell import Page, PageRoute, Visit

PORTAL = "/portal"


class Place(NamedTuple):
    """One of the two; a handler that serves both asks for it."""

    is_portal: bool
    app: str  #: as it stands in the URL; "" in lists over all applications

    @property
    def frame(self) -> str:
        """The template around the page."""
        return "portal_base.html" if self.is_portal else "base.html"

    @property
    def endpoints(self) -> str:
        """The list of endpoints."""
        return f"{PORTAL}/{quote(self.app)}" if self.is_portal else "/endpoints"

    @property
    def new(self) -> str:
        return f"{PORTAL}/{quote(self.app)}/endpoints/new" if self.is_portal else "/endpoints/new"

    def endpoint(self, app: str, id: str) -> str:
        """An endpoint's page."""
        inside = (
            f"{PORTAL}/{quote(app)}/endpoints" if self.is_portal else f"/endpoints/{quote(app)}"
        )
        return f"{inside}/{quote(id)}"

    def delivery(self, app: str, id: str) -> str:
        return (
            f"{self.deliveries(app)}/{quote(id)}" if self.is_portal else f"/deliveries/{quote(id)}"
        )

    def deliveries(self, app: str) -> str:
        return f"{PORTAL}/{quote(app)}/deliveries" if self.is_portal else "/deliveries"

    def event_types(self, app: str) -> str:
        return f"{PORTAL}/{quote(app)}/event-types" if self.is_portal else "/event-types"


def place_of(visit: Visit) -> Place:
    """Where the visit is."""
    is_portal = visit.request.url.path.startswith(f"{PORTAL}/")
    return Place(is_portal, visit.path.get("app", ""))


def page_at(
    visit: Visit, template: str, title: str, values: dict[str, Any], *, here: str = "endpoints"
) -> Page:
    """A page in the frame of where the visit is."""
    place = place_of(visit)
    return Page(template, title, here, {"place": place, "frame": place.frame, **values})


def in_both(routes: Sequence[PageRoute]) -> tuple[PageRoute, ...]:
    """Routes of an endpoint (`/endpoints/{app}/{id}…`), and the same ones in the portal."""
    return (
        *routes,
        *(
            route._replace(
                path=route.path.replace("/endpoints/{app}", f"{PORTAL}/{{app}}/endpoints"),
                portal=True,
            )
            for route in routes
        ),
    )
