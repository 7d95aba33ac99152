"""The keeper: what it purges, in which turns, how it goes on, and what it says of it."""

from __future__ import annotations

import logging
from collections.abc import Callable

import msgspec
import pytest
from support.making import (
    ORG_ID,
    START_US,
    FakeClock,
    aged,
    make_acceptance,
    make_application,
    make_attempt,
    make_change,
)

from homing.core.issues import Issue, IssueState
from homing.core.lifecycle import State
from homing.core.operational import UID, Announcement, scope_of
from homing.core.ports import NoMeters
from homing.core.queries import LogCursor, Page
from homing.core.records import Acceptance
from homing.core.resources import Application
from homing.core.retention import DAY_US, Part, Purged, Retention, Standing
from homing.service.books import audit
from homing.service.keeping import Round
from homing.service.retention import Keeper, TurnLost
from homing.store.memory.store import MemoryStore

KEPT = Retention(payload_d=30, attempts_d=30, log_d=90, dead_d=180)
DAY_S = 86_400


class CountingStore(MemoryStore):
    """Also counts the messages that were looked at, and may be told to fail at the n-th purge."""

    def __init__(self) -> None:
        super().__init__()
        self.looked_at = 0
        self.before_purge: Callable[[], None] = lambda: None

    async def standings(self, app_id: str, *, after: str, until: str, limit: int) -> list[Standing]:
        found = await super().standings(app_id, after=after, until=until, limit=limit)
        self.looked_at += len(found)
        return found

    async def purge(
        self,
        message_ids: object,
        decide: Callable[[Standing], frozenset[Part]],
        *,
        at_us: int = 0,
    ) -> Purged:
        self.before_purge()
        return await super().purge(message_ids, decide, at_us=at_us)  # type: ignore[arg-type]


class Meter(NoMeters):
    def __init__(self) -> None:
        self.total = Purged()
        self.about_to_go: list[int] = []

    def purged(self, what: Purged) -> None:
        self.total += what

    def expiring(self, dead_letters: int) -> None:
        self.about_to_go.append(dead_letters)


class House:
    """A store with one application, a clock, and keepers."""

    def __init__(self) -> None:
        self.store = CountingStore()
        self.clock = FakeClock()
        self.meter = Meter()
        self.application = make_application()
        self.keeper = self.make_keeper("one")

    def make_keeper(self, holder: str) -> Keeper:
        return Keeper(self.store, self.clock, holder, kept=KEPT, every_s=3_600.0, meters=self.meter)

    async def begin(self, **retention: int) -> None:
        own = Retention(**retention)
        self.application = make_application(retention=own)
        await self.store.put(self.application)

    async def accept(
        self, *states: State, days: float = 0, application: Application | None = None
    ) -> Acceptance:
        """A message accepted so many days after the start, its deliveries already so."""
        at_us = START_US + round(days * DAY_US)
        item = make_acceptance(
            application or self.application,
            tuple(f"ep_{number}" for number in range(len(states))),
            accepted_at_us=at_us,
        )
        await self.store.accept([item])
        for before, state in zip(item.deliveries, states, strict=True):
            if state is State.LEASED:
                continue
            after = aged(
                before,
                state=state,
                ready_at_us=None,
                holder=None,
                unanswered=0,
                finished_at_us=at_us,
                reason=None if state is State.DELIVERED else "a test",
            )
            await self.store.settle([make_change(before, after, attempt=make_attempt(before))])
        return item

    async def after(self, days: float) -> Purged:
        """A round so many days after the start."""
        self.clock.at_us = START_US + round(days * DAY_US)
        purged = await self.keeper.round()
        assert purged is not None
        assert (await audit(self.store, self.clock)).is_balanced
        return purged


@pytest.fixture
def house() -> House:
    return House()


async def test_parts_go_in_their_time_and_in_the_end_the_message(house: House) -> None:
    await house.begin()
    item = await house.accept(State.DELIVERED, State.CANCELLED)
    assert await house.after(29) == Purged()
    assert await house.after(30.1) == Purged(payloads=1, attempts=2)
    assert house.store.accepted[item.message.id].payload is None
    assert await house.after(60) == Purged()
    assert await house.after(90.1) == Purged(messages=1, deliveries=2, lines=4)
    assert not house.store.accepted
    assert await house.store.log(LogCursor(), limit=100) == []
    assert house.meter.total == Purged(payloads=1, attempts=2, messages=1, deliveries=2, lines=4)


