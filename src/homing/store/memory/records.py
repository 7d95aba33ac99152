"""Reading back, from memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import islice

import msgspec

from homing.core.identifiers import DeliveryId, parse_delivery_id
from homing.core.lifecycle import Delivery, State
from homing.core.outcome import Reason
from homing.core.queries import (
    AttemptFilter,
    DeadLetters,
    DeliveryFilter,
    LogCursor,
    LoggedEntry,
    MessageFilter,
    Page,
    Span,
)
from homing.core.records import (
    Attempt,
    LogEntry,
    Message,
)
from homing.store.memory.tables import Tables, page_of
from homing.store.paging import LAST

_replace = msgspec.structs.replace


class MemoryRecords(Tables):
    """`core.store.Records` in memory, without the books."""

    async def message(self, app_id: str, name: str) -> Message | None:
        found = self.accepted.get(name)
        if found is not None and found.app_id == app_id:
            return found
        named = [m for m in self.accepted.values() if m.app_id == app_id and m.event_id == name]
        return max(named, key=lambda message: message.id, default=None)

    async def messages(self, which: MessageFilter, page: Page) -> list[Message]:
        found = [
            message
            for message in self.accepted.values()
            if message.app_id == which.app_id
            and _fits(message, which.event_types, which.channel, which.tag)
        ]
        return page_of(found, lambda message: message.id, which.span.bounds("msg_"), page)

    async def messages_by_ids(self, ids: Sequence[str]) -> dict[str, Message]:
        return {name: self.accepted[name] for name in ids if name in self.accepted}

    async def delivery(self, which: DeliveryId) -> Delivery | None:
        return self.hot.get(which) or self.history.get(which)

    async def deliveries(self, which: DeliveryFilter, page: Page) -> list[Delivery]:
        low, high = which.span.bounds("msg_")
        found = [
            delivery
            for delivery in (self.history | self.hot).values()
            if low <= delivery.message_id < high and self._delivery_fits(delivery, which)
        ]
        if which.endpoint_id is not None:
            return page_of(found, lambda delivery: delivery.message_id, ("", LAST), page)
        if which.message_id is not None:
            return page_of(found, lambda delivery: delivery.endpoint_id, ("", LAST), page)
        found.sort(key=lambda delivery: delivery.id, reverse=page.descending)
        if page.after is not None:
            after = parse_delivery_id(page.after)
            found = [d for d in found if (d.id < after if page.descending else d.id > after)]
        return found[: page.limit]

    def _delivery_fits(self, delivery: Delivery, which: DeliveryFilter) -> bool:
        return (
            which.app_id in (None, delivery.app_id)
            and which.endpoint_id in (None, delivery.endpoint_id)
            and which.message_id in (None, delivery.message_id)
            and (not which.states or delivery.state in which.states)
            and self._message_fits(delivery.message_id, which.event_types, which.channel, None)
        )

    def _message_fits(
        self, message_id: str, event_types: tuple[str, ...], channel: str | None, tag: str | None
    ) -> bool:
        if not event_types and channel is None and tag is None:
            return True
        message = self.accepted.get(message_id)
        return message is not None and _fits(message, event_types, channel, tag)

    async def attempt(self, message_id: str, attempt_id: str) -> Attempt | None:
        return self.attempted.get((message_id, attempt_id))

    async def attempts(self, which: AttemptFilter, page: Page) -> list[Attempt]:
        found = [
            attempt
            for attempt in self.attempted.values()
            if _attempt_fits(attempt, which)
            and self._message_fits(attempt.message_id, which.event_types, which.channel, which.tag)
        ]
        return page_of(found, lambda attempt: attempt.id, which.span.bounds("atmpt_"), page)

    async def attempt_counts(self, endpoint_id: str, span: Span) -> dict[Reason, int]:
        low, high = span.bounds("atmpt_")
        return dict(
            Counter(
                attempt.reason
                for attempt in self.attempted.values()
                if attempt.endpoint_id == endpoint_id and low <= attempt.id < high
            )
        )

    async def expunge_message(self, message_id: str) -> None:
        message = self.accepted.get(message_id)
        if message is not None:
            self.commits += 1
            self.accepted[message_id] = _replace(message, payload=None)
            self._forget_words([message_id])
            for of_message, attempt_id in list(self.attempted):
                if of_message == message_id:
                    await self.expunge_attempt(of_message, attempt_id)

    async def expunge_attempt(self, message_id: str, attempt_id: str) -> None:
        attempt = self.attempted.get((message_id, attempt_id))
        if attempt is not None:
            self.commits += 1
            self.attempted[message_id, attempt_id] = _replace(
                attempt, response_body=None, response_headers=()
            )

    async def log(
        self, cursor: LogCursor, *, limit: int, app_id: str | None = None
    ) -> list[LoggedEntry]:
        if cursor.line >= len(self.lines):
            return []
        lines = enumerate(self.lines[cursor.line :], start=cursor.line + 1)
        found = (
            LoggedEntry(entry, LogCursor(line=line))
            for line, entry in lines
            if entry is not None and (app_id is None or entry.app_id == app_id)
        )
        return list(islice(found, limit))

    async def notable_log(self, cursor: LogCursor, *, limit: int) -> list[LoggedEntry]:
        lines = enumerate(self.lines[cursor.line :], start=cursor.line + 1)
        found = (
            LoggedEntry(one, LogCursor(line=n))
            for n, one in lines
            if one is not None and _is_notable(one)
        )
        return list(islice(found, limit))

    async def dead_letters(
        self, *, recent_us: int, past_us: int, after: str, limit: int, most: int
    ) -> list[DeadLetters]:
        died: dict[str, list[int]] = defaultdict(list)
        apps: dict[str, str] = {}
        for one in self.history.values():
            if one.state is State.DEAD and one.endpoint_id > after:
                died[one.endpoint_id].append(one.finished_at_us or 0)
                apps[one.endpoint_id] = one.app_id
        return [
            DeadLetters(
                endpoint_id=endpoint_id,
                app_id=apps[endpoint_id],
                count=min(len(times), most),
                recent=min(sum(at_us >= recent_us for at_us in times), most),
                past=min(sum(at_us >= past_us for at_us in times), most),
                oldest_at_us=min(times),
                newest_at_us=max(times),
            )
            for endpoint_id, times in sorted(died.items())[:limit]
        ]

    async def first_accepted_at_us(self) -> int | None:
        return self.accepted[min(self.accepted)].accepted_at_us if self.accepted else None


def _is_notable(entry: LogEntry) -> bool:
    return entry.rows_written == 1 and (
        entry.to_state is State.DEAD or (entry.attempt_no or 0) >= 2
    )


def _fits(
    message: Message, event_types: tuple[str, ...], channel: str | None, tag: str | None
) -> bool:
    return (
        (not event_types or message.event_type in event_types)
        and (channel is None or channel in message.channels)
        and (tag is None or tag in message.tags)
    )


def _attempt_fits(attempt: Attempt, which: AttemptFilter) -> bool:
    return (
        attempt.app_id == which.app_id
        and which.endpoint_id in (None, attempt.endpoint_id)
        and which.message_id in (None, attempt.message_id)
        and which.succeeded in (None, attempt.reason is Reason.OK)
        and which.status_class in (None, (attempt.status or 0) // 100 * 100)
    )
