"""The keeper: removes what is beyond its retention, a little at a time, one process at a time.

Whose turn it is stands in a document with a version, so two that take it at once cannot both have
it. A keeper that was paused past its turn may purge beside the next: each purge asks the rule again
with its messages held, so that does no harm.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from typing import Final

import msgspec

from homing.core.errors import Conflict, Stale, StoreError
from homing.core.identifiers import first_id
from homing.core.issues import Issue
from homing.core.lifecycle import State
from homing.core.operational import Announcement, Expiring, about_expired, about_expiring
from homing.core.plurals import plural
from homing.core.ports import Clock, Meters, NoMeters
from homing.core.queries import DeliveryFilter, LogCursor, Page, Span
from homing.core.resources import Application
from homing.core.retention import (
    DAY_US,
    Part,
    Purged,
    Retention,
    Standing,
    dead_letter_goes_at_us,
    may_go,
)
from homing.core.store import Store
from homing.service.keeping import Progress, Round, Walk
from homing.service.task_news import listens

_log = logging.getLogger("homing.retention")

#: how long a turn lasts unless it is renewed, seconds: many times longer than a chunk takes
_TURN_S: Final = 10.0
#: how often the turn is renewed while nothing is removed, and progress written down, seconds
_RENEW_S: Final = 1.0
#: the next round is looked for this often, seconds, or more often when rounds are
_LOOK_S: Final = 60.0
#: messages in one chunk: as many as take about `_CHUNK_US`, between these. Below a hundred the
#: trips to the database take longer than the work, and on a busy machine fewer would be no faster
_MESSAGES: Final = (100, 1_000)
#: finished deliveries in one chunk, unless a single message has more
_DELIVERIES_MAX: Final = 2_000
#: how long a chunk aims to take, microseconds: what a claim or a settlement may have to wait for,
#: on SQLite, which has one writer
_CHUNK_US: Final = (8_000, 20_000)
#: rest after each chunk, in lengths of it: at most a third of the time goes into purging
_REST: Final = 2
#: but no longer than this, seconds: a chunk that was slow because of others must not end the purge
_REST_MAX_S: Final = 0.25
#: lines of the log looked at in one chunk
_LINES: Final = 1_000
_PAGE: Final = 500
_DAY_S: Final = 86_400
#: dead letters that are named when many are about to go
_SAMPLE_MAX: Final = 3


class TurnLost(Exception):
    """Somebody else purges now."""


class Keeper:
    """Purges for one process, when it has the turn.

    Args:
        holder: names this process among all that ever ran.
        kept: the service's retention, every field set; applications override it.
        every_s: from the end of a round to the beginning of the next, seconds.
        warn_d: how long before its end a dead letter is announced, days; 0: not at all.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        holder: str,
        *,
        kept: Retention,
        every_s: float = 3_600.0,
        warn_d: int = 14,
        meters: Meters | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._holder = holder
        self._kept = kept
        self._every_us = round(every_s * 1_000_000)
        self._warn_us = warn_d * DAY_US
        self._meters = meters or NoMeters()
        self._size = _MESSAGES[0]
        self._round: Round | None = None
        self._news = Purged()  #: removed since the round was last written down
        self._renewed_us = 0
        self._saved_us = 0
        self._own: dict[str, Retention] = {}
        self._progress: Progress | None = None  #: with the application that is purged now
        self._saved: Progress | None = None

    async def run(self) -> None:
        """Purge whenever a round is due and nobody else does, for ever."""
        while True:
            await asyncio.sleep(min(_LOOK_S, self._every_us / 1_000_000))
            try:
                await self.round()
            except TurnLost:
                _log.info("another process goes on with the purge")
            except StoreError as error:
                _log.warning("the purge waits for the database: %s", error)

    async def round(self) -> Purged | None:
        """One round, if one is due; what it removed. None: none is due, or it is another's turn.

        Raises:
            TurnLost: another process took over, because this one was held up for too long.
        """
        self._round = await self._take_turn()
        if self._round is None:
            return None
        self._own.clear()
        self._progress = None
        before, self._news = self._round.purged, Purged()
        lengths = [self._kept.length_us(Part.MESSAGE)]
        async for app_id in _all_applications(self._store):
            kept = await self._kept_by(app_id)
            lengths.append(kept.length_us(Part.MESSAGE))
            await self._purge_application(app_id, kept)
        await self._purge_log(min((us for us in lengths if us is not None), default=None))
        await self._announce()
        done = await self._end_turn()
        return _less(done.purged, before)

    # --- whose turn it is ---

    async def _take_turn(self) -> Round | None:
        now_us = self._clock.now_us()
        known = await self._store.get(Round, "", "round")
        if known is None:
            known = Round(
                scope="", id="round", version=0, created_at_us=now_us, updated_at_us=now_us
            )
        is_held = known.until_us > now_us and known.holder != self._holder
        if is_held or known.next_at_us > now_us:
            return None
        try:
            return await self._write(known, holder=self._holder)
        except TurnLost:
            return None

    async def _renew(self, *, now: bool = False, **fields: object) -> None:
        """Write down what was done, and keep the turn; not more often than is needed."""
        assert self._round is not None
        if fields:
            self._round = msgspec.structs.replace(self._round, **fields)
        due_us = self._clock.mono_us() - round(_RENEW_S * 1_000_000)
        if now or self._renewed_us < due_us:
            self._round = await self._write(self._round)
        if self._saved_us < due_us:
            await self._save_progress()

    async def _end_turn(self) -> Round:
        assert self._round is not None
        next_at_us = self._clock.now_us() + self._every_us
        return await self._write(self._round, next_at_us=next_at_us, ends=True)

    async def _write(self, known: Round, *, ends: bool = False, **fields: object) -> Round:
        """The round, as stored now.

        Raises:
            TurnLost: it has changed since it was read.
        """
        now_us = self._clock.now_us()
        after = msgspec.structs.replace(
            known,
            version=known.version + 1,
            updated_at_us=now_us,
            until_us=now_us if ends else now_us + round(_TURN_S * 1_000_000),
            purged=known.purged + self._news,
            purged_at_us=now_us if self._news != Purged() else known.purged_at_us,
            **fields,
        )
        try:
            await self._store.put(after)
        except (Stale, Conflict):
            raise TurnLost from None
        self._news = Purged()
        self._renewed_us = self._clock.mono_us()
        return after

    # --- messages ---

    async def _kept_by(self, app_id: str) -> Retention:
        """An application's retention; of one that was deleted, the service's."""
        if app_id not in self._own:
            found = await self._store.by_ids(Application, [app_id])
            own = found[0].retention if found else Retention()
            self._own[app_id] = own.over(self._kept)
        return self._own[app_id]

    async def _purge_application(self, app_id: str, kept: Retention) -> None:
        # What goes whole leaves nothing behind, so the walk begins at the oldest each time. What
        # loses a part stays, so that the walk for a part goes on from where the last one ended.
        await self._walk(app_id, kept, Part.MESSAGE)
        self._progress = await self._read_progress(app_id)
        for part in (Part.PAYLOAD, Part.ATTEMPTS):
            await self._walk(app_id, kept, part)
        await self._save_progress()
        self._progress = None

    async def _read_progress(self, app_id: str) -> Progress:
        known = await self._store.get(Progress, app_id, "progress")
        now_us = self._clock.now_us()
        self._saved = known or Progress(
            scope=app_id, id="progress", version=0, created_at_us=now_us, updated_at_us=now_us
        )
        return self._saved

    async def _save_progress(self) -> None:
        self._saved_us = self._clock.mono_us()
        if self._progress is None or self._progress == self._saved:
            return
        self._saved = self._progress = msgspec.structs.replace(
            self._progress,
            version=self._progress.version + 1,
            updated_at_us=self._clock.now_us(),
        )
        try:
            await self._store.put(self._progress)
        except (Stale, Conflict):
            raise TurnLost from None

    def _begin(self, part: Part) -> Walk:
        """Where to go on: once a day from the first message that was held back."""
        walk = Walk() if self._progress is None else self._progress.walks.get(part, Walk())
        now_us = self._clock.now_us()
        if walk.held_after is None or walk.again_at_us > now_us:
            return walk
        return Walk(after=walk.held_after, again_at_us=now_us + DAY_US)

    def _note(self, part: Part, walk: Walk) -> None:
        if self._progress is not None:
            walks = self._progress.walks | {part: walk}
            self._progress = msgspec.structs.replace(self._progress, walks=walks)

    async def _walk(self, app_id: str, kept: Retention, part: Part) -> None:
        """Go through what is old enough to lose `part`, in chunks."""
        at_us = self._clock.now_us()
        cutoff_us = kept.cutoff_us(part, at_us)
        if cutoff_us is None:
            return
        until = first_id("msg_", cutoff_us)
        walk = self._begin(part)
        while True:
            began_us = self._clock.mono_us()
            found = await self._store.standings(
                app_id, after=walk.after, until=until, limit=self._size
            )
            if not found:
                return
            found = _within(found, _DELIVERIES_MAX)
            going = [one for one in found if part in may_go(one, kept, at_us)]
            wanted = [one.message_id for one in going if _has(one, part)]
            if wanted:
                await self._purge(app_id, wanted, kept)
            if walk.held_after is None and len(going) < len(found):
                walk = msgspec.structs.replace(walk, held_after=walk.after)
            walk = msgspec.structs.replace(walk, after=found[-1].message_id)
            self._note(part, walk)
            self._fit(await self._rest(began_us), len(found))

    async def _purge(self, app_id: str, message_ids: Sequence[str], kept: Retention) -> None:
        at_us = self._clock.now_us()
        gone = await self._store.purge(
            message_ids, lambda standing: may_go(standing, kept, at_us), at_us=at_us
        )
        self._news += gone
        self._meters.purged(gone)
        if gone.dead_letters:
            _log.warning(
                "gone, beyond their retention, and nobody handled them: %s",
                plural(gone.dead_letters, "dead letter"),
                extra={"application": app_id},
            )

    async def _rest(self, began_us: int) -> int:
        """Keep the turn, and let others work; how long the chunk took, microseconds."""
        took_us = self._clock.mono_us() - began_us
        # What was removed is counted at once: the audit has to explain it, even after a crash.
        await self._renew(now=self._news != Purged())
        await asyncio.sleep(min(took_us * _REST / 1_000_000, _REST_MAX_S))
        return took_us

    def _fit(self, took_us: int, looked_at: int) -> None:
        """Make the next chunk as large as the time allows."""
        low, high = _MESSAGES
        if took_us > _CHUNK_US[1]:
            self._size = max(low, self._size // 2)
        elif took_us < _CHUNK_US[0] and looked_at == self._size:
            self._size = min(high, self._size * 2)

    # --- the log ---

    async def _purge_log(self, length_us: int | None) -> None:
        """Once a day, walk through what is older than the shortest time that lines are kept."""
        assert self._round is not None
        now_us = self._clock.now_us()
        if length_us is None or self._round.log_next_at_us > now_us:
            return
        while True:
            began_us = self._clock.mono_us()
            cursor, gone = await self._store.purge_log(
                self._round.log_cursor, until_us=now_us - length_us, limit=_LINES
            )
            self._news += gone
            self._meters.purged(gone)
            if cursor is None:
                break
            self._round = msgspec.structs.replace(self._round, log_cursor=cursor)
            await self._rest(began_us)
        await self._renew(log_cursor=LogCursor(), log_next_at_us=now_us + _DAY_S * 1_000_000)

    # --- dead letters ---

    async def _announce(self) -> None:
        """Tell of the dead letters that have gone; count those about to, and once a day say so."""
        assert self._round is not None
        await self._tell_expired()
        found = await self._find_expiring() if self._warn_us else {}
        self._meters.expiring(sum(expiring.count for expiring in found.values()))
        now_us = self._clock.now_us()
        if not found or self._round.announced_at_us > now_us - _DAY_S * 1_000_000:
            return
        for app_id, expiring in sorted(found.items()):
            _log.warning(
                "%s within %s unless somebody redrives or discards them",
                plural(expiring.count, "dead letter goes", "dead letters go"),
                plural(self._warn_us // DAY_US, "day"),
                extra={"application": app_id},
            )
        for one in await self._listening(found):
            await self._put_news(
                about_expiring(one, found[one.id], at_us=now_us, day=now_us // DAY_US)
            )
        await self._renew(announced_at_us=now_us)

    async def _tell_expired(self) -> None:
        """Announce what issues say has gone since it was last told, in an order that loses none."""
        assert self._round is not None
        since_us, until_us = self._round.expired_at_us, self._clock.now_us()
        if self._round.purged.dead_letters == 0:
            return
        after: str | None = None
        while True:
            page = await self._store.list(Issue, None, Page(limit=_PAGE, after=after))
            gone = [one for one in page if (one.expired_at_us or 0) >= since_us > 0]
            gone += [one for one in page if since_us == 0 and one.expired]
            known = {one.id: one for one in await self._listening({i.scope for i in gone})}
            for issue in gone:
                if issue.scope in known:
                    await self._put_news(about_expired(known[issue.scope], issue))
            if len(page) < _PAGE:
                break
            after = page[-1].id
            await self._renew()
        await self._renew(expired_at_us=until_us)

    async def _listening(self, app_ids: Iterable[str]) -> list[Application]:
        """Those of these applications whose organisation wants to be told anything."""
        found = await self._store.by_ids(Application, sorted(app_ids))
        return [one for one in found if await listens(self._store, one.scope)]

    async def _put_news(self, news: Announcement) -> None:
        with suppress(Conflict):  # it was told before
            await self._store.put(news)

    async def _find_expiring(self) -> dict[str, Expiring]:
        """Dead letters whose retention is about to end, by application."""
        soon_us = self._clock.now_us() + self._warn_us
        counts: dict[str, Expiring] = {}
        lengths_us = [
            us
            for kept in (self._kept, *self._own.values())
            if (us := dead_letter_goes_at_us(0, kept)) is not None
        ]
        if not lengths_us:
            return counts
        old_enough = Span(until_us=soon_us - min(lengths_us))
        which = DeliveryFilter(states=(State.DEAD,), span=old_enough)
        after: str | None = None
        while True:
            found = await self._store.deliveries(which, Page(limit=_PAGE, after=after))
            for dead in found:
                kept = await self._kept_by(dead.app_id)
                goes_at_us = dead_letter_goes_at_us(dead.finished_at_us or 0, kept)
                if goes_at_us is not None and goes_at_us <= soon_us:
                    known = counts.get(dead.app_id)
                    counts[dead.app_id] = _one_more(known, str(dead.id), goes_at_us)
            if len(found) < _PAGE:
                return counts
            after = str(found[-1].id)
            await self._renew()


def _one_more(known: Expiring | None, name: str, goes_at_us: int) -> Expiring:
    if known is None:
        return Expiring(count=1, first_at_us=goes_at_us, sample=(name,))
    return Expiring(
        count=known.count + 1,
        first_at_us=min(known.first_at_us, goes_at_us),
        sample=(*known.sample, name)[:_SAMPLE_MAX],
    )


async def _all_applications(store: Store) -> AsyncIterator[str]:
    """Ids of all that messages are kept of."""
    after = ""
    while found := await store.applications_kept(after=after, limit=_PAGE):
        for app_id in found:
            yield app_id
        after = found[-1]


def _less(all_of_it: Purged, before: Purged) -> Purged:
    return Purged(
        **{
            name: count - getattr(before, name)
            for name, count in msgspec.structs.asdict(all_of_it).items()
        }
    )


def _within(found: list[Standing], deliveries_max: int) -> list[Standing]:
    """The first of these that have no more finished deliveries together; at least one."""
    total = 0
    for place, standing in enumerate(found):
        total += standing.finished
        if total > deliveries_max and place:
            return found[:place]
    return found


def _has(standing: Standing, part: Part) -> bool:
    """Whether there is anything to remove."""
    if part is Part.PAYLOAD:
        return standing.has_payload
    return standing.has_attempts if part is Part.ATTEMPTS else True
