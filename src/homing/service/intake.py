"""Accepts messages: their deliveries, identifiers and keys are made here, many to a commit."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

import msgspec

from homing.core.errors import Conflict, NotFound, RequestError, StoreError, Unavailable
from homing.core.identifiers import ENTROPY_BYTES, new_id
from homing.core.journal import Journal, born_leased, newborn
from homing.core.lifecycle import Delivery
from homing.core.ports import Chance, LocalDispatcher, Meters, NoMeters, NoTracer, Tracer, Work
from homing.core.records import (
    Acceptance,
    Accepted,
    AcceptResult,
    Conflicting,
    Message,
    Outdated,
    Repeated,
    RequestKey,
    digest16,
)
from homing.core.resources import parking_reason
from homing.core.store import Store
from homing.service.acceptance import AcceptanceCounts
from homing.service.fanout import Fanout, Fanouts

#: messages that share one commit: enough to make the commit's cost vanish, few enough that the
#: first of them does not wait for the last
_COMMIT_MAX = 500
#: what may wait for a commit, in bytes of payloads and of what surrounds each of them: some seconds
#: of heavy traffic. More means that the database hangs, and memory is not where messages are kept
_WAITING_BYTES_MAX = 64 * 1024 * 1024
_ITEM_BYTES = 2_048
#: one application may wait with more while it has fewer than so many times the bytes that are left
#: (as places are shared, see dispatch/planner.py): alone it gets four fifths
_WAITING_SHARE = 4
#: how often a fan-out is computed again when the application keeps changing under it
_TRIES_MAX = 8


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A message as the publisher gives it."""

    event_type: str
    payload: bytes  #: kept, signed and sent exactly as it is
    is_raw: bool = False  #: need not be JSON
    event_id: str | None = None
    channels: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    deliver_at_us: int | None = None  #: not to be sent before; None: at once
    traceparent: str | None = None  #: as `core.trace.read_traceparent` gives it


class _Item:
    """One message on its way to a commit."""

    __slots__ = ("application", "draft", "keys", "only_endpoint", "org_id", "result")

    def __init__(
        self,
        org_id: str,
        application: str,
        draft: Draft,
        keys: tuple[RequestKey, ...],
        only_endpoint: str | None,
        result: asyncio.Future[tuple[Message, bool]],
    ) -> None:
        self.org_id = org_id
        self.application = application
        self.draft = draft
        self.keys = keys
        self.only_endpoint = only_endpoint
        self.result = result


