"""Claiming on PostgreSQL: whose is due, the permits of limited lanes, each lane up to its quota."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from homing.core.identifiers import DeliveryId
from homing.core.lifecycle import Delivery, State
from homing.core.limits import Lane, Permits, Quota, limited
from homing.core.records import Change, Claimed
from homing.store.filing import file_changes, touches_desk
from homing.store.postgres.database import Connection, Database
from homing.store.postgres.deliveries import change_parameters
from homing.store.postgres.desk import PostgresFiles
from homing.store.rows import delivery_of, message_of

_DELIVERY_COLUMNS: Final = 18
#: allowances that are known to have a row
_MADE_MAX: Final = 100_000


class PostgresClaiming:
    """The claim of `core.store.Deliveries` on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._allowances_made: set[str] = set()

    async def due_lanes(self, at_us: int, *, limit: int) -> list[Lane]:
        rows = await self._database.query("due_lanes", at_us, limit)
        return [_lane(*row) for row in rows]

    async def walk_lanes(
        self, state: State, after: tuple[str, str], *, steps: int, per_app: int
    ) -> list[Lane]:
        rows = await self._database.query("walk_lanes", str(state), *after, steps, per_app)
        return [_lane(row[0], row[1], row[2], 1) for row in rows]

    async def claim(
        self, decide: Callable[[Delivery], Change], *, at_us: int, quotas: Sequence[Quota]
    ) -> list[Claimed]:
        names = list(limited(quotas))
        await self._make_allowances(names)

        async def take(connection: Connection) -> list[Claimed]:
            if not names:
                counts = [quota.count for quota in quotas]
                return await self._take(connection, decide, at_us, quotas, counts)
            known = await self._known(connection, names, quotas, at_us)
            counts = _counts(Permits(*known, at_us=at_us), quotas)
            claimed = await self._take(connection, decide, at_us, quotas, counts)
            await self._keep(connection, Permits(*known, at_us=at_us), quotas, claimed)
            return claimed

        return await self._database.transact(take)

    async def _take(
        self,
        connection: Connection,
        decide: Callable[[Delivery], Change],
        at_us: int,
        quotas: Sequence[Quota],
        counts: Sequence[int],
    ) -> list[Claimed]:
        """Lock so many of each lane, decide on them and write that."""
        rows = await self._database.fetch(
            connection,
            "due_deliveries",
            at_us,
            [quota.app_id for quota in quotas],
            [quota.endpoint_id for quota in quotas],
            counts,
        )
        changes = [decide(delivery_of(row)) for row in rows]
        missed = set()
        if changes:
            found = await self._database.fetch(connection, "settle", *change_parameters(changes))
            missed = {DeliveryId(*row) for row in found}
            if touches_desk(changes):  # it lapsed too often and is given up
                done = [change for change in changes if change.id not in missed]
                await file_changes(PostgresFiles(self._database, connection), done)
        return [
            Claimed(change.after, message_of(row[_DELIVERY_COLUMNS:]))
            for change, row in zip(changes, rows, strict=True)
            if change.after.state is State.LEASED
            and change.id not in missed
            and row[_DELIVERY_COLUMNS] is not None
        ]

    async def _make_allowances(self, names: Sequence[str]) -> None:
        """Let everything with a limit have its row."""
        new = sorted(set(names) - self._allowances_made)
        if new:
            await self._database.write("make_allowances", new)
            if len(self._allowances_made) > _MADE_MAX:
                self._allowances_made.clear()
            self._allowances_made.update(new)

    async def _known(
        self, connection: Connection, names: Sequence[str], quotas: Sequence[Quota], at_us: int
    ) -> tuple[dict[str, int], dict[str, int]]:
        """The allowances that nobody else holds, and leases under way; from now on they stay so."""
        rows = await self._database.fetch(connection, "lock_allowances", names)
        tats_us = {row[0]: row[1] for row in rows}
        counted = {
            name: (name, quota.app_id, None if name == quota.app_id else quota.endpoint_id, most)
            for quota in quotas
            for name, limits in quota.limits
            if name in tats_us and (most := limits.concurrency) is not None
        }
        if not counted:
            return tats_us, {}
        columns = [list(column) for column in zip(*counted.values(), strict=True)]
        rows = await self._database.fetch(connection, "count_leases", at_us, *columns)
        return tats_us, {row[0]: row[1] for row in rows}

    async def _keep(
        self,
        connection: Connection,
        permits: Permits,
        quotas: Sequence[Quota],
        claimed: Sequence[Claimed],
    ) -> None:
        """Write down what was used of the rates."""
        taken = Counter(one.delivery.endpoint_id for one in claimed)
        for quota in quotas:
            permits.left(quota)
            permits.take(quota, taken[quota.endpoint_id])
        tats_us = permits.tats_us()
        if tats_us:
            await self._database.fetch(
                connection, "keep_allowances", list(tats_us), list(tats_us.values())
            )


def _counts(permits: Permits, quotas: Sequence[Quota]) -> list[int]:
    """How many of each lane the limits permit."""
    counts = []
    for quota in quotas:
        counts.append(permits.left(quota))
        permits.take(quota, counts[-1])
    return counts


def _lane(app_id: str, endpoint_id: str, ready_at_us: int, count: int) -> Lane:
    return Lane(app_id=app_id, endpoint_id=endpoint_id, ready_at_us=ready_at_us, count=count)
