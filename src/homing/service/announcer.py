"""Tells organisations what is to be told: turns announcements and notable log lines into messages.

No step can lose one. An announcement is removed after its message is stored, and the place in the
delivery log moves on after the messages of the lines before it are. A crash in between tells it
again, under the same event id, which the intake knows. Any number of processes may do this at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import msgspec

from homing.core.errors import Conflict, NotFound, Stale, StoreError
from homing.core.operational import (
    UID,
    Announcement,
    Event,
    Follower,
    about_delivery,
    is_hidden,
    news_of,
    payload_of,
    scope_of,
)
from homing.core.ports import Clock
from homing.core.queries import LogCursor, Page
from homing.core.records import Attempt, LogEntry, Message, Reply, RequestKey, Trigger, digest16
from homing.core.resources import Application, Endpoint, wants
from homing.core.store import Store
from homing.service.intake import Draft, Intake
from homing.service.operational import FOLLOWER

_log = logging.getLogger("homing.operational")

#: how often it is looked whether there is something to tell, in seconds
_EVERY_S: Final = 1.0
_CHUNK: Final = 500
_ENDPOINTS_MAX: Final = 1_000
#: for how long it is known that a delivery was told to be failing or dead
_TROUBLE_US: Final = 90 * 86_400 * 1_000_000
_NOTED: Final = Reply(status=204, body=b"")


class _Audience:
    """The hidden application of one organisation, and what its endpoints want to know."""

    def __init__(self, application: Application, endpoints: Sequence[Endpoint]) -> None:
        self.application = application
        self._endpoints = endpoints

    def wants(self, event_type: str) -> bool:
        return any(wants(endpoint, event_type, ()) for endpoint in self._endpoints)


class Announcer:
    """Tells what is to be told, for one process."""

    def __init__(self, store: Store, clock: Clock, intake: Intake) -> None:
        self._store = store
        self._clock = clock
        self._intake = intake

    async def run(self) -> None:
        """Look every second, for ever."""
        while True:
            await asyncio.sleep(_EVERY_S)
            try:
                while await self.look():
                    pass
            except StoreError as error:
                _log.warning("announcements wait for the database: %s", error)

    async def look(self) -> bool:
        """Tell what there is to tell, up to a bound; whether there may be more."""
        if await self._store.get(Follower, *FOLLOWER) is None:
            return False  # no organisation has ever asked
        told = await self._tell_announcements()
        read = await self._follow_log()
        return told == _CHUNK or read == _CHUNK

    async def _tell_announcements(self) -> int:
        found = await self._store.list(Announcement, None, Page(limit=_CHUNK))
        await self._tell(sorted(found, key=lambda one: one.created_at_us))
        for one in found:
            await self._store.delete(one)
        return len(found)

    async def _follow_log(self) -> int:
        follower = await self._store.get(Follower, *FOLLOWER)
        assert follower is not None
        place = LogCursor(transaction=follower.transaction, line=follower.line)
        lines = await self._store.notable_log(place, limit=_CHUNK)
        if not lines:
            return 0
        await self._tell_of([line.entry for line in lines])
        after = msgspec.structs.replace(
            follower,
            version=follower.version + 1,
            updated_at_us=self._clock.now_us(),
            transaction=lines[-1].cursor.transaction,
            line=lines[-1].cursor.line,
        )
        with suppress(Stale):  # another process has told them too
            await self._store.put(after)
        return len(lines)

    async def _tell_of(self, entries: Sequence[LogEntry]) -> None:
        applications = {
            one.id: one
            for one in await self._store.by_ids(Application, _distinct(e.app_id for e in entries))
            if not is_hidden(one.scope)
        }
        audiences = await self._audiences(one.scope for one in applications.values())
        troubled: set[tuple[str, str]] = set()
        news: list[tuple[Event, LogEntry, Attempt | None]] = []
        for entry in entries:
            application = applications.get(entry.app_id)
            if application is None or application.scope not in audiences or not _may_be_news(entry):
                continue
            which = (entry.message_id, entry.endpoint_id)
            attempt = await self._attempt(entry)
            event = news_of(
                entry,
                in_trouble=which in troubled or await self._is_troubled(entry),
                manual=attempt is not None and attempt.trigger is Trigger.MANUAL,
            )
            if event is None:
                continue
            if event is not Event.MESSAGE_RECOVERED:
                troubled.add(which)
            news.append((event, entry, attempt))
        await self._tell(await self._announcements(news, applications))
        for which in sorted(troubled):
            at_us = self._clock.now_us()
            await self._store.remember(_trouble(*which, at_us), _NOTED, at_us=at_us)

    async def _announcements(
        self,
        news: Sequence[tuple[Event, LogEntry, Attempt | None]],
        applications: dict[str, Application],
    ) -> list[Announcement]:
        if not news:
            return []
        messages = await self._store.messages_by_ids(_distinct(e.message_id for _, e, _ in news))
        endpoint_ids = _distinct(e.endpoint_id for _, e, _ in news)
        endpoints = {one.id: one for one in await self._store.by_ids(Endpoint, endpoint_ids)}
        told = []
        for event, entry, attempt in news:
            application = applications[entry.app_id]
            endpoint = endpoints.get(entry.endpoint_id)
            told.append(
                about_delivery(
                    event,
                    entry,
                    application.scope,
                    messages.get(entry.message_id),
                    app_uid=application.uid,
                    endpoint_uid=endpoint.uid if endpoint else None,
                    attempt_at=_timestamp(attempt.at_us) if attempt else None,
                )
            )
        return told

    async def _attempt(self, entry: LogEntry) -> Attempt | None:
        if entry.attempt_id is None:
            return None
        return await self._store.attempt(entry.message_id, entry.attempt_id)

    async def _is_troubled(self, entry: LogEntry) -> bool:
        at_us = self._clock.now_us()
        key = _trouble(entry.message_id, entry.endpoint_id, at_us)
        return await self._store.recall(key, at_us=at_us) is not None

    async def _tell(self, announcements: Sequence[Announcement]) -> None:
        """Make messages of these; return once they are stored."""
        audiences = await self._audiences(one.scope for one in announcements)
        for org_id, audience in audiences.items():
            mine = [
                one
                for one in announcements
                if one.scope == org_id and audience.wants(one.event_type)
            ]
            for start in range(0, len(mine), _CHUNK):
                await self._send(audience.application, mine[start : start + _CHUNK])

    async def _send(self, to: Application, announcements: Sequence[Announcement]) -> None:
        drafts = [
            Draft(event_type=one.event_type, payload=payload_of(one), event_id=one.id)
            for one in announcements
        ]
        results = await self._intake.create_messages(to.scope, to.id, drafts)
        for one, result in zip(announcements, results, strict=True):
            # A conflict is one that was told before, in other words (a uid has changed since).
            if not isinstance(result, Message | Conflict | NotFound):
                _log.error("an announcement was refused: %s", result, extra={"event": one.id})

    async def _audiences(self, org_ids: Iterable[str]) -> dict[str, _Audience]:
        """Of those organisations that have one."""
        audiences = {}
        for org_id in _distinct(org_ids):
            hidden = await self._store.get(Application, scope_of(org_id), UID)
            if hidden is not None:
                page = Page(limit=_ENDPOINTS_MAX)
                endpoints = await self._store.list(Endpoint, hidden.id, page)
                audiences[org_id] = _Audience(hidden, endpoints)
        return audiences


def _distinct(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _may_be_news(entry: LogEntry) -> bool:
    """Whether it is worth a look at what happened before."""
    return any(news_of(entry, in_trouble=known, manual=False) for known in (False, True))


def _trouble(message_id: str, endpoint_id: str, at_us: int) -> RequestKey:
    """Under which it is known that a delivery was told to be failing or dead."""
    return RequestKey(
        digest=digest16("operational", "trouble", message_id, endpoint_id),
        fingerprint=digest16("trouble"),
        expires_at_us=at_us + _TROUBLE_US,
    )


def _timestamp(at_us: int) -> str:
    moment = datetime.fromtimestamp(at_us / 1_000_000, UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
