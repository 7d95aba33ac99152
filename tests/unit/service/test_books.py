"""The audit: balanced books say so, and each kind of misfit is caught when planted."""

from __future__ import annotations

from support.world import make_world, running

from homing.core.identifiers import DeliveryId
from homing.insight.ledger import accounted, imbalance
from homing.service.books import Auditor, audit
from homing.store.memory.store import MemoryStore


async def test_balanced_books_say_so() -> None:
    async with running(make_world()) as world:
        await world.begin(2)
        for _ in range(5):
            await world.send()
        await world.settle()
        report = await audit(world.store, world.clock)
        assert report.is_balanced
        assert (report.total.accepted, report.total.delivered) == (10, 10)
        assert accounted(report.total) == 10


async def test_a_delivery_that_vanishes_is_named() -> None:
    world = make_world()
    await world.begin()
    held = world.sender.hold()
    message = await world.send()
    assert isinstance(world.store, MemoryStore)
    which = DeliveryId(message.id, world.endpoints[0].id)
    world.store.hot.pop(which)  # the planted drop
    report = await audit(world.store, world.clock)
    assert not report.is_balanced
    assert report.unaccounted == 1
    assert [(m.delivery, m.kind) for m in report.misfits] == [(which, "unaccounted")]
    assert [imbalance(row) for row in report.rows] == [1]
    held.set()
    await world.dispatcher.drain(1.0)


async def test_the_auditor_of_every_minute_finds_a_drop_and_walks_back_through_older_hours() -> (
    None
):
    async with running(make_world()) as world:
        await world.begin()
        old = await world.send()
        await world.settle()
        world.clock.advance(3 * 3_600)
        await world.send()
        await world.settle()
        auditor = Auditor(world.store, world.clock)
        assert (await auditor.once()).is_balanced
        assert isinstance(world.store, MemoryStore)
        which = DeliveryId(old.id, world.endpoints[0].id)
        taken = world.store.history.pop(which)
        reports = [await auditor.once() for _ in range(5)]
        assert not all(r.is_balanced for r in reports)
        assert auditor.latest_bad is not None
        assert [m.delivery for m in auditor.latest_bad.misfits] == [which]
        assert auditor.latest is not None
        assert not auditor.latest.is_balanced  # it goes on being shown
        world.store.history[which] = taken
        assert (await auditor.once()).is_balanced
        assert auditor.latest_bad is None


async def test_what_a_node_with_a_fast_clock_accepted_is_audited_too() -> None:
    async with running(make_world()) as world:
        await world.begin()
        world.clock.advance(3_600)
        message = await world.send()
        await world.settle()
        world.clock.advance(-3_600)
        assert isinstance(world.store, MemoryStore)
        which = DeliveryId(message.id, world.endpoints[0].id)
        taken = world.store.history.pop(which)
        assert (await audit(world.store, world.clock)).unaccounted == 1
        assert (await Auditor(world.store, world.clock).once()).unaccounted == 1
        world.store.history[which] = taken
