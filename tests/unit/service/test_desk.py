"""The desk in people's hands: issues, redrives with a plan, discards and taking them back."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from support.making import ORG_ID, make_event_type
from support.scripted import OK, status
from support.tasks import CALLER, finish, service_of
from support.world import LIMITS, World, make_world, running

from homing.core.errors import Conflict, Invalid, NotFound
from homing.core.issues import Burden, IssueState
from homing.core.lifecycle import DeadReason, State
from homing.core.money import MoneyPaths
from homing.core.outcome import Outcome
from homing.core.ports import Request
from homing.core.queries import LogCursor, Page
from homing.core.tasks import RedrivePlan, Selection, Task, TaskStatus
from homing.insight.alerts.readings import Stakes
from homing.service import desk
from homing.service.alerts.worth import worth_of
from homing.service.deliveries import discard, undo_discard
from homing.service.desk import IssueView
from homing.service.listing import Ask
from homing.service.task_runner import TaskRunner
from homing.service.tasks import cancel_task, find_task, pause_task, resume_task

ONE_TRY = msgspec.structs.replace(
    LIMITS, policy=msgspec.structs.replace(LIMITS.policy, delays_s=())
)
ALL = Selection()


class Moody:
    """A receiver that answers as it is told, by endpoint."""

    def __init__(self) -> None:
        self.answers: dict[str, Outcome] = {}
        self.otherwise = status(503)
        self.asked: list[str] = []

    def __call__(self, request: Request) -> Outcome:
        self.asked.append(dict(request.headers).get("webhook-id", ""))
        return self.answers.get(request.pool, self.otherwise)


async def bury(world: World, count: int, **message: Any) -> None:
    for _ in range(count):
        await world.send(**message)
    await world.settle()


async def issues(world: World) -> list[IssueView]:
    found = await desk.list_issues(service_of(world), CALLER, world.application.id, Ask())
    return found.data


async def the_issue(world: World) -> IssueView:
    [found] = await issues(world)
    return found


async def redrive(
    world: World,
    which: Selection = ALL,
    plan: RedrivePlan = RedrivePlan(),  # noqa: B008
) -> Task:
    task = await desk.redrive_many(service_of(world), CALLER, world.application.id, which, plan)
    return await finish(world, task)


async def states(world: World) -> Counter[State]:
    rows = [*world.store.hot.values(), *world.store.history.values()]  # type: ignore[attr-defined]
    return Counter(row.state for row in rows)


async def redriven(world: World) -> Counter[str]:
    lines = await world.store.log(LogCursor(), limit=10_000)
    return Counter(one.entry.message_id for one in lines if one.entry.op == "redriven")


async def test_an_issue_is_redriven_and_resolved_with_what_became_of_each() -> None:
    moody = Moody()
    async with running(make_world(moody, limits=ONE_TRY)) as world:
        await world.begin()
        await bury(world, 7)
        before = await the_issue(world)
        assert (before.issue.state, before.burden.count, before.issue.status) == (
            IssueState.OPEN,
            7,
            503,
        )
        moody.otherwise = OK
        task = await redrive(world, Selection(issue_ids=(before.issue.id,)))
        assert (task.status, task.total) == (TaskStatus.FINISHED, 7)
        assert task.counts == {"looked": 7, "sent": 7, "delivered": 7}
        after = await the_issue(world)
        assert (after.issue.state, after.burden) == (IssueState.RESOLVED, Burden())
        lines = await world.store.log(LogCursor(), limit=1_000)
        actors = {one.entry.actor for one in lines if one.entry.op == "redriven"}
        assert actors == {f"{CALLER.subject} ({task.id})"}, "the log says by which redrive"


async def test_a_canary_that_fails_leaves_the_rest_among_the_dead() -> None:
    moody = Moody()
    async with running(make_world(moody, limits=ONE_TRY)) as world:
        await world.begin()
        await bury(world, 30)
        task = await redrive(world, plan=RedrivePlan(canary=5, failure_ratio_max=0.2))
        assert task.status is TaskStatus.FAILED
        assert "the canary failed" in str(task.error)
        assert sum((await redriven(world)).values()) == 5
        assert await states(world) == {State.DEAD: 30}
        assert (await the_issue(world)).deaths == 35


async def test_a_canary_that_does_well_is_followed_by_the_rest_once_each() -> None:
    moody = Moody()
    async with running(make_world(moody, limits=ONE_TRY)) as world:
        await world.begin()
        await bury(world, 30)
        moody.otherwise = OK
        task = await redrive(world, plan=RedrivePlan(canary=5, concurrency=4))
        assert (task.status, task.canary_passed) == (TaskStatus.FINISHED, True)
        assert task.counts["delivered"] == 30
        assert set((await redriven(world)).values()) == {1}
        again = await redrive(world)
        assert again.counts == {}, "there is nothing left to redrive"
        assert len(await redriven(world)) == 30


async def test_what_fails_again_is_told_and_not_redriven_a_second_time() -> None:
    moody = Moody()
    async with running(make_world(moody, limits=ONE_TRY)) as world:
        await world.begin(2)
        await bury(world, 10)
        well, ill = world.endpoints
        moody.answers[well.id] = OK
        task = await redrive(world)
        assert task.counts == {"looked": 20, "sent": 20, "delivered": 10, "failed": 10}
        assert await states(world) == {State.DELIVERED: 10, State.DEAD: 10}
        found = {view.issue.endpoint_id: view.issue for view in await issues(world)}
        assert found[well.id].state is IssueState.RESOLVED
        assert (found[ill.id].state, found[ill.id].regressions) == (IssueState.OPEN, 1)


async def test_a_redrive_takes_what_matches_and_leaves_the_rest() -> None:
    moody = Moody()
    async with running(make_world(moody, limits=ONE_TRY)) as world:
        await world.begin()
        await bury(world, 2)
        moody.otherwise = status(500)
        await bury(world, 3)
        moody.otherwise = OK
        assert (await redrive(world, Selection(status=500))).counts["delivered"] == 3
        [dead] = [d for d in world.store.history.values() if d.state is State.DEAD][:1]  # type: ignore[attr-defined]
        by_id = Selection(deliveries=(str(dead.id), str(dead.id)))
        assert (await redrive(world, by_id)).counts == {"looked": 1, "sent": 1, "delivered": 1}
        assert await states(world) == {State.DELIVERED: 4, State.DEAD: 1}
        with pytest.raises(Invalid):
            await redrive(world, Selection(deliveries=("nonsense",)))
        with pytest.raises(NotFound):
            await redrive(world, Selection(issue_ids=("iss_none",)))


async def test_a_dry_run_counts_and_changes_nothing() -> None:
    moody = Moody()
    async with running(make_world(moody, limits=ONE_TRY)) as world:
        await world.begin()
        money = MoneyPaths(amount="amount", currency_code="EUR")
        await world.store.put(make_event_type(money=money))
        await world.change_endpoint(world.endpoints[0], rate_limit=2)
        for _ in range(4):
            await world.send(b'{"amount": 2.5}')
            await world.settle()
            world.clock.advance(1)
        found = await desk.preview(
            service_of(world), CALLER, world.application.id, ALL, plan=RedrivePlan()
        )
        assert (found.count, found.at_least, len(found.sample)) == (4, False, 3)
        assert (found.micro, found.duration_s) == ({"EUR": 10_000_000}, 2.0)
        assert await states(world) == {State.DEAD: 4}
        assert (await the_issue(world)).burden.micro == {"EUR": 10_000_000}


async def test_what_nobody_has_handled_is_worth_something_to_the_alerts() -> None:
    moody = Moody()
    async with running(make_world(moody, limits=ONE_TRY)) as world:
        await world.begin(2)
        money = MoneyPaths(amount="amount", currency_code="EUR")
        await world.store.put(make_event_type(money=money))
        await bury(world, 2, payload=b'{"amount": 19.99}')
        worth = worth_of(world.store)
        stakes = await worth()
        [found] = stakes.by_org
        assert (found.org_id, found.currency, found.amount, found.count) == (
            ORG_ID,
            "EUR",
            "79.96",
            4,
        )
        assert sum(float(one["EUR"]) for one in stakes.by_endpoint.values()) == 79.96
        service, app = service_of(world), world.application.id
        one, other = (view.issue.id for view in await issues(world))
        await desk.merge_issues(service, CALLER, app, one, other)
        assert [one.amount for one in (await worth()).by_org] == ["79.96"]
        await desk.decide_issue(service, CALLER, app, one, IssueState.MUTED)
        muted = await worth()
        assert msgspec.structs.replace(muted, muted=frozenset()) == Stakes()
        assert muted.muted


async def running_until(world: World, task: Task, is_so: Callable[[Task], bool]) -> Task:
    """The task, once that is so; whoever was at it is cancelled."""
    runner = TaskRunner(service_of(world), rate_per_s=100_000, keep_s=86_400)
    work = asyncio.create_task(runner.run())
    try:
        async with asyncio.timeout(60):
            while not is_so(found := await find_task(service_of(world), CALLER, task.id)):
                await asyncio.sleep(0.001)
        return found
    finally:
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work


async def test_a_paused_redrive_waits_and_a_resumed_one_goes_on_where_it_was() -> None:
    moody = Moody()
    async with running(make_world(moody, limits=ONE_TRY)) as world:
        await world.begin()
        await bury(world, 40)
        moody.otherwise = OK
        service = service_of(world)
        plan = RedrivePlan(concurrency=4)
        task = await desk.redrive_many(service, CALLER, world.application.id, ALL, plan)
        await running_until(world, task, lambda t: t.counts.get("sent", 0) >= 8)
        paused = await pause_task(service, CALLER, task.id)
        assert (paused.is_running, paused.paused_by) == (True, CALLER.subject)
        sent = paused.counts["sent"]
        runner = asyncio.create_task(TaskRunner(service, rate_per_s=100_000, keep_s=86_400).run())
        await asyncio.sleep(0.05)
        runner.cancel()
        assert (await find_task(service, CALLER, task.id)).counts["sent"] == sent < 40
        await resume_task(service, CALLER, task.id)
        done = await finish(world, task)
        assert (done.status, done.counts["delivered"]) == (TaskStatus.FINISHED, 40)
        assert set((await redriven(world)).values()) == {1}
        with pytest.raises(Conflict):
            await pause_task(service, CALLER, task.id)


async def test_a_cancelled_redrive_leaves_the_rest_dead() -> None:
    moody = Moody()
    async with running(make_world(moody, limits=ONE_TRY)) as world:
        await world.begin()
        await bury(world, 40)
        moody.otherwise = OK
        service = service_of(world)
        plan = RedrivePlan(concurrency=4)
        task = await desk.redrive_many(service, CALLER, world.application.id, ALL, plan)
        await running_until(world, task, lambda t: t.counts.get("sent", 0) >= 8)
        await cancel_task(service, CALLER, task.id)
        await world.settle()
        found = await states(world)
        assert found[State.DELIVERED] == sum((await redriven(world)).values()) < 40
        assert found[State.DEAD] == 40 - found[State.DELIVERED]


async def test_discards_of_an_issue_have_a_name_and_a_reason_and_can_be_taken_back() -> None:
    moody = Moody()
    async with running(make_world(moody, limits=ONE_TRY)) as world:
        await world.begin()
        await bury(world, 5)
        service, app = service_of(world), world.application.id
        issue = (await the_issue(world)).issue
        which = Selection(issue_ids=(issue.id,))
        task = await desk.discard_many(service, CALLER, app, which, why="a test")
        assert (await finish(world, task)).counts == {"looked": 5, "discarded": 5}
        gone = await desk.list_letters(service, CALLER, app, Ask(), discarded=True)
        assert {one.reason for one in gone.data} == {f"{CALLER.subject}: a test"}
        assert (await the_issue(world)).issue.state is IssueState.RESOLVED
        back = await desk.undo_many(service, CALLER, app, issue=issue.id)
        assert (await finish(world, back)).counts == {"looked": 5, "restored": 5}
        found = await the_issue(world)
        assert (found.issue.state, found.burden.count, found.deaths) == (IssueState.OPEN, 5, 5)
        assert {d.reason for d in world.store.history.values()} == {"attempts_exhausted"}  # type: ignore[attr-defined]


async def test_a_discard_can_be_taken_back_for_a_time_only() -> None:
    moody = Moody()
    async with running(make_world(moody, limits=ONE_TRY)) as world:
        await world.begin()
        message = await world.send()
        await world.settle()
        service, app = service_of(world), world.application.id
        which = (await world.delivery(message)).id
        with pytest.raises(Conflict):
            await undo_discard(service, app, which, actor="ann")
        await discard(service, app, which, actor="ann", why="a test")
        world.clock.advance(service.limits.undo_s)
        back = await undo_discard(service, app, which, actor="ann")
        assert (back.state, back.reason) == (State.DEAD, DeadReason.ATTEMPTS_EXHAUSTED)
        await discard(service, app, which, actor="ann", why="a test")
        world.clock.advance(service.limits.undo_s + 1)
        with pytest.raises(Conflict):
            await undo_discard(service, app, which, actor="ann")


async def test_people_decide_on_issues_and_merge_them() -> None:
    moody = Moody()
    async with running(make_world(moody, limits=ONE_TRY)) as world:
        await world.begin()
        service, app = service_of(world), world.application.id
        for code in (500, 502, 503):
            moody.otherwise = status(code)
            await bury(world, 2)
            world.clock.advance(60)
        newest, middle, oldest = (view.issue.id for view in await issues(world))
        said = await desk.decide_issue(
            service, CALLER, app, newest, IssueState.ACKNOWLEDGED, note="at it"
        )
        assert (said.issue.state, said.issue.state_by, said.issue.note) == (
            IssueState.ACKNOWLEDGED,
            CALLER.subject,
            "at it",
        )
        await desk.merge_issues(service, CALLER, app, middle, oldest)
        whole = await desk.merge_issues(service, CALLER, app, oldest, newest)
        assert [part.id for part in whole.parts] == [oldest, middle]
        assert (whole.burden.count, whole.deaths, len(whole.sample)) == (6, 6, 3)
        assert [view.issue.id for view in await issues(world)] == [newest]
        assert (await desk.find_issue(service, CALLER, app, middle)).issue.id == newest
        with pytest.raises(Conflict):
            await desk.merge_issues(service, CALLER, app, newest, middle)
        listed = await desk.list_letters(service, CALLER, app, Ask(limit=4), issue=newest)
        assert (len(listed.data), listed.done) == (4, False)
        rest = Ask(limit=4, iterator=listed.iterator)
        more = await desk.list_letters(service, CALLER, app, rest, issue=newest)
        assert len({one.id for one in (*listed.data, *more.data)}) == 6
        moody.otherwise = OK
        task = await redrive(world, Selection(issue_ids=(middle,)))
        assert task.counts["delivered"] == 6, "the whole issue, whichever part was named"
        assert (await world.store.unresolved_issues(Page(limit=9))) == []
