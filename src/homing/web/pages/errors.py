"""Errors as pages, for browsers; programs are told the same as JSON."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.types import Scope

from homing.service.context import Service
from homing.web.pages.shell import PORTAL_PATH, Entry, Page, Visit, show
from homing.web.problems import Headers
from homing.web.reading import header

_TITLES: Final = {
    400: "That could not be done",
    403: "That is not for you",
    404: "There is nothing here",
    405: "That is not how this is asked",
    409: "Somebody else was first",
    413: "That is too long",
    422: "Something in it is not right",
    500: "Something went wrong here",
    503: "Not at this moment",
}
_HELP: Final = {
    403: "Sign in with a token of another role, or ask whoever runs this Homing for one.",
    404: "It may have been removed, or the address is not complete.",
    409: "Go back, reload the page, and look at how it stands now.",
    422: "Go back and change it; nothing was done.",
    500: "The fault is Homing's. Its log says what happened, under the number below.",
    503: "Nothing is lost: whatever was accepted is on disk. Reload the page in a moment.",
}
#: what programs ask, whatever they say that they accept
_PROGRAMS: Final = ("/api/", "/static/", "/metrics", "/health", "/ready")


def wants_page(scope: Scope) -> bool:
    """Whether a browser asks for a page, rather than a program for the API."""
    path: str = scope["path"]
    return not path.startswith(_PROGRAMS) and "text/html" in (header(scope, b"accept") or "")


class ErrorPages:
    """Makes the page that tells an error.

    Args:
        navigation: for whoever is signed in.
    """

    def __init__(self, service: Service, navigation: Sequence[Entry]) -> None:
        self._service = service
        self._navigation = navigation

    def __call__(
        self, scope: Scope, status: int, body: bytes, request_id: str
    ) -> tuple[Headers, bytes] | None:
        """Headers and body of the page; None where a program asks.

        Args:
            body: the JSON that a program would be told.
        """
        if not wants_page(scope):
            return None
        visit = scope.get("homing.visit") or Visit(
            self._service, Request(scope), navigation=self._navigation
        )
        values = {
            "home": _home(scope["path"]),
            "is_portal": scope["path"].startswith(f"{PORTAL_PATH}/"),
            "status": status,
            "sentences": [] if status == 500 else _sentences(body),
            "help": _HELP.get(status, ""),
            "request_id": request_id,
        }
        title = _TITLES.get(status, "That did not work")
        page = Page("error.html", title, "", values, status)
        response = visit.finish(show(visit, page))
        kept = [(n, v) for n, v in response.raw_headers if n != b"content-length"]
        return kept, bytes(response.body)


def _home(path: str) -> str:
    """Where whoever asked for `path` is at home: a receiver in the portal, and nowhere else."""
    found = re.match(rf"{PORTAL_PATH}/app_\w+", path)
    return found[0] if found else f"{PORTAL_PATH}/enter" if path.startswith(PORTAL_PATH) else "/"


def _sentences(body: bytes) -> list[str]:
    """What the JSON of an error says, for people."""
    told = msgspec.json.decode(body)
    detail = told["detail"]
    if isinstance(detail, str):
        end = "" if detail.endswith((".", "!", "?")) else "."
        return [detail[:1].upper() + detail[1:] + end]
    return [
        f"{', '.join(step for step in one['loc'][1:])}: {one['msg']}"
        if one["loc"][1:]
        else one["msg"]
        for one in detail
    ]
