"""Searches: everything that fits, once, at a bounded cost; words of payloads by the index."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from support.making import ORG_ID, make_application
from support.tasks import CALLER, service_of
from support.world import World, make_world

from homing.core.errors import Invalid, NotFound
from homing.core.identifiers import DeliveryId
from homing.core.queries import Page
from homing.core.records import Message
from homing.core.searching import Indexing
from homing.service import search, text_index, text_search, text_words
from homing.service.intake import Draft
from homing.service.querying import Query, parse_query
from homing.service.search import Found, search_deliveries, search_messages
from homing.service.text_index import TextIndexer
from homing.service.text_search import TextSearch
from homing.service.tokens import Caller


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments, pieces and looks so small that a few messages make many."""
    monkeypatch.setattr(text_words, "SEGMENT_MESSAGES", 16)
    monkeypatch.setattr(text_words, "PIECE_MESSAGES", 4)
    monkeypatch.setattr(text_index, "PIECE_MESSAGES", 4)
    monkeypatch.setattr(text_search, "_READ", 4)
    monkeypatch.setattr(search, "_LOOKS", 5)


async def fill(world: World, count: int) -> list[Message]:
    messages = []
    for number in range(count):
        payload = f'{{"number": "n{number}", "half": "h{number % 2}", "all": true}}'.encode()
        messages.append(await world.send(payload, tags=("odd",) if number % 2 else ()))
        world.clock.advance(0.1)
    return messages


async def index(world: World, holder: str = "one") -> TextIndexer:
    """Index all that is a minute old."""
    indexer = TextIndexer(world.store, world.clock, holder, share=1.0)
    while await indexer.step():
        pass
    return indexer


def asked(text: str) -> Query:
    parsed = parse_query(text, now_us=0)
    assert not parsed.problems
    return parsed.query


async def pages(
    look: Callable[[DeliveryId | None], Awaitable[Found[object]]],
) -> tuple[list[str], int]:
    """The ids on all pages, and how many pages there were."""
    seen: list[str] = []
    below = None
    for count in range(1, 100):
        found = await look(below)
        seen += [str(one.id) for one in found.rows]  # type: ignore[attr-defined]
        below = found.below
        if below is None:
            return seen, count
    raise AssertionError("the search has no end")


async def messages_with(world: World, text: str, limit: int = 3) -> list[str]:
    service = service_of(world)

    async def look(below: DeliveryId | None) -> Found[object]:
        return await search_messages(service, CALLER, asked(text), below=below, limit=limit)  # type: ignore[return-value]

    return (await pages(look))[0]


@pytest.mark.parametrize("old", [False, True])
async def test_words_of_payloads_are_found_wherever_the_index_has_come(old: bool) -> None:
    world = make_world()
    await world.begin(2)
    messages = await fill(world, 50)
    if old:
        world.clock.advance(120)
    await index(world)
    known = await world.store.get(Indexing, "", "text_indexing")
    assert known is not None
    assert known.number == (3 if old else 0)
    newest_first = [one.id for one in reversed(messages)]

    assert await messages_with(world, "n7") == [messages[7].id]
    assert await messages_with(world, "h1 all") == newest_first[::2]
    assert await messages_with(world, "h1", limit=50) == newest_first[::2]
    assert await messages_with(world, "h1 tag:odd n49") == [messages[49].id]
    assert await messages_with(world, "h0 tag:odd") == []
    assert await messages_with(world, "nothing") == []
    assert await messages_with(world, f"{messages[3].id} n3") == [messages[3].id]
    assert await messages_with(world, f"{messages[3].id} n4") == []


async def test_deliveries_of_what_has_the_words_are_paged_too() -> None:
    world = make_world()
    await world.begin(3)
    messages = await fill(world, 40)
    world.clock.advance(120)
    await index(world)
    service = service_of(world)

    async def look(below: DeliveryId | None) -> Found[object]:
        return await search_deliveries(service, CALLER, asked("h1"), below=below, limit=4)  # type: ignore[return-value]

    seen, count = await pages(look)
    expected = [
        f"{message.id}.{endpoint.id}"
        for message in reversed(messages[1::2])
        for endpoint in sorted(world.endpoints, key=lambda one: one.id, reverse=True)
    ]
    assert seen == expected
    assert count >= len(expected) // 4


