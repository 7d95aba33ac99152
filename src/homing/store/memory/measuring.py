"""Counting what objectives are about, in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from homing.core.identifiers import DeliveryId
from homing.core.lifecycle import State
from homing.core.objectives import MINUTE_US, Limits, LogPiece, Owner, Seen, Sli, Tally, Watch
from homing.core.outcome import Reason
from homing.core.queries import LogCursor
from homing.core.records import LogEntry
from homing.store.memory.books import MemoryBooks
from homing.store.memory.resources import MemoryResources
from homing.store.rows import tally_rows


class MemoryMeasuring(MemoryResources, MemoryBooks):
    """`core.ports.Measuring` in memory."""

    async def seen(self, cursor: LogCursor, *, limit: int, limits: Limits) -> LogPiece:
        read = await self.log(cursor, limit=limit)
        counts = Counter(
            self._seen(line.entry, limits)
            for line in read
            if line.entry.attempt_no is not None
            or State.DEAD in (line.entry.from_state, line.entry.to_state)
        )
        found = [msgspec.structs.replace(one, count=count) for one, count in counts.items()]
        return LogPiece(read[-1].cursor if read else cursor, found, len(read) == limit)

    def _seen(self, entry: LogEntry, limits: Limits) -> Seen:
        which = DeliveryId(entry.message_id, entry.endpoint_id)
        placed = self.history.get(which) or self.hot.get(which)
        is_first = entry.attempt_no is not None and not any(
            attempt.number < entry.attempt_no
            for (of_message, _), attempt in self.attempted.items()
            if of_message == entry.message_id and attempt.endpoint_id == entry.endpoint_id
        )
        due_us = self._due_since_us(which)
        began_us = entry.at_us - (entry.total_us or 0)
        written = entry.rows_written == 1
        late_start = (
            is_first and written and due_us is not None and began_us - due_us > limits.first_us
        )
        late_done = (
            entry.op == "succeeded"
            and due_us is not None
            and entry.at_us - due_us > limits.delivered_us
        )
        is_dead = State.DEAD in (entry.from_state, entry.to_state)
        died_us = placed.finished_at_us if placed else None
        seen = Seen(
            minute_us=_minute(entry.at_us),
            app_id=entry.app_id,
            op=entry.op,
            from_state=None if entry.from_state is None else str(entry.from_state),
            to_state=str(entry.to_state),
            written=written,
            outcome=entry.outcome,
            is_first=is_first,
            late_start=late_start,
            late_done=late_done,
            again=entry.to_state is State.DEAD
            and died_us is not None
            and died_us < entry.at_us - MINUTE_US,
            count=1,
        )
        if entry.outcome is Reason.OK and written and not (is_dead or late_start or late_done):
            return seen
        more: dict[str, object] = {
            "status": entry.status,
            "reason": entry.reason,
            "endpoint_id": entry.endpoint_id,
            "holder": entry.holder,
            "lapsed": late_start and (entry.attempt_no or 0) > 1,
        }
        if late_start or late_done:
            more["born"] = self._born_as(which)
        if (late_start or late_done or is_dead) and placed is not None:
            more["accepted_minute_us"] = _minute(placed.accepted_at_us)
        if (late_done or is_dead) and placed is not None:
            more |= {"error": placed.first_error, "failed_before": placed.failures > 0}
        return msgspec.structs.replace(seen, **more)

    def _due_since_us(self, which: DeliveryId) -> int | None:
        placed = self.history.get(which) or self.hot.get(which)
        if placed is None:
            return None
        message = self.accepted.get(which.message_id)
        return max(placed.accepted_at_us, (message.deliver_at_us if message else None) or 0)

    def _born_as(self, which: DeliveryId) -> str | None:
        return next(
            (
                str(entry.to_state)
                for entry in self._log()
                if entry.from_state is None
                and entry.rows_written
                and (entry.message_id, entry.endpoint_id) == which
            ),
            None,
        )

    async def tally(
        self, watch: Watch, tallies: Sequence[Tally], *, forget: Mapping[int, int]
    ) -> None:
        await self.put(watch)
        for *place, count in tally_rows(tallies):
            self.tallies[tuple(place)] += count
        for grain_s, until_us in forget.items():
            for key in [k for k in self.tallies if k[1] == grain_s and k[2] < until_us]:
                del self.tallies[key]

    async def tallied(self, scope: str, grain_s: int, since_us: int, until_us: int) -> list[Tally]:
        found: Counter[tuple[str, str, str]] = Counter()
        for (its_scope, its_grain_s, at_us, *kind), count in self.tallies.items():
            if (its_scope, its_grain_s) == (scope, grain_s) and since_us <= at_us < until_us:
                sli, owner, rule = kind
                found[sli, owner, rule] += count
        return [
            Tally(
                scope=scope,
                at_us=since_us,
                sli=Sli(sli),
                owner=Owner(owner) if owner else None,
                rule=rule,
                count=count,
            )
            for (sli, owner, rule), count in found.items()
        ]


def _minute(at_us: int) -> int:
    return at_us - at_us % MINUTE_US
