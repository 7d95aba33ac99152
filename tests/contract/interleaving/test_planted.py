"""The interleaver itself: without a safeguard in the SQL, some orders show the harm, and no others.

What is found, and in which orders, is asserted: a search that looked at too little would fail here.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.interleaving import Interleaver, Operation, Run
from support.making import make_acceptance, make_application, make_endpoint
from support.pairs import NOT_OK, OK, accept, claim_by, complaints, make_world, settle_by

from homing.core.lifecycle import State
from homing.core.records import Accepted
from homing.core.store import Store
from homing.store.postgres import database
from homing.store.sqlite import bulk

Change = Callable[[str, str], None]


@pytest.fixture
def change_postgres(monkeypatch: pytest.MonkeyPatch) -> Change:
    """Replace words in every statement of PostgreSQL that has them."""

    def change(old: str, new: str) -> None:
        changed = {name: sql.replace(old, new) for name, sql in database.QUERIES.items()}
        assert changed != database.QUERIES, old
        monkeypatch.setattr(database, "QUERIES", changed)

    return change


def broken(sides: Interleaver, run: Run) -> bool:
    return bool(sides.side.call(complaints(sides.side.store)))


async def two_outcomes(store: Store) -> tuple[Operation, Operation]:
    world = await make_world(store)
    return settle_by("A", (world.delivery, NOT_OK)), settle_by("B", (world.delivery, OK))


def commits_first(run: Run, side: str) -> bool:
    """Whether this side's last statement came before the other's."""
    return not run.order.endswith(side)


def test_without_the_fence_postgresql_lets_a_late_outcome_overwrite_another(
    postgres_sides: Interleaver, change_postgres: Change
) -> None:
    change_postgres("AND version = a.version - 1", "")
    runs = [(run, broken(postgres_sides, run)) for run in postgres_sides.every(two_outcomes)]
    # A failure leaves the row in the hot table, where the late success finds it; not vice versa.
    assert [was_broken for _, was_broken in runs] == [commits_first(run, "A") for run, _ in runs]
    assert {was_broken for _, was_broken in runs} == {True, False}


def test_without_the_fence_sqlite_lets_a_late_outcome_overwrite_another(
    sqlite_sides: Interleaver, monkeypatch: pytest.MonkeyPatch
) -> None:
    fenced = bulk._SQL["take_deliveries"]
    bare = fenced.replace(
        "(message_id, endpoint_id, version) IN (SELECT * FROM (VALUES (?, ?, ?)))",
        "(message_id, endpoint_id) IN "
        "(SELECT column1, column2 FROM (SELECT * FROM (VALUES (?, ?, ?))))",
    )
    assert bare != fenced
    monkeypatch.setattr(bulk, "_SQL", {**bulk._SQL, "take_deliveries": bare})
    bulk._widened.cache_clear()
    try:
        runs = [(run, broken(sqlite_sides, run)) for run in sqlite_sides.every(two_outcomes)]
    finally:
        bulk._widened.cache_clear()
    assert [was_broken for _, was_broken in runs] == [commits_first(run, "A") for run, _ in runs]
    assert {was_broken for _, was_broken in runs} == {True, False}


async def two_claims(store: Store) -> tuple[Operation, Operation]:
    await make_world(store, state=State.WAITING)
    return claim_by("A"), claim_by("B")


def test_without_the_lock_the_fence_alone_keeps_two_claims_apart(
    postgres_sides: Interleaver, change_postgres: Change
) -> None:
    change_postgres("FOR UPDATE OF one SKIP LOCKED", "")
    for run in postgres_sides.every(two_claims):
        assert not broken(postgres_sides, run), run
        assert sum(len(claimed) for claimed in run.results.values()) == 1, run


def test_without_lock_and_fence_a_delivery_is_leased_twice_when_both_looked_before_either_wrote(
    postgres_sides: Interleaver, change_postgres: Change
) -> None:
    change_postgres("FOR UPDATE OF one SKIP LOCKED", "")
    change_postgres("AND version = a.version - 1", "")
    both = set()
    for run in postgres_sides.every(two_claims):
        twice = all(run.results.values())
        assert broken(postgres_sides, run) == twice, run
        statements = [turn.statement for turn in run.turns]
        looked = [n for n, words in enumerate(statements) if words == "due_deliveries"]
        ended = [n for n, words in enumerate(statements) if words == "commit"]
        both_looked = len(looked) == 2 and max(looked) < min(ended)
        # The place in which a row was found is a fence too: who waits for it finds it moved.
        assert twice == (both_looked and not run.waited), run
        both.add(twice)
    assert both == {True, False}


def test_without_the_version_of_the_fan_out_a_new_endpoint_is_passed_over(
    postgres_sides: Interleaver, change_postgres: Change
) -> None:
    change_postgres("SELECT id, version FROM resources", "SELECT id, given.version FROM resources")

    async def prepare(store: Store) -> tuple[Operation, Operation]:
        application = make_application()
        await store.put(application)
        endpoint = make_endpoint(application.id)
        item = make_acceptance(application)
        return accept(item), lambda store: store.put(endpoint, touch=application.id)

    passed_over = [
        run
        for run in postgres_sides.every(prepare)
        if run.is_before("B", "A") and run.results["A"] == [Accepted()]
    ]
    assert [run.order for run in passed_over] == ["BBBAAA"]


def test_who_waits_for_a_lock_is_noted_and_the_other_goes_on(sides: Interleaver) -> None:
    waited = [words for run in sides.every(two_outcomes) for words in run.waited]
    assert waited
