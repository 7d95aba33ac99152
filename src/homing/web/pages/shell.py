"""What every page goes through: who looks, what they may do, and the frame around what they see."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hmac import compare_digest
from itertools import groupby
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

from starlette.datastructures import ImmutableMultiDict, QueryParams
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from homing.core.errors import Forbidden, Invalid, NotFound, Problem, Unauthenticated
from homing.service.context import Service
from homing.service.listing import is_plain_name
from homing.service.page_sessions import PageSession, form_key, open_portal, open_session
from homing.service.tokens import Caller, Role
from homing.web.pages.rendering import make_ready_behind, render
from homing.web.problems import MethodNotAllowed
from homing.web.reading import read_body

SESSION_COOKIE: Final = "homing_session"
#: what was just done, for the next page to say
_SAID_COOKIE: Final = "homing_said"
THEME_COOKIE: Final = "homing_theme"
THEMES: Final = ("system", "light", "dark")
_SAID_S: Final = 30
#: the token of an application, while its portal is open; sent to nothing else
PORTAL_COOKIE: Final = "homing_portal"
PORTAL_PATH: Final = "/portal"
_FORM_FIELDS_MAX: Final = 2_000
#: hosts whose plain HTTP browsers trust with secure cookies, for trying things out
_LOOPBACK: Final = ("127.0.0.1", "localhost")

#: what the browser is to refuse, whatever a page has in it
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors {}"
)
_HEADERS: Final = {
    "cache-control": "no-store",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


class Entry(NamedTuple):
    """A line of the navigation."""

    key: str  #: what `Page.here` names
    label: str
    href: str
    letter: str  #: the page is reached by the keys `g` and this one
    group: str = ""


#: shown in this order; an entry whose page does not exist yet is left out
NAVIGATION: Final = (
    Entry("home", "Home", "/", "h"),
    Entry("messages", "Messages", "/messages", "m", "Traffic"),
    Entry("deliveries", "Deliveries", "/deliveries", "d", "Traffic"),
    Entry("endpoints", "Endpoints", "/endpoints", "e", "Traffic"),
    Entry("dead-letters", "Dead letters", "/dead-letters", "l", "Traffic"),
    Entry("alerts", "Alerts", "/alerts", "a", "Watch"),
    Entry("objectives", "Objectives", "/objectives", "o", "Watch"),
    Entry("board", "Board", "/board", "b", "Watch"),
    Entry("incidents", "Incidents", "/incidents", "i", "Watch"),
    Entry("applications", "Applications", "/applications", "p", "Set-up"),
    Entry("event-types", "Event types", "/event-types", "t", "Set-up"),
    Entry("walkthrough", "Incident walkthrough", "/walkthrough", "w", "Practice"),
)


class Page(NamedTuple):
    """What a handler shows."""

    template: str
    title: str
    here: str  #: key of the entry of the navigation that it belongs to
    values: dict[str, Any] = {}
    status: int = 200


@dataclass
class Visit:
    """One request of a person: who it is, what they may do, and what they sent."""

    service: Service
    request: Request
    caller: Caller = field(default=Caller("", read_only=True))
    session: PageSession | None = None  #: None: nobody is signed in, which few pages allow
    form_fields: ImmutableMultiDict[str, str] | None = None
    navigation: Sequence[Entry] = ()
    frame_ancestors: str = "'none'"  #: who may show the page in a frame: the portal's origins
    is_portal: bool = False
    _pending: list[tuple[str, str, int]] = field(default_factory=list)

    @property
    def role(self) -> Role:
        return Role.VIEWER if self.caller.read_only else self.caller.role

    @property
    def path(self) -> dict[str, str]:
        """The parts of the URL that have names."""
        found: dict[str, str] = self.request.path_params
        return found

    @property
    def query(self) -> QueryParams:
        return self.request.query_params

    @property
    def here_url(self) -> str:
        """The path and the query of this request."""
        query = self.request.url.query
        return self.request.url.path + (f"?{query}" if query else "")

    @property
    def groups(self) -> list[tuple[str, list[Entry]]]:
        """The navigation by its groups, in order."""
        found = groupby(self.navigation, key=lambda entry: entry.group)
        return [(group, list(entries)) for group, entries in found]

    @property
    def is_live(self) -> bool:
        """Whether a part of a page asks, rather than a person."""
        return "hx-request" in self.request.headers

    @property
    def theme(self) -> str:
        chosen = self.request.cookies.get(self._named(THEME_COOKIE), "")
        return chosen if chosen in THEMES else "system"

    @cached_property
    def form_key(self) -> str:
        """The value of the hidden field `form_key`; empty where nobody is signed in."""
        return "" if self.session is None else form_key(self.service, self.session)

    @cached_property
    def said(self) -> str:
        """What the page before this one wants said, once."""
        text = self.request.cookies.get(self._named(_SAID_COOKIE), "")
        if text:
            self.set_cookie(_SAID_COOKIE, "", 0)
        return dict(parse_qsl(f"text={text}")).get("text", "")

    def may(self, role: Role | str) -> bool:
        """Whether whoever looks may do what `role` may."""
        return self.session is not None and self.caller.may(Role(role))

    async def form(self) -> ImmutableMultiDict[str, str]:
        """The fields that were sent; the form's key was checked already."""
        assert self.form_fields is not None, "only a POST has a form"
        return self.form_fields

    def with_query(self, **changes: object) -> str:
        """This page's URL with some parameters changed; None or "" takes one away."""
        given = [(k, v) for k, v in self.query.multi_items() if k not in changes]
        given += [(k, str(v)) for k, v in changes.items() if v not in (None, "")]
        return self.request.url.path + (f"?{urlencode(given)}" if given else "")

    def set_cookie(self, name: str, value: str, age_s: int) -> None:
        """With the response; an age of 0 takes the cookie away."""
        self._pending.append((self._named(name), value, age_s))

    def _named(self, cookie: str) -> str:
        """The portal keeps its own, so that neither half of the pages reads the other's."""
        return f"{cookie}_portal" if self.is_portal and cookie != PORTAL_COOKIE else cookie

    def go(self, url: str, *, said: str = "") -> Response:
        """Send the browser on, after something was done; `said` is shown there once.

        Args:
            url: a path of this server.
        """
        if said:
            self.set_cookie(_SAID_COOKIE, quote(said, safe=""), _SAID_S)
        if self.is_live:
            return Response(status_code=204, headers={"hx-redirect": url})
        return RedirectResponse(url, status_code=303)

    def finish(self, response: Response) -> Response:
        """The response with the headers that every page has."""
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        policy = _POLICY.format(self.frame_ancestors)
        response.headers.setdefault("content-security-policy", policy)
        if self.frame_ancestors == "'none'":
            response.headers.setdefault("x-frame-options", "DENY")
        for name, value, age_s in self._pending:
            self._set(response, name, value, age_s)
        return response

    def _set(self, response: Response, name: str, value: str, age_s: int) -> None:
        """Add a cookie.

        In a frame of another site a browser sends only what is SameSite=None, which has to be
        Secure; Partitioned (CHIPS) keeps what it is told there apart from every other site.
        """
        host = self.request.url.hostname or ""
        is_https = self.request.url.scheme == "https"
        in_frames = self.is_portal and (is_https or host in _LOOPBACK)
        response.set_cookie(
            name,
            value,
            max_age=age_s,
            path=PORTAL_PATH if self.is_portal else "/",
            secure=is_https or in_frames,
            httponly=name != THEME_COOKIE,
            samesite="none" if in_frames else "lax",
        )
        if in_frames:  # Python's cookies know the word from 3.14 on
            header, line = response.raw_headers[-1]
            response.raw_headers[-1] = (header, line + b"; Partitioned")


