"""The store's contract in plain Python: for tests, for simulation, and as the reference to read.

No threads, no clock, no chance: the same calls give the same answers. A method never waits, so
each is atomic for everything else that runs on the loop.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from homing.core.errors import Conflict
from homing.core.identifiers import DeliveryId
from homing.core.lifecycle import UNFINISHED, Delivery, State
from homing.core.limits import Lane, Permits, Quota, limited
from homing.core.queries import Backlog
from homing.core.records import (
    Acceptance,
    Accepted,
    AcceptResult,
    Change,
    Claimed,
    Conflicting,
    Outdated,
    Repeated,
    Reply,
)
from homing.core.resources import Application, Resource
from homing.core.store import Aftermath
from homing.store.filing import file_changes, touches_desk
from homing.store.memory.measuring import MemoryMeasuring
from homing.store.memory.searching import MemorySearching
from homing.store.memory.texts import MemoryTexts
from homing.store.memory.watching import MemoryWatching

_replace = msgspec.structs.replace


class MemoryStore(MemoryMeasuring, MemorySearching, MemoryTexts, MemoryWatching):
    """Keeps everything in dictionaries; forgets it with the process."""

    async def accept(self, batch: Sequence[Acceptance]) -> list[AcceptResult]:
        self.commits += 1
        return [self._accept(item) for item in batch]

    def _accept(self, item: Acceptance) -> AcceptResult:
        message = item.message
        for key in item.keys:
            known = self._known(key, message.accepted_at_us)
            if known is not None:
                kept, led_to = known
                if kept.fingerprint != key.fingerprint or isinstance(led_to, Reply):
                    return Conflicting()
                return Repeated(led_to)
        if self._application_version(message.app_id) != item.application_version:
            return Outdated()
        self.accepted[message.id] = message
        hot = self.hot
        for delivery in item.deliveries:
            which = delivery.id
            assert which not in hot, which
            hot[which] = delivery
        self.lines.extend(item.entries)
        for key in item.keys:
            self._keep(key, message.id, message.accepted_at_us)
        return Accepted()

    def _application_version(self, app_id: str) -> int | None:
        return next((found.version for found in self._with_ids(Application, [app_id])), None)

    async def due_lanes(self, at_us: int, *, limit: int) -> list[Lane]:
        oldest: dict[str, tuple[int, DeliveryId]] = {}
        counts: dict[str, int] = {}
        for ready_at_us, which in sorted(self._due(at_us))[:limit]:
            name = which.endpoint_id
            oldest.setdefault(name, (ready_at_us, which))
            counts[name] = counts.get(name, 0) + 1
        return [
            Lane(
                app_id=self.hot[which].app_id,
                endpoint_id=name,
                ready_at_us=ready_at_us,
                count=counts[name],
            )
            for name, (ready_at_us, which) in oldest.items()
        ]

    async def walk_lanes(
        self, state: State, after: tuple[str, str], *, steps: int, per_app: int
    ) -> list[Lane]:
        oldest: dict[tuple[str, str], int] = {}
        for delivery in self.hot.values():
            place = (delivery.app_id, delivery.endpoint_id)
            if delivery.state is state and place > after and delivery.ready_at_us is not None:
                oldest[place] = min(delivery.ready_at_us, oldest.get(place, delivery.ready_at_us))
        found: list[Lane] = []
        of_app: Counter[str] = Counter()
        for app_id, endpoint_id in sorted(oldest):
            of_app[app_id] += 1
            if of_app[app_id] <= per_app and len(found) < steps:
                ready_at_us = oldest[app_id, endpoint_id]
                found.append(
                    Lane(app_id=app_id, endpoint_id=endpoint_id, ready_at_us=ready_at_us, count=1)
                )
        return found

    async def claim(
        self, decide: Callable[[Delivery], Change], *, at_us: int, quotas: Sequence[Quota]
    ) -> list[Claimed]:
        permits = self._permits(quotas, at_us)
        hot = self.hot
        due: dict[str, list[tuple[bool, int, DeliveryId]]] = {q.endpoint_id: [] for q in quotas}
        for ready_at_us, which in self._due(at_us):
            row = hot[which]
            if row.endpoint_id in due:
                due[row.endpoint_id].append((row.state is State.WAITING, ready_at_us, which))
        chosen: list[DeliveryId] = []
        for quota in quotas:
            lane = sorted(due[quota.endpoint_id])[: permits.left(quota)]
            permits.take(quota, len(lane))
            chosen += [which for *_, which in lane]
        changes = [decide(hot[which]) for which in chosen]
        written = await self.settle(changes)
        self.allowances.update(permits.tats_us())
        return [
            Claimed(change.after, self.accepted[change.after.message_id])
            for change, is_written in zip(changes, written, strict=True)
            if is_written
            and change.after.state is State.LEASED
            and change.after.message_id in self.accepted
        ]

    def _permits(self, quotas: Sequence[Quota], at_us: int) -> Permits:
        names = limited(quotas)
        leased: Counter[str] = Counter()
        for delivery in self.hot.values() if names else ():
            if delivery.state is State.LEASED and (delivery.ready_at_us or 0) > at_us:
                leased[delivery.endpoint_id] += 1
                leased[delivery.app_id] += 1
        tats_us = {name: self.allowances.get(name, 0) for name in names}
        return Permits(tats_us, leased, at_us=at_us)

    def _due(self, at_us: int) -> list[tuple[int, DeliveryId]]:
        return [
            (ready_at_us, which)
            for which, delivery in self.hot.items()
            if (ready_at_us := delivery.ready_at_us) is not None and ready_at_us <= at_us
        ]

    async def settle(self, changes: Sequence[Change]) -> list[bool]:
        self.commits += 1
        now: set[DeliveryId] = set()
        done: list[Change] = []
        answers = [self._settle(change, now, done) for change in changes]
        if touches_desk(done):
            await file_changes(self, done)
        return answers

    def _settle(self, change: Change, now: set[DeliveryId], done: list[Change]) -> bool:
        """Write one change.

        Args:
            change: the decision.
            now: deliveries that this call has changed; is added to.
            done: the changes that were written; is added to.
        """
        attempt, entry = change.attempt, change.entry
        written = self._take(change)
        if written:
            after = change.after
            which = after.id
            (self.hot if after.state in UNFINISHED else self.history)[which] = after
            now.add(which)
            done.append(change)
        else:
            before = self._settled_before(change, now)
            if before is not None:
                return before
            entry = _replace(entry, rows_written=0)
            attempt = attempt and _replace(attempt, late=True)
        if attempt is not None:
            self.attempted[attempt.message_id, attempt.id] = attempt
        self.lines.append(entry)
        return written

    def _settled_before(self, change: Change, now: set[DeliveryId]) -> bool | None:
        """What an earlier call with the same change answered; None: there was none."""
        if change.attempt is not None:
            stored = self.attempted.get((change.attempt.message_id, change.attempt.id))
            return None if stored is None else not stored.late
        row = self.hot.get(change.id) or self.history.get(change.id)
        return True if row == change.after and change.id not in now else None

    def _take(self, change: Change) -> bool:
        """Remove the row that the change was decided on; whether it was (still) there."""
        before, after = change.before, change.after
        which: Any = (after.message_id, after.endpoint_id)  # as good a key as a DeliveryId
        if before is None:
            is_known = which in self.hot or which in self.history
            return after.message_id in self.accepted and not is_known
        source = self.hot if before.state in UNFINISHED else self.history
        row = source.get(which)
        if row is None or row.version != before.version:
            return False
        del source[which]
        return True

    async def settle_with(
        self, changes: Sequence[Change], follow: Callable[[list[bool]], Aftermath]
    ) -> list[bool]:
        ids = {change.id for change in changes}
        rows = [
            (table, which, table.get(which)) for table in (self.hot, self.history) for which in ids
        ]
        attempts, lines, commits = dict(self.attempted), len(self.lines), self.commits
        desk, resources = dict(self.desk), dict(self.resources)
        written = await self.settle(changes)
        try:
            await self._write_aftermath(follow(written))
        except BaseException:
            for table, which, row in rows:
                if row is None:
                    table.pop(which, None)
                else:
                    table[which] = row
            self.attempted, self.commits = attempts, commits
            self.desk, self.resources = desk, resources
            del self.lines[lines:]
            raise
        self.commits = commits + 1
        return written

    async def _put_all(self, resources: Sequence[Resource]) -> None:
        """All of them, or none."""
        before = dict(self.resources)
        try:
            for one in resources:
                await self.put(one)
        except BaseException:
            self.resources.clear()
            self.resources.update(before)
            raise

    async def _write_aftermath(self, after: Aftermath) -> None:
        if after.key is not None and self._known(after.key, after.at_us) is not None:
            raise Conflict("this request was made before")
        first = () if after.resource is None else (after.resource,)
        await self._put_all((*first, *after.more))
        self._add(after.also)
        for message_id in after.expunged:
            await self.expunge_message(message_id)
        if after.key is not None and after.reply is not None:
            self._keep(after.key, after.reply, after.at_us)

    async def next_ready_at_us(self) -> int | None:
        return min(
            (d.ready_at_us for d in self.hot.values() if d.ready_at_us is not None), default=None
        )

    async def parked_endpoints(self) -> list[tuple[str, str]]:
        parked = State.PARKED
        return sorted({(d.app_id, d.endpoint_id) for d in self.hot.values() if d.state is parked})

    async def backlog(self, at_us: int) -> Backlog:
        states = Counter(delivery.state for delivery in self.hot.values())
        due = [ready_at_us for ready_at_us, _ in self._due(at_us)]
        return Backlog(
            waiting=states[State.WAITING],
            leased=states[State.LEASED],
            parked=states[State.PARKED],
            due=len(due),
            oldest_due_at_us=min(due, default=None),
        )

    async def behind(self, at_us: int) -> dict[str, int]:
        return dict(
            Counter(
                delivery.app_id
                for delivery in self.hot.values()
                if delivery.state is State.LEASED
                or (delivery.state is State.WAITING and (delivery.ready_at_us or 0) <= at_us)
            )
        )
