"""What accepting messages promises."""

from __future__ import annotations

from support.making import SECOND_US, START_US, make_acceptance, make_application, make_id, make_key

from homing.core.lifecycle import State
from homing.core.queries import DeliveryFilter, LogCursor, MessageFilter, Page
from homing.core.records import Accepted, Conflicting, Outdated, Repeated, Reply
from homing.core.resources import Application
from homing.core.store import Store

ALL = Page(limit=100)


async def test_an_accepted_message_is_there_with_its_deliveries_and_its_log_lines(
    store: Store, application: Application
) -> None:
    item = make_acceptance(application, (make_id("ep_"), make_id("ep_")))
    assert await store.accept([item]) == [Accepted()]
    assert await store.message(application.id, item.message.id) == item.message
    for delivery in item.deliveries:
        assert await store.delivery(delivery.id) == delivery
    lines = await store.log(LogCursor(), limit=10)
    assert [line.entry for line in lines] == list(item.entries)


async def test_every_field_of_a_message_comes_back(store: Store, application: Application) -> None:
    item = make_acceptance(
        application,
        payload=b"\x00\xff not JSON, not even text",
        is_raw=True,
        event_id="order-7",
        channels=("eu", 'a"b'),
        deliver_at_us=START_US + 7,
        tags=("urgent",),
    )
    await store.accept([item])
    assert await store.message(application.id, item.message.id) == item.message


async def test_a_message_that_nobody_wants_is_stored_all_the_same(
    store: Store, application: Application
) -> None:
    item = make_acceptance(application, ())
    assert await store.accept([item]) == [Accepted()]
    assert await store.message(application.id, item.message.id) == item.message


async def test_deliveries_may_be_born_leased_waiting_or_parked(
    store: Store, application: Application
) -> None:
    states = (State.LEASED, State.WAITING, State.PARKED)
    items = [make_acceptance(application, state=state) for state in states]
    await store.accept(items)
    backlog = await store.backlog(START_US)
    assert (backlog.leased, backlog.waiting, backlog.parked) == (1, 1, 1)


async def test_an_empty_batch_is_nothing(store: Store) -> None:
    assert await store.accept([]) == []


async def test_a_key_seen_before_names_the_earlier_message_and_stores_nothing(
    store: Store, application: Application
) -> None:
    first = make_acceptance(application, keys=(make_key(),))
    again = make_acceptance(application, keys=(make_key(),))
    await store.accept([first])
    assert await store.accept([again]) == [Repeated(first.message.id)]
    assert await store.messages(MessageFilter(app_id=application.id), ALL) == [first.message]
    assert len(await store.deliveries(DeliveryFilter(app_id=application.id), ALL)) == 1
    assert len(await store.log(LogCursor(), limit=10)) == 1


async def test_a_key_with_another_body_conflicts_and_stores_nothing(
    store: Store, application: Application
) -> None:
    await store.accept([make_acceptance(application, keys=(make_key(body="one"),))])
    other = make_acceptance(application, keys=(make_key(body="two"),))
    assert await store.accept([other]) == [Conflicting()]
    assert await store.message(application.id, other.message.id) is None


async def test_a_key_that_led_to_something_else_than_a_message_conflicts(
    store: Store, application: Application
) -> None:
    await store.remember(make_key(), Reply(status=201, body=b"{}"), at_us=START_US)
    item = make_acceptance(application, keys=(make_key(),))
    assert await store.accept([item]) == [Conflicting()]


async def test_keys_are_compared_within_the_batch_too(
    store: Store, application: Application
) -> None:
    first = make_acceptance(application, keys=(make_key(body="one"),))
    same = make_acceptance(application, keys=(make_key(body="one"),))
    other = make_acceptance(application, keys=(make_key(body="two"),))
    free = make_acceptance(application, keys=(make_key("another"),))
    assert await store.accept([first, same, other, free]) == [
        Accepted(),
        Repeated(first.message.id),
        Conflicting(),
        Accepted(),
    ]


async def test_any_of_several_keys_recognises_the_request(
    store: Store, application: Application
) -> None:
    first = make_acceptance(application, keys=(make_key("idempotency"), make_key("event")))
    await store.accept([first])
    again = make_acceptance(application, keys=(make_key("fresh"), make_key("event")))
    assert await store.accept([again]) == [Repeated(first.message.id)]
    unburnt = make_acceptance(application, keys=(make_key("fresh"),))
    assert await store.accept([unburnt]) == [Accepted()]


async def test_an_expired_key_can_be_used_again(store: Store, application: Application) -> None:
    brief = make_key(expires_at_us=START_US + SECOND_US)
    await store.accept([make_acceptance(application, keys=(brief,))])
    just_before = make_acceptance(
        application, keys=(brief,), accepted_at_us=START_US + SECOND_US - 1
    )
    at_its_end = make_acceptance(
        application, keys=(make_key(body="new"),), accepted_at_us=START_US + SECOND_US
    )
    assert isinstance((await store.accept([just_before]))[0], Repeated)
    assert await store.accept([at_its_end]) == [Accepted()]
    assert await store.recall(make_key(body="new"), at_us=START_US) == at_its_end.message


async def test_the_event_id_of_the_newest_message_counts(
    store: Store, application: Application
) -> None:
    older = make_acceptance(application, event_id="order-7")
    newer = make_acceptance(application, event_id="order-7")
    await store.accept([older, newer])
    assert await store.message(application.id, "order-7") == newer.message


async def test_a_fan_out_computed_from_an_older_application_is_refused(
    store: Store, application: Application
) -> None:
    stale = make_acceptance(application, keys=(make_key(),))
    await store.put(make_application(id=application.id, version=2))
    assert await store.accept([stale]) == [Outdated()]
    assert await store.message(application.id, stale.message.id) is None
    assert await store.log(LogCursor(), limit=1) == []
    current = make_acceptance(make_application(id=application.id, version=2), keys=stale.keys)
    assert await store.accept([current]) == [Accepted()]  # the refused one burnt no key


async def test_a_message_for_an_application_that_is_gone_is_refused(store: Store) -> None:
    assert await store.accept([make_acceptance(make_application())]) == [Outdated()]


async def test_each_item_of_a_batch_is_judged_alone(store: Store, application: Application) -> None:
    good = make_acceptance(application)
    gone = make_acceptance(make_application())
    also_good = make_acceptance(application)
    results = await store.accept([good, gone, also_good])
    assert results == [Accepted(), Outdated(), Accepted()]
    stored = await store.messages(MessageFilter(app_id=application.id), ALL)
    assert stored == [good.message, also_good.message]
