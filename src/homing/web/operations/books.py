"""The books and the delivery log: beyond what Svix has."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any, Final, Literal

from msgspec import Meta

from homing.core.errors import ConfigError, Invalid, NotServed, Problem
from homing.core.operational import scope_of
from homing.core.queries import LedgerRow, LogCursor, LoggedEntry
from homing.core.resources import Application
from homing.insight.ledger import report
from homing.service import books, log_export
from homing.service.operational import find_traffic
from homing.web.operation import Answer, Call, Streamed, answer, operation
from homing.web.schemas import Moment, Query, Schema, Timestamp, Uid, microseconds, rfc3339

_TAG: Final = "Books"
PARQUET: Final = b"application/vnd.apache.parquet"

#: windows in one answer: a month of hours
_WINDOWS_MAX: Final = 1_000
_DAY_US: Final = 86_400_000_000


class LedgerQuery(Query, frozen=True, kw_only=True):
    """Which messages: those accepted from `since` (a day before `until`) to `until` (now)."""

    since: Moment | None = None
    until: Moment | None = None
    window_s: Annotated[int, Meta(ge=60, le=2_678_400)] = 3_600


class LedgerRowOut(Schema, kw_only=True):
    """The books of one endpoint for one window."""

    app_id: str
    endpoint_id: str
    window_at: Timestamp
    accepted: int
    delivered: int
    dead: int
    cancelled: int
    parked: int
    leased: int
    waiting: int


class MisfitOut(Schema, kw_only=True):
    """A delivery that the books cannot place."""

    delivery_id: str
    kind: str


class LedgerOut(Schema, kw_only=True):
    """The books: accepted = delivered + dead + cancelled + parked + leased + waiting."""

    balanced: bool
    unaccounted: int
    since: Timestamp
    until: Timestamp
    window_s: int
    total: LedgerRowOut
    rows: list[LedgerRowOut]
    misfits: list[MisfitOut]


class LogQuery(Query, frozen=True, kw_only=True):
    """Which lines of the delivery log."""

    #: the `cursor` of the last line that was read
    cursor: Annotated[str, Meta(max_length=64)] | None = None
    limit: Annotated[int, Meta(ge=1, le=1_000_000)] = 10_000
    app_id: Uid | None = None
    format: Literal["jsonl", "parquet"] = "jsonl"


async def _own(call: Call[Any, Any], app_ids: Sequence[str], known: dict[str, bool]) -> None:
    """Finds out which applications are the caller's, the hidden one among them."""
    unknown = [app_id for app_id in dict.fromkeys(app_ids) if app_id not in known]
    if not unknown:
        return
    found = await call.service.store.by_ids(Application, unknown)
    known.update(dict.fromkeys(unknown, False))
    mine = (call.caller.org_id, scope_of(call.caller.org_id))
    known.update((app.id, app.scope in mine) for app in found)


def _row_out(row: LedgerRow) -> LedgerRowOut:
    return LedgerRowOut(
        app_id=row.app_id,
        endpoint_id=row.endpoint_id,
        window_at=rfc3339(row.window_at_us),
        accepted=row.accepted,
        delivered=row.delivered,
        dead=row.dead,
        cancelled=row.cancelled,
        parked=row.parked,
        leased=row.leased,
        waiting=row.waiting,
    )


@operation(
    "GET",
    "/ledger",
    "v1.ledger.get",
    "Count every accepted delivery again, from the rows alone, and see whether the books balance",
    tag=_TAG,
    query=LedgerQuery,
    answers={200: LedgerOut},
    org_only=True,
)
async def get_ledger(call: Call[LedgerQuery, None]) -> Answer:
    query, clock = call.query, call.service.clock
    until_us = clock.now_us() if query.until is None else microseconds(query.until)
    since_us = until_us - _DAY_US if query.since is None else microseconds(query.since)
    if since_us >= until_us:
        raise Invalid([Problem(("query", "since"), "expected a time before `until`")])
    if (until_us - since_us) > _WINDOWS_MAX * query.window_s * 1_000_000:
        text = f"expected at most {_WINDOWS_MAX} windows; make them longer"
        raise Invalid([Problem(("query", "window_s"), text)])
    found = await books.audit(
        call.service.store, clock, since_us=since_us, until_us=until_us, window_s=query.window_s
    )
    own: dict[str, bool] = {}
    # By its message, not by a row of its endpoint: a delivery of which no trace is left has none.
    messages = await call.service.store.messages_by_ids(
        list({misfit.delivery.message_id for misfit in found.misfits})
    )
    app_ids = {message.id: message.app_id for message in messages.values()}
    await _own(call, [*(row.app_id for row in found.rows), *app_ids.values()], own)
    mine = {row.endpoint_id for row in found.rows if own[row.app_id]}
    audited = report(
        [row for row in found.rows if own[row.app_id]],
        [
            misfit
            for misfit in found.misfits
            if own.get(app_ids.get(misfit.delivery.message_id, ""))
            or misfit.delivery.endpoint_id in mine
        ],
        at_us=found.at_us,
        since_us=since_us,
        until_us=until_us,
    )
    out = LedgerOut(
        balanced=audited.is_balanced,
        unaccounted=audited.unaccounted,
        since=rfc3339(since_us),
        until=rfc3339(until_us),
        window_s=query.window_s,
        total=_row_out(audited.total),
        rows=[_row_out(row) for row in audited.rows],
        misfits=[MisfitOut(delivery_id=str(m.delivery), kind=m.kind) for m in audited.misfits],
    )
    return answer(200, out)


@operation(
    "GET",
    "/delivery-log",
    "v1.delivery-log.get",
    "Read the delivery log, oldest line first, as JSON lines or Parquet",
    tag=_TAG,
    query=LogQuery,
    answers={200: str},
    org_only=True,
    content_types=("application/jsonl", PARQUET.decode()),
)
async def get_log(call: Call[LogQuery, None]) -> Answer | Streamed:
    query, store = call.query, call.service.store
    app_id = None
    if query.app_id is not None:
        app_id = (await find_traffic(call.service, call.caller, query.app_id)).id
    own: dict[str, bool] = {}

    async def keep(page: Sequence[LoggedEntry]) -> list[LoggedEntry]:
        await _own(call, [line.entry.app_id for line in page], own)
        return [line for line in page if own[line.entry.app_id]]

    pages = log_export.log_pages(
        store, _cursor(query.cursor), limit=query.limit, app_id=app_id, keep=keep
    )
    if query.format == "parquet":
        try:
            content = log_export.parquet([page async for page in pages])
        except ConfigError as error:
            raise NotServed(str(error)) from error
        return Answer(200, content, PARQUET)
    return Streamed(b"application/jsonl", _lines(pages))


def _cursor(text: str | None) -> LogCursor:
    try:
        return LogCursor() if text is None else log_export.parse_cursor(text)
    except ValueError as error:
        raise Invalid([Problem(("query", "cursor"), str(error))]) from error


async def _lines(pages: AsyncIterator[list[LoggedEntry]]) -> AsyncIterator[bytes]:
    async for page in pages:
        yield log_export.json_lines(page)


OPERATIONS = (get_ledger, get_log)
