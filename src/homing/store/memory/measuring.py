"""Counting what objectives are about, in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from homing.core.identifiers import DeliveryId
from homing.core.lifecycle import UNFINISHED, State
from homing.core.objectives import MINUTE_US, Limits, LogPiece, Measured, Owner, Seen, Sli, Tally
from homing.core.outcome import Reason
from homing.core.queries import LogCursor
from homing.core.records import LogEntry
from homing.store.memory.books import MemoryBooks
from homing.store.memory.resources import MemoryResources
from homing.store.rows import tally_rows


class MemoryMeasuring(MemoryResources, MemoryBooks):
    """`core.store.Measuring` in memory."""

    async def seen(self, cursor: LogCursor, *, limit: int, limits: Limits) -> LogPiece:
        read = await self.log(cursor, limit=limit)
        counts: Counter[Seen] = Counter()
        newest: dict[Seen, str] = {}
        for line in read:
            entry = line.entry
            if _matters(entry):
                kind = self._seen(entry, limits)
                counts[kind] += 1
                if kind.endpoint_id is not None:
                    newest[kind] = max(entry.message_id, newest.get(kind, ""))
        found = [
            msgspec.structs.replace(kind, count=count, message_id=newest.get(kind))
            for kind, count in counts.items()
        ]
        return LogPiece(read[-1].cursor if read else cursor, found, len(read) == limit)

    def _seen(self, entry: LogEntry, limits: Limits) -> Seen:
        which = DeliveryId(entry.message_id, entry.endpoint_id)
        is_claim = entry.to_state is State.LEASED
        placed = None if is_claim else self.history.get(which) or self.hot.get(which)
        is_dead = State.DEAD in (entry.from_state, entry.to_state)
        is_first = entry.attempt_no is not None and self._is_first(entry, entry.attempt_no)
        late_start, late_done = self._lateness(entry, limits, is_first=is_first)
        seen = Seen(
            minute_us=_minute(entry.at_us),
            app_id=entry.app_id,
            op=entry.op,
            from_state=None if entry.from_state is None else str(entry.from_state),
            to_state=str(entry.to_state),
            written=entry.rows_written == 1,
            outcome=entry.outcome,
            is_first=is_first,
            late_start=late_start,
            late_done=late_done,
            again=_is_end(entry) and self._had_ended(entry),
            count=1,
        )
        is_good = (entry.outcome is Reason.OK or is_claim) and seen.written
        if is_good and not (is_dead or late_start or late_done):
            return seen
        since_us = placed.accepted_at_us if placed else entry.due_at_us
        is_late, is_end = late_start or late_done, late_done or is_dead
        return msgspec.structs.replace(
            seen,
            status=entry.status,
            reason=entry.reason,
            born=self._born_as(which) if is_late else None,
            error=placed.first_error if is_end and placed else None,
            failed_before=bool(is_end and placed and placed.failures),
            lapsed=late_start and (entry.attempt_no or 0) > 1,
            accepted_minute_us=_minute(since_us)
            if since_us is not None and (is_late or is_dead)
            else None,
            endpoint_id=entry.endpoint_id,
            holder=entry.holder,
        )

    def _is_first(self, entry: LogEntry, number: int) -> bool:
        return not any(
            attempt.number < number
            for (of_message, _), attempt in self.attempted.items()
            if of_message == entry.message_id and attempt.endpoint_id == entry.endpoint_id
        )

    def _had_ended(self, entry: LogEntry) -> bool:
        """Whether somebody had revived it: it left a state that is an end."""
        return any(
            other.from_state is not None
            and other.from_state not in UNFINISHED
            and other.rows_written
            and other.version_after <= entry.version_before
            and (other.message_id, other.endpoint_id) == (entry.message_id, entry.endpoint_id)
            for other in self._log()
        )

    def _lateness(self, entry: LogEntry, limits: Limits, *, is_first: bool) -> tuple[bool, bool]:
        """Whether it began too late, and whether it was received too late."""
        if entry.to_state is State.LEASED:
            due_us = entry.due_at_us
            return due_us is not None and entry.at_us - due_us > limits.retry_us, False
        due_us = self._due_since_us(DeliveryId(entry.message_id, entry.endpoint_id))
        if due_us is None:
            return False, False
        began_us = entry.at_us - (entry.total_us or 0)
        late_start = is_first and entry.rows_written == 1 and began_us - due_us > limits.first_us
        late_done = entry.op == "succeeded" and entry.at_us - due_us > limits.delivered_us
        return late_start, late_done

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
        self, watch: Measured, tallies: Sequence[Tally], *, forget: Mapping[int, int]
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

    async def tally_series(
        self, scope: str, sli: Sli, grain_s: int, since_us: int, until_us: int
    ) -> list[Tally]:
        found: Counter[tuple[int, str]] = Counter()
        for (its_scope, its_grain_s, at_us, its_sli, owner, _), count in self.tallies.items():
            is_meant = (its_scope, its_grain_s, its_sli) == (scope, grain_s, str(sli))
            if is_meant and since_us <= at_us < until_us:
                found[at_us, owner] += count
        return [
            Tally(
                scope=scope,
                at_us=at_us,
                sli=sli,
                owner=Owner(owner) if owner else None,
                count=count,
            )
            for (at_us, owner), count in sorted(found.items())
        ]


def _matters(entry: LogEntry) -> bool:
    """Whether a line is about an attempt, a retry that was taken, or a dead letter."""
    return (
        entry.attempt_no is not None
        or State.DEAD in (entry.from_state, entry.to_state)
        or (
            entry.to_state is State.LEASED
            and entry.from_state is State.WAITING
            and entry.lease_epoch > 1
        )
    )


def _is_end(entry: LogEntry) -> bool:
    """Whether a line may be a delivery's verdict."""
    return entry.rows_written == 1 and (
        entry.op == "succeeded"
        or (entry.to_state is State.DEAD and entry.from_state not in (None, State.DEAD))
    )


def _minute(at_us: int) -> int:
    return at_us - at_us % MINUTE_US
