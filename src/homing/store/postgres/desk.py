"""The desk on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from homing.core.errors import Stale
from homing.core.identifiers import DeliveryId
from homing.core.issues import Burden, Filed, Issue
from homing.core.lifecycle import Delivery
from homing.core.queries import LetterFilter, Page
from homing.store.paging import LAST, between, cut
from homing.store.postgres.database import Connection, Database
from homing.store.rows import burdens_of, delivery_of, filed_of, filed_row


class PostgresFiles:
    """`store.filing.Files`, on the connection of a transaction."""

    def __init__(self, database: Database, connection: Connection) -> None:
        self._database = database
        self._connection = connection

    async def _fetch(self, name: str, *parameters: Any) -> list[Any]:
        return await self._database.fetch(self._connection, name, *parameters)

    async def find(self, ids: Sequence[DeliveryId]) -> list[Filed]:
        return [filed_of(row) for row in await self._fetch("filed", *_columns(ids))]

    async def find_of_messages(self, message_ids: Sequence[str]) -> list[Filed]:
        rows = await self._fetch("filed_of_messages", list(message_ids))
        return [filed_of(row) for row in rows]

    async def place(self, filed: Sequence[Filed]) -> None:
        if filed:
            rows = sorted(filed_row(one) for one in filed)
            await self._fetch("insert_filed", rows)

    async def remove(self, ids: Sequence[DeliveryId]) -> None:
        if ids:
            await self._fetch("unfile", *_columns(sorted(ids)))

    async def remove_of_messages(self, message_ids: Sequence[str]) -> None:
        await self._fetch("unfile_messages", list(message_ids))

    async def open_issues(self, fresh: Sequence[Issue]) -> list[Issue]:
        which = [issue.scope for issue in fresh], [issue.uid for issue in fresh]
        rows = await self._fetch("lock_issues_by_uids", *which)
        if len(rows) < len(fresh):
            known = {(issue.scope, issue.uid) for issue in map(_issue, rows)}
            for issue in fresh:
                if (issue.scope, issue.uid) not in known:
                    await self._fetch("insert_resource", *_row(issue))
            rows = await self._fetch("lock_issues_by_uids", *which)
        return [_issue(row) for row in rows]

    async def issues(self, ids: Sequence[str]) -> list[Issue]:
        return [_issue(row) for row in await self._fetch("lock_issues", list(ids))]

    async def merged(self, into: Sequence[str]) -> list[Issue]:
        return [_issue(row) for row in await self._fetch("merged_issues", list(into))]

    async def nonempty(self, issue_ids: Sequence[str]) -> set[str]:
        return {row[0] for row in await self._fetch("nonempty_issues", list(issue_ids))}

    async def put_issues(self, issues: Sequence[Issue]) -> None:
        for issue in issues:
            if not await self._fetch("update_resource", *_row(issue)):
                raise Stale(f"issue {issue.id} has changed since it was read")

    async def at_stake(self, message_ids: Sequence[str]) -> list[tuple[str, bytes | None, str]]:
        return [tuple(row) for row in await self._fetch("payloads_at_stake", list(message_ids))]


class PostgresDesk:
    """`core.store.Desk` on PostgreSQL."""

    _database: Database

    async def filed(self, ids: Sequence[DeliveryId]) -> dict[DeliveryId, Filed]:
        found = map(filed_of, await self._database.query("filed", *_columns(ids)))
        return {DeliveryId(one.message_id, one.endpoint_id): one for one in found}

    async def letters(self, which: LetterFilter, page: Page) -> list[Filed]:
        low, high = between(page)
        direction = "_descending" if page.descending else ""
        if which.issue_id is None:
            given: tuple[Any, ...] = (f"list_discarded{direction}", which.app_id)
            more: tuple[Any, ...] = ()
        else:
            given = (f"list_filed_of_issue{direction}", which.issue_id)
            more = (which.discarded,)
        rows = await self._database.browse(*given, *low, *high, page.limit, *more)
        return [filed_of(row) for row in rows]

    async def burdens(self, issue_ids: Sequence[str]) -> dict[str, Burden]:
        return burdens_of(await self._database.browse("burdens", list(issue_ids)))

    async def unresolved_issues(self, page: Page) -> list[Issue]:
        name = "unresolved_issues_descending" if page.descending else "unresolved_issues"
        rows = await self._database.query(name, *cut("", LAST, page), page.limit)
        return [_issue(row) for row in rows]

    async def merged_issues(self, into: Sequence[str]) -> list[Issue]:
        return [_issue(row) for row in await self._database.query("merged_issues", list(into))]

    async def put_issues(self, issues: Sequence[Issue]) -> None:
        async def work(connection: Connection) -> None:
            ordered = sorted(issues, key=lambda issue: issue.id)
            await PostgresFiles(self._database, connection).put_issues(ordered)

        await self._database.transact(work)

    async def deliveries_by_ids(self, ids: Sequence[DeliveryId]) -> dict[DeliveryId, Delivery]:
        rows = await self._database.query("present_deliveries", *_columns(ids))
        return {delivery.id: delivery for delivery in map(delivery_of, rows)}


def _columns(ids: Sequence[DeliveryId]) -> tuple[list[str], list[str]]:
    return [which.message_id for which in ids], [which.endpoint_id for which in ids]


def _row(issue: Issue) -> tuple[Any, ...]:
    document = msgspec.json.encode(issue).decode()
    return issue.kind, issue.scope, issue.id, issue.uid, issue.version, document


def _issue(row: Sequence[Any]) -> Issue:
    return msgspec.json.decode(row[1], type=Issue)
