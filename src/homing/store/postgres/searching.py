"""Looking for messages and deliveries on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence

from homing.core.identifiers import DeliveryId
from homing.core.lifecycle import Delivery
from homing.core.records import LogEntry
from homing.core.searching import Head, Looked, Sought
from homing.store.looking import (
    Walk,
    bounds,
    looked,
    place_below,
    walk_for_deliveries,
    walk_for_messages,
    walked_by,
)
from homing.store.postgres.database import Connection, Database
from homing.store.rows import delivery_of, entry_of, head_of


class PostgresSearching:
    """`core.searching.Searching` on PostgreSQL."""

    _database: Database

    async def look_for_messages(self, which: Sought, *, looks: int, limit: int) -> Looked[Head]:
        async def look(connection: Connection) -> Looked[Head]:
            walked = await self._walk(connection, walk_for_messages(which), which, looks)
            found = await self._sift(connection, walked, which, limit + 1)
            return looked(
                walked, found, lambda head: DeliveryId(head.id, ""), looks=looks, limit=limit
            )

        return await self._database.look(look)

    async def look_for_deliveries(
        self, which: Sought, *, looks: int, limit: int
    ) -> Looked[Delivery]:
        async def look(connection: Connection) -> Looked[Delivery]:
            walked = await self._walk(connection, walk_for_deliveries(which), which, looks)
            ids = list(dict.fromkeys(walked))
            if which.asks_of_message:
                ids = [head.id for head in await self._sift(connection, ids, which, len(ids))]
            rows = await self._database.fetch(
                connection,
                "sift_deliveries",
                ids,
                limit + 1,
                *place_below(which),
                list(which.app_ids) or None,
                which.endpoint_id,
                [state.value for state in which.states] or None,
            )
            found = [delivery_of(row) for row in rows]
            return looked(walked, found, lambda one: one.id, looks=looks, limit=limit)

        return await self._database.look(look)

    async def heads(self, ids: Sequence[str]) -> dict[str, Head]:
        async def look(connection: Connection) -> list[Head]:
            return await self._sift(connection, ids, Sought(), len(ids))

        return {head.id: head for head in await self._database.look(look)}

    async def life(self, which: DeliveryId, *, limit: int) -> list[LogEntry]:
        rows = await self._database.browse("life", *which, limit)
        rows.sort(key=lambda row: (row["transaction"], row["line"]))
        return [entry_of(row) for row in rows]

    async def _walk(
        self, connection: Connection, walk: Walk, which: Sought, looks: int
    ) -> list[str]:
        ids = walked_by(which, looks)
        if ids is not None:
            return ids
        of = () if walk.of is None else (walk.of,)
        rows = await self._database.fetch(connection, walk.name, *bounds(which), looks, *of)
        return [row[0] for row in rows]

    async def _sift(
        self, connection: Connection, ids: Sequence[str], which: Sought, limit: int
    ) -> list[Head]:
        rows = await self._database.fetch(
            connection,
            "sift_messages",
            list(ids),
            limit,
            list(which.app_ids) or None,
            which.event_id,
            list(which.event_types) or None,
            which.channel,
            list(which.tags) or None,
        )
        return [head_of(row) for row in rows]
