"""Signing in with a token, and out again; and the choice between light and dark."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.responses import Response

from homing.core.errors import Unauthenticated
from homing.service.page_sessions import seal_session, sign_in, sign_out, sign_out_everywhere
from homing.service.tokens import Role
from homing.web.pages.guarding import Guard
from homing.web.pages.shell import (
    SESSION_COOKIE,
    THEME_COOKIE,
    THEMES,
    Page,
    Visit,
    get,
    post,
)

#: how long every wrong token is thought about, seconds: the same for a near miss and for nonsense
_WRONG_S: Final = 0.5
_THEME_S: Final = 365 * 86_400


class SigningIn:
    """The pages around a session.

    Args:
        guard: counts wrong tokens; one per process.
    """

    def __init__(self, guard: Guard | None = None) -> None:
        self._guard = guard or Guard()
        self.PAGES = (
            get("/sign-in", show_sign_in, public=True),
            post("/sign-in", self.begin, role=Role.VIEWER, public=True),
            post("/sign-out", end, role=Role.VIEWER, public=True),
            get("/you", show_you),
            post("/sign-out-everywhere", end_everywhere, role=Role.VIEWER),
            post("/theme", choose_theme, role=Role.VIEWER, public=True),
        )

    async def begin(self, visit: Visit) -> Page | Response:
        """A new session, under a name that nobody knew before: what the browser had is void."""
        fields = await visit.form()
        client = visit.request.client
        address = client.host if client else ""
        at_us = visit.service.clock.now_us()
        wait_s = self._guard.wait_s(address, at_us=at_us)
        if wait_s:
            text = f"Too many wrong tokens from your address. Try again in {wait_s} s."
            return _form(visit, fields.get("next", ""), text, 429)
        token = fields.get("token", "").strip()
        try:
            session = await sign_in(visit.service, token)
        except Unauthenticated as error:
            self._guard.note_wrong(address, at_us=at_us)
            await asyncio.sleep(_WRONG_S)
            return _form(visit, fields.get("next", ""), _refusal(token, error), 403)
        if session.caller.app_id is not None:
            text = "This token is for the portal of one application, not for these pages."
            return _form(visit, fields.get("next", ""), text, 403)
        if visit.session is not None:
            await sign_out(visit.service, visit.session)
        age_s = -((at_us - session.expires_at_us) // 1_000_000)  # rounded up: 0 would remove it
        visit.set_cookie(SESSION_COOKIE, seal_session(visit.service, session), age_s)
        return visit.go(_inside(fields.get("next", "")))


async def show_sign_in(visit: Visit) -> Page | Response:
    after = _inside(visit.query.get("next", ""))
    if visit.session is not None:
        return visit.go(after)
    return _form(visit, after, "", 200)


def _form(visit: Visit, after: str, wrong: str, status: int) -> Page:
    values = {"next": _inside(after), "wrong": wrong}
    return Page("sign_in.html", "Sign in", "", values, status)


def _refusal(token: str, error: Unauthenticated) -> str:
    """Why somebody is not let in, and what helps."""
    if not token:
        return "Paste a token first."
    if str(error) == "Invalid token":
        return "Homing does not know this token. Paste all of it, or make a new one."
    return f"{str(error)[:1].upper()}{str(error)[1:]}."


def _inside(url: str) -> str:
    """The path that somebody wanted, if it is one of this server's; else home."""
    plain = url.startswith("/") and not url.startswith(("//", "/\\")) and url.isprintable()
    return url if plain and "\\" not in url else "/"


#: what each role may do, in words
_ROLES: Final = {
    Role.VIEWER: "You may look at everything but secrets, and change nothing.",
    Role.OPERATOR: "You may look, and do what concerns traffic: send, resend, redrive, park.",
    Role.ADMIN: "You may do everything: also endpoints, secrets, event types and objectives.",
}


async def show_you(visit: Visit) -> Page:
    assert visit.session is not None
    values = {"may_do": _ROLES[visit.role], "session": visit.session}
    return Page("you.html", "You", "you", values)


async def end(visit: Visit) -> Response:
    if visit.session is not None:
        await sign_out(visit.service, visit.session)
    visit.set_cookie(SESSION_COOKIE, "", 0)
    return visit.go("/sign-in", said="You are signed out.")


async def end_everywhere(visit: Visit) -> Response:
    assert visit.session is not None
    await sign_out_everywhere(visit.service, visit.session)
    visit.set_cookie(SESSION_COOKIE, "", 0)
    text = "Every session that was begun with this token is signed out."
    return visit.go("/sign-in", said=text)


async def choose_theme(visit: Visit) -> Response:
    fields = await visit.form()
    if fields.get("theme") in THEMES:
        visit.set_cookie(THEME_COOKIE, fields["theme"], _THEME_S)
    return visit.go(_inside(fields.get("next", "")))
