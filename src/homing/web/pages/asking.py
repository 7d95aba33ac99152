"""What pages read out of queries and forms: pages of a list, numbers, texts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from homing.core.errors import Invalid, Problem
from homing.core.plurals import plural
from homing.service.listing import Ask, Listing
from homing.web.pages.shell import Visit

#: lines of a list: what fits a screen or two
LINES: int = 25
_TEXT_MAX = 500


def ask_of(visit: Visit, limit: int = LINES, name: str = "from") -> Ask:
    """Which page of a list the visit is to.

    Args:
        name: of the parameter that says so.
    """
    return Ask(limit=limit, iterator=visit.query.get(name) or None)


def turns(visit: Visit, listing: Listing[Any], name: str = "from") -> dict[str, str]:
    """`before` and `after` for the macro `pager`: URLs, empty where there is nothing more."""
    asked = visit.query.get(name) or ""
    backwards = asked.startswith("-")
    more = {"after": bool(listing.data) and (backwards or not listing.done)}
    more["before"] = bool(asked) and (not listing.done if backwards else True)
    places = {"before": listing.prev_iterator, "after": listing.iterator}
    return {
        way: visit.with_query(**{name: places[way]}) if more[way] and places[way] else ""
        for way in places
    }


def text_in(fields: Mapping[str, str], name: str, *, most: int = _TEXT_MAX) -> str:
    """A text without spaces around it; empty where it was not given.

    Raises:
        Invalid: longer than `most`, or with a NUL in it.
    """
    text = fields.get(name, "").strip()
    if len(text) > most or "\0" in text:
        raise Invalid([Problem(("body", name), f"expected at most {plural(most, 'character')}")])
    return text


def needed(fields: Mapping[str, str], name: str, what: str, *, most: int = _TEXT_MAX) -> str:
    """A text that has to be there.

    Raises:
        Invalid: it is not.
    """
    text = text_in(fields, name, most=most)
    if not text:
        raise Invalid([Problem(("body", name), f"expected {what}")])
    return text


def number_in(
    fields: Mapping[str, str], name: str, *, low: float, high: float, default: float | None = None
) -> float | None:
    """A number; `default` where it was not given.

    Raises:
        Invalid: it is none, or out of bounds.
    """
    text = fields.get(name, "").strip()
    if not text:
        return default
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not low <= number <= high:
        problem = f"expected a number from {low:g} to {high:g}, found {text[:40]!r}"
        raise Invalid([Problem(("body", name), problem)])
    return number


def whole_in(
    fields: Mapping[str, str], name: str, *, low: int, high: int, default: int | None = None
) -> int | None:
    """A whole number; `default` where it was not given.

    Raises:
        Invalid: it is none, or out of bounds.
    """
    found = number_in(fields, name, low=low, high=high)
    if found is None:
        return default
    if found != int(found):
        raise Invalid([Problem(("body", name), f"expected a whole number, found {found:g}")])
    return int(found)


def moment_in(fields: Mapping[str, str], name: str) -> int | None:
    """A time as browsers send it, taken as UTC; None where it was not given.

    Raises:
        Invalid: it is none.
    """
    text = text_in(fields, name, most=40)
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
        return round(at.timestamp() * 1_000_000)
    except (ValueError, OverflowError):
        problem = f"expected a time such as 2026-12-01T09:30, found {text!r}"
        raise Invalid([Problem(("body", name), problem)]) from None
