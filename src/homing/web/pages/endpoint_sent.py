"""`…/sent`: everything that was for an endpoint, as a file, for its receiver's own books."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
from starlette.responses import Response, StreamingResponse

from homing.core.errors import Invalid, Problem
from homing.core.lifecycle import Delivery
from homing.core.records import Message
from homing.service.endpoints import find_endpoint
from homing.service.listing import Ask
from homing.service.sent import list_sent
from homing.web.pages.endpoints import names
from homing.web.pages.places import in_both
from homing.web.pages.shell import Visit, get
from homing.web.schemas import rfc3339

COLUMNS: Final = ("id", "event_type", "event_id", "accepted_at", "state", "attempts", "finished_at")
#: rows that are read at a time: between two of them others get their turn
_PAGE: Final = 250
_HOURS_MAX: Final = 24 * 366
_KINDS: Final = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}


async def download(visit: Visit) -> Response:
    """The file, written while it is read, oldest first."""
    app, id = names(visit)
    kind, hours = visit.query.get("as", "csv"), visit.query.get("hours", "24")
    if kind not in _KINDS:
        raise Invalid([Problem(("query", "as"), "expected csv or jsonl")])
    if not (hours.isascii() and hours.isdecimal() and 1 <= int(hours[:9]) <= _HOURS_MAX):
        raise Invalid([Problem(("query", "hours"), f"expected hours, 1 to {_HOURS_MAX}")])
    await find_endpoint(visit.service, visit.caller, app, id)
    until_us = visit.service.clock.now_us()
    rows = _rows(visit, app, id, until_us - int(hours) * 3_600_000_000, until_us)
    lines = _as_csv(rows) if kind == "csv" else _as_json(rows)
    headers = {"content-disposition": f'attachment; filename="sent-{id}.{kind}"'}
    return StreamingResponse(lines, media_type=_KINDS[kind], headers=headers)


async def _rows(
    visit: Visit, app: str, id: str, since_us: int, until_us: int
) -> AsyncIterator[list[dict[str, Any]]]:
    ask = Ask(limit=_PAGE)
    while True:
        listing = await list_sent(
            visit.service, visit.caller, app, id, ask, since_us=since_us, until_us=until_us
        )
        yield [_row(*one) for one in listing.data]
        if listing.done or listing.iterator is None:
            return
        ask = Ask(limit=_PAGE, iterator=listing.iterator)


def _row(delivery: Delivery, message: Message) -> dict[str, Any]:
    finished_us = delivery.finished_at_us
    values = (
        message.id,
        message.event_type,
        message.event_id,
        rfc3339(delivery.accepted_at_us),
        delivery.state.value,
        delivery.leases,
        None if finished_us is None else rfc3339(finished_us),
    )
    return dict(zip(COLUMNS, values, strict=True))


async def _as_csv(pages: AsyncIterator[list[dict[str, Any]]]) -> AsyncIterator[bytes]:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    async for rows in pages:
        for row in rows:
            writer.writerow({name: _cell(value) for name, value in row.items()})
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()


def _cell(value: Any) -> Any:
    """What a spreadsheet would take for a formula begins with an apostrophe."""
    return (
        f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@")) else value
    )


async def _as_json(pages: AsyncIterator[list[dict[str, Any]]]) -> AsyncIterator[bytes]:
    async for rows in pages:
        yield b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


PAGES = in_both((get("/endpoints/{app}/{id}/sent", download),))
