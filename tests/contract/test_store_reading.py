"""What reading back promises: paging, filters, forgetting."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from support.making import (
    SECOND_US,
    START_US,
    aged,
    make_acceptance,
    make_application,
    make_attempt,
    make_change,
    make_id,
)

from homing.core.identifiers import DeliveryId
from homing.core.lifecycle import Delivery, State
from homing.core.outcome import Opening, Reason
from homing.core.queries import AttemptFilter, DeliveryFilter, MessageFilter, Page, Span
from homing.core.records import Acceptance, Attempt, Change
from homing.core.resources import Application, Endpoint
from homing.core.store import Store

ALL = Page(limit=100)


async def walk(
    fetch: Callable[[Page], Awaitable[list[str]]], *, limit: int, descending: bool
) -> list[str]:
    """Page to the end, as a client would, with the last name as the cursor."""
    seen: list[str] = []
    for _ in range(100):
        after = seen[-1] if seen else None
        page = await fetch(Page(limit=limit, descending=descending, after=after))
        assert len(page) <= limit
        if not page:
            return seen
        seen += page
    raise AssertionError("the listing has no end")


async def check_paging(fetch: Callable[[Page], Awaitable[list[str]]], expected: list[str]) -> None:
    """Every page size and both directions see the same rows, each once."""
    for limit in (1, 2, 3, 100):
        assert await walk(fetch, limit=limit, descending=False) == expected
        assert await walk(fetch, limit=limit, descending=True) == expected[::-1]


async def accept_seconds(
    store: Store, application: Application, count: int = 5, endpoint_ids: tuple[str, ...] = ()
) -> list[Acceptance]:
    """Messages accepted one second apart."""
    items = [
        make_acceptance(
            application, endpoint_ids or None, accepted_at_us=START_US + second * SECOND_US
        )
        for second in range(count)
    ]
    await store.accept(items)
    return items


def finished(before: Delivery, state: State, **fields: object) -> Delivery:
    given: dict[str, object] = {
        "state": state,
        "ready_at_us": None,
        "holder": None,
        "unanswered": 0,
        "finished_at_us": START_US,
        "reason": None if state is State.DELIVERED else "for a test",
    }
    return aged(before, **(given | fields))


# --- messages ---------------------------------------------------------------------------------


async def test_messages_are_paged_in_both_directions(
    store: Store, application: Application
) -> None:
    items = await accept_seconds(store, application)
    other = make_application()
    await store.put(other)
    await accept_seconds(store, other)

    async def fetch(page: Page) -> list[str]:
        found = await store.messages(MessageFilter(app_id=application.id), page)
        return [message.id for message in found]

    await check_paging(fetch, [item.message.id for item in items])


async def test_messages_are_filtered_by_type_channel_and_tag(
    store: Store, application: Application
) -> None:
    captured = make_acceptance(application, event_type="payment.captured", channels=("eu", "us"))
    failed = make_acceptance(application, event_type="payment.failed", channels=("us",))
    refund = make_acceptance(application, event_type="refund.created", tags=("urgent",))
    await store.accept([captured, failed, refund])

    async def found(**which: object) -> list[Acceptance]:
        messages = await store.messages(MessageFilter(app_id=application.id, **which), ALL)
        ids = [message.id for message in messages]
        return [item for item in (captured, failed, refund) if item.message.id in ids]

    assert await found(event_types=("payment.failed", "refund.created")) == [failed, refund]
    assert await found(channel="eu") == [captured]
    assert await found(channel="us", event_types=("payment.failed",)) == [failed]
    assert await found(tag="urgent") == [refund]
    assert await found(channel="urgent") == []


async def test_both_ends_of_a_span_are_exclusive(store: Store, application: Application) -> None:
    items = await accept_seconds(store, application, 5)
    span = Span(since_us=START_US + SECOND_US, until_us=START_US + 3 * SECOND_US)
    which = MessageFilter(app_id=application.id, span=span)
    assert await store.messages(which, ALL) == [items[2].message]
    since = Span(since_us=START_US + 3 * SECOND_US)
    found = await store.messages(MessageFilter(app_id=application.id, span=since), ALL)
    assert found == [items[4].message]
    until = Span(until_us=START_US + SECOND_US)
    found = await store.messages(MessageFilter(app_id=application.id, span=until), ALL)
    assert found == [items[0].message]


async def test_paging_stays_within_the_span(store: Store, application: Application) -> None:
    items = await accept_seconds(store, application, 6)
    span = Span(since_us=START_US, until_us=START_US + 5 * SECOND_US)

    async def fetch(page: Page) -> list[str]:
        which = MessageFilter(app_id=application.id, span=span)
        return [message.id for message in await store.messages(which, page)]

    await check_paging(fetch, [item.message.id for item in items[1:5]])


async def test_a_message_is_its_applications_only(store: Store, application: Application) -> None:
    item = make_acceptance(application, event_id="order-7")
    await store.accept([item])
    for name in (item.message.id, "order-7"):
        assert await store.message(application.id, name) == item.message
        assert await store.message("app_2", name) is None
    assert await store.message(application.id, "unknown") is None


async def test_messages_are_found_by_their_ids(store: Store, application: Application) -> None:
    items = await accept_seconds(store, application, 3)
    wanted = [items[0].message, items[2].message]
    found = await store.messages_by_ids([message.id for message in wanted] + ["msg_unknown"])
    assert found == {message.id: message for message in wanted}
    assert await store.messages_by_ids([]) == {}


async def test_the_oldest_message_tells_since_when_there_is_anything(
    store: Store, application: Application
) -> None:
    assert await store.first_accepted_at_us() is None
    await accept_seconds(store, application, 3)
    assert await store.first_accepted_at_us() == START_US


async def test_an_expunged_payload_is_gone_and_the_message_stays(
    store: Store, application: Application
) -> None:
    item = make_acceptance(application)
    await store.accept([item])
    await store.expunge_message(item.message.id)
    await store.expunge_message("msg_unknown")
    found = await store.message(application.id, item.message.id)
    assert found is not None
    assert found.payload is None
    assert found.event_type == item.message.event_type


# --- deliveries -------------------------------------------------------------------------------


async def settle_some(store: Store, items: list[Acceptance]) -> list[Delivery]:
    """Finish every other delivery: delivered, dead, delivered, …; all of them as they are now."""
    now = []
    for number, item in enumerate(items):
        for delivery in item.deliveries:
            after = delivery
            if number % 2 == 0:
                after = finished(delivery, State.DEAD if number % 4 else State.DELIVERED)
                await store.settle([make_change(delivery, after)])
            now.append(after)
    return now


async def test_deliveries_of_an_endpoint_are_paged_across_both_tables(
    store: Store, application: Application
) -> None:
    endpoint_id, other_id = make_id("ep_"), make_id("ep_")
    items = await accept_seconds(store, application, 6, (endpoint_id, other_id))
    await settle_some(store, items)

    async def fetch(page: Page) -> list[str]:
        found = await store.deliveries(DeliveryFilter(endpoint_id=endpoint_id), page)
        assert {delivery.endpoint_id for delivery in found} <= {endpoint_id}
        return [delivery.message_id for delivery in found]

    await check_paging(fetch, [item.message.id for item in items])


async def test_deliveries_of_a_message_are_paged_by_endpoint(
    store: Store, application: Application
) -> None:
    endpoint_ids = tuple(make_id("ep_") for _ in range(5))
    items = await accept_seconds(store, application, 2, endpoint_ids)
    [first, *_] = items[0].deliveries
    await store.settle([make_change(first, finished(first, State.DELIVERED))])

    async def fetch(page: Page) -> list[str]:
        found = await store.deliveries(DeliveryFilter(message_id=items[0].message.id), page)
        return [delivery.endpoint_id for delivery in found]

    await check_paging(fetch, sorted(endpoint_ids))


@pytest.mark.parametrize("of_app", [True, False], ids=["of one application", "of everyone"])
async def test_all_deliveries_are_paged_by_message_and_endpoint(
    store: Store, application: Application, of_app: bool
) -> None:
    items = await accept_seconds(store, application, 4, (make_id("ep_"), make_id("ep_")))
    other = make_application()
    await store.put(other)
    others = await accept_seconds(store, other, 2)
    now = await settle_some(store, items)
    expected = now if of_app else [*now, *await settle_some(store, others)]

    async def fetch(page: Page) -> list[str]:
        which = DeliveryFilter(app_id=application.id if of_app else None)
        return [str(delivery.id) for delivery in await store.deliveries(which, page)]

    await check_paging(fetch, [str(which) for which in sorted(found.id for found in expected)])


@pytest.mark.parametrize("by", ["endpoint_id", "app_id", "everyone"])
async def test_dead_letters_are_found_among_many_and_paged(
    store: Store, application: Application, by: str
) -> None:
    endpoint_id = make_id("ep_")
    items = await accept_seconds(store, application, 12, (endpoint_id, make_id("ep_")))
    now = await settle_some(store, items)
    names = {"endpoint_id": endpoint_id, "app_id": application.id}
    given = {by: names[by]} if by in names else {}
    which = DeliveryFilter(states=(State.DEAD,), **given)
    expected = [
        delivery
        for delivery in now
        if delivery.state is State.DEAD and by in ("app_id", "everyone", "endpoint_id")
        if by != "endpoint_id" or delivery.endpoint_id == endpoint_id
    ]
    expected.sort(key=lambda delivery: delivery.id)
    assert expected
    assert await store.deliveries(which, ALL) == expected

    async def fetch(page: Page) -> list[str]:
        found = await store.deliveries(which, page)
        return [
            delivery.message_id if by == "endpoint_id" else str(delivery.id) for delivery in found
        ]

    await check_paging(
        fetch,
        [d.message_id if by == "endpoint_id" else str(d.id) for d in expected],
    )


async def test_deliveries_are_filtered_by_state_type_channel_and_span(
    store: Store, application: Application
) -> None:
    endpoint_id = make_id("ep_")
    kinds = [("payment.captured", ("eu",)), ("payment.failed", ()), ("payment.captured", ())]
    items = [
        make_acceptance(
            application,
            (endpoint_id,),
            event_type=event_type,
            channels=channels,
            accepted_at_us=START_US + second * SECOND_US,
        )
        for second, (event_type, channels) in enumerate(kinds)
    ]
    await store.accept(items)
    [first], [second], [third] = (item.deliveries for item in items)
    done = finished(second, State.DELIVERED)
    await store.settle([make_change(second, done)])
    scopes = [{"endpoint_id": endpoint_id}, {"app_id": application.id}, {}]
    for scope in scopes:

        async def found(scope: dict[str, str] = scope, **which: object) -> list[Delivery]:
            return await store.deliveries(DeliveryFilter(**scope, **which), ALL)

        assert await found(states=(State.LEASED,)) == [first, third]
        assert await found(states=(State.DELIVERED, State.WAITING)) == [done]
        assert await found(event_types=("payment.captured",)) == [first, third]
        assert await found(channel="eu") == [first]
        assert await found(span=Span(since_us=START_US)) == [done, third]
        assert await found(states=(State.DEAD,)) == []


async def test_one_delivery_is_found_by_both_its_ids(
    store: Store, application: Application
) -> None:
    items = await accept_seconds(store, application, 2, (make_id("ep_"), make_id("ep_")))
    wanted = items[0].deliveries[1]
    which = DeliveryFilter(message_id=wanted.message_id, endpoint_id=wanted.endpoint_id)
    assert await store.deliveries(which, ALL) == [wanted]
    elsewhere = DeliveryFilter(
        message_id=wanted.message_id, endpoint_id=wanted.endpoint_id, app_id="app_2"
    )
    assert await store.deliveries(elsewhere, ALL) == []


async def test_a_message_outside_the_span_has_no_deliveries_in_it(
    store: Store, application: Application
) -> None:
    [item] = await accept_seconds(store, application, 1)
    for span in (Span(since_us=START_US + SECOND_US), Span(until_us=START_US - SECOND_US)):
        which = DeliveryFilter(message_id=item.message.id, span=span)
        assert await store.deliveries(which, ALL) == []


async def test_an_unknown_delivery_is_none(store: Store) -> None:
    assert await store.delivery(DeliveryId("msg_unknown", "ep_unknown")) is None


# --- attempts ---------------------------------------------------------------------------------


async def record(store: Store, delivery: Delivery, *attempts: Attempt) -> Delivery:
    """Write attempts, each with a decision that keeps the delivery where it is."""
    for attempt in attempts:
        after = aged(delivery)
        change = make_change(delivery, after)
        await store.settle(
            [Change(before=delivery, after=after, entry=change.entry, attempt=attempt)]
        )
        delivery = after
    return delivery


async def test_every_field_of_an_attempt_comes_back(store: Store, application: Application) -> None:
    [item] = await accept_seconds(store, application, 1)
    [delivery] = item.deliveries
    full = make_attempt(
        delivery,
        detail="reset by peer",
        response_headers=(("set-cookie", "a=1"), ("set-cookie", 'b="2"')),
        response_body=b"\x00\xff",
        number=7,
        opening=Opening(120, 340, 900),
        signed="v1,AbCdEfGh v1a,01234567",
    )
    bare = make_attempt(
        delivery,
        reason=Reason.CONNECT_TIMEOUT,
        status=None,
        first_byte_us=None,
        response_headers=(),
        response_body=b"",
    )
    await record(store, delivery, full, bare)
    assert await store.attempt(delivery.message_id, full.id) == full
    assert await store.attempt(delivery.message_id, bare.id) == bare
    assert await store.attempt("msg_unknown", full.id) is None


async def test_attempts_are_paged_by_endpoint_and_by_message(
    store: Store, application: Application
) -> None:
    endpoint_id, other_id = make_id("ep_"), make_id("ep_")
    [item] = await accept_seconds(store, application, 1, (endpoint_id, other_id))
    mine, theirs = item.deliveries
    attempts = [make_attempt(mine, at_us=START_US + n * SECOND_US) for n in range(5)]
    other = make_attempt(theirs, at_us=START_US + 9 * SECOND_US)
    await record(store, mine, *attempts)
    await record(store, theirs, other)
    message_id = item.message.id
    cases = [
        ({"endpoint_id": endpoint_id}, attempts),
        ({"message_id": message_id}, [*attempts, other]),
        ({"message_id": message_id, "endpoint_id": endpoint_id}, attempts),
    ]
    for scope, expected in cases:

        async def fetch(page: Page, scope: dict[str, str] = scope) -> list[str]:
            which = AttemptFilter(app_id=application.id, **scope)
            return [attempt.id for attempt in await store.attempts(which, page)]

        await check_paging(fetch, [attempt.id for attempt in expected])
        elsewhere = AttemptFilter(app_id="app_2", **scope)
        assert await store.attempts(elsewhere, ALL) == []


async def test_attempts_are_filtered_by_what_they_came_to(
    store: Store, application: Application, endpoint: Endpoint
) -> None:
    captured = make_acceptance(
        application, (endpoint.id,), event_type="payment.captured", channels=("eu",), tags=("a",)
    )
    failed = make_acceptance(application, (endpoint.id,), event_type="payment.failed")
    await store.accept([captured, failed])
    [one], [two] = captured.deliveries, failed.deliveries
    ok = make_attempt(one, at_us=START_US)
    refused = make_attempt(one, at_us=START_US + SECOND_US, reason=Reason.STATUS, status=503)
    missing = make_attempt(two, at_us=START_US + 2 * SECOND_US, reason=Reason.STATUS, status=404)
    silent = make_attempt(
        two, at_us=START_US + 3 * SECOND_US, reason=Reason.CONNECT_REFUSED, status=None
    )
    garbled = make_attempt(two, at_us=START_US + 4 * SECOND_US, reason=Reason.RESET, status=200)
    await record(store, one, ok, refused)
    await record(store, two, missing, silent, garbled)

    async def found(**which: object) -> list[Attempt]:
        chosen = AttemptFilter(app_id=application.id, endpoint_id=endpoint.id, **which)
        return await store.attempts(chosen, ALL)

    assert await found() == [ok, refused, missing, silent, garbled]
    assert await found(succeeded=True) == [ok]
    assert await found(succeeded=False) == [refused, missing, silent, garbled]
    assert await found(status_class=500) == [refused]
    assert await found(status_class=200) == [ok, garbled]
    assert await found(status_class=0) == [silent]
    assert await found(event_types=("payment.captured",)) == [ok, refused]
    assert await found(channel="eu", status_class=400) == []
    assert await found(tag="a", succeeded=False) == [refused]
    assert await found(span=Span(since_us=START_US + SECOND_US)) == [missing, silent, garbled]


async def test_attempts_of_an_endpoint_are_counted_by_reason(
    store: Store, application: Application
) -> None:
    [item] = await accept_seconds(store, application, 1)
    [delivery] = item.deliveries
    reasons = (Reason.OK, Reason.STATUS, Reason.OK, Reason.TOTAL_TIMEOUT)
    attempts = [
        make_attempt(delivery, at_us=START_US + second * SECOND_US, reason=reason)
        for second, reason in enumerate(reasons)
    ]
    await record(store, delivery, *attempts)
    endpoint_id = delivery.endpoint_id
    assert await store.attempt_counts(endpoint_id, Span()) == {
        Reason.OK: 2,
        Reason.STATUS: 1,
        Reason.TOTAL_TIMEOUT: 1,
    }
    within = Span(since_us=START_US, until_us=START_US + 3 * SECOND_US)
    assert await store.attempt_counts(endpoint_id, within) == {Reason.OK: 1, Reason.STATUS: 1}
    assert await store.attempt_counts("ep_unknown", Span()) == {}


async def test_attempts_are_counted_by_delivery_from_one_message_to_another(
    store: Store, application: Application
) -> None:
    ids = []
    items = await accept_seconds(store, application, 3)
    for item, times in zip(items, (1, 3, 2), strict=True):
        [delivery] = item.deliveries
        ids.append(delivery.id)
        made = [make_attempt(delivery, at_us=START_US + n * SECOND_US) for n in range(times)]
        await record(store, delivery, *made)
    assert await store.attempts_made(ids[0].message_id, ids[1].message_id) == {ids[0]: 1, ids[1]: 3}
    assert await store.attempts_made(ids[1].message_id, ids[2].message_id) == {ids[1]: 3, ids[2]: 2}
    assert await store.attempts_made("msg_~", "msg_~") == {}


async def test_an_expunged_response_is_gone_and_the_attempt_stays(
    store: Store, application: Application
) -> None:
    [item] = await accept_seconds(store, application, 1)
    [delivery] = item.deliveries
    attempt = make_attempt(delivery)
    await record(store, delivery, attempt)
    await store.expunge_attempt(delivery.message_id, attempt.id)
    await store.expunge_attempt("msg_unknown", attempt.id)
    found = await store.attempt(delivery.message_id, attempt.id)
    assert found is not None
    assert (found.response_body, found.response_headers) == (None, ())
    assert (found.status, found.url) == (attempt.status, attempt.url)
