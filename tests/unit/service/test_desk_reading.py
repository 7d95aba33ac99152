"""The desk as a person walks along it, over several applications and organisations."""

from __future__ import annotations

import msgspec
import pytest
from support.making import ORG_ID
from support.scripted import status
from support.tasks import CALLER, service_of
from support.world import LIMITS, World, make_world, running

from homing.core.errors import NotFound
from homing.core.issues import IssueState
from homing.core.tasks import Selection, Task
from homing.service import desk
from homing.service.desk_reading import (
    examples_of_issue,
    find_line,
    letters_of_issue,
    list_lines,
    tasks_of_desk,
    unhandled,
)
from homing.service.intake import Draft
from homing.service.listing import Ask
from homing.service.tokens import Caller

STRANGER = Caller("org_somebody_else")
ONE_TRY = msgspec.structs.replace(
    LIMITS, policy=msgspec.structs.replace(LIMITS.policy, delays_s=())
)
UNHANDLED = (IssueState.OPEN, IssueState.ACKNOWLEDGED, IssueState.MUTED)


async def a_desk(count: int = 3) -> World:
    world = make_world(lambda request: status(503), limits=ONE_TRY)
    async with running(world):
        await world.begin()
        for _ in range(count):
            await world.send()
        await world.settle()
    return world


async def test_issues_of_all_applications_come_with_names_and_types() -> None:
    world = await a_desk()
    [line] = (await list_lines(service_of(world), CALLER, Ask())).data
    assert line.app.id == world.application.id
    assert line.endpoint is not None
    assert line.endpoint.id == line.view.issue.endpoint_id
    assert line.view.burden.count == 3
    assert len(line.event_types) == 1
    for states in (UNHANDLED, (IssueState.RESOLVED,)):
        found = await list_lines(service_of(world), CALLER, Ask(), states=states)
        assert len(found.data) == (states is UNHANDLED)


async def test_every_event_type_of_an_issue_is_told_not_only_those_at_its_ends() -> None:
    world = make_world(lambda request: status(503), limits=ONE_TRY)
    async with running(world):
        await world.begin()
        for event_type in ("a.first", "b.middle", "b.middle", "c.between", "a.first"):
            draft = Draft(event_type=event_type, payload=b"{}")
            await world.intake.create_message(ORG_ID, world.application.id, draft)
        await world.settle()
    service = service_of(world)
    [line] = (await list_lines(service, CALLER, Ask())).data
    assert line.event_types == ("a.first", "b.middle", "c.between")
    assert not line.has_more_types
    own = await find_line(service, CALLER, line.view.issue.id)
    assert own.event_types == line.event_types


async def test_what_is_another_organisations_is_not_there() -> None:
    world = await a_desk()
    service = service_of(world)
    [line] = (await list_lines(service, CALLER, Ask())).data
    assert (await list_lines(service, STRANGER, Ask())).data == []
    assert (await list_lines(service, STRANGER, Ask(), states=UNHANDLED)).data == []
    for caller, name in ((STRANGER, line.view.issue.id), (CALLER, "iss_none"), (CALLER, "x")):
        with pytest.raises(NotFound, match="there is no issue"):
            await find_line(service, caller, name)
    assert (await unhandled(service.store, STRANGER.org_id)).count == 0
    assert (await unhandled(service.store, CALLER.org_id)).count == 3


async def test_an_issue_is_explained_by_its_oldest_and_newest_message() -> None:
    world = await a_desk()
    service = service_of(world)
    [listed] = (await list_lines(service, CALLER, Ask())).data
    line = await find_line(service, CALLER, listed.view.issue.id)
    letters = (await letters_of_issue(service, CALLER, line, Ask(limit=2))).data
    assert len(letters) == 2
    assert all(one.filed is not None and one.message is not None for one in letters)
    first, last = await examples_of_issue(service, line)
    assert last.letter.delivery.id == letters[0].delivery.id
    assert first.letter.delivery.id < last.letter.delivery.id
    assert first.attempt is not None
    assert first.attempt.status == 503


async def test_one_dead_letter_is_one_example_and_none_is_none() -> None:
    world = await a_desk(1)
    service = service_of(world)
    [listed] = (await list_lines(service, CALLER, Ask())).data
    assert len(await examples_of_issue(service, listed)) == 1
    await service.store.delete(world.endpoints[0])
    line = await find_line(service, CALLER, listed.view.issue.id)
    assert line.endpoint is None


async def test_tasks_of_an_issue_are_those_that_are_about_it() -> None:
    world = await a_desk()
    service = service_of(world)
    [line] = (await list_lines(service, CALLER, Ask())).data
    issue_id, app = line.view.issue.id, line.app.id
    task = await desk.discard_many(
        service, CALLER, app, Selection(issue_ids=(issue_id,)), why="test data"
    )
    await desk.discard_many(service, CALLER, app, Selection(), why="others")

    def names(tasks: list[Task]) -> list[str]:
        return [one.id for one in tasks]

    assert names(await tasks_of_desk(service, CALLER, {issue_id})) == [task.id]
    assert len(await tasks_of_desk(service, CALLER)) == 2
    assert await tasks_of_desk(service, STRANGER) == []