class Intake:
    """The door of one process: everything that arrives while a commit is under way shares the next.

    Args:
        dispatcher: this process's dispatcher; None when it has none, then nothing is born leased.
        acceptance: counts how publishers are answered.
        lease_s: how long a delivery that is born leased stays ours, in seconds.
        event_id_s: how long an event id is remembered, in seconds.
    """

    def __init__(
        self,
        store: Store,
        chance: Chance,
        journal: Journal,
        *,
        dispatcher: LocalDispatcher | None = None,
        meters: Meters | None = None,
        tracer: Tracer | None = None,
        acceptance: AcceptanceCounts | None = None,
        lease_s: float = 60.0,
        event_id_s: float = 86_400.0,
    ) -> None:
        self._store = store
        self._chance = chance
        self._journal = journal
        self._dispatcher = dispatcher
        self._meters = meters or NoMeters()
        self._tracer = tracer or NoTracer()
        self._acceptance = acceptance
        self._oldest_us = 0  #: when the first of those that wait came, monotonic
        self._lease_us = round(lease_s * 1_000_000)
        self._event_id_us = round(event_id_s * 1_000_000)
        self._fanouts = Fanouts(store)
        self._waiting: deque[tuple[str, list[_Item]]] = deque()
        self._waiting_bytes = 0
        self._waiting_of: dict[str, int] = {}  #: bytes by application
        self._pump: asyncio.Task[None] | None = None
        #: why nothing is accepted at the moment; None: the door is open
        self.closed_because: str | None = None
        #: the same for single applications, by id
        self.closed_for: dict[str, str] = {}

    async def create_message(
        self,
        org_id: str,
        application: str,
        draft: Draft,
        *,
        keys: tuple[RequestKey, ...] = (),
        only_endpoint: str | None = None,
    ) -> tuple[Message, bool]:
        """Store a message and all of its deliveries; on disk when this returns.

        Args:
            application: its id or uid.
            keys: idempotency keys of the request; the event id's key is added here.
            only_endpoint: the id of the one endpoint that gets it, whatever it wants.

        Returns:
            The message and True, or, for a repeat, the earlier message and False.

        Raises:
            NotFound: no such application.
            Conflict: a key was seen before with another body.
            Unavailable: nothing was stored, or it is not known whether it was; send it again.
        """
        return await self.submit(org_id, application, draft, keys=keys, only_endpoint=only_endpoint)

    def submit(
        self,
        org_id: str,
        application: str,
        draft: Draft,
        *,
        keys: tuple[RequestKey, ...] = (),
        only_endpoint: str | None = None,
    ) -> asyncio.Future[tuple[Message, bool]]:
        """As `create_message`, without waiting; the future has what that returns or raises.

        Raises:
            Unavailable: nothing was stored.
        """
        item = self._item(org_id, application, draft, keys, only_endpoint)
        self._submit([item])
        return item.result

    async def create_messages(
        self,
        org_id: str,
        application: str,
        drafts: Sequence[Draft],
        *,
        keys: Sequence[RequestKey] = (),
    ) -> list[Message | RequestError]:
        """Store up to 1,000 messages in one commit; one result for each, in order.

        Args:
            keys: none, or the idempotency key of each draft.

        Raises:
            Unavailable: as for one message.
        """
        each = [(key,) for key in keys] if keys else [()] * len(drafts)
        items = [
            self._item(org_id, application, draft, own, None)
            for draft, own in zip(drafts, each, strict=True)
        ]
        self._submit(items)
        results = await asyncio.gather(*(i.result for i in items), return_exceptions=True)
        answers: list[Message | RequestError] = []
        for result in results:
            if isinstance(result, RequestError):
                answers.append(result)
            elif isinstance(result, BaseException):
                raise result
            else:
                answers.append(result[0])
        return answers

    async def close(self) -> None:
        """Wait until everything that was let in is answered."""
        while self._pump is not None and not self._pump.done():
            await asyncio.wait([self._pump])

    def _item(
        self,
        org_id: str,
        application: str,
        draft: Draft,
        keys: tuple[RequestKey, ...],
        only_endpoint: str | None,
    ) -> _Item:
        if self.closed_because is not None:
            self._refused(1)
            raise Unavailable(self.closed_because, retry_after_s=5)
        result = asyncio.get_running_loop().create_future()
        return _Item(org_id, application, draft, keys, only_endpoint, result)

    def _submit(self, items: list[_Item]) -> None:
        if not items:
            return
        whose = self._whose(items)
        left = _WAITING_BYTES_MAX - self._waiting_bytes
        if self._waiting and self._waiting_of.get(whose, 0) >= _WAITING_SHARE * left:
            self._refused(len(items))
            raise Unavailable("the database does not keep up; send the message again later")
        size = _bytes_of(items)
        self._waiting_bytes += size
        self._waiting_of[whose] = self._waiting_of.get(whose, 0) + size
        if not self._waiting:
            self._oldest_us = self._journal.clock.mono_us()
        self._waiting.append((whose, items))
        if self._pump is None or self._pump.done():
            self._pump = asyncio.create_task(self._commit_all())

    async def _commit_all(self) -> None:
        while self._waiting:
            batch: list[_Item] = []
            oldest_us = self._oldest_us
            while self._waiting and len(batch) < _COMMIT_MAX:
                whose, items = self._waiting.popleft()
                self._let_go(whose, _bytes_of(items))
                # Whoever went away before anything was tried will send the message again.
                batch += [item for item in items if not item.result.done()]
            try:
                await self._commit(batch)
            except Exception as error:  # every waiting publisher is told, whatever went wrong
                for item in batch:
                    _fail(item, error)
                self._refused(len(batch))
            else:
                if self._acceptance is not None:
                    # By the one that waited longest: at most a commit too strict for the others.
                    self._acceptance.answered(len(batch), self._journal.clock.mono_us() - oldest_us)

    def _refused(self, count: int) -> None:
        if self._acceptance is not None:
            self._acceptance.refused(count)

    def _whose(self, items: list[_Item]) -> str:
        """The application's id; its name as given, as long as that is not known."""
        first = items[0]
        known = self._fanouts.known(first.org_id, first.application)
        return known.application.id if known else f"{first.org_id}/{first.application}"

    def _let_go(self, whose: str, size: int) -> None:
        self._waiting_bytes -= size
        self._waiting_of[whose] -= size
        if not self._waiting_of[whose]:
            del self._waiting_of[whose]

    async def _commit(self, batch: list[_Item]) -> None:
        for _ in range(_TRIES_MAX):
            batch = await self._commit_once(batch)
            if not batch:
                return
        for item in batch:
            _fail(item, Unavailable("the application keeps changing; send the message again"))

    async def _commit_once(self, batch: list[_Item]) -> list[_Item]:
        """Try to store these; those whose fan-out was out of date come back."""
        ready: list[tuple[_Item, Fanout]] = []
        for item in batch:
            fanout = await self._fanout(item)
            if fanout is not None:
                ready.append((item, fanout))
        works: list[list[Work]] = []
        try:
            acceptances = []
            for item, fanout in ready:
                work: list[Work] = []
                works.append(work)
                acceptances.append(self._compose(item, fanout, work))
            results = await self._store.accept(acceptances) if acceptances else []
        except BaseException:
            self._release(works)
            raise
        again: list[_Item] = []
        repeats: list[tuple[_Item, str]] = []
        for (item, _), acceptance, result in zip(ready, acceptances, results, strict=True):
            if isinstance(result, Outdated):
                self._fanouts.forget(item.org_id, item.application)
                again.append(item)
            elif isinstance(result, Repeated):
                repeats.append((item, result.message_id))
            else:
                _answer(item, acceptance.message, result)
        # Before anything that can fail: the work has room reserved, and leases that run.
        self._hand_over(works, acceptances, results)
        await self._answer_repeats(repeats)
        return again

    def _hand_over(
        self,
        works: list[list[Work]],
        acceptances: list[Acceptance],
        results: list[AcceptResult],
    ) -> None:
        """Give the dispatcher what was stored and born leased, and back the room that is left."""
        stored = [a for a, r in zip(acceptances, results, strict=True) if isinstance(r, Accepted)]
        taken: list[Work] = []
        unused: list[list[Work]] = []
        for work, result in zip(works, results, strict=True):
            if isinstance(result, Accepted):
                taken += work
            else:
                unused.append(work)
        deliveries = sum(len(a.deliveries) for a in stored)
        self._meters.batch("accept", len(acceptances))
        self._meters.accepted(len(stored), deliveries)
        for acceptance in stored:
            self._tracer.accepted(acceptance.message)
        if self._dispatcher is not None:
            self._release(unused)
            self._dispatcher.take(taken)
            if deliveries > len(taken):
                self._dispatcher.wake()

    async def _answer_repeats(self, repeats: list[tuple[_Item, str]]) -> None:
        if not repeats:
            return
        try:
            found = await self._store.messages_by_ids([message_id for _, message_id in repeats])
        except StoreError as error:
            for item, _ in repeats:
                _fail(item, error)
            return
        for item, message_id in repeats:
            if message_id not in found:
                _fail(item, Conflict("this request was made before and its message is gone"))
            elif not item.result.done():
                item.result.set_result((found[message_id], False))

    async def _fanout(self, item: _Item) -> Fanout | None:
        names = (item.org_id, item.application)
        fanout = self._fanouts.known(*names) or await self._fanouts.read(*names)
        if fanout is None:
            _fail(item, NotFound(f"there is no application {item.application!r}"))
        elif fanout.application.id in self.closed_for:
            _fail(item, Unavailable(self.closed_for[fanout.application.id], retry_after_s=5))
            return None
        return fanout

    def _release(self, works: Sequence[Sequence[Work]]) -> None:
        if self._dispatcher is not None:
            for work in works:
                self._dispatcher.release(work)

    def _compose(self, item: _Item, fanout: Fanout, work: list[Work]) -> Acceptance:
        """The rows of one message; the deliveries that there is room for are born leased.

        Args:
            work: what room was reserved for is added to it, one by one.
        """
        draft = item.draft
        endpoints = fanout.match(draft.event_type, draft.channels, item.only_endpoint)
        app_id = fanout.application.id
        at_us = self._journal.clock.now_us()
        message = Message(
            id=new_id("msg_", at_us, self._chance.entropy(ENTROPY_BYTES)),
            app_id=app_id,
            event_type=draft.event_type,
            payload=draft.payload,
            accepted_at_us=at_us,
            fanout=len(endpoints),
            is_raw=draft.is_raw,
            event_id=draft.event_id,
            channels=draft.channels,
            tags=draft.tags,
            deliver_at_us=draft.deliver_at_us,
            traceparent=draft.traceparent,
        )
        deliveries: list[Delivery] = []
        dispatcher = self._dispatcher
        is_due = (draft.deliver_at_us or 0) <= at_us
        for endpoint in endpoints:
            parked = parking_reason(endpoint)
            if (
                parked is None
                and is_due
                and dispatcher is not None
                and dispatcher.reserve(fanout.application, endpoint)
            ):
                delivery = born_leased(
                    message_id=message.id,
                    endpoint_id=endpoint.id,
                    app_id=app_id,
                    at_us=at_us,
                    holder=self._journal.holder,
                    until_us=at_us + self._lease_us,
                )
                work.append(Work(delivery, message, endpoint))
            else:
                delivery = newborn(
                    message_id=message.id,
                    endpoint_id=endpoint.id,
                    app_id=app_id,
                    at_us=at_us,
                    parked=parked,
                    due_at_us=draft.deliver_at_us,
                )
            deliveries.append(delivery)
        return Acceptance(
            message=message,
            deliveries=tuple(deliveries),
            entries=tuple(
                [
                    self._journal.accepted(d, config_version=fanout.application.version)
                    for d in deliveries
                ]
            ),
            application_version=fanout.application.version,
            keys=self._keys(item, app_id, at_us),
        )

    def _keys(self, item: _Item, app_id: str, at_us: int) -> tuple[RequestKey, ...]:
        draft = item.draft
        if draft.event_id is None:
            return item.keys
        event_key = RequestKey(
            digest=digest16("event", app_id, draft.event_id),
            fingerprint=digest16(
                draft.event_type,
                draft.payload,
                str(draft.is_raw),
                *sorted(draft.channels),
                "tags",
                *sorted(draft.tags),
                str(draft.deliver_at_us),
            ),
            expires_at_us=at_us + self._event_id_us,
        )
        return (*item.keys, event_key)


def _answer(item: _Item, message: Message, result: Accepted | Conflicting) -> None:
    if isinstance(result, Conflicting):
        text = "the same idempotency key or event id came with another message"
        _fail(item, Conflict(text))
    elif not item.result.done():  # or else the publisher went away; it is stored all the same
        item.result.set_result((message, True))


def _bytes_of(items: list[_Item]) -> int:
    return sum([len(item.draft.payload) + _ITEM_BYTES for item in items])


def _fail(item: _Item, error: Exception) -> None:
    if not item.result.done():
        item.result.set_exception(error)
