"""Every delivery's life is read again: good ones say nothing, and each planted wrong is named."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from copy import copy

import msgspec
import pytest

from homing.core.identifiers import made_at_us
from homing.core.lifecycle import State
from homing.core.queries import LogCursor, LoggedEntry, Span
from homing.core.records import LogEntry
from homing.core.retention import Purged
from homing.service.keeping import Round
from homing.service.log_check import LogCheck, check_log
from homing.sim.world import World
from homing.store.memory.store import MemoryStore

replace = msgspec.structs.replace


@pytest.fixture(scope="module")
def lived() -> MemoryStore:
    """A store in which much has happened, a resend of what was delivered among it."""
    for seed in range(1, 60):
        world = World(seed)
        assert not world.run().breaches
        if any(one and is_second_life(one) for one in world.store.lines):
            return world.store
    raise AssertionError("nothing that was delivered was ever resent")


def is_second_life(line: LogEntry) -> bool:
    return line.op == "resent" and line.from_state is State.DELIVERED and line.rows_written == 1


@pytest.fixture
def store(lived: MemoryStore) -> MemoryStore:
    """A copy that may be spoilt."""
    spoilt = copy(lived)
    for name in ("hot", "history", "attempted", "resources", "accepted"):
        setattr(spoilt, name, dict(getattr(lived, name)))
    spoilt.lines = list(lived.lines)
    return spoilt


def checked(store: MemoryStore, span: Span = Span(), **given: int) -> LogCheck:  # noqa: B008
    return asyncio.run(check_log(store, span, look_every_s=0.0, **given))


def named(found: LogCheck) -> set[str]:
    return {breach.invariant for breach in found.breaches}


def change_line(store: MemoryStore, of: str, **fields: object) -> None:
    at = next(i for i, one in enumerate(store.lines) if one and one.op == of and one.rows_written)
    line = store.lines[at]
    assert line is not None
    store.lines[at] = replace(line, **fields)


def without_a_version(store: MemoryStore) -> None:
    which, row = next(iter(store.history.items()))
    store.history[which] = replace(row, version=row.version + 1)


def without_the_fence(store: MemoryStore) -> None:
    change_line(store, "succeeded", version_before=40, version_after=41)


def without_the_table(store: MemoryStore) -> None:
    change_line(store, "succeeded", op="resumed")


def without_numbers(store: MemoryStore) -> None:
    change_line(store, "succeeded", lease_epoch=17)


def without_a_name(store: MemoryStore) -> None:
    at, line = next((i, one) for i, one in enumerate(store.lines) if one and is_second_life(one))
    store.lines[at] = replace(line, actor=None)


def without_a_due_time(store: MemoryStore) -> None:
    which, row = next(iter(store.history.items()))
    del store.history[which]
    store.hot[which] = replace(row, state=State.WAITING, finished_at_us=None)


def without_an_attempt(store: MemoryStore) -> None:
    decided = {one.attempt_id for one in store.lines if one and one.rows_written}
    del store.attempted[next(name for name in store.attempted if name[1] in decided)]


PLANTED: dict[str, Callable[[MemoryStore], None]] = {
    "row_is_its_last_line": without_a_version,
    "no_stale_write": without_the_fence,
    "every_step_is_legal": without_the_table,
    "leases_are_numbered": without_numbers,
    "the_end_is_final": without_a_name,
    "unfinished_is_due": without_a_due_time,
    "every_decision_has_its_attempt": without_an_attempt,
}


@pytest.mark.parametrize("held_max", [1, 7, 100_000])
def test_good_lives_are_good_however_many_are_held_at_once(
    store: MemoryStore, held_max: int
) -> None:
    found = checked(store, held_max=held_max)
    assert (found.breaches, found.deliveries) == ([], len(store.history) + len(store.hot))
    assert found.lines == len(store.lines)


@pytest.mark.parametrize("held_max", [1, 3, 100_000])
@pytest.mark.parametrize("invariant", PLANTED)
def test_what_was_planted_is_named(store: MemoryStore, invariant: str, held_max: int) -> None:
    PLANTED[invariant](store)
    assert invariant in named(checked(store, held_max=held_max))


def test_a_span_is_of_acceptance(store: MemoryStore) -> None:
    names = sorted({which.message_id for which in store.history})
    middle = made_at_us(names[len(names) // 2])
    early, late = checked(store, Span(until_us=middle)), checked(store, Span(since_us=middle))
    assert early.deliveries > 0
    assert late.deliveries > 0
    assert early.deliveries + late.deliveries == len(store.history) + len(store.hot)


def test_no_more_are_named_than_asked_for(store: MemoryStore) -> None:
    for which, row in store.history.items():
        store.history[which] = replace(row, version=row.version + 1)
    found = checked(store, named_max=3)
    assert len(found.breaches) == 3
    assert found.count == len(store.history)


def test_attempts_that_were_purged_are_not_missed(store: MemoryStore) -> None:
    store.attempted.clear()
    assert "every_decision_has_its_attempt" in named(checked(store))
    kept = Round(scope="", id="round", created_at_us=0, updated_at_us=0, purged=Purged(attempts=9))
    store.resources[Round.kind, "", "round"] = kept
    assert named(checked(store)) == set()


def test_the_log_is_read_once_however_few_are_held(store: MemoryStore) -> None:
    class Counting(MemoryStore):
        """Counts the lines that it shows."""

        shown = 0

        async def log(
            self, cursor: LogCursor, *, limit: int, app_id: str | None = None
        ) -> list[LoggedEntry]:
            found = await super().log(cursor, limit=limit, app_id=app_id)
            self.shown += len(found)
            return found

    counting = Counting()
    vars(counting).update(vars(store))
    assert checked(counting, held_max=1).breaches == []
    assert counting.shown == len(store.lines)


def test_of_a_span_the_log_is_not_read_from_its_beginning(store: MemoryStore) -> None:
    """Unless a life is not found whole in what was read: then nothing wrong is said of it."""
    asked: list[LogCursor] = []

    class Asked(MemoryStore):
        async def log(
            self, cursor: LogCursor, *, limit: int, app_id: str | None = None
        ) -> list[LoggedEntry]:
            if limit > 1:
                asked.append(cursor)
            return await super().log(cursor, limit=limit, app_id=app_id)

    late = Asked()
    vars(late).update(vars(store))
    # As if the older half had happened an hour earlier.
    names = sorted({which.message_id for which in store.history})
    middle_us = made_at_us(names[len(names) // 2])
    old = [one.at_us < middle_us for one in store.lines if one]
    late.lines = [
        replace(one, at_us=one.at_us - 3_600_000_000) if one and is_old else one
        for one, is_old in zip(store.lines, old, strict=True)
    ]
    whole = checked(late, Span(since_us=middle_us))
    assert whole.deliveries > 0
    assert whole.breaches == []
    assert asked[0] > LogCursor()


def test_a_row_whose_line_is_shown_later_is_waited_for(store: MemoryStore) -> None:
    class Slow(MemoryStore):
        """Shows the last line only when it is asked again."""

        asked = 0

        async def log(
            self, cursor: LogCursor, *, limit: int, app_id: str | None = None
        ) -> list[LoggedEntry]:
            self.asked += 1
            found = await super().log(cursor, limit=limit, app_id=app_id)
            return found[:-1] if self.asked == 1 else found

    slow = Slow()
    vars(slow).update(vars(store))
    assert checked(slow).breaches == []
    assert slow.asked > 1
