"""What one chunk of each kind of background task does.

A chunk reads a bounded part of the rows and says what is to be written: decisions on deliveries,
payloads to forget, and where the next chunk begins. It writes nothing itself. Whoever runs it
writes all of that in one commit over the version of the task that the chunk was made from, so that
a chunk that is done twice, by whomever, changes nothing the second time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import msgspec

from homing.core.errors import NotFound
from homing.core.identifiers import STEP_US, DeliveryId, made_at_us
from homing.core.lifecycle import (
    UNFINISHED,
    DeadReason,
    Delivery,
    Fact,
    Lost,
    Redriven,
    Resent,
    State,
)
from homing.core.queries import AttemptFilter, DeliveryFilter, MessageFilter, Page, Span
from homing.core.records import Change, Message
from homing.core.resources import Application, Endpoint, wants
from homing.core.tasks import Action, Task
from homing.service.context import Service
from homing.service.deliveries import added
from homing.service.task_rules import Chunk

#: messages or deliveries in one chunk at most: short enough to share a database with traffic
CHUNK_MAX: Final = 500
#: of these, when payloads are read along: they are held in memory
_MESSAGES_MAX: Final = 100
_APPLICATIONS_MAX: Final = 200
_PAGE_MAX: Final = 1_000

#: the first window that usage is counted over, and how it may grow while there is little in it
_WINDOW_FIRST_US: Final = 600_000_000
_WINDOW_MAX_US: Final = 86_400_000_000
#: deliveries in a window above which the next one is shorter, and below which it is longer
_WINDOW_MANY: Final = 50_000
_WINDOW_FEW: Final = 5_000


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What a chunk would write."""

    chunk: Chunk
    changes: list[Change] = []
    changes_count_as: str = "sent"  #: the name under which changes that were written are counted
    expunged: tuple[str, ...] = ()
    follows: bool = False  #: what is written is under way until its next outcome is known
    wait_s: float = 0.0  #: there is nothing to do before

    def after(self, written: Sequence[bool]) -> Chunk:
        """The chunk, once it is known which of its changes were written."""
        counts = Counter(self.chunk.counts)
        counts[self.changes_count_as] += sum(written)
        counts["skipped"] += len(written) - sum(written)
        fields = self.chunk.fields
        if self.follows:
            sent = [str(c.id) for c, done in zip(self.changes, written, strict=True) if done]
            fields = {**fields, "under_way": (*self.chunk.under_way, *sent)}
        return msgspec.structs.replace(self.chunk, counts=dict(+counts), fields=fields)


Chunker = Callable[[Service, Task, int], Awaitable[Draft]]


async def recover(service: Service, task: Task, limit: int) -> Draft:
    """Dead letters of one endpoint get their whole schedule again.

    Those whose payload is gone stay dead.

    Raises:
        NotFound: the endpoint has been deleted.
    """
    await _endpoint(service, task)
    found, cursor = await deliveries_of(service, task, (State.DEAD,), limit)
    fact = Redriven(at_us=service.clock.now_us(), actor=task.actor)
    wanted = [one for one in found if one.reason != DeadReason.PAYLOAD_GONE]
    return _decided(service, task, found, cursor, [(delivery, fact) for delivery in wanted])


async def replay(service: Service, task: Task, limit: int) -> Draft:
    """Everything of an endpoint that the filter matches is sent again.

    A retry that is due stays due; what is being sent now, or is parked, goes out anyway. What was
    withdrawn is left so, unless it was asked for by that status.

    Raises:
        NotFound: the endpoint has been deleted.
    """
    await _endpoint(service, task)
    found, cursor = await deliveries_of(service, task, task.which.states, limit)
    matching = await _matching(service, task, found)
    at_us = service.clock.now_us()
    decisions = []
    for delivery in matching:
        fact = _again(delivery, task, at_us)
        if fact is not None:
            decisions.append((delivery, fact))
    return _decided(service, task, found, cursor, decisions)


