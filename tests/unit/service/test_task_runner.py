"""Who does a task, how fast, and what happens when somebody else is at it or it cannot go on."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress

import pytest
from support.making import ORG_ID, SECOND_US, START_US, make_application, make_task
from support.scripted import status
from support.tasks import CALLER, do, finish, service_of, start
from support.world import World, make_world, running

from homing.core.errors import Conflict, NotFound, Refused
from homing.core.identifiers import counted, new_id
from homing.core.records import Change
from homing.core.resources import Application
from homing.core.tasks import Action, Selection, Task, TaskStatus
from homing.service import task_chunks, task_runner
from homing.service.context import Service
from homing.service.listing import Ask
from homing.service.task_chunks import Draft
from homing.service.task_rules import LEASE_US, Chunk, advanced, taken
from homing.service.task_runner import Pace, choose
from homing.service.tasks import RUNNING_MAX, cancel_task, find_task, list_tasks, start_task
from homing.service.tokens import Caller
from homing.store.memory.store import MemoryStore

CHUNKER = Action.EVENT_TYPES


@pytest.fixture
async def world() -> World:
    world = make_world()
    await world.begin()
    return world


def plan(monkeypatch: pytest.MonkeyPatch, chunker: task_chunks.Chunker) -> None:
    """Have tasks of one kind do this."""
    monkeypatch.setattr(task_runner, "ALL_CHUNKERS", {CHUNKER: chunker})


async def test_a_task_of_somebody_who_was_killed_is_taken_up_where_it_was(world: World) -> None:
    for _ in range(3):
        await world.store.put(make_application())
    task = await start(world, Action.EVENT_TYPES)
    lost = taken(task, "killed:1:a", world.clock.now_us())
    assert lost is not None
    await world.store.put(lost)
    last = (await world.store.list(Application, ORG_ID, task_chunks.Page(limit=9)))[-2]
    lost = advanced(lost, Chunk(cursor=last.id), world.clock.now_us())
    await world.store.put(lost)
    world.clock.advance(LEASE_US / SECOND_US - 1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(finish(world, task), 0.2)
    world.clock.advance(1)
    done = await finish(world, task)
    assert done.counts == {"looked": 1}, "only what came after the cursor"


async def test_a_task_that_cannot_go_on_fails_with_its_last_error(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def break_down(service: Service, task: Task, limit: int) -> Draft:
        raise ValueError("no\0 way")

    async def pass_the_time() -> None:
        while True:
            world.clock.advance(1)
            await asyncio.sleep(0.001)

    plan(monkeypatch, break_down)
    monkeypatch.setattr(task_runner, "POLL_S", 0.001)
    passing = asyncio.create_task(pass_the_time())
    done = await finish(world, await start(world, CHUNKER))
    passing.cancel()
    assert done.status is TaskStatus.FAILED
    assert done.error == "given up after 5 tries at the same place: ValueError: no  way"


async def test_a_task_that_somebody_else_has_taken_is_left_to_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, go_on = asyncio.Event(), asyncio.Event()

    async def wait(service: Service, task: Task, limit: int) -> Draft:
        began.set()
        await go_on.wait()
        return Draft(chunk=Chunk(cursor=None, counts={"looked": 1}))

    plan(monkeypatch, wait)
    task = await start(world, CHUNKER)
    ending = asyncio.create_task(finish(world, task))
    await began.wait()
    present = await find_task(service_of(world), CALLER, task.id)
    stolen = taken(present, "other:1:a", present.free_at_us)
    assert stolen is not None
    await world.store.put(stolen)
    go_on.set()
    await asyncio.sleep(0.02)
    assert await find_task(service_of(world), CALLER, task.id) == stolen
    ending.cancel()
    with suppress(asyncio.CancelledError):
        await ending


async def test_two_runners_share_the_tasks_and_do_each_chunk_once(world: World) -> None:
    for _ in range(30):
        await world.send()
    late = await world.add_endpoint()
    tasks = [await start(world, Action.REPLAY_MISSING, endpoint_id=late.id) for _ in range(6)]
    other = World(world.store, clock=world.clock, name="other:1:b")
    other.endpoints, other.application = world.endpoints, world.application
    done = await asyncio.gather(
        *(finish(one, task) for task in tasks for one in (world, other)),
    )
    assert {task.status for task in done} == {TaskStatus.FINISHED}
    assert sum(task.counts.get("sent", 0) for task in done[::2]) == 30


async def test_a_stopping_process_gives_its_task_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = asyncio.Event()

    async def hang(service: Service, task: Task, limit: int) -> Draft:
        began.set()
        await asyncio.Event().wait()
        raise AssertionError

    plan(monkeypatch, hang)
    task = await start(world, CHUNKER)
    ending = asyncio.create_task(finish(world, task))
    await began.wait()
    ending.cancel()
    with suppress(asyncio.CancelledError):
        await ending
    left = await find_task(service_of(world), CALLER, task.id)
    assert (left.is_running, left.holder, left.tries) == (True, None, 0)
    assert left.free_at_us <= world.clock.now_us()


async def test_a_cancelled_task_stops_before_its_next_chunk_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(make_world(lambda _: status(500))) as world:
        await world.begin()
        for _ in range(4):
            await world.send()
        service = service_of(world)

        async def cancel_after_one(service: Service, task: Task, limit: int) -> Draft:
            draft = await task_chunks.replay(service, task, 1)
            if task.cursor is not None:
                await cancel_task(service, CALLER, task.id)
            return draft

        await world.settle()
        monkeypatch.setattr(task_runner, "ALL_CHUNKERS", {Action.REPLAY: cancel_after_one})
        done = await do(world, Action.REPLAY)
        assert (done.status, done.error) == (TaskStatus.FAILED, f"cancelled by {ORG_ID}")
        assert done.counts == {"looked": 1, "sent": 1}
        with pytest.raises(Conflict, match="not running but failed"):
            await cancel_task(service, CALLER, done.id)


async def test_an_unavailable_database_stops_no_task() -> None:
    class Shaky(MemoryStore):
        failures = 3

        async def settle(self, changes: list[Change]) -> list[bool]:  # type: ignore[override]
            if Shaky.failures:
                Shaky.failures -= 1
                raise task_runner.StoreError("away")
            return await super().settle(changes)

    world = World(Shaky())
    await world.begin()
    task_runner_poll, task_runner.POLL_S = task_runner.POLL_S, 0.001  # type: ignore[misc]
    try:
        done = await do(world, Action.EVENT_TYPES)
    finally:
        task_runner.POLL_S = task_runner_poll  # type: ignore[misc]
    assert (done.status, Shaky.failures) == (TaskStatus.FINISHED, 0)


async def test_old_tasks_are_forgotten_and_others_are_kept(world: World) -> None:
    old = make_task(
        id=new_id("qtask_", START_US - 2 * 86_400 * SECOND_US, counted(0)),
        created_at_us=START_US - 2 * 86_400 * SECOND_US,
        status=TaskStatus.FINISHED,
        finished_at_us=START_US - 2 * 86_400 * SECOND_US,
    )
    await world.store.put(old)
    task = await do(world, Action.EVENT_TYPES)
    assert await world.store.list(Task, None, task_chunks.Page(limit=9)) == [task]


async def test_an_application_cannot_have_more_than_so_many_tasks_under_way(world: World) -> None:
    for _ in range(RUNNING_MAX):
        await start(world, Action.RECOVER)
    with pytest.raises(Refused, match="10 background tasks"):
        await start(world, Action.RECOVER)
    await start_task(service_of(world), CALLER, Action.EVENT_TYPES, Selection())


async def test_a_token_of_one_application_sees_its_own_tasks_only(world: World) -> None:
    mine = await start(world, Action.RECOVER)
    whole = await start_task(service_of(world), CALLER, Action.EVENT_TYPES, Selection())
    service, app_id = service_of(world), world.application.id

    async def seen(caller: Caller) -> list[str]:
        return [task.id for task in (await list_tasks(service, caller, Ask())).data]

    assert await seen(CALLER) == sorted([mine.id, whole.id])
    assert await seen(Caller(ORG_ID, app_id)) == [mine.id]
    assert await seen(Caller(ORG_ID, "app_other")) == []
    assert await seen(Caller("org_other")) == []
    with pytest.raises(NotFound):
        await find_task(service, Caller(ORG_ID, app_id), whole.id)
    with pytest.raises(NotFound):
        await cancel_task(service, Caller(ORG_ID, "app_other"), mine.id)


def test_the_pace_is_that_of_all_tasks_together_and_reading_takes_half_the_time() -> None:
    pace = Pace(200.0)
    assert pace.chunk == 200
    assert pace.pause_us(100, 0, 1_000) == 499_000
    assert pace.pause_us(100, 0, 1_000) == 999_000
    assert pace.pause_us(0, 2_000_000, 2_300_000) == 300_000
    assert Pace(1.0).chunk == 1
    assert Pace(100_000.0).chunk == 500


def test_who_has_fewest_tasks_at_work_comes_first() -> None:
    greedy = [make_task(app_id="app_greedy") for _ in range(5)]
    modest = make_task(app_id="app_modest")
    assert choose([*greedy, modest], Counter(), 3) == [greedy[0], modest, greedy[1]]
    at_work = Counter({(ORG_ID, "app_greedy"): 1})
    assert choose([*greedy, modest], at_work, 1) == [modest]
