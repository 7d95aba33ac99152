"""Pages of a listing, forwards and backwards, with iterators that a caller hands back."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

import msgspec

from homing.core.errors import Invalid, Problem
from homing.core.identifiers import made_at_us, parse_delivery_id
from homing.core.queries import Page

T = TypeVar("T")
U = TypeVar("U")

NAME_PATTERN: Final = re.compile(r"[a-zA-Z0-9\-_.]{1,256}")
#: how often more rows are read to fill a page from which most are left out
_FETCHES_MAX: Final = 40
#: a name that begins with "-" would read as "backwards from"; this mark before it prevents that
_FORWARD_MARK: Final = "~"


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """Which page a caller wants."""

    limit: int = 50  #: 1 to 250
    descending: bool = False
    #: where to go on: the last name of a page, or "-" and its first name to go backwards
    iterator: str | None = None


class Listing(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A page, and the iterators that lead on from it."""

    data: list[T]
    iterator: str | None  #: to go on; None: the page is empty
    prev_iterator: str | None  #: to go back; None: the page is empty
    done: bool  #: nothing more in the direction that was asked for

    def map(self, change: Callable[[T], U]) -> Listing[U]:
        """The same page of something else."""
        return Listing(
            data=[change(row) for row in self.data],
            iterator=self.iterator,
            prev_iterator=self.prev_iterator,
            done=self.done,
        )


async def paginate(
    fetch: Callable[[Page], Awaitable[list[T]]],
    name_of: Callable[[T], str],
    ask: Ask,
    *,
    is_name: Callable[[str], bool],
    keep: Callable[[T], bool] = lambda row: True,
) -> Listing[T]:
    """One page.

    Args:
        fetch: reads a page of the store.
        name_of: what the rows are ordered by.
        is_name: whether a text has the form of such a name.
        keep: rows for which it is false are skipped; a page may then have fewer than it could.

    Raises:
        Invalid: the iterator is not one that a listing like this gave.
    """
    backwards, after = _read_iterator(ask.iterator, is_name)
    rows: list[T] = []
    cut_short = True
    for _ in range(_FETCHES_MAX):
        page = Page(limit=ask.limit + 1, descending=ask.descending != backwards, after=after)
        found = await fetch(page)
        rows += [row for row in found if keep(row)]
        if len(found) < page.limit or len(rows) > ask.limit:
            cut_short = False
            break
        after = name_of(found[-1])
    done = len(rows) <= ask.limit and not cut_short
    del rows[ask.limit :]
    if backwards:
        rows.reverse()
    first, last = (name_of(rows[0]), name_of(rows[-1])) if rows else (None, None)
    if cut_short:  # goes on behind the last row that was looked at, shown or not
        first, last = (after, last) if backwards else (first, after)
    return Listing(
        data=rows,
        iterator=None if last is None else _forward(last),
        prev_iterator=None if first is None else "-" + first,
        done=done,
    )


def is_id(prefix: str) -> Callable[[str], bool]:
    """Whether a text is an identifier with this prefix."""

    def check(text: str) -> bool:
        if not text.startswith(prefix):
            return False
        try:
            made_at_us(text)
        except ValueError:
            return False
        return True

    return check


def is_delivery_id(text: str) -> bool:
    """Whether a text has the form of a delivery id."""
    try:
        which = parse_delivery_id(text)
    except ValueError:
        return False
    return is_id("msg_")(which.message_id) and is_id("ep_")(which.endpoint_id)


def is_plain_name(text: str) -> bool:
    """Whether a text could be a uid, an event type's name or an event id."""
    return NAME_PATTERN.fullmatch(text) is not None


def _forward(name: str) -> str:
    return _FORWARD_MARK + name if name.startswith("-") else name


def _read_iterator(iterator: str | None, is_name: Callable[[str], bool]) -> tuple[bool, str | None]:
    if iterator is None:
        return False, None
    backwards = iterator.startswith("-")
    name = iterator[1:] if backwards else iterator.removeprefix(_FORWARD_MARK)
    if not is_name(name):
        raise Invalid([Problem(("query", "iterator"), "expected an iterator from a listing")])
    return backwards, name
