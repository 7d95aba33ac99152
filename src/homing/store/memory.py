"""The store's contract in plain Python: for tests, for simulation, and as the reference to read.

No threads, no clock, no chance: the same calls give the same answers. A method never waits, so
each is atomic for everything else that runs on the loop.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import nsmallest
from itertools import islice
from typing import TypeVar

import msgspec

from homing.core.errors import Conflict, Stale
from homing.core.identifiers import DeliveryId, made_at_us, parse_delivery_id
from homing.core.lifecycle import Delivery, State
from homing.core.limits import Lane, Permits, Quota, limited
from homing.core.outcome import Reason
from homing.core.ports import (
    Aftermath,
    AttemptFilter,
    Backlog,
    DeliveryFilter,
    LedgerRow,
    LogCursor,
    LoggedEntry,
    MessageFilter,
    Misfit,
    Page,
    Span,
)
from homing.core.records import (
    Acceptance,
    Accepted,
    AcceptResult,
    Attempt,
    Change,
    Claimed,
    Conflicting,
    LogEntry,
    Message,
    Outdated,
    Repeated,
    Reply,
    RequestKey,
)
from homing.core.resources import Application, Endpoint, Resource
from homing.core.retention import Part, Purged, Standing
from homing.core.tasks import Task, TaskStatus
from homing.store.paging import LAST, cut
from homing.store.purging import sorted_out

R = TypeVar("R", bound=Resource)
T = TypeVar("T")
_replace = msgspec.structs.replace
_BORN = ("accepted", "added")


class MemoryStore:
    """Keeps everything in dictionaries; forgets it with the process."""

    def __init__(self) -> None:
        self.round_trips = 0  #: stays 0: nothing leaves the process
        self.commits = 0
        self.resources: dict[tuple[str, str, str], Resource] = {}  #: by kind, scope, id
        self.accepted: dict[str, Message] = {}
        self.hot: dict[DeliveryId, Delivery] = {}
        self.history: dict[DeliveryId, Delivery] = {}
        self.attempted: dict[tuple[str, str], Attempt] = {}  #: by message id, attempt id
        self.lines: list[LogEntry | None] = []  #: None: one that was purged
        self.keys: dict[bytes, tuple[RequestKey, str | Reply]] = {}  #: what the request led to
        self.allowances: dict[str, int] = {}  #: by endpoint or application id, see core.limits

    async def ping(self) -> None:
        """Memory is always there."""

    async def close(self) -> None:
        """Nothing to let go of."""

    # --- deliveries -------------------------------------------------------------------------

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
        for delivery in item.deliveries:
            assert delivery.id not in self.hot, delivery.id
            self.hot[delivery.id] = delivery
        self.lines.extend(item.entries)
        for key in item.keys:
            self._keep(key, message.id, message.accepted_at_us)
        return Accepted()

    def _application_version(self, app_id: str) -> int | None:
        return next((found.version for found in self._with_ids(Application, [app_id])), None)

    async def due_lanes(self, at_us: int, *, limit: int) -> list[Lane]:
        oldest = nsmallest(limit, self._due(at_us))
        lanes: dict[str, Lane] = {}
        for ready_at_us, which in oldest:
            seen = lanes.get(which.endpoint_id)
            lanes[which.endpoint_id] = Lane(
                app_id=self.hot[which].app_id,
                endpoint_id=which.endpoint_id,
                ready_at_us=seen.ready_at_us if seen else ready_at_us,
                count=seen.count + 1 if seen else 1,
            )
        return list(lanes.values())

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
        hot, due = self.hot, self._due(at_us)
        chosen: list[DeliveryId] = []
        for quota in quotas:
            lane = nsmallest(
                permits.left(quota),
                [
                    (hot[which].state is State.WAITING, ready_at_us, which)
                    for ready_at_us, which in due
                    if which.endpoint_id == quota.endpoint_id
                ],
            )
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
            (delivery.ready_at_us, which)
            for which, delivery in self.hot.items()
            if delivery.ready_at_us is not None and delivery.ready_at_us <= at_us
        ]

    async def settle(self, changes: Sequence[Change]) -> list[bool]:
        self.commits += 1
        now: set[DeliveryId] = set()
        return [self._settle(change, now) for change in changes]

    def _settle(self, change: Change, now: set[DeliveryId]) -> bool:
        """Write one change.

        Args:
            now: deliveries that this call has changed; is added to.
        """
        written = self._take(change)
        if written:
            which = change.id
            (self.hot if change.after.is_unfinished else self.history)[which] = change.after
            now.add(which)
        else:
            before = self._settled_before(change, now)
            if before is not None:
                return before
        if change.attempt is not None:
            attempt = change.attempt if written else _replace(change.attempt, late=True)
            self.attempted[attempt.message_id, attempt.id] = attempt
        self.lines.append(change.entry if written else _replace(change.entry, rows_written=0))
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
        which = change.id
        if change.before is None:
            is_known = which in self.hot or which in self.history
            return change.after.message_id in self.accepted and not is_known
        source = self.hot if change.before.is_unfinished else self.history
        row = source.get(which)
        if row is None or row.version != change.before.version:
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
            del self.lines[lines:]
            raise
        self.commits = commits + 1
        return written

    async def _write_aftermath(self, after: Aftermath) -> None:
        if after.key is not None and self._known(after.key, after.at_us) is not None:
            raise Conflict("this request was made before")
        if after.resource is not None:
            await self.put(after.resource)
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
        parked = (d for d in self.hot.values() if d.state is State.PARKED)
        return sorted({(delivery.app_id, delivery.endpoint_id) for delivery in parked})

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

    # --- resources --------------------------------------------------------------------------

    def _of(self, kind: type[R], scope: str | None) -> list[R]:
        found = [
            resource
            for resource in self.resources.values()
            if isinstance(resource, kind) and scope in (None, resource.scope)
        ]
        return sorted(found, key=lambda resource: resource.id)

    def _with_ids(self, kind: type[R], ids: Iterable[str]) -> list[R]:
        wanted = set(ids)
        return [r for r in self.resources.values() if isinstance(r, kind) and r.id in wanted]

    async def get(self, kind: type[R], scope: str, name: str) -> R | None:
        found = self.resources.get((kind.kind, scope, name))
        if isinstance(found, kind):
            return found
        return next((r for r in self._of(kind, scope) if r.uid == name), None)

    async def by_ids(self, kind: type[R], ids: Sequence[str]) -> list[R]:
        return self._with_ids(kind, ids)

    async def running_tasks(self, *, limit: int) -> list[Task]:
        return [task for task in self._of(Task, None) if task.status is TaskStatus.RUNNING][:limit]

    async def put(
        self,
        resource: Resource,
        *,
        touch: str | None = None,
        key: RequestKey | None = None,
        reply: Reply | None = None,
        also: Sequence[Resource] = (),
    ) -> None:
        at_us = resource.updated_at_us
        if key is not None and self._known(key, at_us) is not None:
            raise Conflict("this request was made before")
        place = (resource.kind, resource.scope, resource.id)
        self._check_version(self.resources.get(place), resource)
        self._check_uid(resource)
        if touch is not None and not self._touch(touch):
            raise Stale(f"application {touch} is gone")
        self.commits += 1
        self.resources[place] = resource
        self._add(also)
        if key is not None and reply is not None:
            self._keep(key, reply, at_us)

    def _add(self, resources: Sequence[Resource]) -> None:
        for one in resources:
            self.resources.setdefault((one.kind, one.scope, one.id), one)

    @staticmethod
    def _check_version(stored: Resource | None, resource: Resource) -> None:
        if resource.version == 1 and stored is not None:
            raise Conflict(f"{resource.kind} {resource.id} exists already")
        if resource.version != 1 and (stored is None or stored.version != resource.version - 1):
            raise Stale(f"{resource.kind} {resource.id} has changed since it was read")

    def _check_uid(self, resource: Resource) -> None:
        for other in self._of(type(resource), resource.scope):
            if resource.uid is not None and other.uid == resource.uid and other.id != resource.id:
                raise Conflict(f"{resource.kind} uid {resource.uid!r} is taken")

    def _touch(self, app_id: str) -> bool:
        for application in self._with_ids(Application, [app_id]):
            place = (application.kind, application.scope, application.id)
            self.resources[place] = _replace(application, version=application.version + 1)
            return True
        return False

    async def delete(
        self, resource: Resource, *, touch: str | None = None, also: Sequence[Resource] = ()
    ) -> None:
        if self.resources.pop((resource.kind, resource.scope, resource.id), None) is None:
            return
        self.commits += 1
        if isinstance(resource, Application):
            for endpoint in self._of(Endpoint, resource.id):
                del self.resources[endpoint.kind, endpoint.scope, endpoint.id]
        if touch is not None:
            self._touch(touch)
        self._add(also)

    async def recall(self, key: RequestKey, *, at_us: int) -> Reply | Message | None:
        known = self._known(key, at_us)
        if known is None:
            return None
        kept, led_to = known
        if kept.fingerprint != key.fingerprint:
            raise Conflict("this key came with another request before")
        return led_to if isinstance(led_to, Reply) else self.accepted.get(led_to)

    async def remember(self, key: RequestKey, reply: Reply, *, at_us: int) -> None:
        if self._known(key, at_us) is None:
            self.commits += 1
            self._keep(key, reply, at_us)

    def _known(self, key: RequestKey, at_us: int) -> tuple[RequestKey, str | Reply] | None:
        known = self.keys.get(key.digest)
        return known if known is not None and known[0].expires_at_us > at_us else None

    def _keep(self, key: RequestKey, led_to: str | Reply, at_us: int) -> None:
        # Two of the oldest for each new one: enough to keep up, and no walk through all of them.
        for digest in list(islice(self.keys, 2)):
            if self.keys[digest][0].expires_at_us <= at_us:
                del self.keys[digest]
        self.keys.pop(key.digest, None)  # so that it goes to the end again
        self.keys[key.digest] = (key, led_to)

    # --- records ----------------------------------------------------------------------------

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
        return _page(found, lambda message: message.id, which.span.bounds("msg_"), page)

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
            return _page(found, lambda delivery: delivery.message_id, ("", LAST), page)
        if which.message_id is not None:
            return _page(found, lambda delivery: delivery.endpoint_id, ("", LAST), page)
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
        return _page(found, lambda attempt: attempt.id, which.span.bounds("atmpt_"), page)

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
        found = []
        for line, entry in enumerate(self.lines[cursor.line :], start=cursor.line + 1):
            if entry is not None and app_id in (None, entry.app_id):
                found.append(LoggedEntry(entry, LogCursor(line=line)))
                if len(found) == limit:
                    break
        return found

    async def notable_log(self, cursor: LogCursor, *, limit: int) -> list[LoggedEntry]:
        lines = enumerate(self.lines[cursor.line :], start=cursor.line + 1)
        found = (
            LoggedEntry(one, LogCursor(line=n))
            for n, one in lines
            if one is not None and _is_notable(one)
        )
        return list(islice(found, limit))

    async def first_accepted_at_us(self) -> int | None:
        return self.accepted[min(self.accepted)].accepted_at_us if self.accepted else None

    # --- the books --------------------------------------------------------------------------

    def _born(self, low: str, high: str) -> dict[DeliveryId, str]:
        """Deliveries with a line that says they exist, with their application."""
        return {
            DeliveryId(entry.message_id, entry.endpoint_id): entry.app_id
            for entry in self._log()
            if _is_born(entry) and low <= entry.message_id < high
        }

    def _placed(self, low: str, high: str) -> Iterator[Delivery]:
        """Every row of either table, so a doubled delivery comes twice."""
        for table in (self.hot, self.history):
            yield from (d for which, d in table.items() if low <= which.message_id < high)

    async def ledger(self, span: Span, *, window_s: int) -> list[LedgerRow]:
        low, high = span.half_open_bounds("msg_")
        books: dict[tuple[int, str, str], Counter[str]] = defaultdict(Counter)

        windows: dict[str, int] = {}  # by message: reading the time out of an id takes a while

        def column(message_id: str, endpoint_id: str, app_id: str) -> Counter[str]:
            window_us = windows.get(message_id)
            if window_us is None:
                made_us = made_at_us(message_id)
                window_us = windows[message_id] = made_us - made_us % (window_s * 1_000_000)
            return books[window_us, endpoint_id, app_id]

        for which, app_id in self._born(low, high).items():
            column(*which, app_id)["accepted"] += 1
        for delivery in self._placed(low, high):
            column(*delivery.id, delivery.app_id)[delivery.state] += 1
        return [
            LedgerRow(
                endpoint_id=endpoint_id,
                app_id=app_id,
                window_at_us=window_at_us,
                accepted=counts["accepted"],
                **{str(state): counts[state] for state in State},
            )
            for (window_at_us, endpoint_id, app_id), counts in sorted(books.items())
        ]

    async def misfits(self, span: Span, *, limit: int) -> list[Misfit]:
        low, high = span.half_open_bounds("msg_")
        born = self._born(low, high)
        placed = Counter(delivery.id for delivery in self._placed(low, high))
        found = [
            *((which, "unaccounted") for which in born if which not in placed),
            *((which, "unannounced") for which in placed if which not in born),
            *((which, "doubled") for which, times in placed.items() if times > 1),
            *((DeliveryId(name, ""), "uncounted") for name in self._uncounted(low, high)),
        ]
        return [Misfit(delivery=which, kind=kind) for which, kind in sorted(found)[:limit]]

    def _uncounted(self, low: str, high: str) -> Iterator[str]:
        lines = Counter(entry.message_id for entry in self._log() if entry.op == "accepted")
        for message in self.accepted.values():
            if low <= message.id < high and message.fanout != lines[message.id]:
                yield message.id

    # --- forgetting -------------------------------------------------------------------------

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
        self, message_ids: Sequence[str], decide: Callable[[Standing], frozenset[Part]]
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

    def _log(self) -> Iterator[LogEntry]:
        return (entry for entry in self.lines if entry is not None)

    # the last of all: within the class, its name hides the built-in `list` from what follows
    async def list(self, kind: type[R], scope: str | None, page: Page) -> list[R]:
        return _page(self._of(kind, scope), lambda resource: resource.id, ("", LAST), page)


def _is_born(entry: LogEntry) -> bool:
    """Whether the line says that a delivery was made."""
    return entry.op in _BORN and bool(entry.rows_written)


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


def _page(
    rows: Iterable[T], name: Callable[[T], str], bounds: tuple[str, str], page: Page
) -> list[T]:
    low, high = cut(*bounds, page)
    found = sorted((row for row in rows if low <= name(row) < high), key=name)
    if page.descending:
        found.reverse()
    return found[: page.limit]
