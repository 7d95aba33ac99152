"""Accepting and settling: the hot path, in as few round trips as there can be."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import asyncpg

from homing.core.errors import StoreError
from homing.core.identifiers import DeliveryId
from homing.core.lifecycle import Delivery
from homing.core.queries import Backlog
from homing.core.records import (
    Acceptance,
    Accepted,
    AcceptResult,
    Change,
    Conflicting,
    Outdated,
    Repeated,
)
from homing.core.store import Aftermath
from homing.store.filing import file_changes, touches_desk
from homing.store.postgres.database import Connection, Database, Within
from homing.store.postgres.desk import PostgresFiles
from homing.store.postgres.resources import write_aftermath
from homing.store.rows import (
    attempt_row,
    delivery_of,
    delivery_row,
    entry_row,
    message_row,
)

#: a line's place in the log is given by the database
_NO_PLACE: Final = (None, None)
#: keys stored between two removals of expired ones; each removes up to twice as many
_KEYS_BETWEEN: Final = 1_000

Row = tuple[Any, ...]
T = TypeVar("T")


class PostgresDeliveries:
    """`core.store.Deliveries` on PostgreSQL, without the claim."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._keys_stored = 0

    async def accept(self, batch: Sequence[Acceptance]) -> list[AcceptResult]:
        results: dict[str, AcceptResult] = {}
        waiting = list(batch)
        while waiting:
            now, waiting = _apart(waiting, lambda item: [key.digest for key in item.keys])
            fresh = await self._accept(now)
            results |= fresh
            # What shares a key with one of these is judged by what became of that one.
            known = _keys_of(item for item in now if fresh[item.message.id] == Accepted())
            outdated = {_fanout(item) for item in now if fresh[item.message.id] == Outdated()}
            judged = {item.message.id: _judge(item, known, outdated) for item in waiting}
            waiting = [item for item in waiting if judged[item.message.id] == Accepted()]
            results |= judged
        return [results[item.message.id] for item in batch]

    async def _accept(self, items: Sequence[Acceptance]) -> dict[str, AcceptResult]:
        """Accept items that share no key, by message id."""
        await self._forget_keys(items)
        rows = await self._database.write("accept", *_acceptance_parameters(items))
        outdated_ids = {row[0] for row in rows if row[1] is None}
        known = {row[1]: _Known(*row[2:]) for row in rows if row[1] is not None}
        if known:
            # An earlier request may be seen here and not be on the standby yet, when its commit's
            # wait for that was cut short. What is written now is on the standby after it.
            await self._database.write("beat")
        outdated = {_fanout(item) for item in items if item.message.id in outdated_ids}
        return {item.message.id: _judge(item, known, outdated) for item in items}

    async def _forget_keys(self, items: Sequence[Acceptance]) -> None:
        """Now and then, remove keys that have expired: the table cannot grow for ever.

        Before anything is stored, so that its failure cannot hide that something was.
        """
        self._keys_stored += sum(len(item.keys) for item in items)
        if self._keys_stored >= _KEYS_BETWEEN:
            at_us = min(item.message.accepted_at_us for item in items)
            count, self._keys_stored = 2 * self._keys_stored, 0
            await self._database.write("delete_expired_keys", at_us, count)

    async def settle(self, changes: Sequence[Change]) -> list[bool]:
        if touches_desk(changes):

            async def work(connection: Connection) -> list[bool]:
                return await self._settle_and_file(connection, changes)

            return await self._database.transact(work)
        return (await self._settle_through(self._database, changes))[0]

    async def _settle_and_file(
        self, connection: Connection, changes: Sequence[Change]
    ) -> list[bool]:
        """Settle, and bring the desk up to date, within a transaction."""
        answers, done = await self._settle_through(Within(self._database, connection), changes)
        if touches_desk(done):
            await file_changes(PostgresFiles(self._database, connection), done)
        return answers

    async def settle_with(
        self, changes: Sequence[Change], follow: Callable[[list[bool]], Aftermath]
    ) -> list[bool]:
        added = sorted({change.after.message_id for change in changes if change.before is None})

        async def work(connection: Connection) -> list[bool]:
            if added:
                await self._database.fetch(connection, "wait_for_messages", added)
            written = await self._settle_and_file(connection, changes)
            await write_aftermath(self._database, connection, follow(written))
            return written

        return await self._database.transact(work)

    async def _settle_through(
        self, session: Database | Within, changes: Sequence[Change]
    ) -> tuple[list[bool], list[Change]]:
        """Settle by statements of their own, or within a transaction.

        Returns:
            The answers, and the changes that were written just now, in order.
        """
        done: list[Change] = []
        written: dict[DeliveryId, list[Delivery]] = {}
        late: set[int] = set()
        waiting = list(changes)
        while waiting:
            now, waiting = _apart(waiting, lambda change: [change.id])
            missed = await self._settle(session, now)
            for change in now:
                if change.id not in missed:
                    done.append(change)
                    written.setdefault(change.id, []).append(change.after)
            if missed:
                changes_missed = [c for c in now if c.id in missed]
                late |= await self._settle_missed(session, changes_missed, written)
        return [id(change) not in late for change in changes], done

    async def _settle(
        self, session: Database | Within, changes: Sequence[Change]
    ) -> set[DeliveryId]:
        """Settle changes of different deliveries; the ids of those that found another version."""
        parameters = change_parameters(changes)
        if isinstance(session, Within):  # its transaction would not survive a refusal
            parameters = tuple(map(_storable, parameters))
        try:
            rows = await session.write("settle", *parameters)
        except StoreError as error:
            if not isinstance(error.__cause__, asyncpg.DataError):
                raise
            rows = await session.write("settle", *map(_storable, parameters))
        return {DeliveryId(*row) for row in rows}

    async def _settle_missed(
        self,
        session: Database | Within,
        changes: Sequence[Change],
        written: Mapping[DeliveryId, Sequence[Delivery]],
    ) -> set[int]:
        """Of these, the ones that were late, by `id()`; the others had been written before.

        When a connection breaks, nobody knows whether the statement was carried out, so it is
        sent again. What it wrote the first time is recognised by its attempt, which is stored and
        not late, or, where none was made, by the row, which is exactly what it was to become.
        The row alone would not do for an attempt: another's, at the same moment, may look the same.

        Args:
            session: what the statements go through.
            changes: that found another version.
            written: what other changes of the same call made of these deliveries just now.
        """
        rows = await session.query(
            "present_deliveries",
            [change.after.message_id for change in changes],
            [change.after.endpoint_id for change in changes],
        )
        present = {delivery.id: delivery for delivery in map(delivery_of, rows)}
        attempts = await self._late_attempts(session, changes)
        late = [
            change
            for change in changes
            if (
                attempts.get(_attempt_key(change), True)
                if change.attempt is not None
                else present.get(change.id) != change.after
                or change.after in written.get(change.id, ())
            )
        ]
        unknown = [change for change in late if _attempt_key(change) not in attempts]
        if unknown:
            await session.write(
                "settle_late",
                _storable([attempt_row(c.attempt, late=True) for c in unknown if c.attempt]),
                _storable([entry_row(c.entry, rows_written=0) + _NO_PLACE for c in unknown]),
            )
        return {id(change) for change in late}

    async def _late_attempts(
        self, session: Database | Within, changes: Sequence[Change]
    ) -> dict[tuple[str, str], bool]:
        """Whether they came late: the attempts of these changes that are stored, by their ids."""
        made = [change.attempt for change in changes if change.attempt is not None]
        if not made:
            return {}
        rows = await session.query(
            "present_attempts",
            [attempt.message_id for attempt in made],
            [attempt.id for attempt in made],
        )
        return {(row[0], row[1]): bool(row[2]) for row in rows}

    async def next_ready_at_us(self) -> int | None:
        at_us: int | None = (await self._database.query("next_ready_at_us"))[0][0]
        return at_us

    async def parked_endpoints(self) -> list[tuple[str, str]]:
        return [(row[0], row[1]) for row in await self._database.query("parked_endpoints")]

    async def behind(self, at_us: int) -> dict[str, int]:
        return {row[0]: row[1] for row in await self._database.browse("behind", at_us)}

    async def backlog(self, at_us: int) -> Backlog:
        row = (await self._database.browse("backlog", at_us))[0]
        return Backlog(
            waiting=row[0], leased=row[1], parked=row[2], due=row[3], oldest_due_at_us=row[4]
        )


