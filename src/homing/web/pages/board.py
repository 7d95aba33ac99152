"""`/board`: how the services of all teams stand, what needs somebody first.

Whoever is signed in sees it. For a screen on a wall nobody signs in: there the browser asks for a
name and a password, and the password is a token of the organisation (best one that may only read),
the name is anything. A token in the URL is not taken, because URLs are logged, kept and passed on.
"""

from __future__ import annotations

import base64
import binascii
from fractions import Fraction
from typing import Any, Final

from starlette.responses import Response

from homing.core.errors import Forbidden, Unauthenticated
from homing.insight.board.standing import How, Promise
from homing.insight.board.view import (
    Light,
    Row,
    age_text,
    count_text,
    gone_text,
    left_text,
    said_text,
    summary,
    target_text,
)
from homing.service.board import board
from homing.service.tokens import Caller
from homing.web.pages.shell import Page, Visit, get, show
from homing.web.pages.words import signed
from homing.web.reading import authenticate

_HERE: Final = "board"
#: a word for each light, and the kind of its badge
_WORDS: Final = {
    Light.BROKEN: ("broken", "bad"),
    Light.BURNING: ("burning", "warn"),
    Light.UNKNOWN: ("unknown", "wait"),
    Light.LETTERS: ("dead letters", "off"),
    Light.GOOD: ("good", "good"),
}
_HOWS: Final = {
    How.SELF: "this instance",
    How.PULL: "asked",
    How.PUSH: "pushes",
    How.PROMETHEUS: "Prometheus",
}
#: how often a page that reloads itself may do so, in seconds
_REFRESH_S: Final = (10, 3_600)
_CHALLENGE: Final = (
    'Basic realm="Homing board: any name, and a token as the password", charset="UTF-8"'
)


async def show_board(visit: Visit) -> Response:
    """The board; 401 to whoever is not signed in and has no token."""
    try:
        caller = _caller(visit)
    except (Unauthenticated, Forbidden):
        refused = show(visit, Page("board_refused.html", "Board", _HERE, {}, status=401))
        refused.headers["www-authenticate"] = _CHALLENGE
        return refused
    found = await board(visit.service, caller)
    at_us = visit.service.clock.now_us()
    waiting = sum(row.needs_somebody for row in found)
    values = {
        "rows": [_row(row, at_us, is_known=visit.session is not None) for row in found],
        "summary": summary(found),
        "at_us": at_us,
        "refresh_s": _refresh_s(visit),
    }
    verb = "needs" if waiting == 1 else "need"
    title = f"{waiting} {verb} somebody · Board" if waiting else "Board: nothing needs anybody"
    shown = show(visit, Page("board.html", title, _HERE, values))
    if values["refresh_s"]:
        shown.headers["refresh"] = str(values["refresh_s"])
    return shown


def _caller(visit: Visit) -> Caller:
    """Whoever looks: by a token as a bearer's, or as the password of Basic (RFC 7617), or by
    having signed in.

    Raises:
        Unauthenticated: none of them.
        Forbidden: a token of one application.
    """
    authorization = visit.request.headers.get("authorization")
    if authorization is None and visit.session is not None:
        visit.caller.must_be_org()
        return visit.caller
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() == "basic":
        try:
            pair = base64.b64decode(encoded.strip(), validate=True).decode()
        except (binascii.Error, ValueError):
            raise Unauthenticated("Invalid token") from None
        authorization = f"Bearer {pair.partition(':')[2]}"
    caller = authenticate(visit.service, authorization)
    caller.must_be_org()
    return caller


def _refresh_s(visit: Visit) -> int | None:
    """How often the browser is to load it again by itself, without a script; None: not."""
    text = visit.query.get("refresh", "")
    low, high = _REFRESH_S
    if len(text) > 4 or not (text.isascii() and text.isdecimal()) or not low <= int(text) <= high:
        return None
    return int(text)


def _row(row: Row, at_us: int, *, is_known: bool) -> dict[str, Any]:
    """A service, in the words that the page uses.

    Args:
        is_known: whoever looks is signed in, and may go on to the pages of this instance.
    """
    word, kind = _WORDS[row.light]
    is_here = row.how is How.SELF and is_known
    said = said_text(row, at_us)
    promises = [_promise(one, is_here=is_here) for one in row.promises]
    return {
        "row": row,
        "word": word,
        "kind": kind,
        "was": _WORDS[row.was][0] if row.light is Light.UNKNOWN and row.was else "",
        "how": _HOWS[row.how] + (f", said {said}" if said else ""),
        "worst": promises[0] if promises else None,
        "others": promises[1:],
        "drops": count_text(row.unaccounted),
        "dead": count_text(row.dead),
        "oldest": age_text(row, at_us),
        "is_here": is_here,
    }


def _promise(one: Promise, *, is_here: bool) -> dict[str, Any]:
    left = None
    if one.left is not None and not one.is_few:
        left = float(min(max(Fraction(one.left), Fraction(0)), Fraction(1)))
    return {
        "name": one.name,
        "url": f"/objectives/{one.name}" if is_here else "",
        "target": target_text(one),
        "left_text": signed(left_text(one)),
        "left": left,
        "kind": "bad" if one.is_broken else "warn" if one.fires else "good",
        "gone": gone_text(one),
        "is_broken": one.is_broken,
    }


PAGES = (get("/board", show_board, public=True),)