Handle = Callable[[Visit], Awaitable[Page | Response]]


class PageRoute(NamedTuple):
    """A line of the table of pages."""

    method: str
    path: str
    handle: Handle
    role: Role = Role.VIEWER
    public: bool = False  #: nobody has to be signed in
    portal: bool = False  #: for the token of one application, rather than the organisation's


def get(path: str, handle: Handle, **more: Any) -> PageRoute:
    """A page to look at."""
    return PageRoute("GET", path, handle, **more)


def post(path: str, handle: Handle, *, role: Role | str = Role.OPERATOR, **more: Any) -> PageRoute:
    """Something to do, by a form."""
    return PageRoute("POST", path, handle, role=Role(role), **more)


class PathPages:
    """The pages of one path, as an ASGI application.

    Args:
        pages: paths of all pages that can be looked at.
    """

    def __init__(
        self,
        service: Service,
        routes: Sequence[PageRoute],
        navigation: Sequence[Entry],
        pages: Collection[str] = (),
    ) -> None:
        self._service = service
        self._navigation = navigation
        self._pages = pages
        self._routes = {route.method: route for route in routes}
        if "GET" in self._routes:
            self._routes["HEAD"] = self._routes["GET"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._routes.get(scope["method"])
        if route is None:
            above = self._page_above(scope) if scope["method"] == "GET" else ""
            if not above:
                raise MethodNotAllowed(sorted(self._routes))
            await RedirectResponse(above, status_code=303)(scope, receive, send)
            return
        visit = Visit(self._service, Request(scope), navigation=self._navigation)
        if route.portal:
            visit.is_portal = True
            visit.frame_ancestors = " ".join(self._service.portal_origins) or "'none'"
        scope["homing.visit"] = visit  # for the page that tells an error
        response = await self._answer(route, visit, receive)
        await visit.finish(response)(scope, receive, send)
        if visit.session is not None:
            make_ready_behind()

    def _page_above(self, scope: Scope) -> str:
        """The page from which the form of this address is sent; empty: it is not known.

        Somebody who reloads or keeps the address of a form asks for it without the form.
        """
        template = next(iter(self._routes.values())).path
        path: str = scope["path"]
        while (template := template.rpartition("/")[0]) and "/" in path:
            path = path.rpartition("/")[0]
            if template in self._pages:
                return quote(path)
        return ""

    async def _answer(self, route: PageRoute, visit: Visit, receive: Receive) -> Response:
        for name, value in visit.path.items():
            if not is_plain_name(value):
                raise NotFound(f"there is nothing with this {name}")
        try:
            await _recognise(visit)
        except Unauthenticated:
            if not route.public:
                return _sign_in_first(visit)
        if not route.public:
            _check(route, visit)
        if route.method == "POST":
            visit.form_fields = await _read_form(visit, receive)
            _check_form(visit, visit.form_fields)
        shown = await route.handle(visit)
        return shown if isinstance(shown, Response) else show(visit, shown)


def show(visit: Visit, page: Page) -> Response:
    """The page as it goes out."""
    values = {"visit": visit, "title": page.title, "here": page.here, **page.values}
    return HTMLResponse(render(page.template, values), status_code=page.status)


async def _recognise(visit: Visit) -> None:
    """Raises: Unauthenticated: nobody is signed in."""
    text = visit.request.cookies.get(PORTAL_COOKIE if visit.is_portal else SESSION_COOKIE)
    if text is None:
        raise Unauthenticated("sign in first")
    begin = open_portal if visit.is_portal else open_session
    visit.session = await begin(visit.service, text)
    visit.caller = visit.session.caller


def _sign_in_first(visit: Visit) -> Response:
    """Where to sign in; afterwards the person comes back here."""
    after = visit.here_url if visit.request.method in ("GET", "HEAD") else "/"
    if visit.is_portal:
        url = f"{PORTAL_PATH}/enter"
    else:
        url = "/sign-in" + ("" if after == "/" else f"?{urlencode({'next': after})}")
    if visit.is_live:
        return Response(status_code=401, headers={"hx-redirect": url})
    return RedirectResponse(url, status_code=303)


def _check(route: PageRoute, visit: Visit) -> None:
    """Raises: Forbidden: this is not for whoever looks. NotFound: it is another application's."""
    if route.portal:
        visit.caller.must_own(visit.path.get("app", ""))
    else:
        visit.caller.must_be_org()
    visit.caller.must_be(route.role)


async def _read_form(visit: Visit, receive: Receive) -> ImmutableMultiDict[str, str]:
    """The fields of a form as browsers send it.

    Raises:
        TooLarge: longer than any request may be.
        Invalid: not a form.
    """
    headers = visit.request.headers
    bytes_max = visit.service.limits.body_bytes_max
    body = await read_body(receive, bytes_max, headers.get("content-length"))
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and kind != "application/x-www-form-urlencoded":
        text = "expected a form (application/x-www-form-urlencoded)"
        raise Invalid([Problem(("body",), text)])
    try:
        pairs = parse_qsl(
            body.decode("utf-8"), keep_blank_values=True, max_num_fields=_FORM_FIELDS_MAX
        )
    except ValueError as error:
        raise Invalid([Problem(("body",), f"expected a form in UTF-8: {error}")]) from error
    return ImmutableMultiDict(pairs)


def _check_form(visit: Visit, fields: ImmutableMultiDict[str, str]) -> None:
    """Raises: Forbidden: the form was not sent from a page that we gave to this session."""
    if visit.request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden("this form was sent from another site")
    if visit.session is not None:
        given = fields.get("form_key", "").encode()
        if not compare_digest(given, visit.form_key.encode()):
            raise Forbidden("this form is from an earlier session; go back, reload, and try again")
