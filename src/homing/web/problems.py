"""From an error to what the caller is told: one table, two JSON shapes.

Both shapes are those that Svix's SDKs parse: `{"code", "detail"}`, and for 422 a list of places.
"""

from __future__ import annotations

import ast
import re
from typing import Final

import msgspec

from homing.core import errors
from homing.core.errors import HomingError, Invalid, Problem, Refused, Unavailable
from homing.web.schemas import PATTERN_WORDS, Schema

#: the class of an error, or its nearest base, to the status of the response
STATUSES: Final[dict[type[HomingError], int]] = {
    errors.RequestError: 400,
    errors.Invalid: 422,
    errors.Refused: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.TooLarge: 413,
    errors.NotServed: 501,
    # 503, not 429 or 409: it is what every SDK tries again by itself
    errors.StoreError: 503,
}

_PLACE: Final = re.compile(r" - at `\$(?P<path>.*?)`$")
_MISSING: Final = re.compile(r"Object missing required field `(?P<name>.*?)`")
_PATTERN: Final = re.compile(r"Expected `str` matching regex (?P<regex>(['\"]).*\2)")
_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[([^\]]*)\]")


class HttpErrorOut(Schema, kw_only=True):
    """Why a request was not done."""

    code: str
    detail: str


class ValidationErrorItem(Schema, kw_only=True):
    """One thing that is wrong with a request."""

    loc: list[str]
    msg: str
    type: str


class HTTPValidationError(Schema, kw_only=True):
    """Everything that is wrong with a request."""

    detail: list[ValidationErrorItem]


class MethodNotAllowed(errors.RequestError):
    """The path exists, but not with this method."""

    code = "method_not_allowed"

    def __init__(self, allowed: list[str]) -> None:
        self.allowed = allowed
        super().__init__(f"this path takes {', '.join(allowed)}")


STATUSES[MethodNotAllowed] = 405

Headers = list[tuple[bytes, bytes]]


def describe(error: HomingError) -> tuple[int, Headers, bytes]:
    """The status, extra headers and JSON body that tell a caller about `error`."""
    if isinstance(error, Invalid):
        return 422, [], msgspec.json.encode(_validation(error))
    status = next((STATUSES[base] for base in type(error).__mro__ if base in STATUSES), 500)
    if status == 500:
        return 500, [], INTERNAL
    code = error.reason_code if isinstance(error, Refused) else error.code
    headers: Headers = []
    if status == 503:
        wait_s = error.retry_after_s if isinstance(error, Unavailable) else 1
        headers.append((b"retry-after", str(wait_s).encode()))
    elif status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    elif isinstance(error, MethodNotAllowed):
        headers.append((b"allow", ", ".join(error.allowed).encode()))
    elif status == 413:
        # The rest of the body is not read, so the connection cannot be used again.
        headers.append((b"connection", b"close"))
    return status, headers, msgspec.json.encode(HttpErrorOut(code=code, detail=str(error)))


INTERNAL: Final = msgspec.json.encode(
    HttpErrorOut(code="internal_error", detail="something went wrong here; the log says what")
)


def invalid_from(error: Exception, root: str) -> Invalid:
    """What msgspec found wrong, with the place in the form `("body", "url")`.

    Args:
        error: a DecodeError, ValidationError, UnicodeDecodeError or RecursionError.
        root: "body" or "query".
    """
    if isinstance(error, msgspec.ValidationError):
        text = str(error)
        place = _PLACE.search(text)
        steps = [a or b for a, b in _STEP.findall(place["path"])] if place else []
        message = text[: place.start()] if place else text
        missing = _MISSING.match(message)
        if missing:
            steps.append(missing["name"])
        return Invalid([Problem((root, *steps), _in_words(message))])
    if isinstance(error, RecursionError):
        return Invalid([Problem((root,), "nested too deeply")])
    text = f"expected JSON in UTF-8: {error}"
    return Invalid([Problem((root,), text, "value_error.jsondecode")])


def _in_words(message: str) -> str:
    """What msgspec says, without regular expressions and numbers of standards."""
    if message == "Invalid RFC3339 encoded datetime":
        return "expected a time with its zone, such as 2026-11-23T10:00:00Z"
    found = _PATTERN.fullmatch(message)
    words = found and PATTERN_WORDS.get(ast.literal_eval(found["regex"]))
    return f"expected {words}" if words else message


def _validation(error: Invalid) -> HTTPValidationError:
    return HTTPValidationError(
        detail=[
            ValidationErrorItem(loc=[str(step) for step in where], msg=message, type=kind)
            for where, message, kind in error.problems
        ]
    )
