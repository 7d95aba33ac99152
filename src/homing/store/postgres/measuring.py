"""Counting what objectives are about, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from homing.core.objectives import Limits, LogPiece, Measured, Sli, Tally
from homing.core.queries import LogCursor
from homing.store.postgres.database import Connection, Database
from homing.store.postgres.resources import write_resource
from homing.store.rows import plain_seen_of, point_of, seen_of, tally_of, tally_rows


class PostgresMeasuring:
    """`core.store.Measuring` on PostgreSQL."""

    _database: Database

    async def seen(self, cursor: LogCursor, *, limit: int, limits: Limits) -> LogPiece:
        fetch = self._database.fetch
        place = (str(cursor.transaction), cursor.line)

        async def work(connection: Connection) -> LogPiece:
            ends = await fetch(connection, "seen_end", *place, limit)
            is_full = bool(ends)
            ends = ends or await fetch(connection, "seen_last", *place)
            if not ends:
                return LogPiece(cursor, [], is_full=False)
            transaction, line = ends[0]
            piece = (*place, str(transaction), line, limits.first_us, limits.delivered_us)
            plain = await fetch(connection, "seen_plain", *piece)
            rest = await fetch(connection, "seen", *piece, limits.retry_us)
            end = LogCursor(transaction=transaction, line=line)
            rows = [*map(plain_seen_of, plain), *map(seen_of, rest)]
            return LogPiece(end, rows, is_full)

        return await self._database.look(work)

    async def tally(
        self, watch: Measured, tallies: Sequence[Tally], *, forget: Mapping[int, int]
    ) -> None:
        fetch = self._database.fetch
        columns = [list(column) for column in zip(*tally_rows(tallies), strict=True)]

        async def work(connection: Connection) -> None:
            await write_resource(self._database, connection, watch)
            if columns:
                await fetch(connection, "add_tallies", *columns)
            for grain_s, until_us in forget.items():
                await fetch(connection, "forget_tallies", grain_s, until_us)

        await self._database.transact(work)

    async def tallied(self, scope: str, grain_s: int, since_us: int, until_us: int) -> list[Tally]:
        rows = await self._database.browse("tallied", scope, grain_s, since_us, until_us)
        return [tally_of(row, scope=scope, at_us=since_us) for row in rows]

    async def tally_series(
        self, scope: str, sli: Sli, grain_s: int, since_us: int, until_us: int
    ) -> list[Tally]:
        given = (scope, grain_s, since_us, until_us, str(sli))
        rows = await self._database.browse("tally_series", *given)
        return [point_of(row, scope=scope, sli=sli) for row in rows]
