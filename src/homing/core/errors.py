"""The errors Homing raises on purpose.

HomingError                    every error raised on purpose; `code` is a stable word for machines
├── RequestError                the caller asked for something impossible
│   ├── Invalid                 one entry per field in `problems`
│   ├── Refused                 well-formed, but not in this state; `code` says why
│   ├── Unauthenticated
│   ├── Forbidden
│   ├── NotFound
│   ├── Conflict                taken already, or the same idempotency key with another body
│   ├── TooLarge
│   └── NotServed               an operation that Homing does not offer
├── ConfigError                 the operator's settings cannot be used; all problems at once
├── StoreError                  the database did not do as asked; the driver's error is __cause__
│   ├── Unavailable             try again later
│   ├── Stale                   somebody else was first; read again
│   └── SchemaMismatch          says which command repairs it
│       └── EmptyDatabase
└── IllegalTransition           a bug; never caught below the outermost loop
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple


class HomingError(Exception):
    """Every error raised on purpose."""

    #: a stable word for machines; part of the public interface
    code: ClassVar[str] = "error"


class RequestError(HomingError):
    """The caller asked for something impossible."""

    code = "generic_error"


class Problem(NamedTuple):
    """One thing that is wrong with a request."""

    where: tuple[str | int, ...]  #: path to it, e.g. ("body", "url")
    message: str  #: what was expected and what was found
    kind: str = "value_error"  #: a word for machines


class Invalid(RequestError):
    """The request does not have the shape or the values it must have."""

    code = "validation"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(f"{'.'.join(map(str, p.where))}: {p.message}" for p in problems))

    def __reduce__(self) -> tuple[type[Invalid], tuple[list[Problem]]]:
        return Invalid, (self.problems,)  # so that it comes home from another process


class Refused(RequestError):
    """The request is well-formed, but cannot be done as things stand."""

    def __init__(self, code: str, detail: str) -> None:
        self.reason_code = code
        super().__init__(detail)


class Unauthenticated(RequestError):
    """No token, or one that is not valid."""

    code = "authentication_failed"


class Forbidden(RequestError):
    """The token does not allow this."""

    code = "insufficient access"


class NotFound(RequestError):
    """There is no such thing, or it is somebody else's."""

    code = "not_found"


class Conflict(RequestError):
    """The name is taken, or the same idempotency key came with another body."""

    code = "conflict"


class TooLarge(RequestError):
    """The body is longer than the limit."""

    code = "payload_too_large"


class NotServed(RequestError):
    """Homing does not offer this operation."""

    code = "not_implemented"


class ConfigError(HomingError):
    """The operator's settings cannot be used.

    Args:
        problems: one sentence each, all that were found, n >= 1.
    """

    code = "config"

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(problems))


class StoreError(HomingError):
    """The database did not do as asked."""

    code = "store"


class Unavailable(StoreError):
    """Cannot be done now; the same request may succeed later.

    Args:
        retry_after_s: when to try again, in seconds, >= 1.
    """

    code = "unavailable"

    def __init__(self, message: str, *, retry_after_s: int = 1) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class Stale(StoreError):
    """The row has changed since it was read."""

    code = "stale"


class SchemaMismatch(StoreError):
    """The database has another schema than this version of Homing needs."""

    code = "schema"


class EmptyDatabase(SchemaMismatch):
    """There is none in it yet."""


class IllegalTransition(HomingError):
    """A fact that cannot happen to a delivery in this state: a bug."""

    code = "illegal_transition"
