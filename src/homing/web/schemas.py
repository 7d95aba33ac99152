"""The words that requests and responses are made of.

Limits are those of the Svix API document, unless a comment says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Final, Generic, TypeVar

import msgspec
from msgspec import Meta

from homing.service.listing import Ask, Listing

T = TypeVar("T")
U = TypeVar("U")

#: `$` alone would let a line break at the end pass in Python; JSON Schema's does not, so the
#: published document has `$` only (see `openapi`)
END: Final = r"(?!\n)$"
_NAME: Final = r"^[a-zA-Z0-9\-_.]+" + END

_NAME_WORDS: Final = "letters (a to z), digits, hyphens, underscores and dots"
#: without NUL, which PostgreSQL cannot keep
_TEXT: Final = r"^[^\u0000]*$"
_LINE: Final = r"^[^\u0000]+$"
#: what a pattern asks for, as a person would say it
PATTERN_WORDS: Final = {_TEXT: "text without NUL", _LINE: "text without NUL, and not empty"}


def matching(
    pattern: str, words: str, *, min_length: int | None = None, max_length: int | None = None
) -> Meta:
    """A pattern that a text must match; `words` say so to whoever sends another."""
    PATTERN_WORDS[pattern] = words
    return Meta(pattern=pattern, min_length=min_length, max_length=max_length)


Uid = Annotated[str, matching(_NAME, _NAME_WORDS, min_length=1, max_length=256)]
EventTypeName = Annotated[str, matching(_NAME, _NAME_WORDS, min_length=1, max_length=256)]
#: `:` and `+` besides, as Svix's cloud takes
Channel = Annotated[
    str,
    matching(
        r"^[a-zA-Z0-9\-_.:+]+" + END,
        "letters (a to z), digits and any of - _ . : +",
        min_length=1,
        max_length=128,
    ),
]
Tag = Annotated[
    str,
    matching(
        r"^[a-zA-Z0-9\-_./\\#]+" + END,
        "letters (a to z), digits and any of - _ . / \\ #",
        min_length=1,
        max_length=128,
    ),
]
#: text for people; Svix's has no upper bound
Text = Annotated[str, Meta(pattern=_TEXT, max_length=4_096)]
Name = Annotated[str, Meta(pattern=_LINE, min_length=1, max_length=1_024)]
Metadata = dict[Text, Text]
Rate = Annotated[int, Meta(ge=1, le=65_535)]
Concurrency = Annotated[int, Meta(ge=1, le=65_535)]
Weight = Annotated[int, Meta(ge=1, le=100)]
Moment = Annotated[datetime, Meta(tz=True)]
Timestamp = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
#: JSON that is handed through byte by byte
JsonObject = Annotated[msgspec.Raw, Meta(extra_json_schema={"type": "object"})]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
#: times outside of what an identifier can hold mean "no bound"; 2100 is well inside
_LATEST_US: Final = 4_102_444_800_000_000


class Schema(msgspec.Struct, rename="camel"):
    """A JSON object of the API.

    Unknown members of a request are ignored, as newer SDKs may have some.
    """


class Query(msgspec.Struct, kw_only=True, frozen=True):
    """The parameters in a URL; unknown ones are ignored."""


class NoQuery(Query, frozen=True):
    """No parameters."""


class PageQuery(Query, frozen=True, kw_only=True):
    """Which page of a listing."""

    limit: Annotated[int, Meta(ge=1, le=250)] = 50
    iterator: str | None = None

    def ask(self, *, descending: bool = False) -> Ask:
        return Ask(limit=self.limit, iterator=self.iterator, descending=descending)


class ListOut(Schema, Generic[T], kw_only=True):
    """A page of a listing."""

    data: list[T]
    iterator: str | None
    prev_iterator: str | None
    done: bool


class Nothing(Schema, kw_only=True):
    """An empty object."""


def page_of(listing: Listing[T], change: Callable[[T], U]) -> ListOut[U]:
    """A page as it goes out; `change` makes the wire form of one row."""
    return ListOut(
        data=[change(row) for row in listing.data],
        iterator=listing.iterator,
        prev_iterator=listing.prev_iterator,
        done=listing.done,
    )


def rfc3339(at_us: int) -> str:
    """UTC with microseconds, e.g. 2026-01-01T00:00:00.000000Z."""
    seconds, rest_us = divmod(at_us, 1_000_000)
    return f"{_second(seconds)}.{rest_us:06d}Z"


@lru_cache(maxsize=1_024)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def microseconds(moment: datetime) -> int:
    """Since 1970 UTC, 0 to the year 2100."""
    return min(max((moment - _EPOCH) // _MICROSECOND, 0), _LATEST_US)


def distinct(values: list[str] | None) -> tuple[str, ...]:
    """Without repetitions, in order; None is empty."""
    return tuple(dict.fromkeys(values or ()))
