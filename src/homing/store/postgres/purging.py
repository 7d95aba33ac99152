"""Forgetting what is beyond its retention, on PostgreSQL: some messages in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from homing.core.queries import LogCursor
from homing.core.retention import Part, Purged, Standing
from homing.store.filing import file_purge
from homing.store.postgres.database import Connection, Database
from homing.store.postgres.desk import PostgresFiles
from homing.store.postgres.texts import forget_words, hold_words
from homing.store.purging import sorted_out
from homing.store.rows import standing_of


class PostgresForgetting:
    """`core.store.Forgetting` on PostgreSQL."""

    _database: Database

    async def applications_kept(self, *, after: str, limit: int) -> list[str]:
        rows = await self._database.query("applications_kept", after, limit)
        return [row[0] for row in rows]

    async def standings(self, app_id: str, *, after: str, until: str, limit: int) -> list[Standing]:
        rows = await self._database.query("standings", app_id, after, until, limit)
        return [standing_of(row) for row in rows]

    async def purge(
        self,
        message_ids: Sequence[str],
        decide: Callable[[Standing], frozenset[Part]],
        *,
        at_us: int = 0,
    ) -> Purged:
        async def remove(connection: Connection) -> Purged:
            await hold_words(self._database, connection)
            locked = await self._database.fetch(connection, "lock_messages", list(message_ids))
            ids = [row[0] for row in locked]
            await self._database.fetch(connection, "lock_history", ids)
            rows = await self._database.fetch(connection, "standings_of", ids)
            going = sorted_out(map(standing_of, rows), decide)
            [counts] = await self._database.fetch(
                connection, "purge", *(going[part] for part in Part)
            )
            forgotten = going[Part.PAYLOAD] + going[Part.MESSAGE]
            await forget_words(self._database, connection, forgotten)
            if going[Part.MESSAGE]:
                files = PostgresFiles(self._database, connection)
                await file_purge(files, going[Part.MESSAGE], at_us)
            payloads, attempts, messages, deliveries, dead_letters, lines = counts
            return Purged(
                payloads=payloads,
                attempts=attempts,
                messages=messages,
                deliveries=deliveries,
                dead_letters=dead_letters,
                lines=lines,
            )

        return await self._database.transact(remove)

    async def purge_log(
        self, cursor: LogCursor, *, until_us: int, limit: int
    ) -> tuple[LogCursor | None, Purged]:
        rows = await self._database.write(
            "purge_lines", str(cursor.transaction), cursor.line, until_us, limit
        )
        if not rows:
            return None, Purged()
        transaction, line, gone = rows[0]
        return LogCursor(transaction=transaction, line=line), Purged(lines=gone)