def _again(delivery: Delivery, task: Task, at_us: int) -> Fact | None:
    """How this delivery is sent again; None: not at all."""
    if delivery.state in (State.LEASED, State.PARKED):
        return None
    if delivery.state is State.CANCELLED and State.CANCELLED not in task.which.states:
        return None
    if delivery.reason == DeadReason.PAYLOAD_GONE:
        return None
    if delivery.state is State.DEAD:
        return Redriven(at_us=at_us, actor=task.actor)
    return Resent(at_us=at_us, actor=task.actor)


async def replay_missing(service: Service, task: Task, limit: int) -> Draft:
    """Messages that the endpoint wants and never had a delivery for get one.

    Raises:
        NotFound: the endpoint has been deleted.
    """
    endpoint = await _endpoint(service, task)
    messages, cursor = await _messages(service, task, limit, endpoint.event_types)
    wanted = [one for one in messages if wants(endpoint, one.event_type, one.channels)]
    had = await _had(service, endpoint.id, wanted)
    missing = [one for one in wanted if one.id not in had]
    changes = [
        added(service, one, endpoint, task.actor) for one in missing if one.payload is not None
    ]
    counts = {"looked": len(messages), "skipped": len(missing) - len(changes)}
    return Draft(chunk=Chunk(cursor=cursor, counts=counts), changes=changes)


async def expunge(service: Service, task: Task, limit: int) -> Draft:
    """Payloads of an application are forgotten.

    What still waits to be sent of them is dead at once, with the reason: nobody waits for a
    delivery that can never be. With `keep_unfinished` such messages keep their payload instead.
    """
    messages, cursor = await _messages(service, task, limit, task.which.event_types)
    chosen = [one for one in messages if one.payload is not None]
    unfinished = await unfinished_of(service, chosen)
    kept = set()
    if task.which.keep_unfinished:
        kept = {delivery.message_id for delivery in unfinished}
        unfinished = []
    ids = tuple(one.id for one in chosen if one.id not in kept)
    return Draft(
        chunk=Chunk(
            cursor=cursor,
            counts={"looked": len(messages), "purged": len(ids), "kept": len(kept)},
        ),
        changes=losses(service, unfinished, task.actor),
        changes_count_as="lost",
        expunged=ids,
    )


def losses(service: Service, deliveries: Sequence[Delivery], actor: str) -> list[Change]:
    """Decisions for unfinished deliveries whose payload is about to be forgotten.

    An attempt that is under way is left to finish: its request has been made.
    """
    fact = Lost(at_us=service.clock.now_us(), reason=DeadReason.PAYLOAD_GONE)
    return [
        service.journal.decide(delivery, fact, actor=actor)
        for delivery in deliveries
        if delivery.state is not State.LEASED
    ]


async def unfinished_of(service: Service, messages: Sequence[Message]) -> list[Delivery]:
    """Deliveries of these messages that are not finished; the messages are of one application."""
    if not messages:
        return []
    which = DeliveryFilter(
        app_id=messages[0].app_id, states=tuple(UNFINISHED), span=_span_of(messages)
    )
    ids = {message.id for message in messages}
    return [d for d in await _all(service, which, lambda d: str(d.id)) if d.message_id in ids]


async def event_types(service: Service, task: Task, limit: int) -> Draft:
    """What the endpoints of each application of the organisation want."""
    page = Page(limit=_APPLICATIONS_MAX, after=task.cursor)
    applications = await service.store.list(Application, task.scope, page)
    rows = [await _wanted_in(service, application) for application in applications]
    is_last = len(applications) < page.limit
    return Draft(
        chunk=Chunk(
            cursor=None if is_last else applications[-1].id,
            counts={"looked": len(applications)},
            rows=[*task.rows, *rows],
        )
    )


