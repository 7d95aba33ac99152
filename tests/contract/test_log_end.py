"""Following the delivery log from its end, which is found without reading it."""

from __future__ import annotations

import asyncio

from support.making import make_acceptance

from homing.cli.demo.books import Books
from homing.core.queries import LogCursor
from homing.core.resources import Application, Endpoint
from homing.core.store import Store
from homing.service.log_export import end_of_log


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