def _apart(items: Sequence[T], names: Callable[[T], Iterable[object]]) -> tuple[list[T], list[T]]:
    """(now, later): those before which no other bears one of their names, and the rest, in order.

    A statement cannot judge one item by what another item of the same statement does.
    """
    now: list[T] = []
    later: list[T] = []
    taken: set[object] = set()
    for item in items:
        own = set(names(item))
        (now if taken.isdisjoint(own) else later).append(item)
        taken |= own
    return now, later


class _Known(NamedTuple):
    """What an earlier request with a key led to."""

    fingerprint: bytes
    message_id: str | None  #: None: something else than a message
    expires_at_us: int


def _keys_of(items: Iterable[Acceptance]) -> dict[bytes, _Known]:
    """The keys that these items leave behind, by digest."""
    return {
        key.digest: _Known(key.fingerprint, item.message.id, key.expires_at_us)
        for item in items
        for key in item.keys
    }


def _fanout(item: Acceptance) -> tuple[str, int]:
    """The application and the version of it that an item's fan-out was computed from."""
    return item.message.app_id, item.application_version


def _judge(
    item: Acceptance, known: Mapping[bytes, _Known], outdated: Collection[tuple[str, int]]
) -> AcceptResult:
    """What becomes of an item, given the keys and the outdated fan-outs that concern it."""
    for key in item.keys:
        earlier = known.get(key.digest)
        if earlier is not None and earlier.expires_at_us > item.message.accepted_at_us:
            same = earlier.fingerprint == key.fingerprint and earlier.message_id is not None
            return Repeated(str(earlier.message_id)) if same else Conflicting()
    return Outdated() if _fanout(item) in outdated else Accepted()


