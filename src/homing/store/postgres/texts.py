"""Words of payloads on PostgreSQL: segments of the index, and what they are made of."""

from __future__ import annotations

from collections.abc import Sequence

from homing.core.errors import Stale
from homing.core.searching import Indexing, Segment, Text
from homing.store.looking import whose
from homing.store.postgres.database import Connection, Database
from homing.store.postgres.resources import write_resource
from homing.store.rows import segment_of, segment_row


class PostgresTexts:
    """The part of `core.searching.Searching` that is about payloads, on PostgreSQL."""

    _database: Database

    async def texts(
        self, after: str, last: str, *, limit: int, bytes_max: int, app_id: str | None = None
    ) -> list[Text]:
        return await self._texts(f"texts_{whose(app_id)}", after, last, limit, bytes_max, app_id)

    async def newest_texts(
        self, after: str, below: str, *, limit: int, bytes_max: int, app_id: str | None = None
    ) -> list[Text]:
        return await self._texts(f"newest_{whose(app_id)}", after, below, limit, bytes_max, app_id)

    async def _texts(
        self, name: str, after: str, end: str, limit: int, bytes_max: int, app_id: str | None
    ) -> list[Text]:
        of = () if app_id is None else (app_id,)
        rows = await self._database.browse(name, after, end, limit, bytes_max, *of)
        return [Text(*row) for row in rows]

    async def put_segment(
        self, progress: Indexing, segment: Segment | None, entries: Sequence[tuple[int, bytes]]
    ) -> None:
        fetch = self._database.fetch

        async def work(connection: Connection) -> None:
            # First: whoever removes a payload holds this row, and is seen once it is ours.
            await write_resource(self._database, connection, progress)
            if segment is None:
                return
            number = segment.number
            if entries:
                counted = await fetch(connection, "count_texts", segment.after, segment.last)
                if counted[0][0] != segment.messages:
                    raise Stale("the messages of the segment have changed since they were read")
            await fetch(connection, "delete_entries", [number])
            if not entries:
                await fetch(connection, "delete_segment", number)
                return
            await fetch(connection, "put_segment", *segment_row(segment).values())
            places = [number * 256 + bucket for bucket, _ in entries]
            await fetch(connection, "insert_entries", places, [found for _, found in entries])

        await self._database.transact(work)

    async def segments(self, below: str, *, limit: int) -> list[Segment]:
        rows = await self._database.browse("segments", below, limit)
        return [segment_of(row) for row in rows]

    async def stale_segments(self, *, limit: int) -> list[Segment]:
        rows = await self._database.browse("stale_segments", limit)
        return [segment_of(row) for row in rows]

    async def entries(self, bucket: int, numbers: Sequence[int]) -> dict[int, bytes]:
        rows = await self._database.browse("entries", bucket, list(numbers))
        return {row[0]: row[1] for row in rows}


async def hold_words(database: Database, connection: Connection) -> None:
    """From now on until the transaction ends, nothing is added to the index of payloads."""
    await database.fetch(connection, "hold_indexing")


async def forget_words(
    database: Database, connection: Connection, message_ids: Sequence[str]
) -> None:
    """Remove the entries of the segments that these messages are in; `hold_words` came before."""
    if not message_ids:
        return
    rows = await database.fetch(connection, "mark_stale", list(message_ids))
    if rows:
        await database.fetch(connection, "delete_entries", [row[0] for row in rows])
