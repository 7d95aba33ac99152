"""The rows of a log behind an incident's counts: brought page by page, read a page at a time."""

from __future__ import annotations

import re
from typing import Any, Final, TypeVar

import msgspec

from homing.core.errors import Invalid, NotFound, Problem
from homing.core.resources import Resource
from homing.review.evidence import PAGE, Counted, Kept, RowLists, RowPage, page_id, pages_of
from homing.service.context import Service
from homing.service.incidents import find_incident
from homing.service.tokens import Caller

_ONE: Final = "lists"
_NAME: Final = re.compile(r"[a-z]+(\.[a-z0-9]+)?")
_LISTS_MAX: Final = 12
_PAGES_MAX: Final = 1_000
_R = TypeVar("_R", RowLists, RowPage)


async def find_lists(service: Service, caller: Caller, name: str) -> RowLists | None:
    """What lists an incident has; None: none were brought.

    Raises:
        NotFound: there is no such incident.
    """
    incident = await find_incident(service, caller, name)
    return await service.store.get(RowLists, incident.id, _ONE)


async def find_page(
    service: Service, caller: Caller, name: str, which: str, number: int
) -> tuple[Kept, RowPage]:
    """A page of a list, from 1: one document is read, however long the list is.

    Raises:
        NotFound: there is no such incident, list or page.
    """
    lists = await find_lists(service, caller, name)
    kept = lists.named(which) if lists is not None else None
    if kept is None or not 1 <= number <= kept.pages:
        raise NotFound(f"the incident {name!r} has no page {number} of a list {which!r}")
    page = await service.store.get(RowPage, name, page_id(which, number))
    if page is None:
        raise NotFound(f"page {number} of the list {which!r} was not brought")
    return kept, page


async def put_lists(
    service: Service, caller: Caller, name: str, logs: list[str], lists: list[dict[str, Any]]
) -> RowLists:
    """Say which lists there are, once all of their pages are.

    Raises:
        NotFound: there is no such incident.
        Invalid: a list is none, or a log is not one that the record names.
    """
    incident = await find_incident(service, caller, name)
    named = {one.sha256 for result in incident.results.values() for one in result.inputs}
    if not named.issuperset(logs):
        raise Invalid([Problem(("body", "logs"), "expected hashes of logs that the record names")])
    found = _converted("lists", lists, list[Kept])
    for one in found:
        _check(one.name, pages_of(one.kept))
        if not 0 <= one.lost <= one.total or not 0 <= one.kept <= one.total:
            text = f"{one.name}: expected no more lost, and no more kept, than there are"
            raise Invalid([Problem(("body", "lists"), text)])
    if len(found) > _LISTS_MAX:
        raise Invalid([Problem(("body", "lists"), f"expected at most {_LISTS_MAX}")])
    return await _put(
        service, RowLists, incident.id, _ONE, {"logs": tuple(logs), "lists": tuple(found)}
    )


async def put_page(
    service: Service,
    caller: Caller,
    name: str,
    which: str,
    number: int,
    deliveries: list[dict[str, Any]],
) -> RowPage:
    """Bring one page of a list.

    Raises:
        NotFound: there is no such incident.
        Invalid: a delivery is none, or they are more than a page has.
    """
    incident = await find_incident(service, caller, name)
    _check(which, number)
    found = _converted("deliveries", deliveries, list[Counted])
    if len(found) > PAGE:
        text = f"expected at most {PAGE} deliveries, found {len(found)}"
        raise Invalid([Problem(("body", "deliveries"), text)])
    fields = {"deliveries": tuple(found)}
    return await _put(service, RowPage, incident.id, page_id(which, number), fields)


def _check(which: str, number: int) -> None:
    if not _NAME.fullmatch(which) or not 1 <= number <= _PAGES_MAX:
        text = f"expected a list such as lost, and a page from 1 to {_PAGES_MAX:,}"
        raise Invalid([Problem(("path",), text)])


def _converted(field: str, given: list[dict[str, Any]], kind: Any) -> Any:
    if b"\\u0000" in msgspec.json.encode(given):
        raise Invalid([Problem(("body", field), "expected texts without NUL characters")])
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise Invalid([Problem(("body", field), str(error))]) from error


async def _put(service: Service, kind: type[_R], scope: str, id: str, fields: dict[str, Any]) -> _R:
    """Create, or replace what was brought before."""
    known: Resource | None = await service.store.get(kind, scope, id)
    now_us = service.clock.now_us()
    made = kind(
        scope=scope,
        id=id,
        version=known.version + 1 if known else 1,
        created_at_us=known.created_at_us if known else now_us,
        updated_at_us=now_us,
        **fields,
    )
    await service.store.put(made)
    return made
