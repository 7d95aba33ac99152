"""Which headers an endpoint may add to its requests."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

from homing.core.errors import Invalid, Problem

_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}")  # a token of RFC 9110 5.6.2
_VALUE: Final = re.compile(r"[\t\x20-\x7e]{0,4096}")  # one line: a break would begin a new header
#: headers of one endpoint: with the longest values still below what servers commonly take
_COUNT_MAX: Final = 50

#: what the request itself says, and what belongs to one connection (RFC 9110 7.6.1)
_OURS: Final = frozenset(
    {
        "user-agent",
        "host",
        "content-type",
        "content-length",
        "content-encoding",
        "transfer-encoding",
        "accept-encoding",
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "upgrade",
        "expect",
        "date",
    }
)
#: signatures that receivers rely on, and what proxies and clouds are trusted to have set
_OURS_BEGINNING: Final = (
    "webhook-",
    "svix-",
    "x-svix-",
    "x-forwarded-",
    "x-amz-",
    "x-amzn-",
    "x-goog-",
    "x-google-",
    "cf-",
)

#: names whose values are not shown again
SENSITIVE: Final = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "cookie",
        "x-api-key",
        "api-key",
        "x-auth-token",
    }
)


def check_headers(headers: Mapping[str, str], *, where: tuple[str, ...]) -> None:
    """Whether these may be sent.

    Args:
        headers: value by name, all that the endpoint would have.
        where: the path to them, for the error.

    Raises:
        Invalid: one entry for each that may not be set.
    """
    problems = [
        Problem((*where, name), text)
        for name, value in headers.items()
        if (text := _problem_of(name, value))
    ]
    if problems:
        raise Invalid(problems)
    check_names(headers, where=where)


def check_names(names: Collection[str], *, where: tuple[str, ...]) -> None:
    """Whether an endpoint may have headers of these names, each of which may be sent.

    Raises:
        Invalid: too many, or one twice.
    """
    if len(names) > _COUNT_MAX:
        raise Invalid([Problem(where, f"expected at most {_COUNT_MAX} headers")])
    if len({name.lower() for name in names}) < len(names):
        raise Invalid([Problem(where, "the same header is named twice")])


def _problem_of(name: str, value: str) -> str | None:
    if not _NAME.fullmatch(name):
        return "expected a header name of letters, digits and !#$%&'*+-.^_`|~, at most 128"
    if name.lower() in _OURS or name.lower().startswith(_OURS_BEGINNING):
        return "this header is set by Homing or must not be set"
    if not _VALUE.fullmatch(value):
        return "expected one line of printable ASCII, at most 4096 characters"
    return None
