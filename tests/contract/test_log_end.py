"""Following the delivery log from its end, which is found without reading it."""

from __future__ import annotations

import asyncio

from support.making import START_US, make_acceptance

from homing.cli.demo.books import Books
from homing.core.queries import LogCursor
from homing.core.resources import Application, Endpoint
from homing.core.store import Store
from homing.service.log_export import end_of_log, place_at


async def test_an_empty_log_ends_where_it_begins(store: Store) -> None:
    assert await end_of_log(store) == LogCursor()


async def test_what_comes_after_the_end_is_seen_and_nothing_before(
    store: Store, application: Application, endpoint: Endpoint
) -> None:
    for _ in range(3):
        await store.accept([make_acceptance(application, (endpoint.id,)) for _ in range(4)])
    end = await end_of_log(store)
    assert await store.log(end, limit=10) == []
    lines = await store.log(LogCursor(), limit=100)
    assert len(lines) == 12
    assert lines[-1].cursor == end
    late = make_acceptance(application, (endpoint.id,))
    await store.accept([late])
    (line,) = await store.log(end, limit=10)
    assert line.entry.message_id == late.message.id


async def test_the_place_of_a_time_is_before_what_is_newer_and_after_what_is_older(
    store: Store, application: Application, endpoint: Endpoint
) -> None:
    assert await place_at(store, START_US) == await end_of_log(store)
    for second in range(6):
        at_us = START_US + second * 1_000_000
        made = [
            make_acceptance(application, (endpoint.id,), accepted_at_us=at_us) for _ in range(3)
        ]
        await store.accept(made)
    for second in range(8):
        place = await place_at(store, START_US + second * 1_000_000 - 500_000)
        found = await store.log(place, limit=100)
        assert len(found) == 3 * max(6 - second, 0)


async def test_the_demo_counts_each_line_once_however_many_tasks_look(
    store: Store, application: Application, endpoint: Endpoint
) -> None:
    await store.accept([make_acceptance(application, (endpoint.id,))])
    books = Books(store)
    await books.start()
    await store.accept([make_acceptance(application, (endpoint.id,)) for _ in range(5)])
    await asyncio.gather(*(books.update() for _ in range(4)))
    assert books.accepted == 5
    assert books.backlog.leased == 6