async def test_what_was_deleted_is_never_found_and_its_words_are_gone() -> None:
    world = make_world()
    await world.begin()
    messages = await fill(world, 32)
    world.clock.advance(120)
    indexer = await index(world)
    word = text_words.wanted("n5")
    assert word is not None
    [text] = word.words
    bucket = text_words.bucket_of(text)
    before = await world.store.entries(bucket, [1])
    assert text_words.pieces_with(text, before[1]) == {1}

    await world.store.expunge_message(messages[5].id)
    assert await world.store.entries(bucket, [1]) == {}
    assert await messages_with(world, "n5") == []
    assert await messages_with(world, "n6") == [messages[6].id]
    # it is indexed again, without the word
    world.clock.advance(61)
    while await indexer.step():
        pass
    assert await world.store.stale_segments(limit=9) == []
    after = await world.store.entries(bucket, [1])
    assert not text_words.pieces_with(text, after.get(1, b""))
    assert await messages_with(world, "n6") == [messages[6].id]


async def test_a_search_that_costs_enough_stops_and_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(text_search, "_BYTES_MAX", 3_000)
    monkeypatch.setattr(search, "_LOOKS_MAX", 2)
    world = make_world()
    await world.begin()
    messages = await fill(world, 64)
    world.clock.advance(120)
    await index(world)
    service = service_of(world)

    async def by_text(below: DeliveryId | None) -> Found[object]:
        return await search_messages(service, CALLER, asked('"h1 all" all'), below=below)  # type: ignore[return-value]

    async def by_tag(below: DeliveryId | None) -> Found[object]:
        return await search_messages(service, CALLER, asked("tag:odd"), below=below)  # type: ignore[return-value]

    seen, count = await pages(by_text)  # each word is everywhere, the two together nowhere
    assert seen == []
    assert count > 5
    seen, count = await pages(by_tag)
    assert seen == [one.id for one in reversed(messages[1::2])]
    assert count == -(-64 // 10) or count == 64 // 10
    found = await search_messages(service, CALLER, asked("tag:none"))
    assert found.looked_back_to_us is not None


async def test_what_is_too_much_to_read_is_passed_over_and_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(text_search, "_NEWEST_BYTES_MAX", 400)
    world = make_world()
    await world.begin()
    old = await fill(world, 32)
    world.clock.advance(120)
    await index(world)
    await fill(world, 40)
    found = await search_messages(service_of(world), CALLER, asked("n3"))
    assert [head.id for head in found.rows] == [old[3].id]
    assert found.text is not None
    assert found.text.skipped is not None
    since_us, until_us = found.text.skipped
    assert since_us < until_us


async def test_one_process_indexes_at_a_time_and_another_takes_over() -> None:
    world = make_world()
    await world.begin()
    await fill(world, 20)
    world.clock.advance(120)
    first = TextIndexer(world.store, world.clock, "one", share=1.0)
    other = TextIndexer(world.store, world.clock, "other", share=1.0)
    assert await first.step()
    assert not await other.step()
    world.clock.advance(61)
    while await other.step():
        pass
    assert not await first.step()
    known = await world.store.get(Indexing, "", "text_indexing")
    assert known is not None
    assert (known.holder, known.number) == ("other", 1)


async def test_a_message_that_goes_while_it_is_indexed_is_not_in_it() -> None:
    world = make_world()
    await world.begin()
    messages = await fill(world, 20)
    world.clock.advance(120)
    indexer = TextIndexer(world.store, world.clock, "one", share=1.0)
    await indexer.step()  # the first piece was read
    await world.store.expunge_message(messages[1].id)
    while await indexer.step():
        pass
    assert await world.store.segments("msg_~", limit=9) == []  # noticed, and begun again
    while await indexer.step():
        pass
    [segment] = await world.store.segments("msg_~", limit=9)
    assert (segment.messages, segment.stale) == (16, False)
    assert await messages_with(world, "n1") == []
    assert await messages_with(world, "n2") == [messages[2].id]


async def test_nobody_finds_what_is_another_organisations() -> None:
    world = make_world()
    await world.begin()
    await fill(world, 20)
    world.clock.advance(120)
    await index(world)
    stranger = Caller("org_other")
    service = service_of(world)
    for text in ("", "n3", "tag:odd"):
        assert (await search_messages(service, stranger, asked(text))).rows == []
        assert (await search_deliveries(service, stranger, asked(text))).rows == []
    [message] = (await search_messages(service, CALLER, asked("n3"))).rows
    assert (await search_messages(service, stranger, asked(message.id))).rows == []
    for text in (f"app:{world.application.id}", f"endpoint:{world.endpoints[0].id}"):
        with pytest.raises(NotFound):
            await search_deliveries(service, stranger, asked(text))
    texts = TextSearch(
        service, ["n3"], app_ids=["app_1", "app_2"], low="msg_", high="msg_~", until_us=10**18
    )
    assert await texts.more(9) == []
    foreign = make_application(scope="org_other")
    await world.store.put(foreign)
    assert (await search_messages(service, stranger, asked("n3"))).rows == []


async def test_what_cannot_be_looked_for_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world()
    await world.begin()
    service = service_of(world)
    with pytest.raises(Invalid, match="needs its application"):
        await search_deliveries(service, CALLER, asked("endpoint:uid"))
    with pytest.raises(Invalid, match="letter or a digit"):
        await search_messages(service, CALLER, Query(words=("--",)))
    with pytest.raises(Invalid, match="look for deliveries"):
        await search_messages(service, CALLER, asked("status:dead"))
    monkeypatch.setattr(search, "APPLICATIONS_MAX", 0)
    with pytest.raises(Invalid, match="more than 0 applications"):
        await search_messages(service, CALLER, Query())
    assert await world.store.list(Indexing, ORG_ID, Page(limit=9)) == []


@pytest.mark.parametrize("apps", [2, 3, 9])
@pytest.mark.parametrize("text", ["", "tag:odd", "status:delivered", "status:waiting"])
async def test_several_applications_are_searched_as_one(apps: int, text: str) -> None:
    """In the order of time, each delivery once, whosever the traffic between them is."""
    world = make_world()
    await world.begin(2)
    foreign = await world.add_tenant(scope="org_other")
    others = [await world.add_tenant() for _ in range(apps - 1)]
    for number in range(24):
        world.clock.advance(0.1)
        draft = Draft(event_type="payment.captured", payload=b"{}")
        await world.intake.create_message("org_other", foreign.id, draft)
        await world.send_as(others[number % len(others)])
        await world.send(tags=("odd",) if number % 2 else ())
    await world.settle()
    service = service_of(world)

    async def look(below: DeliveryId | None) -> Found[object]:
        return await search_deliveries(service, CALLER, asked(text), below=below, limit=7)  # type: ignore[return-value]

    seen, _ = await pages(look)
    heads = await world.store.heads([one.partition(".")[0] for one in seen])
    assert foreign.id not in {head.app_id for head in heads.values()}
    rows = [*world.store.hot.values(), *world.store.history.values()]  # type: ignore[attr-defined]
    query = asked(text)
    tagged = await world.store.heads([one.message_id for one in rows])
    expected = [
        str(one.id)
        for one in sorted(rows, key=lambda one: one.id, reverse=True)
        if one.app_id != foreign.id
        and (not query.states or one.state in query.states)
        and set(query.tags) <= set(tagged[one.message_id].tags)
    ]
    assert seen == expected
    assert expected or text == "status:waiting"
