"""Whether what is told through a channel arrives, by the latest notices."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from support.making import START_US
from support.tasks import service_of
from support.world import World, make_world

from homing.core.errors import Forbidden
from homing.insight.alerts.alert import FAILED, PENDING, SENT, Notice, Told
from homing.service.alerts import verbs
from homing.service.alerts.verbs import Reach, reaches
from homing.service.tokens import DEFAULT_ORG_ID, Caller

OPERATOR = Caller(DEFAULT_ORG_ID)


class Letterbox:
    """A channel that takes everything."""

    id = "letterbox"
    shown = "mailto://***@example.org"

    async def carry(self, alerts: Sequence[Told], *, at_us: int) -> None:
        pass

    async def refresh(self, firing: Sequence[Told], *, at_us: int) -> None:
        pass


def notice(name: str, scope: str, at_us: int, error: str | None = None) -> Notice:
    return Notice(
        scope=scope,
        id=name,
        created_at_us=at_us,
        updated_at_us=at_us,
        channel=Letterbox.id,
        alerts=(verbs.test_alert("letterbox", at_us),),
        error=error,
        finished_at_us=None if scope == PENDING else at_us,
    )


async def reach_of(world: World, *notices: Notice) -> Reach:
    for one in notices:
        await world.store.put(one)
    service = service_of(world)
    object.__setattr__(service, "channels", (Letterbox(),))
    [found] = await reaches(service, OPERATOR)
    return found


async def test_a_channel_that_was_never_used_says_nothing() -> None:
    found = await reach_of(make_world())
    assert (found.url, found.taken_at_us, found.waiting, found.error) == (
        Letterbox.shown,
        None,
        0,
        None,
    )


async def test_what_was_refused_and_waits_is_told_until_something_is_taken() -> None:
    world = make_world()
    waits = notice("n2", PENDING, START_US + 2, "535 wrong password")
    found = await reach_of(world, notice("n1", SENT, START_US + 1), waits)
    assert (found.taken_at_us, found.waiting, found.error) == (
        START_US + 1,
        1,
        "535 wrong password",
    )
    found = await reach_of(world, notice("n3", SENT, START_US + 3))
    assert (found.taken_at_us, found.error) == (START_US + 3, None)
    found = await reach_of(world, notice("n4", FAILED, START_US + 4, "gone"))
    assert found.error == "gone"


async def test_channels_are_the_operators() -> None:
    with pytest.raises(Forbidden):
        await reaches(service_of(make_world()), Caller("org_somebody"))
