"""How endpoints are, on PostgreSQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from homing.core.identifiers import first_id
from homing.core.outcome import Reason
from homing.core.watching import Failure, Load, Slice, Tried
from homing.store.postgres.database import Connection, Database
from homing.store.watching import in_order


class PostgresWatching:
    """`core.watching.Watching` on PostgreSQL."""

    _database: Database

    async def loads(
        self,
        endpoints: Sequence[tuple[str, str]],
        *,
        since_us: int,
        accepted_us: int,
        most: int,
    ) -> dict[str, Load]:
        ids = [list(column) for column in zip(*endpoints, strict=True)] or [[], []]
        times = (first_id("msg_", accepted_us), first_id("atmpt_", since_us))
        [rows] = await self._along(("loads", *ids, *times, most))
        return {row[0]: _load(row) for row in rows}

    async def _along(self, *asked: tuple[Any, ...]) -> list[list[Any]]:
        """The rows of some statements, all of the same moment, each along an index."""

        async def work(connection: Connection) -> list[list[Any]]:
            await self._database.fetch(connection, "walk_indexes")
            return [await self._database.fetch(connection, *one) for one in asked]

        return await self._database.look(work)

    async def slices(
        self, endpoint_id: str, edges: Sequence[int], *, counted: int, sampled: int
    ) -> list[Slice]:
        ids = [first_id("atmpt_", edge_us) for edge_us in edges]
        counts: defaultdict[int, dict[Reason, int]] = defaultdict(dict)
        tried: defaultdict[int, list[Tried]] = defaultdict(list)
        given = (endpoint_id, ids[:-1], ids[1:])
        count_rows, sample_rows = await self._along(
            ("count_slices", *given, counted), ("sample_slices", *given, sampled)
        )
        for number, reason, count in count_rows:
            counts[number][Reason(reason)] = count
        for number, reason, status, total_us in sample_rows:
            tried[number].append(Tried(Reason(reason), status, total_us))
        return [
            Slice(since_us=since_us, until_us=until_us, counts=counts[number], tried=tried[number])
            for number, (since_us, until_us) in enumerate(pairwise(edges), start=1)
        ]

    async def failures(self, endpoint_id: str, since_us: int, *, most: int) -> list[Failure]:
        [rows] = await self._along(
            ("count_failures", endpoint_id, first_id("atmpt_", since_us), most)
        )
        return in_order(rows)


def _load(row: Any) -> Load:
    reasons, counts = row[7] or (), row[8] or ()
    return Load(
        endpoint_id=row[0],
        waiting=row[1],
        next_at_us=row[2],
        leased=row[3],
        parked=row[4],
        dead=row[5],
        dead_recent=row[6],
        attempts={Reason(reason): count for reason, count in zip(reasons, counts, strict=True)},
    )