async def test_what_is_unfinished_is_kept_whole_for_ever(house: House) -> None:
    await house.begin()
    item = await house.accept(State.DELIVERED, State.LEASED)
    assert await house.after(10_000) == Purged()
    assert house.store.accepted[item.message.id] == item.message
    assert len(house.store.attempted) == 1
    assert len(await house.store.log(LogCursor(), limit=100)) == 3


async def test_an_application_has_its_way_and_a_deleted_one_the_service_s(house: House) -> None:
    await house.begin(payload_d=7, log_d=0)
    other = make_application(retention=Retention(log_d=1))
    await house.store.put(other)
    mine = await house.accept(State.DELIVERED)
    theirs = await house.accept(State.DELIVERED, application=other)
    await house.store.delete(other)
    assert (await house.after(8)).payloads == 1
    assert set(house.store.accepted) == {mine.message.id, theirs.message.id}
    await house.after(91)
    assert set(house.store.accepted) == {mine.message.id}
    await house.after(10_000)
    assert set(house.store.accepted) == {mine.message.id}


async def test_many_go_in_chunks_and_the_books_balance_between_them(house: House) -> None:
    await house.begin()
    for number in range(500):
        await house.accept(State.DELIVERED, days=number / 1_000)
    chunks = 0

    def look() -> None:
        nonlocal chunks
        chunks += 1
        born = [e.message_id for e in house.store.lines if e and e.op == "accepted"]
        assert sorted(born) == sorted(house.store.accepted)

    house.store.before_purge = look
    assert (await house.after(91)).messages == 500
    assert chunks >= 3


async def test_a_walk_goes_on_where_it_ended(house: House) -> None:
    await house.begin()
    for number in range(50):
        await house.accept(State.DELIVERED, days=number)
    await house.after(60.5)
    house.store.looked_at = 0
    assert await house.after(61.5) == Purged(payloads=1, attempts=1)
    assert house.store.looked_at <= 2 * 2  # one message, for each of two parts


async def test_what_was_held_back_is_looked_at_again_the_day_after(house: House) -> None:
    await house.begin()
    item = await house.accept(State.LEASED)
    await house.accept(State.DELIVERED, days=1)
    assert (await house.after(32)).payloads == 1
    [before] = item.deliveries
    finished = aged(
        before, state=State.DELIVERED, ready_at_us=None, holder=None, unanswered=0,
        finished_at_us=START_US,
    )  # fmt: skip
    await house.store.settle([make_change(before, finished)])
    assert (await house.after(33.1)).payloads == 1
    assert house.store.accepted[item.message.id].payload is None


async def test_a_crash_in_the_middle_loses_and_repeats_nothing(house: House) -> None:
    await house.begin()
    for number in range(1_000):
        await house.accept(State.DELIVERED, days=number / 10_000)
    countdown = 3

    def fail() -> None:
        nonlocal countdown
        countdown -= 1
        if countdown == 0:
            raise KeyboardInterrupt

    house.store.before_purge = fail
    house.clock.at_us = START_US + 40 * DAY_US
    with pytest.raises(KeyboardInterrupt):
        await house.keeper.round()
    first = house.meter.total.payloads
    assert 0 < first < 1_000
    house.keeper = house.make_keeper("two")
    assert await house.keeper.round() is None  # the dead one's turn runs
    house.clock.advance(61)
    assert await house.keeper.round() is not None
    assert house.meter.total.payloads == 1_000


# --- turns ------------------------------------------------------------------------------------


async def test_only_one_purges_at_a_time_and_not_before_a_round_is_due(house: House) -> None:
    await house.begin()
    await house.accept(State.DELIVERED)
    await house.after(31)
    other = house.make_keeper("two")
    assert await other.round() is None
    house.clock.advance(3_600)
    assert await other.round() is not None
    assert await house.keeper.round() is None


