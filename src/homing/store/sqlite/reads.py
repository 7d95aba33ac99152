"""What the SQLite store reads: functions on a connection, each within one snapshot."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from homing.core.errors import Conflict
from homing.core.identifiers import DeliveryId, first_id, made_at_us, parse_delivery_id
from homing.core.lifecycle import Delivery, State
from homing.core.limits import Lane
from homing.core.outcome import Reason
from homing.core.queries import (
    AttemptFilter,
    Backlog,
    DeadLetters,
    DeliveryFilter,
    LedgerRow,
    LogCursor,
    LoggedEntry,
    MessageFilter,
    Misfit,
    Page,
    Span,
)
from homing.core.records import Attempt, Message, Reply, RequestKey
from homing.core.resources import Resource
from homing.core.tasks import Task
from homing.store.paging import LAST, cut
from homing.store.queries import load_queries
from homing.store.rows import Row, attempt_of, delivery_of, entry_of, message_of
from homing.store.sqlite.bulk import fetch_bulk, fetch_packed

R = TypeVar("R", bound=Resource)

_SQL = load_queries("sqlite")
_encode = msgspec.json.encode
_PAYLOAD = 3  # its place in a row of messages


def _listing(name: str, page: Page) -> str:
    return _SQL[f"{name}_descending" if page.descending else name]


def _texts(values: Sequence[str]) -> str | None:
    """A JSON list for the statement's filter; None when it does not filter."""
    return _encode(values).decode() if values else None


def _first(rows: sqlite3.Cursor) -> int | None:
    row: tuple[int | None] | None = rows.fetchone()
    return None if row is None else row[0]


# --- deliveries -------------------------------------------------------------------------------


def due_lanes(db: sqlite3.Connection, at_us: int, limit: int) -> list[Lane]:
    rows = db.execute(_SQL["due_lanes"], {"at_us": at_us, "limit": limit})
    return [
        Lane(app_id=app_id, endpoint_id=endpoint_id, ready_at_us=ready_at_us, count=count)
        for app_id, endpoint_id, ready_at_us, count in rows
    ]


def walk_lanes(
    db: sqlite3.Connection, state: State, after: tuple[str, str], steps: int, per_app: int
) -> list[Lane]:
    found: list[Lane] = []
    of_app = 0
    while len(found) < steps:
        row = db.execute(_SQL["next_lane"], (str(state), *after)).fetchone()
        if row is None:
            break
        app_id, endpoint_id, ready_at_us = row
        of_app = of_app + 1 if found and found[-1].app_id == app_id else 1
        after = (app_id, endpoint_id if of_app < per_app else LAST)
        found.append(Lane(app_id=app_id, endpoint_id=endpoint_id, ready_at_us=ready_at_us, count=1))
    return found


def behind(db: sqlite3.Connection, at_us: int) -> dict[str, int]:
    return dict(db.execute(_SQL["behind"], {"at_us": at_us}).fetchall())


def next_ready_at_us(db: sqlite3.Connection) -> int | None:
    return _first(db.execute(_SQL["next_ready_at_us"]))


def parked_endpoints(db: sqlite3.Connection) -> list[tuple[str, str]]:
    return db.execute(_SQL["parked_endpoints"]).fetchall()


def backlog(db: sqlite3.Connection, at_us: int) -> Backlog:
    row = db.execute(_SQL["backlog"], {"at_us": at_us}).fetchone()
    waiting, leased, parked, due, oldest_due_at_us = row
    return Backlog(
        waiting=int(waiting),
        leased=int(leased),
        parked=parked,
        due=int(due),
        oldest_due_at_us=oldest_due_at_us,
    )


def delivery(db: sqlite3.Connection, which: DeliveryId) -> Delivery | None:
    row = db.execute(_SQL["delivery"], which).fetchone()
    return None if row is None else delivery_of(row)


def deliveries(db: sqlite3.Connection, which: DeliveryFilter, page: Page) -> list[Delivery]:
    parameters: dict[str, Any] = {
        "app_id": which.app_id,
        "endpoint_id": which.endpoint_id,
        "message_id": which.message_id,
        "states": _texts(which.states),
        "any_message": not which.event_types and which.channel is None,
        "event_types": _texts(which.event_types),
        "channel": which.channel,
        "limit": page.limit,
    }
    parameters |= _delivery_bounds(which, page)
    sql = _listing(_delivery_listing(which), page)
    return [delivery_of(row) for row in db.execute(sql, parameters)]


def _delivery_listing(which: DeliveryFilter) -> str:
    """The statement that walks the narrowest index."""
    if which.message_id is not None and which.endpoint_id is None:
        return "list_deliveries_of_message"
    if which.states == (State.DEAD,) and which.message_id is None:
        if which.endpoint_id is not None:
            return "list_dead_of_endpoint"
        return "list_dead" if which.app_id is None else "list_dead_of_app"
    if which.endpoint_id is not None:
        return "list_deliveries_of_endpoint"
    return "list_deliveries" if which.app_id is None else "list_deliveries_of_app"


