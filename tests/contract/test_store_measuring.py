"""Counting what objectives are about: every store sees the same in the same log."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from support.making import (
    HOLDER,
    LEASE_US,
    SECOND_US,
    START_US,
    FakeClock,
    make_acceptance,
    make_attempt,
)

from homing.core.errors import Conflict, Stale
from homing.core.journal import Journal
from homing.core.lifecycle import (
    Cancelled,
    DeadReason,
    Delivery,
    Fact,
    Failed,
    Leased,
    Redriven,
    Resent,
    Restored,
    Resumed,
    State,
    Succeeded,
)
from homing.core.objectives import Limits, Measured, Owner, Seen, Sli, Tally
from homing.core.outcome import Reason
from homing.core.queries import LogCursor
from homing.core.resources import Application
from homing.core.retry import RetryPolicy
from homing.core.store import Store

MINUTE_US = 60 * SECOND_US
LIMITS = Limits()
RETRIES = RetryPolicy(delays_s=(100.0,), jitter=0.0)
WATCH = Measured(scope="", id="watch", created_at_us=START_US, updated_at_us=START_US)


class Life:
    """Deliveries of one application, brought forward step by step."""

    def __init__(self, store: Store, application: Application) -> None:
        self.store = store
        self.application = application
        self.clock = FakeClock()
        self.journal = Journal(self.clock, HOLDER)

    async def accept(self, state: State = State.LEASED, **message: object) -> Delivery:
        item = make_acceptance(
            self.application, state=state, accepted_at_us=self.clock.now_us(), **message
        )
        await self.store.accept([item])
        return item.deliveries[0]

    async def attempt(
        self, before: Delivery, reason: Reason = Reason.OK, *, took_s: float = 0.5, status: int = 0
    ) -> Delivery:
        """An attempt that begins now and ends after `took_s`."""
        began_us = self.clock.now_us()
        at_us = self.clock.advance(took_s)
        given = status or (200 if reason is Reason.OK else 503 if reason is Reason.STATUS else None)
        attempt = make_attempt(
            before, at_us=began_us, reason=reason, status=given, total_us=round(took_s * SECOND_US)
        )
        fact: Fact = Succeeded(at_us=at_us)
        if reason is not Reason.OK:
            fact = Failed(
                at_us=at_us, chance=0.0, error=str(reason).replace("status", "status 503")
            )
        change = self.journal.decide(before, fact, RETRIES, attempt=attempt)
        await self.store.settle([change])
        return change.after

    async def step(self, before: Delivery, fact: Fact) -> Delivery:
        change = self.journal.decide(before, fact)
        await self.store.settle([change])
        return change.after

    async def lease(self, before: Delivery) -> Delivery:
        at_us = self.clock.now_us()
        return await self.step(
            before, Leased(at_us=at_us, holder=HOLDER, until_us=at_us + LEASE_US)
        )

    async def seen(self) -> list[Seen]:
        piece = await self.store.seen(LogCursor(), limit=1_000, limits=LIMITS)
        assert not piece.is_full
        return sorted(piece.rows, key=lambda one: (one.minute_us, one.op, one.is_first, one.count))


@pytest.fixture
def life(store: Store, application: Application) -> Life:
    return Life(store, application)


def only(found: Sequence[Seen]) -> Seen:
    assert len(found) == 1, found
    return found[0]


async def test_what_is_good_and_in_time_is_counted_by_minute_and_application(life: Life) -> None:
    for _ in range(3):
        await life.attempt(await life.accept())
    one = only(await life.seen())
    assert one == Seen(
        minute_us=START_US,
        app_id=life.application.id,
        op="succeeded",
        from_state="leased",
        to_state="delivered",
        written=True,
        outcome=Reason.OK,
        is_first=True,
        late_start=False,
        late_done=False,
        again=False,
        count=3,
    )


async def test_a_late_first_attempt_is_told_apart_with_its_endpoint(life: Life) -> None:
    waiting = await life.accept(State.WAITING)
    life.clock.advance(6)
    done = await life.attempt(await life.lease(waiting))
    one = only(await life.seen())
    assert (one.is_first, one.late_start, one.late_done) == (True, True, False)
    assert (one.endpoint_id, one.holder, one.born) == (done.endpoint_id, HOLDER, "waiting")


async def test_a_message_for_later_is_due_when_it_says(life: Life) -> None:
    at_us = life.clock.now_us() + 3_600 * SECOND_US
    waiting = await life.accept(State.WAITING, deliver_at_us=at_us)
    life.clock.advance(3_601)
    await life.attempt(await life.lease(waiting))
    one = only(await life.seen())
    assert not one.late_start
    assert not one.late_done


async def test_a_failure_and_a_late_success_carry_what_says_whose_they_are(life: Life) -> None:
    failed = await life.attempt(await life.accept(), Reason.STATUS)
    life.clock.advance(100)
    done = await life.attempt(await life.lease(failed))
    first, taken, last = await life.seen()
    assert (taken.op, taken.from_state, taken.late_start) == ("leased", "waiting", False)
    assert taken.endpoint_id is None, "in time, so nobody asks whose it is"
    assert (first.op, first.is_first, first.outcome, first.status) == (
        "failed",
        True,
        Reason.STATUS,
        503,
    )
    assert first.endpoint_id == done.endpoint_id
    assert (last.op, last.is_first, last.late_start, last.late_done) == (
        "succeeded",
        False,
        False,
        True,
    )
    assert (last.error, last.failed_before, last.accepted_minute_us) == (
        "status 503",
        True,
        START_US,
    )


async def test_a_retry_that_is_taken_late_is_told_apart_since_when_it_was_due(life: Life) -> None:
    failed = await life.attempt(await life.accept(), Reason.STATUS)
    life.clock.advance(100 + 31)
    await life.lease(failed)
    taken = next(one for one in await life.seen() if one.op == "leased")
    assert taken.late_start
    assert taken.endpoint_id == failed.endpoint_id
    assert failed.ready_at_us is not None
    assert taken.accepted_minute_us == failed.ready_at_us - failed.ready_at_us % MINUTE_US


async def test_a_delivery_given_up_for_its_lapsed_leases_is_a_dead_letter(life: Life) -> None:
    born = await life.accept()
    life.clock.advance(31)
    at_us = life.clock.now_us()
    fact = Leased(at_us=at_us, holder=HOLDER, until_us=at_us + LEASE_US, unanswered_max=1)
    await life.step(born, fact)
    one = only(await life.seen())
    assert (one.op, one.to_state, one.reason) == ("leased", "dead", "poison_worker_crash")
    assert (one.late_start, one.again) == (False, False)


async def test_an_attempt_after_a_lapsed_lease_is_still_the_first(life: Life) -> None:
    born = await life.accept()
    life.clock.advance(31)
    await life.attempt(await life.lease(born))
    one = only(await life.seen())
    assert (one.is_first, one.late_start, one.lapsed) == (True, True, True)


async def test_what_was_parked_at_birth_says_so(life: Life) -> None:
    parked = await life.accept(State.PARKED)
    life.clock.advance(7_200)
    waiting = await life.step(parked, Resumed(at_us=life.clock.now_us()))
    await life.attempt(await life.lease(waiting))
    one = only(await life.seen())
    assert (one.late_start, one.late_done, one.born) == (True, True, "parked")


async def test_dead_letters_their_end_and_their_revival_are_seen(life: Life) -> None:
    letters = []
    for _ in range(2):
        failed = await life.attempt(await life.accept(), Reason.RESET)
        life.clock.advance(100)
        letters.append(await life.attempt(await life.lease(failed), Reason.RESET))
    redriven, discarded = letters
    at_us = life.clock.now_us()
    waiting = await life.step(redriven, Redriven(at_us=at_us, actor="ann"))
    await life.step(discarded, Cancelled(at_us=at_us, actor="ann: paid by phone"))
    await life.attempt(await life.lease(waiting))
    found = await life.seen()
    assert [(one.op, one.from_state) for one in found if one.from_state == "dead"] == [
        ("cancelled", "dead"),
        ("redriven", "dead"),
    ]
    deaths = [one for one in found if one.to_state == "dead"]
    assert {one.reason for one in deaths} == {"attempts_exhausted"}
    assert {one.error for one in deaths} == {"reset"}
    assert not any(one.again for one in deaths)
    revived = next(one for one in found if one.op == "succeeded")
    assert (revived.late_done, revived.error, revived.failed_before) == (True, "reset", False)
    assert revived.again


async def test_a_delivery_that_had_ended_ends_again_only_by_somebodys_hand(life: Life) -> None:
    failed = await life.attempt(await life.accept(), Reason.RESET)
    life.clock.advance(100)
    dead = await life.attempt(await life.lease(failed), Reason.RESET)
    for _ in range(2):  # at once and later; its retries die again
        redriven = Redriven(at_us=life.clock.now_us(), actor="ann")
        failed = await life.attempt(await life.lease(await life.step(dead, redriven)), Reason.RESET)
        life.clock.advance(100)
        dead = await life.attempt(await life.lease(failed), Reason.RESET)
    discarded = await life.step(dead, Cancelled(at_us=life.clock.now_us(), actor="ann"))
    life.clock.advance(1)
    reason = DeadReason.ATTEMPTS_EXHAUSTED
    await life.step(discarded, Restored(at_us=life.clock.now_us(), actor="ann", reason=reason))
    deaths = [one for one in await life.seen() if one.to_state == "dead"]
    assert [one.again for one in deaths].count(False) == 1, "it died once"
    assert sum(one.count for one in deaths) == 4
    first = min(deaths, key=lambda one: one.minute_us)
    assert not first.again


async def test_a_resend_of_what_was_received_is_not_received_anew(life: Life) -> None:
    done = await life.attempt(await life.accept())
    for wait_s in (5.0, 110.0):
        life.clock.advance(wait_s)
        resent = await life.step(done, Resent(at_us=life.clock.now_us(), actor="ann"))
        done = await life.attempt(await life.lease(resent))
    found = [one for one in await life.seen() if one.op == "succeeded"]
    assert sorted((one.again, one.late_done) for one in found) == [
        (False, False),
        (True, False),
        (True, True),
    ]


async def test_a_resend_before_the_end_leaves_the_verdict_open(life: Life) -> None:
    failed = await life.attempt(await life.accept(), Reason.RESET)
    resent = await life.step(failed, Resent(at_us=life.clock.now_us(), actor="ann"))
    await life.attempt(await life.lease(resent))
    [one] = [one for one in await life.seen() if one.op == "succeeded"]
    assert not one.again


async def test_a_late_outcome_is_not_a_first_attempt_that_counts(life: Life) -> None:
    born = await life.accept()
    life.clock.advance(31)
    other = await life.lease(born)
    await life.attempt(born)  # by the one who had lost the lease
    await life.attempt(other)
    found = await life.seen()
    assert {one.written for one in found} == {True, False}
    late = next(one for one in found if not one.written)
    assert (late.outcome, late.late_start) == (Reason.OK, False)


async def test_the_log_is_counted_piece_by_piece_and_nothing_twice(life: Life) -> None:
    for _ in range(5):
        await life.attempt(await life.accept())
        life.clock.advance(20)
    whole = await life.seen()
    cursor, pieces = LogCursor(), []
    while True:
        after, found, is_full = await life.store.seen(cursor, limit=3, limits=LIMITS)
        assert is_full or after.line >= 10 or after == cursor
        if after == cursor:
            break
        cursor, pieces = after, pieces + found
    assert sum(one.count for one in pieces) == sum(one.count for one in whole) == 5
    assert await life.store.seen(cursor, limit=3, limits=LIMITS) == (cursor, [], False)


def tally(at_us: int, count: int = 1, **fields: object) -> Tally:
    given = {"scope": "org_1", "sli": Sli.DELIVERED, "owner": None, "rule": ""}
    return msgspec.convert(given | fields | {"at_us": at_us, "count": count}, Tally)


async def test_tallies_add_up_by_minute_hour_and_day(store: Store) -> None:
    bad = {"owner": Owner.RECEIVER, "rule": "status"}
    await store.tally(
        WATCH,
        [tally(START_US, 7), tally(START_US, 2, **bad), tally(START_US + 90 * MINUTE_US, 5)],
        forget={},
    )
    again = msgspec.structs.replace(WATCH, version=2)
    await store.tally(again, [tally(START_US, 1), tally(START_US, -2, **bad)], forget={})
    for grain_s, until_us, good in (
        (60, START_US + MINUTE_US, 8),
        (3_600, START_US + 60 * MINUTE_US, 8),
        (86_400, START_US + 1_440 * MINUTE_US, 13),
    ):
        found = {
            (one.owner, one.rule): one.count
            for one in await store.tallied("org_1", grain_s, START_US, until_us)
        }
        assert found.pop((None, "")) == good
        assert found in ({}, {(Owner.RECEIVER, "status"): 0})
    assert await store.tallied("org_2", 60, 0, START_US * 2) == []


async def test_a_series_has_each_minute_by_itself_and_all_rules_together(store: Store) -> None:
    later_us = START_US + 3 * MINUTE_US
    tallies = [
        tally(START_US, 7),
        tally(START_US, 2, owner=Owner.RECEIVER, rule="status"),
        tally(START_US, 3, owner=Owner.RECEIVER, rule="timeout"),
        tally(START_US, 9, sli=Sli.RETRY),
        tally(START_US, 9, scope="org_2"),
        tally(later_us, 5),
        tally(later_us + MINUTE_US, 6),
    ]
    await store.tally(WATCH, tallies, forget={})
    until_us = later_us + MINUTE_US
    found = await store.tally_series("org_1", Sli.DELIVERED, 60, START_US, until_us)
    assert found == [
        tally(START_US, 7),
        tally(START_US, 5, owner=Owner.RECEIVER),
        tally(later_us, 5),
    ]
    hours = await store.tally_series("org_1", Sli.DELIVERED, 3_600, START_US, until_us)
    assert [one.count for one in hours] == [18, 5]
    assert await store.tally_series("org_1", Sli.DELIVERED, 60, 0, START_US) == []


async def test_whoever_comes_second_counts_nothing(store: Store) -> None:
    await store.tally(WATCH, [tally(START_US)], forget={})
    with pytest.raises(Conflict):
        await store.tally(WATCH, [tally(START_US)], forget={})
    stale = msgspec.structs.replace(WATCH, version=3)
    with pytest.raises(Stale):
        await store.tally(stale, [tally(START_US)], forget={})
    [one] = await store.tallied("org_1", 60, START_US, START_US + 1)
    assert one.count == 1


async def test_old_minutes_are_forgotten_and_their_hours_stay(store: Store) -> None:
    await store.tally(WATCH, [tally(START_US), tally(START_US + MINUTE_US)], forget={})
    again = msgspec.structs.replace(WATCH, version=2)
    await store.tally(again, [], forget={60: START_US + MINUTE_US})
    [minute] = await store.tallied("org_1", 60, 0, START_US * 2)
    [hour] = await store.tallied("org_1", 3_600, 0, START_US * 2)
    assert (minute.count, hour.count) == (1, 2)
