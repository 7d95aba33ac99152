"""Looking for messages and deliveries, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from homing.core.identifiers import DeliveryId
from homing.core.lifecycle import UNFINISHED, Delivery, State
from homing.core.records import LogEntry, Message
from homing.core.searching import Head, Looked, Sought
from homing.store.looking import (
    Walk,
    bounds,
    looked,
    place_below,
    type_fits,
    walk_for_deliveries,
    walk_for_messages,
    walked_by,
)
from homing.store.memory.tables import Tables


class MemorySearching(Tables):
    """`core.searching.Searching` in memory."""

    async def look_for_messages(self, which: Sought, *, looks: int, limit: int) -> Looked[Head]:
        walked = self._walk(walk_for_messages(which), which, looks)
        found = [_head(self.accepted[name]) for name in walked if self._fits(name, which)]
        return looked(walked, found, lambda one: DeliveryId(one.id, ""), looks=looks, limit=limit)

    async def look_for_deliveries(
        self, which: Sought, *, looks: int, limit: int
    ) -> Looked[Delivery]:
        walked = self._walk(walk_for_deliveries(which), which, looks)
        ids = {name for name in walked if not which.asks_of_message or self._fits(name, which)}
        found = [
            one
            for one in chain(self.hot.values(), self.history.values())
            if one.message_id in ids
            and one.id < place_below(which)
            and (not which.app_ids or one.app_id in which.app_ids)
            and which.endpoint_id in (None, one.endpoint_id)
            and (not which.states or one.state in which.states)
        ]
        found.sort(key=lambda one: one.id, reverse=True)
        return looked(walked, found, lambda one: one.id, looks=looks, limit=limit)

    async def heads(self, ids: Sequence[str]) -> dict[str, Head]:
        return {name: _head(self.accepted[name]) for name in ids if name in self.accepted}

    async def life(self, which: DeliveryId, *, limit: int) -> list[LogEntry]:
        lines = [
            one
            for one in self._log()
            if (one.message_id, one.endpoint_id) == which and not _is_routine(one)
        ]
        born = [one for one in lines if one.from_state is None]
        later = [one for one in lines if one.from_state is not None]
        return born + later[-limit:]

    def _walk(self, walk: Walk, which: Sought, looks: int) -> list[str]:
        ids = walked_by(which, looks)
        if ids is not None:
            return ids
        low, high = bounds(which)
        if walk.name.startswith("walk_messages"):
            names = [m.id for m in self.accepted.values() if walk.of in (None, m.app_id)]
        else:
            rows = chain(self.hot.values(), self.history.values())
            names = [
                one.message_id
                for one in rows
                if walk.of in (None, one.app_id, one.endpoint_id)
                and ("dead" not in walk.name or one.state is State.DEAD)
                and ("unfinished" not in walk.name or one.state in UNFINISHED)
            ]
        return sorted((name for name in names if low <= name < high), reverse=True)[:looks]

    def _fits(self, name: str, which: Sought) -> bool:
        message = self.accepted.get(name)
        return (
            message is not None
            and (not which.app_ids or message.app_id in which.app_ids)
            and which.event_id in (None, message.event_id)
            and type_fits(message.event_type, which.event_types)
            and (which.channel is None or which.channel in message.channels)
            and set(which.tags) <= set(message.tags)
        )


def _is_routine(line: LogEntry) -> bool:
    if not line.rows_written:
        return line.from_state is None
    return line.op == "succeeded" or (line.op == "leased" and line.from_state is State.WAITING)


def _head(message: Message) -> Head:
    return Head(
        id=message.id,
        app_id=message.app_id,
        event_type=message.event_type,
        accepted_at_us=message.accepted_at_us,
        fanout=message.fanout,
        is_raw=message.is_raw,
        event_id=message.event_id,
        channels=message.channels,
        tags=message.tags,
        deliver_at_us=message.deliver_at_us,
        payload_bytes=None if message.payload is None else len(message.payload),
    )
