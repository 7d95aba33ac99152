"""What the index of payloads promises: it is written whole, and forgets with the payload."""

from __future__ import annotations

import pytest
from support.making import SECOND_US, START_US, aged, make_acceptance, make_application, make_change

from homing.core.errors import Conflict, Stale
from homing.core.lifecycle import State
from homing.core.records import Message
from homing.core.resources import Application
from homing.core.retention import Part
from homing.core.searching import Indexing
from homing.core.store import Aftermath, Store
from homing.service.text_words import Builder


def indexing(version: int = 1, **fields: object) -> Indexing:
    given = {"created_at_us": START_US, "updated_at_us": START_US, "holder": "h"}
    return Indexing(scope="", id="text_indexing", version=version, **(given | fields))  # type: ignore[arg-type]


async def accept(store: Store, application: Application, count: int = 6) -> list[Message]:
    """Messages accepted a second apart, each with a word of its own."""
    found = []
    for number in range(count):
        item = make_acceptance(
            application,
            accepted_at_us=START_US + number * SECOND_US,
            payload=f'{{"word": "only{number}"}}'.encode(),
        )
        await store.accept([item])
        found.append(item.message)
    return found


def built(messages: list[Message], number: int = 1, after: str = "") -> Builder:
    builder = Builder(number, after)
    for message in messages:
        builder.add(message.id, message.payload or b"")
    return builder


async def buckets(store: Store, number: int) -> int:
    """How many of a segment's buckets have something in them."""
    return len([b for b in range(256) if number in await store.entries(b, [number])])


async def test_texts_come_in_order_cut_and_without_what_is_gone(
    store: Store, application: Application
) -> None:
    messages = await accept(store, application)
    other = make_application()
    await store.put(other)
    [foreign] = await accept(store, other, 1)
    await store.expunge_message(messages[2].id)
    ids = sorted(one.id for one in [*messages, foreign] if one is not messages[2])

    texts = await store.texts("", ids[-1], limit=100, bytes_max=10)
    assert [text.message_id for text in texts] == ids
    assert {text.content for text in texts} == {b'{"word": "'}
    some = await store.texts(ids[0], ids[3], limit=2, bytes_max=10)
    assert [text.message_id for text in some] == ids[1:3]
    down = await store.newest_texts(ids[0], ids[3], limit=100, bytes_max=10)
    assert [text.message_id for text in down] == ids[1:3][::-1]
    mine = await store.newest_texts("", "msg_~", limit=9, bytes_max=9, app_id=other.id)
    assert [(text.message_id, text.app_id) for text in mine] == [(foreign.id, other.id)]
    assert await store.texts("", "msg_~", limit=9, bytes_max=9, app_id="app_none") == []


async def test_a_segment_is_written_with_how_far_it_came(
    store: Store, application: Application
) -> None:
    messages = await accept(store, application)
    first, entries = built(messages[:3]).build()
    second, more = built(messages[3:], 2, first.last).build()
    await store.put_segment(indexing(), first, entries)
    with pytest.raises((Stale, Conflict)):
        await store.put_segment(indexing(), second, more)
    assert [one.number for one in await store.segments("msg_~", limit=9)] == [1]
    await store.put_segment(indexing(2, after=second.last, number=2), second, more)

    assert await store.segments("msg_~", limit=9) == [second, first]
    assert await store.segments("msg_~", limit=1) == [second]
    assert await store.segments(messages[3].id, limit=9) == [second, first]
    assert await store.segments(messages[2].id, limit=9) == [first]
    assert await store.segments("", limit=9) == []
    for bucket, content in entries:
        assert (await store.entries(bucket, [1, 2, 3]))[1] == content
    known = await store.get(Indexing, "", "text_indexing")
    assert known is not None
    assert (known.after, known.number) == (second.last, 2)


@pytest.mark.parametrize("how", ["expunged", "with decisions", "payload", "whole"])
async def test_the_entries_go_with_the_payload(
    store: Store, application: Application, how: str
) -> None:
    messages = await accept(store, application)
    first, entries = built(messages[:3]).build()
    second, more = built(messages[3:], 2, first.last).build()
    await store.put_segment(indexing(), first, entries)
    await store.put_segment(indexing(2), second, more)
    gone = messages[4]
    if how == "expunged":
        await store.expunge_message(gone.id)
    elif how == "with decisions":
        await store.settle_with([], lambda written: Aftermath(expunged=(gone.id,)))
    else:
        await deliver(store, gone)
        part = Part.PAYLOAD if how == "payload" else Part.MESSAGE
        await store.purge([gone.id], lambda standing: frozenset({part}))

    assert await buckets(store, 2) == 0
    assert await buckets(store, 1) == len(entries)
    stale = second._replace(stale=True)
    assert await store.stale_segments(limit=9) == [stale]
    assert await store.segments("msg_~", limit=9) == [stale, first]

    # and it is indexed again, without what is gone
    again, left = built([messages[3], messages[5]], 2, first.last).build()
    await store.put_segment(indexing(3), again, left)
    assert await store.stale_segments(limit=9) == []
    assert await buckets(store, 2) == len(left)


async def deliver(store: Store, message: Message) -> None:
    from homing.core.queries import DeliveryFilter, Page

    which = DeliveryFilter(message_id=message.id)
    for before in await store.deliveries(which, Page(limit=9)):
        after = aged(
            before,
            state=State.DELIVERED,
            ready_at_us=None,
            holder=None,
            unanswered=0,
            finished_at_us=START_US,
        )
        await store.settle([make_change(before, after)])


async def test_what_was_removed_while_it_was_read_is_not_indexed(
    store: Store, application: Application
) -> None:
    messages = await accept(store, application)
    segment, entries = built(messages).build()
    await store.expunge_message(messages[1].id)
    with pytest.raises(Stale):
        await store.put_segment(indexing(), segment, entries)
    assert await store.segments("msg_~", limit=9) == []
    assert await buckets(store, 1) == 0
    assert await store.get(Indexing, "", "text_indexing") is None


async def test_a_segment_without_entries_is_removed(store: Store, application: Application) -> None:
    messages = await accept(store, application)
    segment, entries = built(messages).build()
    await store.put_segment(indexing(), segment, entries)
    empty = segment._replace(messages=0, pieces=())
    await store.put_segment(indexing(2), empty, [])
    assert await store.segments("msg_~", limit=9) == []
    assert await buckets(store, 1) == 0
