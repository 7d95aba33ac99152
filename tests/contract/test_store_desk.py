"""What the desk promises: each dead letter is in one issue, from its death until it leaves."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from support.claiming import claim_due
from support.making import (
    LEASE_US,
    SECOND_US,
    START_US,
    aged,
    make_acceptance,
    make_change,
    make_event_type,
    make_id,
)
from support.planting import Plant

from homing.core.errors import Stale
from homing.core.identifiers import DeliveryId
from homing.core.issues import Burden, Filed, Issue, IssueState, decided, merged, written
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
    State,
    step,
)
from homing.core.money import MoneyPaths
from homing.core.queries import LetterFilter, Page, Span
from homing.core.records import Change
from homing.core.resources import Application
from homing.core.retention import Part
from homing.core.retry import RetryPolicy
from homing.core.store import Aftermath, Store

ONCE = RetryPolicy(delays_s=())
ALL = Page(limit=100)
LATER_US = START_US + 3_600 * SECOND_US


def changed(before: Delivery, fact: Fact) -> Change:
    entry = {"op": type(fact).__name__.lower(), "at_us": fact.at_us}
    return make_change(before, step(before, fact, ONCE), **entry)


async def bury(
    store: Store,
    application: Application,
    count: int = 1,
    *,
    endpoint_id: str | None = None,
    error: str = "status 500",
    at_us: int = START_US + SECOND_US,
    **message: object,
) -> list[Delivery]:
    """So many dead letters of one endpoint, a second apart, all in one batch."""
    endpoint_id = endpoint_id or make_id("ep_")
    items = [make_acceptance(application, (endpoint_id,), **message) for _ in range(count)]
    await store.accept(items)
    changes = [
        changed(item.deliveries[0], Failed(at_us=at_us + n * SECOND_US, chance=0.5, error=error))
        for n, item in enumerate(items)
    ]
    assert await store.settle(changes) == [True] * count
    return [change.after for change in changes]


async def issues(store: Store) -> list[Issue]:
    return await store.list(Issue, None, ALL)


async def issue(store: Store) -> Issue:
    [found] = await issues(store)
    return found


async def burden(store: Store, of: Issue) -> Burden:
    return (await store.burdens([of.id])).get(of.id, Burden())


async def leave(store: Store, letters: Sequence[Delivery], fact: Fact) -> list[Delivery]:
    changes = [changed(letter, fact) for letter in letters]
    assert await store.settle(changes) == [True] * len(changes)
    return [change.after for change in changes]


async def misfits(store: Store) -> list[tuple[DeliveryId, str]]:
    return [(one.delivery, one.kind) for one in await store.misfits(Span(), limit=100)]


async def test_dead_letters_of_one_kind_are_one_issue_with_its_times_and_its_count(
    store: Store, application: Application
) -> None:
    letters = await bury(store, application, 3)
    found = await issue(store)
    assert (found.scope, found.endpoint_id) == (application.id, letters[0].endpoint_id)
    assert (found.reason, found.status, found.fingerprint) == ("attempts_exhausted", 500, "")
    assert (found.state, found.deaths, found.regressions) == (IssueState.OPEN, 3, 0)
    assert (found.first_seen_at_us, found.last_seen_at_us) == (
        letters[0].finished_at_us,
        letters[2].finished_at_us,
    )
    assert await burden(store, found) == Burden(
        count=3,
        oldest_at_us=letters[0].finished_at_us,
        newest_at_us=letters[2].finished_at_us,
    )
    assert await misfits(store) == []


async def test_another_endpoint_status_or_error_is_another_issue(
    store: Store, application: Application
) -> None:
    one = make_id("ep_")
    for endpoint_id, error in (
        (one, "status 500"),
        (one, "status 503"),
        (one, "connect_refused: 10.0.0.1:443"),
        (one, "connect_refused: 10.0.0.2:8443"),  # the same but for the address
        (one, "tls_failed: expired"),
        (make_id("ep_"), "status 500"),
    ):
        await bury(store, application, endpoint_id=endpoint_id, error=error)
    found = await issues(store)
    assert sorted((i.status or 0, i.fingerprint, i.deaths) for i in found) == [
        (0, "connect_refused: <address>", 2),
        (0, "tls_failed: expired", 1),
        (500, "", 1),
        (500, "", 1),
        (503, "", 1),
    ]


async def test_what_is_redriven_leaves_and_the_last_to_leave_resolves_the_issue(
    store: Store, application: Application
) -> None:
    first, second = await bury(store, application, 2)
    await leave(store, [first], Redriven(at_us=LATER_US, actor="ada"))
    left = await issue(store)
    assert (left.state, (await burden(store, left)).count) == (IssueState.OPEN, 1)
    await leave(store, [second], Redriven(at_us=LATER_US, actor="ada"))
    done = await issue(store)
    assert (done.state, done.state_by, done.state_at_us) == (
        IssueState.RESOLVED,
        "nobody: none is left",
        LATER_US,
    )
    assert await burden(store, done) == Burden()
    assert (done.deaths, done.last_seen_at_us) == (2, second.finished_at_us)


@pytest.mark.parametrize(
    ("state", "after", "regressions"),
    [
        (IssueState.RESOLVED, IssueState.OPEN, 1),
        (IssueState.MUTED, IssueState.MUTED, 0),
        (IssueState.ACKNOWLEDGED, IssueState.ACKNOWLEDGED, 0),
    ],
)
async def test_a_death_opens_what_was_resolved_and_leaves_other_decisions_alone(
    store: Store,
    application: Application,
    state: IssueState,
    after: IssueState,
    regressions: int,
) -> None:
    [letter] = await bury(store, application)
    before = await issue(store)
    said = decided(before, state, by="ada", note="known", at_us=LATER_US)
    stored = written(before, said, LATER_US)
    assert stored is not None
    await store.put_issues([stored])
    await bury(store, application, endpoint_id=letter.endpoint_id, at_us=LATER_US)
    found = await issue(store)
    assert (found.state, found.regressions, found.deaths) == (after, regressions, 2)
    assert found.state_by == (None if regressions else "ada")


async def test_a_muted_issue_stays_muted_when_nothing_is_left(
    store: Store, application: Application
) -> None:
    letters = await bury(store, application)
    before = await issue(store)
    muted = written(
        before, decided(before, IssueState.MUTED, by="ada", note=None, at_us=1), LATER_US
    )
    assert muted is not None
    await store.put_issues([muted])
    await leave(store, letters, Redriven(at_us=LATER_US, actor="ada"))
    assert (await issue(store)).state is IssueState.MUTED


async def test_a_resend_that_comes_to_nothing_is_no_new_death(
    store: Store, application: Application
) -> None:
    letters = await bury(store, application)
    [waiting] = await leave(store, letters, Resent(at_us=LATER_US, actor="ada"))
    leased = step(waiting, Leased(at_us=LATER_US, holder="a", until_us=LATER_US + LEASE_US), ONCE)
    await store.settle([make_change(waiting, leased)])
    [back] = await leave(
        store, [leased], Failed(at_us=LATER_US + 1, chance=0.5, error="status 500")
    )
    assert back.state is State.DEAD
    found = await issue(store)
    assert (found.deaths, found.last_seen_at_us) == (1, letters[0].finished_at_us)
    assert (found.state, (await burden(store, found)).count) == (IssueState.OPEN, 1)
    assert await misfits(store) == []


async def test_what_is_discarded_counts_no_more_and_can_be_brought_back(
    store: Store, application: Application
) -> None:
    letters = await bury(store, application, 2)
    [gone] = await leave(store, letters[:1], Cancelled(at_us=LATER_US, actor="ada: a test"))
    found = await issue(store)
    assert (await burden(store, found)).count == 1
    for which in (
        LetterFilter(app_id=application.id, discarded=True),
        LetterFilter(issue_id=found.id, discarded=True),
    ):
        [kept] = await store.letters(which, ALL)
        assert (kept.message_id, kept.discarded_at_us) == (gone.message_id, LATER_US)
        assert kept.died_at_us == letters[0].finished_at_us
    fact = Restored(at_us=LATER_US + 1, actor="ada", reason=DeadReason.ATTEMPTS_EXHAUSTED)
    [back] = await leave(store, [gone], fact)
    assert (back.state, back.reason) == (State.DEAD, "attempts_exhausted")
    assert (await burden(store, found)).count == 2
    assert (await issue(store)).deaths == 2
    assert await store.letters(LetterFilter(issue_id=found.id, discarded=True), ALL) == []
    assert await misfits(store) == []


async def test_what_is_discarded_and_then_redriven_has_no_place_any_more(
    store: Store, application: Application
) -> None:
    letters = await bury(store, application)
    gone = await leave(store, letters, Cancelled(at_us=LATER_US, actor="ada: a test"))
    await leave(store, gone, Redriven(at_us=LATER_US + 1, actor="ada"))
    assert await store.filed([letters[0].id]) == {}
    assert await misfits(store) == []


async def test_a_claim_that_gives_up_what_lapsed_too_often_files_it(
    store: Store, application: Application
) -> None:
    item = make_acceptance(application)
    await store.accept([item])

    def decide(delivery: Delivery) -> Change:
        fact = Leased(at_us=LATER_US, holder="b", until_us=LATER_US + LEASE_US, unanswered_max=1)
        return changed(delivery, fact)

    assert await claim_due(store, decide, at_us=LATER_US, count=9) == []
    found = await issue(store)
    assert (found.reason, found.deaths) == ("poison_worker_crash", 1)
    assert (await burden(store, found)).count == 1
    assert await misfits(store) == []


async def test_money_is_added_exactly_and_currencies_are_kept_apart(
    store: Store, application: Application
) -> None:
    paths = MoneyPaths(amount="sum.value", currency="sum.currency")
    await store.put(make_event_type("payment.failed", money=paths))
    endpoint_id = make_id("ep_")
    for value, currency in (("0.10", "EUR"), ("0.20", "EUR"), ("19.99", "USD"), ("1", "eur")):
        body = f'{{"sum":{{"value":{value},"currency":"{currency}"}}}}'.encode()
        await bury(
            store,
            application,
            endpoint_id=endpoint_id,
            event_type="payment.failed",
            payload=body,
        )
    letters = await bury(store, application, endpoint_id=endpoint_id)  # no word of money
    found = await issue(store)
    assert await burden(store, found) == Burden(
        count=5,
        oldest_at_us=letters[0].finished_at_us,
        newest_at_us=letters[0].finished_at_us,
        micro={"EUR": 1_300_000, "USD": 19_990_000},
    )


async def test_amounts_add_up_beyond_what_fits_a_machine_word(
    store: Store, application: Application
) -> None:
    money = MoneyPaths(amount="n", currency_code="USD")
    await store.put(make_event_type("payment.failed", money=money))
    for _ in range(2):
        await bury(
            store,
            application,
            6,
            endpoint_id="ep_1",
            event_type="payment.failed",
            payload=b'{"n":999999999999.999999}',
        )
    counted = await burden(store, await issue(store))
    assert counted.micro == {"USD": 12 * 999_999_999_999_999_999}


async def test_a_death_in_a_merged_issue_opens_the_one_it_is_part_of(
    store: Store, application: Application
) -> None:
    for error in ("status 502", "status 503"):
        await bury(store, application, endpoint_id="ep_1", error=error)
    into, part = await issues(store)
    await store.put_issues(merged({part.id: part}, into, at_us=LATER_US))
    assert [one.id for one in await store.merged_issues([into.id])] == [part.id]
    root = msgspec.structs.replace(
        (await store.by_ids(Issue, [into.id]))[0],
        state=IssueState.RESOLVED,
        version=into.version + 2,
    )
    await store.put_issues([root])
    status = f"status {part.status}"
    [letter] = await bury(store, application, endpoint_id="ep_1", error=status, at_us=LATER_US)
    found = {one.id: one for one in await issues(store)}
    assert (found[into.id].state, found[into.id].regressions) == (IssueState.OPEN, 1)
    assert (found[into.id].deaths, found[part.id].deaths) == (1, 2)
    assert (await store.filed([letter.id]))[letter.id].issue_id == part.id


async def test_a_merged_issue_is_resolved_when_none_of_its_parts_has_any_left(
    store: Store, application: Application
) -> None:
    letters = [
        letter
        for error in ("status 502", "status 503")
        for letter in await bury(store, application, endpoint_id="ep_1", error=error)
    ]
    into, part = await issues(store)
    await store.put_issues(merged({part.id: part}, into, at_us=LATER_US))
    states = []
    for letter in letters:
        await leave(store, [letter], Redriven(at_us=LATER_US, actor="ada"))
        states.append((await store.by_ids(Issue, [into.id]))[0].state)
    assert states == [IssueState.OPEN, IssueState.RESOLVED]


async def test_of_several_issues_that_are_put_all_are_or_none(
    store: Store, application: Application
) -> None:
    for error in ("status 502", "status 503"):
        await bury(store, application, error=error)
    one, other = await issues(store)
    ahead = [
        msgspec.structs.replace(one, note="a", version=one.version + 1),
        msgspec.structs.replace(other, note="b", version=other.version + 2),
    ]
    with pytest.raises(Stale):
        await store.put_issues(ahead)
    assert await issues(store) == [one, other]


async def test_what_expires_leaves_its_number_behind(
    store: Store, application: Application
) -> None:
    letters = await bury(store, application, 3)
    await leave(store, letters[:1], Cancelled(at_us=LATER_US, actor="ada: a test"))
    gone = await store.purge(
        [letter.message_id for letter in letters], lambda _: frozenset(Part), at_us=LATER_US
    )
    assert gone.dead_letters == 2
    found = await issue(store)
    assert (found.expired, found.expired_at_us) == (2, LATER_US)
    assert found.state is IssueState.RESOLVED
    assert await store.filed([letter.id for letter in letters]) == {}
    assert await misfits(store) == []


async def test_a_settlement_that_is_undone_leaves_the_desk_as_it_was(
    store: Store, application: Application
) -> None:
    item = make_acceptance(application)
    await store.accept([item])
    death = changed(item.deliveries[0], Failed(at_us=START_US, chance=0.5, error="status 500"))

    def refuse(written: list[bool]) -> Aftermath:
        return Aftermath(resource=msgspec.structs.replace(application, version=99))

    with pytest.raises(Stale):
        await store.settle_with([death], refuse)
    assert (await issues(store), await misfits(store)) == ([], [])


async def test_a_death_that_is_settled_twice_is_counted_once(
    store: Store, application: Application
) -> None:
    item = make_acceptance(application)
    await store.accept([item])
    death = changed(item.deliveries[0], Failed(at_us=START_US, chance=0.5, error="status 500"))
    assert await store.settle([death]) == [True]
    assert await store.settle([death]) == [True]
    assert (await issue(store)).deaths == 1


async def test_issues_are_read_page_by_page(store: Store, application: Application) -> None:
    letters = await bury(store, application, 5)
    found = await issue(store)
    read: list[Filed] = []
    after: str | None = None
    while page := await store.letters(LetterFilter(issue_id=found.id), Page(limit=2, after=after)):
        read += page
        after = f"{page[-1].message_id}.{page[-1].endpoint_id}"
    assert [one.message_id for one in read] == sorted(letter.message_id for letter in letters)
    which = LetterFilter(issue_id=found.id)
    last = f"{read[-1].message_id}.{read[-1].endpoint_id}"
    backwards = await store.letters(which, Page(limit=2, descending=True, after=last))
    assert backwards == read[-2:-4:-1]


async def test_only_issues_that_are_not_done_with_are_unresolved(
    store: Store, application: Application
) -> None:
    for n, error in enumerate(("status 500", "status 502", "status 503")):
        await bury(store, application, error=error, at_us=START_US + n * 60 * SECOND_US)
    first, second, third = await issues(store)
    done = decided(second, IssueState.RESOLVED, by="ada", note=None, at_us=LATER_US)
    await store.put_issues([msgspec.structs.replace(done, version=done.version + 1)])
    assert await store.unresolved_issues(ALL) == [first, third]
    assert await store.unresolved_issues(Page(limit=1, after=first.id)) == [third]


async def test_the_audit_names_a_dead_letter_outside_of_every_issue_and_a_place_of_none(
    store: Store, application: Application, plant: Plant
) -> None:
    [unfiled] = await bury(store, application)
    [misfiled] = await bury(store, application)
    await plant.remove("dead_letters", unfiled.id)
    await plant.remove("history", misfiled.id)
    assert await misfits(store) == sorted(
        [(unfiled.id, "unfiled"), (misfiled.id, "misfiled"), (misfiled.id, "unaccounted")]
    )


async def test_deliveries_are_read_by_their_ids_wherever_they_stand(
    store: Store, application: Application
) -> None:
    [dead] = await bury(store, application)
    item = make_acceptance(application)
    await store.accept([item])
    ids = [dead.id, item.deliveries[0].id, DeliveryId("msg_none", "ep_none")]
    assert await store.deliveries_by_ids(ids) == {
        dead.id: dead,
        item.deliveries[0].id: item.deliveries[0],
    }
    assert aged(dead).id in ids