def _delivery_bounds(which: DeliveryFilter, page: Page) -> dict[str, str]:
    """The (message id, endpoint id) from which and up to which, exclusive, rows are wanted."""
    low, high = which.span.bounds("msg_")
    if which.message_id is not None:
        low, high = max(low, which.message_id), min(high, f"{which.message_id} ")
    first, end = (low, ""), (high, "")
    if which.endpoint_id is not None:
        low, high = cut(low, high, page)
        first, end = (low, ""), (high, "")
    elif which.message_id is not None:
        endpoint_low, endpoint_high = cut("", LAST, page)
        first = (low, endpoint_low)
        # a message outside the span has no rows: the upper bound is below every name
        end = (high, endpoint_high if low < high else "")
    elif page.after is not None:
        after = parse_delivery_id(page.after)
        if page.descending:
            end = min(end, after)
        else:
            first = max(first, (after.message_id, f"{after.endpoint_id} "))
    return {
        "message_low": first[0],
        "endpoint_low": first[1],
        "message_high": end[0],
        "endpoint_high": end[1],
    }


# --- resources --------------------------------------------------------------------------------


def _resource(kind: type[R], document: str, version: int) -> R:
    found = msgspec.json.decode(document, type=kind)
    return found if found.version == version else msgspec.structs.replace(found, version=version)


def get(db: sqlite3.Connection, kind: type[R], scope: str, name: str) -> R | None:
    which = {"kind": kind.kind, "scope": scope, "name": name}
    row = (
        db.execute(_SQL["resource_by_id"], which).fetchone()
        or db.execute(_SQL["resource_by_uid"], which).fetchone()
    )
    return None if row is None else _resource(kind, *row)


def by_ids(db: sqlite3.Connection, kind: type[R], ids: Sequence[str]) -> list[R]:
    which = {"kind": kind.kind, "ids": _encode(ids).decode()}
    return [_resource(kind, *row) for row in db.execute(_SQL["resources_by_ids"], which)]


def list_resources(db: sqlite3.Connection, kind: type[R], scope: str | None, page: Page) -> list[R]:
    low, high = cut("", LAST, page)
    which = {"kind": kind.kind, "scope": scope, "low": low, "high": high, "limit": page.limit}
    name = "list_all_resources" if scope is None else "list_resources"
    return [_resource(kind, *row) for row in db.execute(_listing(name, page), which)]


def running_tasks(db: sqlite3.Connection, limit: int) -> list[Task]:
    return [_resource(Task, *row) for row in db.execute(_SQL["running_tasks"], (limit,))]


def recall(db: sqlite3.Connection, key: RequestKey, at_us: int) -> Reply | Message | None:
    row = next(fetch_bulk(db, "find_keys", [(key.digest,)]), None)
    if row is None:
        return None
    _, fingerprint, message_id, status, body, expires_at_us = row
    if expires_at_us <= at_us:
        return None
    if fingerprint != key.fingerprint:
        raise Conflict("this key came with another request before")
    if message_id is None:
        return Reply(status=status, body=body)
    return messages_by_ids(db, [message_id]).get(message_id)


# --- records ----------------------------------------------------------------------------------


def message(db: sqlite3.Connection, app_id: str, name: str) -> Message | None:
    row = db.execute(_SQL["message_by_id"], (name,)).fetchone()
    if row is not None and row[1] == app_id:
        return message_of(row)
    which = {"app_id": app_id, "name": name}
    row = db.execute(_SQL["message_by_event_id"], which).fetchone()
    return None if row is None else message_of(row)


def messages(db: sqlite3.Connection, which: MessageFilter, page: Page) -> list[Message]:
    low, high = cut(*which.span.bounds("msg_"), page)
    parameters = {
        "app_id": which.app_id,
        "event_types": _texts(which.event_types),
        "channel": which.channel,
        "tag": which.tag,
        "low": low,
        "high": high,
        "limit": page.limit,
    }
    return [message_of(row) for row in db.execute(_listing("list_messages", page), parameters)]


def messages_by_ids(db: sqlite3.Connection, ids: Sequence[str]) -> dict[str, Message]:
    rows = fetch_packed(db, "messages_by_ids", {"ids": _encode(ids).decode()})
    return {row[0]: message_of(_with_payload(row)) for row in rows}


def _with_payload(row: Row) -> Row:
    """The row with the bytes that it brings in hexadecimal."""
    given = row[_PAYLOAD]
    return [*row[:_PAYLOAD], None if given is None else bytes.fromhex(given), *row[_PAYLOAD + 1 :]]


def first_accepted_at_us(db: sqlite3.Connection) -> int | None:
    return _first(db.execute(_SQL["first_message"]))


def attempt(db: sqlite3.Connection, message_id: str, attempt_id: str) -> Attempt | None:
    row = db.execute(_SQL["attempt"], (message_id, attempt_id)).fetchone()
    return None if row is None else attempt_of(row)


