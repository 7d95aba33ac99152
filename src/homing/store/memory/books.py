"""The books, and forgetting what is beyond its retention, in memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

import msgspec

from homing.core.identifiers import DeliveryId, made_at_us
from homing.core.lifecycle import Delivery, State
from homing.core.queries import LedgerRow, LogCursor, Misfit, Span
from homing.core.records import (
    LogEntry,
    Message,
)
from homing.core.retention import Part, Purged, Standing
from homing.store.filing import file_purge
from homing.store.memory.desk import MemoryDesk
from homing.store.memory.records import MemoryRecords
from homing.store.purging import sorted_out

_replace = msgspec.structs.replace
_BORN = ("accepted", "added")


class MemoryBooks(MemoryRecords, MemoryDesk):
    """The books of `core.store.Records`, and `core.store.Forgetting`, in memory."""

    def _born(self, low: str, high: str) -> dict[tuple[str, str], str]:
        """Deliveries with a line that says they exist, with their application."""
        return {
            (entry.message_id, entry.endpoint_id): entry.app_id
            for entry in self.lines
            if entry is not None
            and entry.from_state is None
            and entry.rows_written
            and low <= entry.message_id < high
        }

    def _placed(self, low: str, high: str) -> list[Delivery]:
        """Every row of either table, so a doubled delivery comes twice."""
        rows = chain(self.hot.values(), self.history.values())
        return [delivery for delivery in rows if low <= delivery.message_id < high]

    async def ledger(self, span: Span, *, window_s: int) -> list[LedgerRow]:
        low, high = span.half_open_bounds("msg_")
        born, placed, window_us = self._born(low, high), self._placed(low, high), window_s * 10**6
        messages = {name for name, _ in born} | {delivery.message_id for delivery in placed}
        # By message: reading the time out of an id takes a while.
        windows = {name: (at := made_at_us(name)) - at % window_us for name in messages}
        counts = Counter(
            [
                (windows[message_id], endpoint_id, app_id, "accepted")
                for (message_id, endpoint_id), app_id in born.items()
            ]
        )
        counts.update(
            [(windows[d.message_id], d.endpoint_id, d.app_id, str(d.state)) for d in placed]
        )
        books: defaultdict[tuple[int, str, str], dict[str, int]] = defaultdict(dict)
        for (window_at_us, endpoint_id, app_id, column), count in counts.items():
            books[window_at_us, endpoint_id, app_id][column] = count
        return [
            LedgerRow(
                endpoint_id=endpoint_id,
                app_id=app_id,
                window_at_us=window_at_us,
                **{column: columns.get(column, 0) for column in ("accepted", *State)},
            )
            for (window_at_us, endpoint_id, app_id), columns in sorted(books.items())
        ]

    async def misfits(self, span: Span, *, limit: int) -> list[Misfit]:
        low, high = span.half_open_bounds("msg_")
        born = self._born(low, high)
        placed = Counter([(d.message_id, d.endpoint_id) for d in self._placed(low, high)])
        found = [
            *((which, "unaccounted") for which in born.keys() - placed.keys()),
            *((which, "unannounced") for which in placed.keys() - born.keys()),
            *((which, "doubled") for which, times in placed.items() if times > 1),
            *((which, "unfiled") for which in self._unfiled(low, high)),
            *((which, "misfiled") for which in self._misfiled(low, high)),
            *(((name, ""), "uncounted") for name in self._uncounted(low, high)),
        ]
        return [
            Misfit(delivery=DeliveryId(*which), kind=kind) for which, kind in sorted(found)[:limit]
        ]

    async def attempts_made(self, first: str, last: str) -> dict[DeliveryId, int]:
        return dict(
            Counter(
                DeliveryId(attempt.message_id, attempt.endpoint_id)
                for attempt in self.attempted.values()
                if first <= attempt.message_id <= last
            )
        )

    def _uncounted(self, low: str, high: str) -> Iterator[str]:
        lines = Counter([e.message_id for e in self.lines if e is not None and e.op == "accepted"])
        for message in self.accepted.values():
            if low <= message.id < high and message.fanout != lines[message.id]:
                yield message.id

    def _unfiled(self, low: str, high: str) -> Iterator[DeliveryId]:
        for which, delivery in self.history.items():
            filed = self.desk.get(which)
            is_filed = filed is not None and filed.discarded_at_us is None
            if delivery.state is State.DEAD and not is_filed and low <= which.message_id < high:
                yield which

    def _misfiled(self, low: str, high: str) -> Iterator[DeliveryId]:
        for which, filed in self.desk.items():
            state = State.DEAD if filed.discarded_at_us is None else State.CANCELLED
            row = self.history.get(which)
            if low <= which.message_id < high and (row is None or row.state is not state):
                yield which

    async def applications_kept(self, *, after: str, limit: int) -> list[str]:
        kept = {message.app_id for message in self.accepted.values()}
        return sorted(app_id for app_id in kept if app_id > after)[:limit]

    async def standings(self, app_id: str, *, after: str, until: str, limit: int) -> list[Standing]:
        ids = sorted(
            message.id
            for message in self.accepted.values()
            if message.app_id == app_id and after < message.id < until
        )
        return [self._standing(self.accepted[name]) for name in ids[:limit]]

    def _standing(self, message: Message) -> Standing:
        done = [d for which, d in self.history.items() if which.message_id == message.id]
        died = [d.finished_at_us or 0 for d in done if d.state is State.DEAD]
        return Standing(
            message_id=message.id,
            app_id=message.app_id,
            accepted_at_us=message.accepted_at_us,
            has_payload=message.payload is not None,
            has_attempts=any(of_message == message.id for of_message, _ in self.attempted),
            is_unfinished=any(which.message_id == message.id for which in self.hot),
            finished=len(done),
            finished_at_us=max((d.finished_at_us or 0 for d in done), default=None),
            dead_at_us=max(died, default=None),
        )

    async def purge(
        self,
        message_ids: Sequence[str],
        decide: Callable[[Standing], frozenset[Part]],
        *,
        at_us: int = 0,
    ) -> Purged:
        found = [self.accepted[name] for name in message_ids if name in self.accepted]
        going = sorted_out(map(self._standing, found), decide)
        whole = set(going[Part.MESSAGE])
        done = [d for which, d in self.history.items() if which.message_id in whole]
        without = whole.union(going[Part.ATTEMPTS])
        attempts = [which for which in self.attempted if which[0] in without]
        lines = [
            place
            for place, entry in enumerate(self.lines)
            if entry is not None and entry.message_id in whole and _is_born(entry)
        ]
        await file_purge(self, sorted(whole), at_us)
        self._forget_words([*going[Part.PAYLOAD], *whole])
        for name in going[Part.PAYLOAD]:
            self.accepted[name] = _replace(self.accepted[name], payload=None)
        for name in whole:
            del self.accepted[name]
        for delivery in done:
            del self.history[delivery.id]
        for attempt in attempts:
            del self.attempted[attempt]
        for place in lines:
            self.lines[place] = None
        self.commits += 1
        return Purged(
            payloads=len(going[Part.PAYLOAD]),
            attempts=len(attempts),
            messages=len(whole),
            deliveries=len(done),
            dead_letters=sum(delivery.state is State.DEAD for delivery in done),
            lines=len(lines),
        )

    async def purge_log(
        self, cursor: LogCursor, *, until_us: int, limit: int
    ) -> tuple[LogCursor | None, Purged]:
        read = await self.log(cursor, limit=limit)
        looked = [line for line in read if line.entry.at_us < until_us]
        evidence = {entry.message_id for entry in self._log() if _is_born(entry)}
        evidence.update(self.accepted, (which.message_id for which in self.hot))
        gone = [line for line in looked if line.entry.message_id not in evidence]
        for line in gone:
            self.lines[line.cursor.line - 1] = None
        self.commits += bool(gone)
        return (looked[-1].cursor if looked else None), Purged(lines=len(gone))


def _is_born(entry: LogEntry) -> bool:
    """Whether the line says that a delivery was made."""
    return entry.op in _BORN and bool(entry.rows_written)
