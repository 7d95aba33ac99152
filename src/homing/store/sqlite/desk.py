"""The desk on SQLite: functions on a connection whose transaction is already begun."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import msgspec

from homing.core.errors import Stale
from homing.core.identifiers import DeliveryId
from homing.core.issues import Burden, Filed, Issue
from homing.core.lifecycle import Delivery
from homing.core.queries import LetterFilter, Page
from homing.store.paging import LAST, between, cut
from homing.store.queries import load_queries
from homing.store.rows import burdens_of, delivery_of, filed_of, filed_row
from homing.store.sqlite.bulk import execute_bulk, fetch_bulk

_SQL = load_queries("sqlite")


class SqliteFiles:
    """`store.filing.Files`; nothing here waits, and the file's one write lock is held."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    async def find(self, ids: Sequence[DeliveryId]) -> list[Filed]:
        return [filed_of(row) for row in fetch_bulk(self._db, "filed", ids)]

    async def find_of_messages(self, message_ids: Sequence[str]) -> list[Filed]:
        rows = self._db.execute(_SQL["filed_of_messages"], _ids(message_ids))
        return [filed_of(row) for row in rows]

    async def place(self, filed: Sequence[Filed]) -> None:
        execute_bulk(self._db, "insert_filed", [filed_row(one) for one in filed])

    async def remove(self, ids: Sequence[DeliveryId]) -> None:
        execute_bulk(self._db, "unfile", ids)

    async def remove_of_messages(self, message_ids: Sequence[str]) -> None:
        self._db.execute(_SQL["unfile_messages"], _ids(message_ids))

    async def open_issues(self, fresh: Sequence[Issue]) -> list[Issue]:
        self._db.executemany(_SQL["add_resource"], [_row(issue) for issue in fresh])
        which = [(issue.kind, issue.scope, issue.uid) for issue in fresh]
        return [_issue(row) for row in fetch_bulk(self._db, "issues_by_uids", which)]

    async def issues(self, ids: Sequence[str]) -> list[Issue]:
        given = _ids(ids) | {"kind": Issue.kind}
        return [_issue(row) for row in self._db.execute(_SQL["resources_by_ids"], given)]

    async def merged(self, into: Sequence[str]) -> list[Issue]:
        return merged_issues(self._db, into)

    async def nonempty(self, issue_ids: Sequence[str]) -> set[str]:
        return {name for (name,) in self._db.execute(_SQL["nonempty_issues"], _ids(issue_ids))}

    async def put_issues(self, issues: Sequence[Issue]) -> None:
        put_issues(self._db, issues)

    async def at_stake(self, message_ids: Sequence[str]) -> list[tuple[str, bytes | None, str]]:
        return self._db.execute(_SQL["payloads_at_stake"], _ids(message_ids)).fetchall()


def put_issues(db: sqlite3.Connection, issues: Sequence[Issue]) -> None:
    """Replace all of these, or none.

    Raises:
        Stale: one has changed since it was read.
    """
    for issue in issues:
        if db.execute(_SQL["update_resource"], _row(issue)).rowcount == 0:
            raise Stale(f"issue {issue.id} has changed since it was read")


def filed(db: sqlite3.Connection, ids: Sequence[DeliveryId]) -> dict[DeliveryId, Filed]:
    found = map(filed_of, fetch_bulk(db, "filed", ids))
    return {DeliveryId(one.message_id, one.endpoint_id): one for one in found}


def letters(db: sqlite3.Connection, which: LetterFilter, page: Page) -> list[Filed]:
    low, high = between(page)
    given: dict[str, Any] = {
        "app_id": which.app_id,
        "issue_id": which.issue_id,
        "discarded": which.discarded,
        "message_low": low.message_id,
        "endpoint_low": low.endpoint_id,
        "message_high": high.message_id,
        "endpoint_high": high.endpoint_id,
        "limit": page.limit,
    }
    name = "list_discarded" if which.issue_id is None else "list_filed_of_issue"
    name = f"{name}_descending" if page.descending else name
    return [filed_of(row) for row in db.execute(_SQL[name], given)]


def burdens(db: sqlite3.Connection, issue_ids: Sequence[str]) -> dict[str, Burden]:
    return burdens_of(db.execute(_SQL["burdens"], _ids(issue_ids)))


def unresolved_issues(db: sqlite3.Connection, page: Page) -> list[Issue]:
    low, high = cut("", LAST, page)
    name = "unresolved_issues_descending" if page.descending else "unresolved_issues"
    given = {"low": low, "high": high, "limit": page.limit}
    return [_issue(row) for row in db.execute(_SQL[name], given)]


def merged_issues(db: sqlite3.Connection, into: Iterable[str]) -> list[Issue]:
    return [_issue(row) for row in db.execute(_SQL["merged_issues"], _ids(list(into)))]


def deliveries_by_ids(
    db: sqlite3.Connection, ids: Sequence[DeliveryId]
) -> dict[DeliveryId, Delivery]:
    rows = chain(fetch_bulk(db, "present_hot", ids), fetch_bulk(db, "present_history", ids))
    return {delivery.id: delivery for delivery in map(delivery_of, rows)}


def _ids(ids: Sequence[str]) -> dict[str, str]:
    return {"ids": msgspec.json.encode(ids).decode()}


def _row(issue: Issue) -> dict[str, str | int | None]:
    return {
        "kind": issue.kind,
        "scope": issue.scope,
        "id": issue.id,
        "uid": issue.uid,
        "version": issue.version,
        "document": msgspec.json.encode(issue).decode(),
    }


def _issue(row: Sequence[Any]) -> Issue:
    return msgspec.json.decode(row[0], type=Issue)