def attempts(db: sqlite3.Connection, which: AttemptFilter, page: Page) -> list[Attempt]:
    low, high = cut(*which.span.bounds("atmpt_"), page)
    parameters = {
        "app_id": which.app_id,
        "endpoint_id": which.endpoint_id,
        "message_id": which.message_id,
        "succeeded": which.succeeded,
        "status_class": which.status_class,
        "any_message": not which.event_types and which.channel is None and which.tag is None,
        "event_types": _texts(which.event_types),
        "channel": which.channel,
        "tag": which.tag,
        "low": low,
        "high": high,
        "limit": page.limit,
    }
    by = "endpoint" if which.message_id is None else "message"
    sql = _listing(f"list_attempts_of_{by}", page)
    return [attempt_of(row) for row in db.execute(sql, parameters)]


def attempt_counts(db: sqlite3.Connection, endpoint_id: str, span: Span) -> dict[Reason, int]:
    low, high = span.bounds("atmpt_")
    which = {"endpoint_id": endpoint_id, "low": low, "high": high}
    return {Reason(reason): count for reason, count in db.execute(_SQL["attempt_counts"], which)}


def log(
    db: sqlite3.Connection, cursor: LogCursor, limit: int, app_id: str | None
) -> list[LoggedEntry]:
    name = "log_lines" if app_id is None else "log_lines_of_app"
    which = {"line": cursor.line, "limit": limit, "app_id": app_id}
    return [_logged(row) for row in db.execute(_SQL[name], which)]


def notable_log(db: sqlite3.Connection, cursor: LogCursor, limit: int) -> list[LoggedEntry]:
    which = {"line": cursor.line, "limit": limit}
    return [_logged(row) for row in db.execute(_SQL["notable_lines"], which)]


def _logged(row: Row) -> LoggedEntry:
    return LoggedEntry(entry_of(row[1:]), LogCursor(line=row[0]))


def dead_letters(
    db: sqlite3.Connection, recent_us: int, past_us: int, after: str, limit: int, most: int
) -> list[DeadLetters]:
    found: list[DeadLetters] = []
    while len(found) < limit:
        row = db.execute(_SQL["next_dead_endpoint"], (after,)).fetchone()
        if row is None:
            break
        after, app_id, oldest_at_us = row

        def count(since_us: int, endpoint_id: str = after) -> int:
            which = {"endpoint_id": endpoint_id, "since_us": since_us, "most": most}
            return int(_first(db.execute(_SQL["dead_since"], which)) or 0)

        found.append(
            DeadLetters(
                endpoint_id=after,
                app_id=app_id,
                count=count(oldest_at_us),
                recent=count(recent_us),
                past=count(past_us),
                oldest_at_us=oldest_at_us,
                newest_at_us=_first(db.execute(_SQL["newest_dead"], (after,))) or oldest_at_us,
            )
        )
    return found


# --- the books --------------------------------------------------------------------------------


def ledger(db: sqlite3.Connection, span: Span, window_s: int) -> list[LedgerRow]:
    """Count window by window: each is a range of ids, answered by indexes alone."""
    low, high = span.half_open_bounds("msg_")
    window_us = window_s * 1_000_000
    books: list[LedgerRow] = []
    while True:
        first, *_ = db.execute(_SQL["next_book"], {"low": low, "high": high}).fetchone()
        if first is None:
            return books
        window_at_us = made_at_us(first) // window_us * window_us
        end = min(high, first_id("msg_", window_at_us + window_us))
        books += _book(db, window_at_us, first, end)
        low = end


def _book(db: sqlite3.Connection, window_at_us: int, low: str, high: str) -> list[LedgerRow]:
    counts: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for name in ("count_born", "count_placed"):
        for endpoint_id, app_id, column, count in db.execute(
            _SQL[name], {"low": low, "high": high}
        ):
            counts[endpoint_id, app_id][column] = count
    return [
        LedgerRow(
            endpoint_id=endpoint_id,
            app_id=app_id,
            window_at_us=window_at_us,
            **{"accepted": 0, **columns},
        )
        for (endpoint_id, app_id), columns in sorted(counts.items())
    ]


def misfits(db: sqlite3.Connection, span: Span, limit: int) -> list[Misfit]:
    low, high = span.half_open_bounds("msg_")
    which = {"low": low, "high": high, "limit": limit}
    found = sorted(
        (DeliveryId(*row), kind)
        for kind in ("unaccounted", "unannounced", "doubled", "uncounted", "unfiled", "misfiled")
        for row in db.execute(_SQL[f"find_{kind}"], which)
    )
    return [Misfit(delivery=delivery_id, kind=kind) for delivery_id, kind in found[:limit]]


def attempts_made(db: sqlite3.Connection, first: str, last: str) -> dict[DeliveryId, int]:
    rows = db.execute(_SQL["attempts_made"], {"first": first, "last": last})
    return {DeliveryId(message_id, endpoint_id): count for message_id, endpoint_id, count in rows}
