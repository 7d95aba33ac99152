"""What settling together with something else promises: all of it or nothing, and once."""

from __future__ import annotations

import asyncio

import pytest
from support.making import (
    START_US,
    aged,
    make_acceptance,
    make_application,
    make_change,
    make_delivery,
    make_id,
    make_key,
    make_task,
)

from homing.core.errors import Conflict, Stale
from homing.core.lifecycle import Delivery, Redriven, State, step
from homing.core.queries import LogCursor
from homing.core.records import Change, Message, Reply
from homing.core.resources import Application
from homing.core.retry import RetryPolicy
from homing.core.store import Aftermath, Store
from homing.core.tasks import Task, TaskStatus
from homing.service.task_rules import Chunk, advanced, failed

REPLY = Reply(status=202, body=b"{}")


@pytest.fixture
async def dead(store: Store, application: Application) -> list[Delivery]:
    """Three dead letters."""
    return await bury(store, application, 3)


async def bury(store: Store, application: Application, count: int) -> list[Delivery]:
    found = []
    for _ in range(count):
        item = make_acceptance(application)
        await store.accept([item])
        before = item.deliveries[0]
        after = aged(
            before,
            state=State.DEAD,
            ready_at_us=None,
            holder=None,
            unanswered=0,
            reason="attempts_exhausted",
            finished_at_us=START_US,
        )
        assert await store.settle([make_change(before, after)]) == [True]
        found.append(after)
    return found


def redriven(letter: Delivery) -> Change:
    after = step(letter, Redriven(at_us=START_US, actor="ann"), RetryPolicy(delays_s=()))
    return make_change(letter, after, op="redriven")


def counted(task: Task, written: list[bool]) -> Task:
    return advanced(task, Chunk(cursor="msg_x", counts={"sent": sum(written)}), START_US)


async def test_decisions_and_the_place_in_the_task_are_written_together(
    store: Store, dead: list[Delivery]
) -> None:
    task = make_task()
    await store.put(task)
    written = await store.settle_with(
        [redriven(letter) for letter in dead],
        lambda written: Aftermath(resource=counted(task, written)),
    )
    assert written == [True] * 3
    found = await store.get(Task, task.scope, task.id)
    assert found is not None
    assert (found.version, found.cursor, found.counts) == (2, "msg_x", {"sent": 3})
    for letter in dead:
        now = await store.delivery(letter.id)
        assert now is not None
        assert now.state is State.WAITING


async def test_what_follows_is_told_which_changes_came_too_late(
    store: Store, dead: list[Delivery]
) -> None:
    task = make_task()
    await store.put(task)
    await store.settle([redriven(dead[1])])
    late = make_change(dead[1], aged(dead[1], last_error="another"), op="redriven")
    written = await store.settle_with(
        [redriven(dead[0]), late], lambda written: Aftermath(resource=counted(task, written))
    )
    assert written == [True, False]
    found = await store.get(Task, task.scope, task.id)
    assert found is not None
    assert found.counts == {"sent": 1}
    lines = [line.entry for line in await store.log(LogCursor(), limit=1_000)]
    assert sum(line.rows_written == 0 for line in lines) == 1


async def test_nothing_is_written_where_the_task_has_moved_on(
    store: Store, dead: list[Delivery]
) -> None:
    task = make_task()
    await store.put(task)
    await store.put(failed(task, "cancelled by ann", START_US))
    before = await store.log(LogCursor(), limit=1_000)
    with pytest.raises(Stale):
        await store.settle_with(
            [redriven(letter) for letter in dead],
            lambda written: Aftermath(resource=counted(task, written)),
        )
    assert [await store.delivery(letter.id) for letter in dead] == dead
    assert await store.log(LogCursor(), limit=1_000) == before


async def test_the_same_request_changes_a_delivery_once(store: Store, dead: list[Delivery]) -> None:
    after = Aftermath(key=make_key(), reply=REPLY, at_us=START_US)
    assert await store.settle_with([redriven(dead[0])], lambda written: after) == [True]
    assert await store.recall(make_key(), at_us=START_US) == REPLY
    with pytest.raises(Conflict):
        await store.settle_with([redriven(dead[1])], lambda written: after)
    assert await store.delivery(dead[1].id) == dead[1]


async def test_an_error_in_what_follows_undoes_everything(
    store: Store, dead: list[Delivery]
) -> None:
    def fail(written: list[bool]) -> Aftermath:
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        await store.settle_with([redriven(dead[0])], fail)
    assert await store.delivery(dead[0].id) == dead[0]


async def test_payloads_are_forgotten_with_the_decisions(
    store: Store, dead: list[Delivery]
) -> None:
    ids = [letter.message_id for letter in dead]
    await store.settle_with([], lambda written: Aftermath(expunged=tuple(ids[:2])))
    found: dict[str, Message] = await store.messages_by_ids(ids)
    assert [found[name].payload is None for name in ids] == [True, True, False]


async def test_two_who_add_the_same_deliveries_add_each_once(
    stores: tuple[Store, Store],
) -> None:
    application = make_application()
    await stores[0].put(application)
    items = [make_acceptance(application, ()) for _ in range(20)]
    await stores[0].accept(items)
    endpoint_id = make_id("ep_")
    changes = [
        make_change(
            None,
            make_delivery(
                message_id=item.message.id, endpoint_id=endpoint_id, app_id=application.id
            ),
        )
        for item in items
    ]
    other = [
        make_change(
            None,
            make_delivery(
                message_id=item.message.id,
                endpoint_id=endpoint_id,
                app_id=application.id,
                ready_at_us=START_US + 1,
            ),
        )
        for item in items
    ]
    one, two = await asyncio.gather(
        stores[0].settle_with(changes, lambda written: Aftermath()),
        stores[1].settle_with(other, lambda written: Aftermath()),
    )
    assert [a != b for a, b in zip(one, two, strict=True)] == [True] * len(items)


async def test_running_tasks_are_those_that_have_not_ended_oldest_first(store: Store) -> None:
    tasks = [make_task() for _ in range(4)]
    for task in reversed(tasks):
        await store.put(task)
    ended = advanced(tasks[1], Chunk(cursor=None), START_US)
    assert ended.status is TaskStatus.FINISHED
    await store.put(ended)
    await store.put(failed(tasks[2], "on purpose", START_US))
    assert await store.running_tasks(limit=10) == [tasks[0], tasks[3]]
    assert await store.running_tasks(limit=1) == [tasks[0]]