async def test_whoever_lost_the_turn_stops(house: House) -> None:
    await house.begin()
    for number in range(300):
        await house.accept(State.DELIVERED, days=number / 1_000)

    def take_over() -> None:
        house.store.before_purge = lambda: None
        [place] = [key for key in house.store.resources if key[0] == Round.kind]
        known = house.store.resources[place]
        house.store.resources[place] = msgspec.structs.replace(known, version=known.version + 1)
        house.clock.went_us += 2_000_000

    house.store.before_purge = take_over
    house.clock.at_us = START_US + 40 * DAY_US
    with pytest.raises(TurnLost):
        await house.keeper.round()
    assert house.meter.total.payloads < 300
    house.clock.advance(3_600)
    assert await house.keeper.round() is not None
    assert house.meter.total.payloads == 300


# --- dead letters -----------------------------------------------------------------------------


async def test_a_dead_letter_is_announced_before_it_goes_and_when_it_goes(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    await house.begin()
    item = await house.accept(State.DEAD)
    await house.accept(State.DEAD, days=100)
    caplog.set_level(logging.WARNING, "homing.retention")
    assert await house.after(165.9) == Purged()
    assert (house.meter.about_to_go[-1], caplog.messages) == (0, [])
    assert await house.after(166.1) == Purged()
    assert house.meter.about_to_go[-1] == 1
    [text] = caplog.messages
    assert text == "1 dead letter goes within 14 days unless somebody redrives or discards them"
    assert caplog.records[0].__dict__["application"] == house.application.id
    caplog.clear()
    await house.after(166.3)
    assert not caplog.messages  # once a day
    gone = await house.after(180.1)
    assert (gone.messages, gone.dead_letters) == (1, 1)
    assert item.message.id not in house.store.accepted
    assert caplog.messages == [
        "gone, beyond their retention, and nobody handled them: 1 dead letter"
    ]


async def test_an_organisation_is_told_before_its_dead_letters_go_and_when_they_went(
    house: House,
) -> None:
    await house.begin()
    await house.store.put(make_application(scope=scope_of(ORG_ID), uid=UID))
    letters = [(await house.accept(State.DEAD, days=n / 100)).deliveries[0] for n in range(5)]
    await house.after(166.1)
    [soon] = await house.store.list(Announcement, None, Page(limit=9))
    assert (soon.event_type, soon.data["count"]) == ("dead_letter.expiring", 5)
    assert soon.data["appId"] == house.application.id
    assert soon.data["firstAt"] == "2026-06-30T00:00:00.000000Z"
    assert soon.data["sample"] == [str(letter.id) for letter in letters[:3]]
    await house.store.delete(soon)
    await house.after(166.3)
    assert await house.store.list(Announcement, None, Page(limit=9)) == [], "once a day"
    gone = await house.after(180.015)
    await house.after(180.5)
    told = await house.store.list(Announcement, None, Page(limit=9))
    went = [one.data["expired"] for one in told if one.event_type == "dead_letter.expired"]
    assert (gone.dead_letters, went) == (2, [2, 5])
    [issue] = await house.store.list(Issue, None, Page(limit=9))
    assert (issue.expired, issue.state) == (5, IssueState.RESOLVED)


async def test_a_dead_letter_that_was_discarded_goes_like_any_other(house: House) -> None:
    await house.begin()
    item = await house.accept(State.DEAD)
    before = house.store.history[item.deliveries[0].id]
    await house.store.settle([make_change(before, aged(before, state=State.CANCELLED))])
    assert (await house.after(90.1)).messages == 1


# --- the books --------------------------------------------------------------------------------


async def test_the_audit_says_what_is_beyond_retention(house: House) -> None:
    await house.begin()
    await house.accept(State.DELIVERED, State.DEAD)
    await house.accept(State.DELIVERED, days=1)
    never = await audit(house.store, house.clock)
    assert (never.purged, never.purged_at_us) == (Purged(), None)
    await house.after(32)
    await house.after(181)
    report = await audit(house.store, house.clock)
    assert report.is_balanced
    assert report.total.accepted == 0
    assert report.purged == Purged(
        payloads=1, attempts=3, messages=2, deliveries=3, dead_letters=1, lines=6
    )
    assert report.purged_at_us == house.clock.at_us