async def _wanted_in(service: Service, application: Application) -> dict[str, object]:
    named: set[str] = set()
    catches_all = False
    after: str | None = None
    while True:
        page = Page(limit=_PAGE_MAX, after=after)
        endpoints = await service.store.list(Endpoint, application.id, page)
        for endpoint in endpoints:
            named.update(endpoint.event_types)
            catches_all = catches_all or not endpoint.event_types
        if len(endpoints) < page.limit:
            break
        after = endpoints[-1].id
    return {
        "appId": application.id,
        "appUid": application.uid,
        "explicitlySubscribedEventTypes": sorted(named),
        "hasCatchAllEndpoint": catches_all,
    }


async def usage(service: Service, task: Task, limit: int) -> Draft:
    """Deliveries of each application accepted in the span, counted from the books.

    The cursor is the time up to which they are counted, and how long the next window is. While a
    task is under way, its rows are the counts by application; with the last chunk they become the
    answer.
    """
    which = task.which
    assert which.since_us is not None
    assert which.until_us is not None
    since_us, width_us = which.since_us, _WINDOW_FIRST_US
    if task.cursor is not None:
        since_us, width_us = (int(part) for part in task.cursor.split("."))
    until_us = min(since_us + width_us, which.until_us)
    span = Span(since_us=since_us, until_us=until_us)
    books = await service.store.ledger(span, window_s=_WINDOW_MAX_US // 1_000_000)
    counts = Counter({str(row["appId"]): _count_of(row) for row in task.rows})
    for row in books:
        counts[row.app_id] += row.accepted
    own = await _own_applications(service, task, list(counts))
    rows: list[dict[str, object]] = [
        {"appId": app_id, "messageDestinations": counts[app_id]} for app_id in sorted(own)
    ]
    if until_us < which.until_us:
        width_us = next_width_us(width_us, sum(row.accepted for row in books))
        return Draft(chunk=Chunk(cursor=f"{until_us}.{width_us}", rows=rows))
    answer = await _every_application(service, task, counts)
    return Draft(chunk=Chunk(cursor=None, rows=answer))


def next_width_us(width_us: int, deliveries: int) -> int:
    """How long the next window is, after one of `width_us` with so many deliveries."""
    if deliveries > _WINDOW_MANY:
        return max(width_us // 2, 1_000_000)
    return min(width_us * 2, _WINDOW_MAX_US) if deliveries < _WINDOW_FEW else width_us


def _count_of(row: Mapping[str, object]) -> int:
    count = row["messageDestinations"]
    assert isinstance(count, int)
    return count


async def _own_applications(service: Service, task: Task, ids: list[str]) -> set[str]:
    """Those of these applications that the task is about."""
    asked = set(task.which.app_ids)
    found = await service.store.by_ids(Application, [i for i in ids if not asked or i in asked])
    return {application.id for application in found if application.scope == task.scope}


async def _every_application(
    service: Service, task: Task, counts: Mapping[str, int]
) -> list[dict[str, object]]:
    """A row for each application that was asked for, also those without any delivery."""
    rows: list[dict[str, object]] = []
    after: str | None = None
    while True:
        page = Page(limit=_PAGE_MAX, after=after)
        applications = await service.store.list(Application, task.scope, page)
        rows += [
            {"appId": a.id, "appUid": a.uid, "messageDestinations": counts.get(a.id, 0)}
            for a in applications
            if not task.which.app_ids or a.id in task.which.app_ids
        ]
        if len(applications) < page.limit:
            return rows
        after = applications[-1].id


CHUNKERS: Final[Mapping[Action, Chunker]] = {
    Action.RECOVER: recover,
    Action.REPLAY: replay,
    Action.REPLAY_MISSING: replay_missing,
    Action.EXPUNGE: expunge,
    Action.EVENT_TYPES: event_types,
    Action.USAGE: usage,
}


def _decided(
    service: Service,
    task: Task,
    found: Sequence[Delivery],
    cursor: str | None,
    decisions: Sequence[tuple[Delivery, Fact]],
) -> Draft:
    changes = [service.journal.decide(d, fact, actor=task.actor) for d, fact in decisions]
    counts = {"looked": len(found), "skipped": len(found) - len(changes)}
    return Draft(chunk=Chunk(cursor=cursor, counts=counts), changes=changes)


async def _endpoint(service: Service, task: Task) -> Endpoint:
    found = await service.store.by_ids(Endpoint, [task.which.endpoint_id or ""])
    if not found:
        raise NotFound(f"endpoint {task.which.endpoint_id} has been deleted")
    return found[0]


async def deliveries_of(
    service: Service, task: Task, states: tuple[State, ...], limit: int
) -> tuple[list[Delivery], str | None]:
    """The next deliveries of a task's selection, and the cursor behind them."""
    which = DeliveryFilter(
        app_id=task.app_id,
        endpoint_id=task.which.endpoint_id,
        states=states,
        event_types=task.which.event_types,
        channel=task.which.channel,
        span=Span(since_us=task.which.since_us, until_us=task.which.until_us),
    )
    limit = min(limit, CHUNK_MAX)
    found = await service.store.deliveries(which, Page(limit=limit, after=task.cursor or None))
    if len(found) < limit:
        return found, None
    last = found[-1]
    return found, last.message_id if task.which.endpoint_id is not None else str(last.id)


async def _matching(service: Service, task: Task, found: list[Delivery]) -> list[Delivery]:
    """Those of these deliveries that a tag and the status of an attempt leave."""
    if task.which.tag is not None:
        messages = await service.store.messages_by_ids([d.message_id for d in found])
        tag = task.which.tag
        found = [
            d for d in found if d.message_id in messages and tag in messages[d.message_id].tags
        ]
    if task.which.status_class is not None:
        found = [d for d in found if await _was_answered(service, d.id, task)]
    return found


async def _was_answered(service: Service, which: DeliveryId, task: Task) -> bool:
    """Whether an attempt of it came to the status that the task asks for."""
    matching = AttemptFilter(
        app_id=task.app_id or "",
        message_id=which.message_id,
        endpoint_id=which.endpoint_id,
        status_class=task.which.status_class,
    )
    return bool(await service.store.attempts(matching, Page(limit=1)))


async def _messages(
    service: Service, task: Task, limit: int, event_types: tuple[str, ...]
) -> tuple[list[Message], str | None]:
    """The next messages of a task's selection, and the cursor behind them."""
    which = MessageFilter(
        app_id=task.app_id or "",
        event_types=event_types,
        channel=task.which.channel,
        tag=task.which.tag,
        span=Span(since_us=task.which.since_us, until_us=task.which.until_us),
    )
    limit = min(limit, _MESSAGES_MAX)
    found = await service.store.messages(which, Page(limit=limit, after=task.cursor))
    return found, found[-1].id if len(found) == limit else None


async def _had(service: Service, endpoint_id: str, messages: Sequence[Message]) -> set[str]:
    """The ids of messages, among these, that the endpoint has a delivery for."""
    if not messages:
        return set()
    which = DeliveryFilter(endpoint_id=endpoint_id, span=_span_of(messages))
    return {d.message_id for d in await _all(service, which, lambda d: d.message_id)}


async def _all(
    service: Service, which: DeliveryFilter, name_of: Callable[[Delivery], str]
) -> list[Delivery]:
    found: list[Delivery] = []
    after: str | None = None
    while True:
        page = Page(limit=_PAGE_MAX, after=after)
        more = await service.store.deliveries(which, page)
        found += more
        if len(more) < page.limit:
            return found
        after = name_of(more[-1])


def _span_of(messages: Sequence[Message]) -> Span:
    """The shortest span that these messages, ordered by id, are within."""
    return Span(
        since_us=made_at_us(messages[0].id) - STEP_US,
        until_us=made_at_us(messages[-1].id) + STEP_US,
    )
