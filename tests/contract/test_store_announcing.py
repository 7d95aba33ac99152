"""What announcing relies on: documents written along with another, and the notable lines."""

from __future__ import annotations

import msgspec
import pytest
from support.making import (
    ORG_ID,
    aged,
    make_acceptance,
    make_application,
    make_attempt,
    make_change,
    make_event_type,
    make_key,
)

from homing.core.errors import Conflict, Stale
from homing.core.lifecycle import Delivery, State
from homing.core.outcome import Reason
from homing.core.queries import LogCursor
from homing.core.records import Reply
from homing.core.resources import Application, Endpoint, EventType
from homing.core.store import Aftermath, Store

NEWS = make_event_type("news")


async def news(store: Store) -> EventType | None:
    return await store.get(EventType, ORG_ID, "news")


async def test_what_is_written_along_with_a_resource_is_there_with_it(store: Store) -> None:
    await store.put(make_application(), also=(NEWS,))
    assert await news(store) == NEWS


async def test_what_goes_along_and_exists_already_stays_and_hinders_nothing(store: Store) -> None:
    await store.put(NEWS)
    application = make_application()
    await store.put(application, also=(make_event_type("news", description="again"),))
    assert await news(store) == NEWS
    assert await store.get(Application, ORG_ID, application.id) == application


async def test_nothing_goes_along_with_a_write_that_is_refused(store: Store) -> None:
    application = make_application(uid="shop")
    await store.put(application)
    with pytest.raises(Stale):
        await store.put(make_application(id=application.id, version=7), also=(NEWS,))
    with pytest.raises(Conflict):
        await store.put(make_application(uid="shop"), also=(NEWS,))
    with pytest.raises(Stale):
        await store.put(make_event_type(), touch="app_gone", also=(NEWS,))
    key = make_key()
    await store.remember(key, Reply(status=201, body=b""), at_us=application.updated_at_us)
    with pytest.raises(Conflict):
        await store.put(make_event_type(), key=key, reply=Reply(status=201, body=b""), also=(NEWS,))
    assert await news(store) is None


async def test_what_goes_along_with_a_removal_is_written_once_and_only_with_it(
    store: Store,
) -> None:
    application = make_application()
    await store.delete(application, also=(NEWS,))
    assert await news(store) is None, "nothing was removed"
    await store.put(application)
    await store.delete(application, also=(NEWS,))
    assert await news(store) == NEWS


async def test_the_notable_log_tells_of_the_dead_and_of_later_attempts_alone(
    store: Store, application: Application, endpoint: Endpoint
) -> None:
    item = make_acceptance(application, (endpoint.id,))
    await store.accept([item])
    born = item.deliveries[0]
    refused = aged(born, state=State.WAITING, ready_at_us=1, holder=None, unanswered=0)
    again = aged(refused, state=State.LEASED, ready_at_us=2, holder="x", leases=2, unanswered=1)
    given_up = aged(
        again, state=State.DEAD, ready_at_us=None, holder=None, unanswered=0, reason="x",
        finished_at_us=3,
    )  # fmt: skip

    async def settle(before: Delivery, after: Delivery, number: int | None) -> None:
        attempt = number and make_attempt(before, number=number, reason=Reason.TOTAL_TIMEOUT)
        numbers = {"attempt_id": attempt.id, "attempt_no": number} if attempt else {}
        await store.settle([make_change(before, after, attempt=attempt or None, **numbers)])

    await settle(born, refused, 1)
    await settle(refused, again, None)
    await settle(again, given_up, 2)
    await settle(again, given_up, 3)  # late: the row has moved on
    other = make_acceptance(application, (endpoint.id,))
    await store.accept([other])
    poisoned = aged(
        other.deliveries[0], state=State.DEAD, ready_at_us=None, holder=None, unanswered=0,
        reason="payload_gone", finished_at_us=3,
    )  # fmt: skip
    await settle(other.deliveries[0], poisoned, None)

    lines = await store.notable_log(LogCursor(), limit=10)
    assert [(one.entry.to_state, one.entry.attempt_no) for one in lines] == [
        (State.DEAD, 2),
        (State.DEAD, None),
    ]
    assert await store.notable_log(LogCursor(), limit=1) == lines[:1]
    assert await store.notable_log(lines[0].cursor, limit=10) == lines[1:]
    everything = await store.log(LogCursor(), limit=100)
    assert [one for one in everything if one in lines] == lines


async def test_an_application_takes_its_endpoints_along_and_leaves_what_is_written_then(
    store: Store, application: Application
) -> None:
    await store.delete(application, also=(NEWS,))
    assert await news(store) == NEWS


async def test_what_goes_along_with_decisions_is_written_with_them_or_not_at_all(
    store: Store,
) -> None:
    application = make_application()
    await store.put(application)
    stale = msgspec.structs.replace(application, version=7)
    with pytest.raises(Stale):
        await store.settle_with([], lambda _: Aftermath(resource=stale, also=(NEWS,)))
    assert await news(store) is None
    changed = msgspec.structs.replace(application, version=2)
    await store.settle_with([], lambda _: Aftermath(resource=changed, also=(NEWS,)))
    assert await news(store) == NEWS
