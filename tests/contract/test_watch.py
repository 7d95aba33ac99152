"""The watch on every store: one at a time, and nothing between an alert and its notice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from support.alerting import make_finding
from support.making import (
    SECOND_US,
    START_US,
    FakeChance,
    FakeClock,
    aged,
    make_acceptance,
    make_application,
    make_attempt,
    make_change,
    make_endpoint,
    make_event_type,
    make_id,
)
from support.planting import Plant

from homing.core.errors import Unavailable
from homing.core.health import EndpointHealth, blank_health
from homing.core.issues import IssueState
from homing.core.lifecycle import Delivery, State
from homing.core.limits import Lane
from homing.core.money import MoneyPaths
from homing.core.operational import Event
from homing.core.outcome import Reason
from homing.core.queries import Page
from homing.core.records import Acceptance
from homing.core.resources import Application, Endpoint
from homing.core.store import Store
from homing.insight.alerts.advance import WATCH, Watch
from homing.insight.alerts.alert import FAILED, PENDING, SCOPE, SENT, Alert, Kind, Notice, Told
from homing.insight.alerts.minutes import Minutes
from homing.insight.alerts.thresholds import Thresholds
from homing.service.alerts.carrier import GIVE_UP_US, RETRY_S, Carrier
from homing.service.alerts.channel import NotTaken
from homing.service.alerts.reader import Reader
from homing.service.alerts.signals import with_signals
from homing.service.alerts.watcher import Watcher
from homing.service.alerts.worth import worth_of
from homing.service.books import Auditor

ALL = Page(limit=1_000)


class Postbox:
    """A channel that keeps what it is given, or refuses it."""

    def __init__(self, id: str = "box-1") -> None:
        self.id = id
        self.shown = f"{id}://…"
        self.taken: list[tuple[Told, ...]] = []
        self.refreshed: list[tuple[Told, ...]] = []
        self.error: Exception | None = None

    async def carry(self, alerts: Sequence[Told], *, at_us: int) -> None:
        if self.error is not None:
            raise self.error
        self.taken.append(tuple(alerts))

    async def refresh(self, firing: Sequence[Told], *, at_us: int) -> None:
        self.refreshed.append(tuple(firing))

    @property
    def kinds(self) -> list[list[str]]:
        return [[f"{one.finding.kind} {one.status}" for one in some] for some in self.taken]


class Process:
    """What one process has of the watch."""

    def __init__(self, store: Store, clock: FakeClock, name: str, *boxes: Postbox) -> None:
        self.store = store
        self.clock = clock
        self.auditor = Auditor(store, clock)
        minutes = Minutes()
        reader = Reader(
            store,
            clock,
            self.auditor,
            minutes,
            thresholds=Thresholds(),
            disable_after_s=432_000.0,
            worth=worth_of(store),
        )
        self.watcher = Watcher(
            store,
            clock,
            FakeChance(hash(name) % 1_000),
            name,
            reader,
            self.auditor,
            minutes,
            boxes,
        )
        self.carrier = Carrier(store, clock, {one.id: one for one in boxes})

    async def look(self, after_s: float = 15.0, *, audit: bool = True) -> bool:
        """Some time later: an audit, an evaluation, and what is to be carried."""
        self.clock.advance(after_s)
        if audit:
            await self.auditor.once()
        step = await self.watcher.look()
        await self.carrier.look()
        return step is not None


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def box() -> Postbox:
    return Postbox()


@pytest.fixture
def process(store: Store, clock: FakeClock, box: Postbox) -> Process:
    return Process(store, clock, "one", box)


async def alerts(store: Store) -> dict[str, Alert]:
    return {one.id: one for one in await store.list(Alert, SCOPE, ALL)}


async def accept(store: Store, app: Application, at_us: int, count: int) -> list[Acceptance]:
    """Parked ones, so that they are not late."""
    items = [make_acceptance(app, state=State.PARKED, accepted_at_us=at_us) for _ in range(count)]
    await store.accept(items)
    return items


async def die(store: Store, clock: FakeClock, application: Application, endpoint_id: str) -> None:
    item = make_acceptance(application, (endpoint_id,), accepted_at_us=clock.at_us)
    await store.accept([item])
    [before] = item.deliveries
    after = aged(
        before,
        state=State.DEAD,
        ready_at_us=None,
        holder=None,
        unanswered=0,
        finished_at_us=clock.at_us,
        reason="attempts_exhausted",
        last_error="status 503",
    )
    assert await store.settle([make_change(before, after)]) == [True]


# --- what is missing ---


async def test_a_delivery_that_vanishes_is_told_with_the_next_audit(
    store: Store, application: Application, plant: Plant, process: Process, box: Postbox
) -> None:
    items = await accept(store, application, START_US, 400)
    await process.look()
    assert box.taken == []
    gone = items[7].deliveries[0]
    await plant.remove("deliveries", gone.id)
    await process.look(60)
    [[told]] = box.taken
    finding = told.finding
    assert (finding.kind, finding.count, finding.of) == (Kind.UNACCOUNTED, 1, 400)
    assert finding.org_id == application.scope
    assert finding.examples == (str(gone.id),)
    assert finding.rate is not None
    assert finding.rate.low < 1 / 400 < finding.rate.high


async def test_it_is_not_forgotten_when_it_is_old_nor_by_a_new_process(
    store: Store,
    clock: FakeClock,
    application: Application,
    plant: Plant,
    process: Process,
    box: Postbox,
) -> None:
    [item, *_] = await accept(store, application, START_US, 20)
    await plant.remove("deliveries", item.deliveries[0].id)
    await process.look(30)
    other = Process(store, clock, "two", box)
    for _ in range(30):  # half an hour: no audit of the recent past sees it any more
        await other.look(60)
    assert box.kinds == [["unaccounted firing"]]
    await plant.insert("deliveries", item.deliveries[0])  # mended
    for _ in range(20):
        await other.look(60)
    assert box.kinds == [["unaccounted firing"], ["unaccounted resolved"]]


# --- what is late ---


async def hold(store: Store, clock: FakeClock, application: Application) -> Delivery:
    """One that has been due for ten minutes, of an endpoint that a breaker holds back."""
    item = make_acceptance(
        application, ("ep_1",), state=State.WAITING, accepted_at_us=clock.at_us - 600 * SECOND_US
    )
    health = blank_health(application.id, "ep_1", clock.at_us)
    failing = msgspec.structs.replace(health, version=1, failing_since_us=clock.at_us)
    await store.accept([item])
    await store.put(failing)
    return item.deliveries[0]


async def test_what_a_breaker_held_back_and_was_sent_is_not_late(
    store: Store, clock: FakeClock, application: Application, process: Process, box: Postbox
) -> None:
    held = await hold(store, clock, application)
    await process.look()
    done = aged(held, state=State.DELIVERED, ready_at_us=None, finished_at_us=clock.at_us)
    assert await store.settle([make_change(held, done)]) == [True]
    await process.look(audit=False)  # the count of the backlog is older than that
    assert box.kinds == []


async def test_what_the_look_for_work_misses_is_named(
    store: Store,
    clock: FakeClock,
    application: Application,
    process: Process,
    box: Postbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lost = await hold(store, clock, application)

    async def nothing(at_us: int, *, limit: int) -> list[Lane]:
        return []

    monkeypatch.setattr(store, "due_lanes", nothing)
    await process.look()
    [[told]] = box.taken
    assert told.finding.kind is Kind.DELIVERIES_LATE
    assert told.finding.examples == (str(lost.id),)


# --- who watches ---


async def test_one_watches_at_a_time_and_another_takes_over(
    store: Store, clock: FakeClock, process: Process, box: Postbox
) -> None:
    other = Process(store, clock, "two", box)
    assert await process.look(15)
    assert not await other.look(0.1)
    assert await process.look(15)
    assert not await other.look(44)  # three evaluations after the last
    assert await other.look(2)
    assert not await process.look(15)
    assert other.watcher.is_watched()
    assert process.watcher.is_watched()  # it knows of the other


async def test_two_that_evaluate_at_once_do_not_both_conclude(
    store: Store, clock: FakeClock, application: Application, process: Process, box: Postbox
) -> None:
    await die(store, clock, application, "ep_1")
    other = Process(store, clock, "two", box)
    await process.auditor.once()
    await other.auditor.once()
    watch = await process.watcher._watch()
    await process.watcher._evaluate(watch)
    with pytest.raises(Exception, match=r"exists already|changed"):
        await other.watcher._evaluate(watch)
    assert len(await store.list(Notice, PENDING, ALL)) == 1


async def test_an_evaluation_that_cannot_be_written_leaves_nothing_of_itself(
    store: Store,
    clock: FakeClock,
    application: Application,
    process: Process,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await die(store, clock, application, "ep_1")
    await process.auditor.once()
    settle_with = store.settle_with

    async def fails(*args: Any) -> Any:
        def spoilt(written: list[bool]) -> Any:
            after = args[1](written)
            [alert] = after.more
            return msgspec.structs.replace(
                after, more=(alert, msgspec.structs.replace(alert, version=9))
            )

        return await settle_with(args[0], spoilt)

    monkeypatch.setattr(store, "settle_with", fails)
    with pytest.raises(Exception, match="changed"):
        await process.watcher.look()
    monkeypatch.undo()
    assert await store.get(Watch, *WATCH) is None
    assert await alerts(store) == {}
    assert await store.list(Notice, PENDING, ALL) == []
    await process.look(0)
    assert list(await alerts(store)) == ["first_dead_letter.ep_1"]


async def test_nothing_is_concluded_before_the_first_audit(process: Process) -> None:
    assert not await process.look(15, audit=False)
    assert not await process.look(280, audit=False)
    assert await process.look(15, audit=False)
    assert list(await alerts(process.store)) == ["audit_missed"]
    assert process.watcher.is_watched()


async def test_nobody_who_watches_is_seen(store: Store, clock: FakeClock, process: Process) -> None:
    await process.look(15)
    clock.advance(59)
    assert process.watcher.is_watched()
    clock.advance(2)
    assert not process.watcher.is_watched()


# --- dead letters and endpoints ---


async def test_dead_letters_are_told_once_for_each_endpoint_and_when_none_is_left(
    store: Store, clock: FakeClock, application: Application, process: Process, box: Postbox
) -> None:
    endpoint = make_endpoint(application.id, id="ep_1", url="https://user:pw@shop.example/secret")
    await store.put(endpoint)
    for _ in range(4):
        await die(store, clock, application, "ep_1")
        await process.look()
    [[told]] = box.taken
    assert told.finding.what == (
        "ep_1 (shop.example) has 1 dead letter, where it had none; "
        "the first one's last error: status 503"
    )
    assert len(told.finding.examples) == 1
    [alert] = (await alerts(store)).values()
    assert alert.finding.count == 4


async def test_a_warned_and_a_disabled_endpoint_are_found_by_what_was_written_with_the_change(
    store: Store, clock: FakeClock, application: Application, process: Process, box: Postbox
) -> None:
    endpoint = make_endpoint(application.id)
    await store.put(endpoint)

    async def nobody(*_: Any) -> Sequence[Any]:
        return ()

    tell = with_signals(nobody, clock)
    health: EndpointHealth = msgspec.structs.replace(
        blank_health(application.id, endpoint.id, START_US),
        version=1,
        failing_since_us=START_US - 216_000 * SECOND_US,
        warned_at_us=START_US,
    )
    await store.put(health, also=await tell(Event.ENDPOINT_FAILING, endpoint, 1, {}))
    await process.look()
    assert box.kinds == [["endpoint_failing firing"]]
    disabled: Endpoint = msgspec.structs.replace(
        endpoint,
        version=2,
        disabled=True,
        disabled_reason="nothing but failures",
        disabled_at_us=clock.at_us,
    )
    await store.put(
        disabled,
        touch=application.id,
        also=await tell(Event.ENDPOINT_DISABLED, disabled, 2, {}),
    )
    await process.look(60)
    assert box.kinds[1:] == [["endpoint_disabled firing"]]
    enabled: Endpoint = msgspec.structs.replace(
        disabled, version=3, disabled=False, disabled_at_us=None
    )
    await store.put(enabled, touch=application.id)
    well: EndpointHealth = msgspec.structs.replace(
        health, version=2, failing_since_us=None, warned_at_us=None
    )
    await store.put(well)
    for _ in range(8):
        await process.look(60)
    assert sorted(await alerts(store)) == sorted(
        f"{kind}.{endpoint.id}" for kind in ("endpoint_disabled", "endpoint_failing")
    )
    assert {str(one.status) for one in (await alerts(store)).values()} == {"resolved"}


# --- carrying ---


async def test_a_notice_is_tried_until_it_is_taken_and_then_kept_as_sent(
    store: Store, clock: FakeClock, application: Application, process: Process, box: Postbox
) -> None:
    box.error = NotTaken("450 not now")
    await die(store, clock, application, "ep_1")
    await process.look()
    [notice] = await store.list(Notice, PENDING, ALL)
    assert (notice.tries, notice.error) == (1, "450 not now")
    for wait_s in RETRY_S[1:3]:
        assert await process.carrier.look() == 0  # too early
        clock.advance(wait_s)
        assert await process.carrier.look() == 0
    box.error = None
    clock.advance(RETRY_S[3])
    assert await process.carrier.look() == 1
    assert await process.carrier.look() == 0
    assert await store.list(Notice, PENDING, ALL) == []
    [sent] = await store.list(Notice, SENT, ALL)
    assert (sent.id, sent.finished_at_us, sent.error) == (notice.id, clock.at_us, None)
    assert box.kinds == [["first_dead_letter firing"]]


async def test_a_process_that_dies_while_it_carries_leaves_it_to_another(
    store: Store, clock: FakeClock, application: Application, process: Process, box: Postbox
) -> None:
    class Killed(BaseException):
        pass

    box.error = Killed()  # type: ignore[assignment]
    await die(store, clock, application, "ep_1")
    with pytest.raises(Killed):
        await process.look()
    box.error = None
    other = Process(store, clock, "two", box)
    assert await other.carrier.look() == 0  # it is still leased
    clock.advance(60)
    assert await other.carrier.look() == 1
    assert box.kinds == [["first_dead_letter firing"]]


async def test_a_crash_after_it_was_taken_makes_it_come_twice_not_never(
    store: Store,
    clock: FakeClock,
    application: Application,
    process: Process,
    box: Postbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fails(*_: Any, **__: Any) -> None:
        raise Unavailable("the database went away just now")

    await die(store, clock, application, "ep_1")
    await process.auditor.once()
    await process.watcher.look()
    monkeypatch.setattr(store, "delete", fails)
    with pytest.raises(Unavailable):
        await process.carrier.look()
    monkeypatch.undo()
    clock.advance(61)
    assert await process.carrier.look() == 1
    assert len(box.taken) == 2
    assert box.taken[0] == box.taken[1]


async def test_after_a_day_a_notice_is_set_aside_and_kept(
    store: Store, clock: FakeClock, application: Application, process: Process, box: Postbox
) -> None:
    box.error = NotTaken("no")
    await die(store, clock, application, "ep_1")
    await process.look()
    clock.advance(GIVE_UP_US / SECOND_US)
    await process.carrier.look()
    assert await store.list(Notice, PENDING, ALL) == []
    [failed] = await store.list(Notice, FAILED, ALL)
    assert failed.error == "no"


async def test_a_channel_that_takes_nothing_is_told_through_another(
    store: Store, clock: FakeClock, application: Application, box: Postbox
) -> None:
    broken = Postbox("broken-1")
    broken.error = NotTaken("refused")
    process = Process(store, clock, "one", broken, box)
    await die(store, clock, application, "ep_1")
    for _ in range(12):
        await process.look(60)
    assert ["channel_failing firing"] in box.kinds
    assert box.kinds[0] == ["first_dead_letter firing"]


async def test_what_goes_on_is_repeated_to_those_who_forget(
    store: Store, clock: FakeClock, application: Application, process: Process, box: Postbox
) -> None:
    await die(store, clock, application, "ep_1")
    await process.look(15)
    await process.look(15)
    await process.look(60)
    assert [[one.alert_id for one in some] for some in box.refreshed] == [
        ["first_dead_letter.ep_1"],
        ["first_dead_letter.ep_1"],
    ]


async def test_a_person_who_silences_during_an_evaluation_is_not_overwritten(
    store: Store, clock: FakeClock, application: Application, process: Process
) -> None:
    await die(store, clock, application, "ep_1")
    await process.look()
    known = await alerts(store)
    read = process.watcher._alerts

    async def read_then_somebody_writes() -> list[Alert]:
        found = await read()
        silenced = msgspec.structs.replace(
            found[0], version=found[0].version + 1, silenced_until_us=clock.at_us + 10**12
        )
        await store.put(silenced)
        return found

    process.watcher._alerts = read_then_somebody_writes  # type: ignore[method-assign]
    await die(store, clock, application, "ep_1")
    with pytest.raises(Exception, match="changed"):
        await process.look()
    process.watcher._alerts = read  # type: ignore[method-assign]
    await process.look()
    [after] = (await alerts(store)).values()
    assert after.silenced_until_us > clock.at_us
    assert after.finding.count > known[after.id].finding.count


def test_findings_have_one_id_each() -> None:
    assert make_finding(subject="").id == "first_dead_letter"
    assert make_application().scope == "org_1"


async def test_what_is_late_is_told_with_its_names(
    store: Store, clock: FakeClock, application: Application, process: Process, box: Postbox
) -> None:
    item = make_acceptance(application, accepted_at_us=START_US)
    await store.accept([item])  # leased, and nobody goes on with it
    await process.look(60)  # its lease ran out at 30 s
    await process.look(80)
    assert box.taken == []
    await process.look(20)
    [[told]] = box.taken
    assert told.finding.kind is Kind.DELIVERIES_LATE
    assert told.finding.examples == (str(item.deliveries[0].id),)


async def test_an_endpoint_that_begins_to_fail_is_told_with_since_when_and_examples(
    store: Store, clock: FakeClock, application: Application, process: Process, box: Postbox
) -> None:
    endpoint = make_endpoint(application.id)
    await store.put(endpoint)
    failing: list[Acceptance] = []
    for minute in range(30):
        items = [
            make_acceptance(application, (endpoint.id,), accepted_at_us=clock.at_us)
            for _ in range(20)
        ]
        await store.accept(items)
        fails = minute >= 20
        await store.settle([_outcome(one, clock.at_us, failed=fails) for one in items])
        failing += items * fails
        await process.look(60)
    told = [one for some in box.taken for one in some]
    [one] = [one for one in told if one.finding.kind is Kind.FAILURE_RATE_CHANGED]
    began_us = START_US + 20 * 60 * SECOND_US
    assert abs(one.finding.since_us - began_us) <= 60 * SECOND_US
    assert one.finding.since_low_us is not None
    assert one.finding.since_low_us <= began_us
    first = {str(item.deliveries[0].id) for item in failing}
    assert len(one.finding.examples) == 3
    assert set(one.finding.examples) <= first


def _outcome(item: Acceptance, at_us: int, *, failed: bool) -> Any:
    """What came of a first attempt: delivered, or due again in an hour."""
    [before] = item.deliveries
    attempt = make_attempt(
        before,
        id=make_id("atmpt_", at_us),
        at_us=at_us,
        reason=Reason.STATUS if failed else Reason.OK,
    )
    after = aged(
        before,
        state=State.WAITING if failed else State.DELIVERED,
        ready_at_us=at_us + 3_600 * SECOND_US if failed else None,
        holder=None,
        unanswered=0,
        finished_at_us=None if failed else at_us,
    )
    return make_change(before, after, attempt=attempt)


async def test_an_alert_says_what_is_at_stake(
    store: Store,
    clock: FakeClock,
    application: Application,
    plant: Plant,
    process: Process,
    box: Postbox,
) -> None:
    """Of what is missing, from the payloads that are there still; of dead letters, by the desk."""
    endpoint = make_endpoint(application.id)
    await store.put(endpoint)
    await store.put(
        make_event_type(
            id="payment.captured",
            scope=application.scope,
            money=MoneyPaths(amount="amount", currency="currency", minor_units=True),
        )
    )
    items = [make_acceptance(application, (endpoint.id,), state=State.PARKED) for _ in range(9)]
    await store.accept(items)
    for item in items[:3]:
        await plant.remove("deliveries", item.deliveries[0].id)
    await die(store, clock, application, endpoint.id)
    await process.look(30)
    money = {one.finding.kind: one.finding.money for some in box.taken for one in some}
    assert money == {  # each payload says 12.50 EUR
        Kind.UNACCOUNTED: {"EUR": "37.50"},
        Kind.FIRST_DEAD_LETTER: {"EUR": "12.50"},
        Kind.MONEY_AT_RISK: {"EUR": "12.50"},
    }


async def test_of_dead_letters_that_are_muted_nothing_is_told(
    store: Store, clock: FakeClock, application: Application, process: Process, box: Postbox
) -> None:
    await die(store, clock, application, "ep_1")
    [issue] = await store.unresolved_issues(ALL)

    async def decide(state: IssueState) -> None:
        [known] = await store.unresolved_issues(ALL)
        await store.put_issues(
            [msgspec.structs.replace(known, version=known.version + 1, state=state)]
        )

    await decide(IssueState.MUTED)
    await process.look(60)
    assert box.taken == []
    await decide(IssueState.OPEN)
    await process.look(60)
    assert box.kinds == [["first_dead_letter firing"]]
    assert issue.endpoint_id == "ep_1"