def _acceptance_parameters(items: Sequence[Acceptance]) -> tuple[list[Any], ...]:
    """The parameters of the statement `accept`, in order."""
    keys = {key.digest: (key, item.message) for item in items for key in item.keys}
    return (
        [message_row(item.message) for item in items],
        [delivery_row(delivery) for item in items for delivery in item.deliveries],
        [entry_row(e, rows_written=1) + _NO_PLACE for item in items for e in item.entries],
        [
            (key.digest, key.fingerprint, message.id, None, None, key.expires_at_us)
            for key, message in keys.values()
        ],
        [message.accepted_at_us for _, message in keys.values()],
        [item.message.id for item in items],
        [item.message.app_id for item in items],
        [item.application_version for item in items],
        list({item.message.app_id for item in items}),
    )


def change_parameters(changes: Sequence[Change]) -> tuple[list[Row], ...]:
    """The parameters of the statement `settle`, in order.

    Rows are sorted, so that two statements that meet lock what they share in the same order.
    """
    moves: tuple[list[Row], ...] = ([], [], [], [], [])
    attempts = []
    lines = []
    for change in sorted(changes, key=lambda change: change.id):
        assert change.before is None or change.before.version == change.after.version - 1
        moves[_move(change)].append(delivery_row(change.after))
        lines.append(entry_row(change.entry, rows_written=1) + _NO_PLACE)
        if change.attempt is not None:
            attempts.append(attempt_row(change.attempt))
    return (*moves, attempts, lines)


def _move(change: Change) -> int:
    """Which of the first five parameters of `settle` it belongs to."""
    if change.before is None:
        assert change.after.is_unfinished, change.after
        return 4
    return 2 * (not change.before.is_unfinished) + (
        change.after.is_unfinished == change.before.is_unfinished
    )


def _attempt_key(change: Change) -> tuple[str, str]:
    return (change.attempt.message_id, change.attempt.id) if change.attempt else ("", "")


def _storable(rows: Sequence[Row]) -> list[Row]:
    """The same rows, without the characters that PostgreSQL cannot hold.

    A receiver decides what is in an error's text. It may hold NUL, or half of a surrogate pair,
    which must not stop the settlement of everybody's deliveries.
    """
    return [tuple(_text(v) if isinstance(v, str) else v for v in row) for row in rows]


def _text(value: str) -> str:
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
