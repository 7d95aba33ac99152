"""Reading back: messages, deliveries, attempts, the log and the books."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, Final

from homing.core.identifiers import DeliveryId, first_id, made_at_us, parse_delivery_id
from homing.core.lifecycle import Delivery
from homing.core.outcome import Reason
from homing.core.queries import (
    AttemptFilter,
    DeadLetters,
    DeliveryFilter,
    LedgerRow,
    LogCursor,
    LoggedEntry,
    MessageFilter,
    Misfit,
    Page,
    Span,
)
from homing.core.records import Attempt, Message
from homing.store.paging import LAST, cut
from homing.store.postgres.database import Connection, Database
from homing.store.postgres.texts import forget_words, hold_words
from homing.store.rows import attempt_of, delivery_of, entry_of, message_of

#: windows of the ledger that are counted in one statement: a day of minutes
_WINDOWS_MAX: Final = 1_440


class PostgresRecords:
    """`core.store.Records` on PostgreSQL."""

    _database: Database

    async def message(self, app_id: str, name: str) -> Message | None:
        rows = await self._database.query("find_message", app_id, name)
        return message_of(rows[0]) if rows else None

    async def messages(self, which: MessageFilter, page: Page) -> list[Message]:
        rows = await self._database.browse(
            _listing("list_messages", page),
            which.app_id,
            *cut(*which.span.bounds("msg_"), page),
            page.limit,
            list(which.event_types) or None,
            which.channel,
            which.tag,
        )
        return [message_of(row) for row in rows]

    async def messages_by_ids(self, ids: Sequence[str]) -> dict[str, Message]:
        rows = await self._database.query("messages_by_ids", list(ids))
        return {row[0]: message_of(row) for row in rows}

    async def delivery(self, which: DeliveryId) -> Delivery | None:
        rows = await self._database.query("delivery", *which)
        return delivery_of(rows[0]) if rows else None

    async def deliveries(self, which: DeliveryFilter, page: Page) -> list[Delivery]:
        name, *place = _delivery_listing(which, page)
        rows = await self._database.browse(
            _listing(name, page),
            *place,
            page.limit,
            which.app_id,
            [state.value for state in which.states] or None,
            list(which.event_types) or None,
            which.channel,
        )
        return [delivery_of(row) for row in rows]

    async def attempt(self, message_id: str, attempt_id: str) -> Attempt | None:
        rows = await self._database.query("attempt", message_id, attempt_id)
        return attempt_of(rows[0]) if rows else None

    async def attempts(self, which: AttemptFilter, page: Page) -> list[Attempt]:
        by_message = which.message_id is not None
        name = "list_attempts_of_message" if by_message else "list_attempts_of_endpoint"
        rows = await self._database.browse(
            _listing(name, page),
            which.message_id if by_message else which.endpoint_id,
            *cut(*which.span.bounds("atmpt_"), page),
            page.limit,
            which.app_id,
            which.endpoint_id if by_message else None,
            which.succeeded,
            which.status_class,
            list(which.event_types) or None,
            which.channel,
            which.tag,
        )
        return [attempt_of(row) for row in rows]

    async def attempt_counts(self, endpoint_id: str, span: Span) -> dict[Reason, int]:
        low, high = span.bounds("atmpt_")
        rows = await self._database.browse("attempt_counts", endpoint_id, low, high)
        return {Reason(row[0]): row[1] for row in rows}

    async def expunge_message(self, message_id: str) -> None:
        async def forget(connection: Connection) -> None:
            await hold_words(self._database, connection)
            await self._database.fetch(connection, "expunge_message", [message_id])
            await forget_words(self._database, connection, [message_id])

        await self._database.transact(forget)

    async def expunge_attempt(self, message_id: str, attempt_id: str) -> None:
        await self._database.write("expunge_attempt", message_id, attempt_id)

    async def log(
        self, cursor: LogCursor, *, limit: int, app_id: str | None = None
    ) -> list[LoggedEntry]:
        rows = await self._database.browse(
            "log", str(cursor.transaction), cursor.line, limit, app_id
        )
        return [_logged(row) for row in rows]

    async def notable_log(self, cursor: LogCursor, *, limit: int) -> list[LoggedEntry]:
        place = (str(cursor.transaction), cursor.line)
        rows = await self._database.browse("notable_log", *place, limit)
        return [_logged(row) for row in rows]

    async def first_accepted_at_us(self) -> int | None:
        rows = await self._database.query("first_message")
        return rows[0][0] if rows else None

    async def dead_letters(
        self, *, recent_us: int, past_us: int, after: str, limit: int, most: int
    ) -> list[DeadLetters]:
        rows = await self._database.browse("dead_letters", recent_us, past_us, after, limit, most)
        return [
            DeadLetters(
                endpoint_id=row[0],
                app_id=row[1],
                count=row[2],
                recent=row[3],
                past=row[4],
                oldest_at_us=row[5],
                newest_at_us=row[6],
            )
            for row in rows
        ]

    async def ledger(self, span: Span, *, window_s: int) -> list[LedgerRow]:
        low, high = span.half_open_bounds("msg_")
        window_us = window_s * 1_000_000

        async def count(connection: Connection) -> list[LedgerRow]:
            books: list[LedgerRow] = []
            start = low
            while True:
                found = await self._database.fetch(connection, "next_book", start, high)
                if found[0][0] is None:
                    return books
                at_us = made_at_us(found[0][0]) // window_us * window_us
                last_us = at_us + _WINDOWS_MAX * window_us
                windows = range(at_us, last_us, window_us)
                lows = [first_id("msg_", window_at_us) for window_at_us in windows]
                highs = [*lows[1:], first_id("msg_", last_us)]
                inside = bisect_left(lows, high)  # windows that begin before the span ends
                lows[0], highs[inside - 1] = max(lows[0], start), min(highs[inside - 1], high)
                rows = await self._database.fetch(
                    connection, "ledger", lows[:inside], highs[:inside]
                )
                books += _books(rows, windows)
                start = highs[inside - 1]

        return await self._database.look(count)

    async def misfits(self, span: Span, *, limit: int) -> list[Misfit]:
        low, high = span.half_open_bounds("msg_")

        async def compare(connection: Connection) -> list[Any]:
            await self._database.fetch(connection, "compare_by_hash")
            return await self._database.fetch(connection, "misfits", low, high, limit)

        rows = await self._database.look(compare)
        return [Misfit(delivery=DeliveryId(row[0], row[1]), kind=row[2]) for row in rows]

    async def attempts_made(self, first: str, last: str) -> dict[DeliveryId, int]:
        rows = await self._database.browse("attempts_made", first, last)
        return {DeliveryId(row[0], row[1]): row[2] for row in rows}


def _logged(row: Any) -> LoggedEntry:
    cursor = LogCursor(transaction=row["after_transaction"], line=row["line"])
    return LoggedEntry(entry_of(row), cursor)


def _listing(name: str, page: Page) -> str:
    return f"{name}_descending" if page.descending else name


def _delivery_listing(which: DeliveryFilter, page: Page) -> tuple[str, ...]:
    """The statement that lists these, and what tells it the place to begin and to end."""
    low, high = which.span.bounds("msg_")
    if which.message_id is not None:
        low, high = max(low, which.message_id), min(high, f"{which.message_id} ")
    if which.endpoint_id is not None:
        return ("list_deliveries_of_endpoint", which.endpoint_id, *cut(low, high, page))
    if which.message_id is not None:
        inside = low <= which.message_id < high
        names = cut("", LAST, page) if inside else ("", "")
        return ("list_deliveries_of_message", which.message_id, *names)
    first, last = DeliveryId(low, ""), DeliveryId(high, "")
    if page.after is not None:
        after = parse_delivery_id(page.after)
        first, last = (first, min(last, after)) if page.descending else (max(first, after), last)
    return ("list_deliveries", *first, *last)


def _books(rows: Sequence[Sequence[Any]], windows: Sequence[int]) -> list[LedgerRow]:
    """Ledger rows from (window, endpoint, application, column, count), windows from 1."""
    counts: dict[tuple[int, str, str], dict[str, int]] = {}
    for window, endpoint_id, app_id, column, count in rows:
        counts.setdefault((windows[window - 1], endpoint_id, app_id), {})[column] = count
    return [
        LedgerRow(
            endpoint_id=endpoint_id,
            app_id=app_id,
            window_at_us=window_at_us,
            **{"accepted": 0, **columns},
        )
        for (window_at_us, endpoint_id, app_id), columns in sorted(counts.items())
    ]
