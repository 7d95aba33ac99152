"""Documents that people write, and the keys of the requests that wrote them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import asyncpg
import msgspec

from homing.core.errors import Conflict, Stale
from homing.core.queries import Page
from homing.core.records import Message, Reply, RequestKey
from homing.core.resources import Application, Resource
from homing.core.store import Aftermath
from homing.core.tasks import Task
from homing.store.paging import LAST, cut
from homing.store.postgres.database import Connection, Database
from homing.store.rows import message_of

R = TypeVar("R", bound=Resource)
#: columns of `find_key` before those of the message
_KEY_COLUMNS = 3


class PostgresResources:
    """`core.store.Resources` on PostgreSQL."""

    _database: Database

    async def get(self, kind: type[R], scope: str, name: str) -> R | None:
        rows = await self._database.query("find_resource", kind.kind, scope, name)
        return _resource(kind, rows[0]) if rows else None

    async def by_ids(self, kind: type[R], ids: Sequence[str]) -> list[R]:
        rows = await self._database.query("resources_by_ids", kind.kind, list(ids))
        return [_resource(kind, row) for row in rows]

    async def put(
        self,
        resource: Resource,
        *,
        touch: str | None = None,
        key: RequestKey | None = None,
        reply: Reply | None = None,
        also: Sequence[Resource] = (),
    ) -> None:
        async def work(connection: Connection) -> None:
            # The application before its endpoint, always: whoever changes it at the same time
            # waits here.
            if touch is not None and not await fetch(connection, "touch_application", touch):
                raise Stale(f"application {touch} is gone")
            await write_resource(self._database, connection, resource)
            await self._add(connection, also)
            if key is not None and not await fetch(
                connection, *_key_row(key, reply, resource.updated_at_us)
            ):
                raise Conflict("this request was made before")

        fetch = self._database.fetch
        await self._database.transact(work)

    async def running_tasks(self, *, limit: int) -> list[Task]:
        rows = await self._database.query("running_tasks", limit)
        return [_resource(Task, row) for row in rows]

    async def _add(self, connection: Connection, resources: Sequence[Resource]) -> None:
        for one in resources:
            await self._database.fetch(connection, "insert_resource", *_columns(one))

    async def delete(
        self, resource: Resource, *, touch: str | None = None, also: Sequence[Resource] = ()
    ) -> None:
        fetch = self._database.fetch
        which = (resource.kind, resource.scope, resource.id)

        async def work(connection: Connection) -> None:
            if touch is not None:
                await fetch(connection, "lock_application", touch)
            if not await fetch(connection, "delete_resource", *which):
                return
            if isinstance(resource, Application):
                await fetch(connection, "delete_endpoints_of", resource.id)
            if touch is not None:
                await fetch(connection, "touch_application", touch)
            await self._add(connection, also)

        await self._database.transact(work)

    async def recall(self, key: RequestKey, *, at_us: int) -> Reply | Message | None:
        rows = await self._database.query("find_key", key.digest, at_us)
        if not rows:
            return None
        # It may be seen here and not be on the standby yet, as in `accept`.
        await self._database.write("beat")
        fingerprint, status, body = rows[0][:_KEY_COLUMNS]
        if fingerprint != key.fingerprint:
            raise Conflict("this key came with another request before")
        if status is not None:
            return Reply(status=status, body=body)
        message = rows[0][_KEY_COLUMNS:]
        return message_of(message) if message[0] is not None else None

    async def remember(self, key: RequestKey, reply: Reply, *, at_us: int) -> None:
        await self._database.transact(
            lambda connection: self._database.fetch(connection, *_key_row(key, reply, at_us))
        )

    # the last of all: within the class, its name hides the built-in `list` from what follows
    async def list(self, kind: type[R], scope: str | None, page: Page) -> list[R]:
        low, high = cut("", LAST, page)
        name = "list_all_resources" if scope is None else "list_resources"
        of = () if scope is None else (scope,)
        rows = await self._database.query(
            f"{name}_descending" if page.descending else name,
            kind.kind,
            *of,
            low,
            high,
            page.limit,
        )
        return [_resource(kind, row) for row in rows]


def _resource(kind: type[R], row: Sequence[Any]) -> R:
    version, document = row
    found = msgspec.json.decode(document, type=kind)
    return found if found.version == version else msgspec.structs.replace(found, version=version)


async def write_resource(database: Database, connection: Connection, resource: Resource) -> None:
    is_new = resource.version == 1
    name = "insert_resource" if is_new else "update_resource"
    try:
        found = await database.fetch(connection, name, *_columns(resource))
    except asyncpg.UniqueViolationError as error:
        raise Conflict(f"{resource.kind} uid {resource.uid!r} is taken") from error
    if is_new and not found:
        raise Conflict(f"{resource.kind} {resource.uid or resource.id!r} exists already")
    if not found:
        raise Stale(f"{resource.kind} {resource.id} has changed since it was read")


async def write_aftermath(database: Database, connection: Connection, after: Aftermath) -> None:
    """Write what follows from decisions, within the transaction that has written them.

    Raises:
        Conflict, Stale: it cannot be; the transaction has to be undone.
    """
    if after.resource is not None:
        await write_resource(database, connection, after.resource)
    for one in after.more:
        await write_resource(database, connection, one)
    for one in after.also:
        await database.fetch(connection, "insert_resource", *_columns(one))
    if after.expunged:
        await database.fetch(connection, "hold_indexing")
        await database.fetch(connection, "expunge_message", list(after.expunged))
        stale = await database.fetch(connection, "mark_stale", list(after.expunged))
        await database.fetch(connection, "delete_entries", [row[0] for row in stale])
    if after.key is not None and not await database.fetch(
        connection, *_key_row(after.key, after.reply, after.at_us)
    ):
        raise Conflict("this request was made before")


def _columns(resource: Resource) -> tuple[Any, ...]:
    document = msgspec.json.encode(resource).decode()
    return (
        resource.kind,
        resource.scope,
        resource.id,
        resource.uid,
        resource.version,
        document,
    )


def _key_row(key: RequestKey, reply: Reply | None, at_us: int) -> tuple[Any, ...]:
    """The statement that keeps what the request led to, with its parameters."""
    assert reply is not None
    return (
        "insert_key",
        key.digest,
        key.fingerprint,
        None,
        reply.status,
        reply.body,
        key.expires_at_us,
        at_us,
    )
