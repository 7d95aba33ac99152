"""Every checker is shown the bug that it is for, and must name it."""

from __future__ import annotations

import asyncio
import inspect
import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from homing.core.identifiers import DeliveryId
from homing.core.lifecycle import DeadReason, State
from homing.core.outcome import Reason
from homing.core.queries import LedgerRow, Misfit
from homing.core.records import Attempt, LogEntry
from homing.dispatch.loop import Dispatcher
from homing.insight import invariants, promises, steps, witnessed
from homing.insight.evidence import Books, Sent
from homing.sim.node import Parts
from homing.sim.result import TINY, Result
from homing.sim.world import World
from homing.store.memory.store import MemoryStore

replace = msgspec.structs.replace


def make_books() -> Books:
    """Those of a world that went well, and in which much happened."""
    world = World(5)
    kept: list[Books] = []
    collect = world.books

    async def keep() -> Books:
        kept.append(await collect())
        return kept[-1]

    world.books = keep  # type: ignore[method-assign]
    assert not world.run().breaches
    return kept[-1]


@pytest.fixture(scope="module")
def books() -> Books:
    found = make_books()
    assert len(found.promised) > 20
    assert any(row.state is State.DELIVERED for row in found.history.values())
    return found


def named(books: Books) -> set[str]:
    return {breach.invariant for breach in promises.breaches(books, at_rest=True)}


def test_good_books_are_good(books: Books) -> None:
    assert named(books) == set()


def without_a_row(books: Books) -> Books:
    which = next(iter(books.promised))
    rest = {name: row for name, row in books.history.items() if name != which}
    return replace(books, history=rest, hot={k: v for k, v in books.hot.items() if k != which})


def with_a_row_twice(books: Books) -> Books:
    which, row = next(iter(books.history.items()))
    waiting = replace(row, state=State.WAITING, ready_at_us=1, finished_at_us=None)
    return replace(books, hot={**books.hot, which: waiting})


def with_a_row_of_no_due_time(books: Books) -> Books:
    which, row = next(iter(books.history.items()))
    hot = {**books.hot, which: replace(row, state=State.WAITING, finished_at_us=None)}
    return replace(books, hot=hot, history={k: v for k, v in books.history.items() if k != which})


def written_line(books: Books, op: str) -> tuple[int, LogEntry]:
    return next((i, line) for i, line in enumerate(books.lines) if line.op == op)


def with_a_line(books: Books, after: int, line: LogEntry) -> Books:
    lines = [*books.lines[: after + 1], line, *books.lines[after + 1 :]]
    return replace(books, lines=lines)


def with_a_stale_write(books: Books) -> Books:
    at, line = written_line(books, "succeeded")
    return with_a_line(books, at, replace(line, holder="another"))


def with_an_illegal_step(books: Books) -> Books:
    at, line = written_line(books, "succeeded")
    wrong = replace(line, to_state=State.PARKED)
    return replace(books, lines=[*books.lines[:at], wrong, *books.lines[at + 1 :]])


def with_a_row_that_the_log_knows_otherwise(books: Books) -> Books:
    which, row = next(iter(books.history.items()))
    return replace(books, history={**books.history, which: replace(row, version=row.version + 1)})


def with_two_holders_of_one_lease(books: Books) -> Books:
    at, line = next((i, one) for i, one in enumerate(books.lines) if one.to_state is State.LEASED)
    return with_a_line(books, at, replace(line, holder="another"))


def with_a_request_twice(books: Books) -> Books:
    return replace(books, sent=[*books.sent, books.sent[0]])


def with_a_request_without_lease(books: Books) -> Books:
    return replace(books, sent=[*books.sent, replace(books.sent[0], epoch=99)])


def with_a_success_that_nobody_gave(books: Books) -> Books:
    which = next(k for k, row in books.history.items() if row.state is State.DELIVERED)
    return replace(books, sent=[one for one in books.sent if one.delivery != which])


def with_a_decision_called_late(books: Books) -> Books:
    decided = {line.attempt_id for line in books.lines if line.rows_written}
    at, one = next((i, a) for i, a in enumerate(books.attempts) if a.id in decided)
    attempts = [*books.attempts[:at], replace(one, late=True), *books.attempts[at + 1 :]]
    return replace(books, attempts=attempts)


def with_a_lease_number_skipped(books: Books) -> Books:
    at, line = written_line(books, "leased")
    wrong = replace(line, lease_epoch=line.lease_epoch + 1)
    return replace(books, lines=[*books.lines[:at], wrong, *books.lines[at + 1 :]])


def with_an_end_undone_in_nobody_s_name(books: Books) -> Books:
    end = next(one for one in books.lines if one.to_state is State.DELIVERED)
    again = replace(
        end,
        op="resent",
        from_state=State.DELIVERED,
        to_state=State.WAITING,
        version_before=end.version_after,
        version_after=end.version_after + 1,
        actor=None,
    )
    return replace(books, lines=[*books.lines, again])


def with_a_decision_whose_attempt_is_gone(books: Books) -> Books:
    line = next(one for one in books.lines if one.rows_written and one.attempt_id)
    return replace(books, attempts=[a for a in books.attempts if a.id != line.attempt_id])


def with_one_given_up_early(books: Books) -> Books:
    which, row = next(iter(books.history.items()))
    dead = replace(row, state=State.DEAD, reason=DeadReason.ATTEMPTS_EXHAUSTED)
    return replace(books, history={**books.history, which: dead})


def with_one_put_off_for_years(books: Books) -> Books:
    at, line = written_line(books, "failed")
    far = replace(line, to_state=State.WAITING, ready_at_us=line.at_us + 10**15)
    return replace(books, lines=[*books.lines[:at], far, *books.lines[at + 1 :]])


def with_one_left_waiting(books: Books) -> Books:
    which, row = next(iter(books.history.items()))
    waiting = replace(row, state=State.WAITING, ready_at_us=1, finished_at_us=None)
    rest = {name: other for name, other in books.history.items() if name != which}
    return replace(books, hot={**books.hot, which: waiting}, history=rest)


def with_an_answer_forgotten(books: Books) -> Books:
    one = next(one for one in books.sent if one.answered)
    return replace(books, attempts=[a for a in books.attempts if not _is_of(a, one)])


def _is_of(attempt: Attempt, one: Sent) -> bool:
    return (attempt.message_id, attempt.endpoint_id) == one.delivery


def with_a_line_that_no_follower_saw(books: Books) -> Books:
    return replace(books, followed=set(list(books.followed or ())[1:]))


PLANTED: list[tuple[Callable[[Books], Books], str]] = [
    (without_a_row, "nothing_is_lost"),
    (with_a_row_twice, "nothing_is_doubled"),
    (with_a_row_of_no_due_time, "unfinished_is_due"),
    (with_a_stale_write, "no_stale_write"),
    (with_an_illegal_step, "every_step_is_legal"),
    (with_a_row_that_the_log_knows_otherwise, "row_is_its_last_line"),
    (with_two_holders_of_one_lease, "one_holder_per_lease"),
    (with_a_request_twice, "every_send_is_written_ahead"),
    (with_a_request_without_lease, "every_send_is_written_ahead"),
    (with_a_success_that_nobody_gave, "delivered_means_2xx"),
    (with_a_decision_called_late, "nothing_called_late_was_written"),
    (with_a_lease_number_skipped, "leases_are_numbered"),
    (with_an_end_undone_in_nobody_s_name, "the_end_is_final"),
    (with_a_decision_whose_attempt_is_gone, "every_decision_has_its_attempt"),
    (with_one_given_up_early, "dead_only_when_exhausted"),
    (with_one_put_off_for_years, "due_within_reach"),
    (with_one_left_waiting, "everything_comes_to_its_end"),
    (with_an_answer_forgotten, "every_answer_is_recorded"),
    (with_an_answer_forgotten, "every_2xx_leaves_a_trace"),
    (with_a_line_that_no_follower_saw, "followers_see_every_line"),
]


@pytest.mark.parametrize(
    ("plant", "invariant"), PLANTED, ids=[f"{p.__name__}-{name}" for p, name in PLANTED]
)
def test_a_planted_bug_is_named(
    plant: Callable[[Books], Books], invariant: str, books: Books
) -> None:
    assert invariant in named(plant(books))


def test_one_look_at_a_line_or_a_row_sees_what_the_single_ones_see(books: Books) -> None:
    draw = random.Random(4)
    last: dict[tuple[str, str], LogEntry] = {}
    wrong = 0
    for line in [one for one in books.lines if one.rows_written]:
        before = last.get((line.message_id, line.endpoint_id))
        other = replace(
            line,
            version_before=line.version_before + draw.choice((0, 0, 0, 1)),
            version_after=line.version_after + draw.choice((0, 0, 0, 1)),
            lease_epoch=line.lease_epoch + draw.choice((0, 0, 0, 1, -1)),
            to_state=draw.choice((line.to_state, line.to_state, *State)),
            actor=draw.choice((line.actor, None)),
        )
        looks = (steps.stale, steps.illegal, steps.skipping)
        found = [look(before, other) for look in looks]
        is_fine = not any(found) and steps.nameless(other) is None
        assert steps.follows(before, other) == is_fine, other
        wrong += not is_fine
        last[line.message_id, line.endpoint_id] = line
        row = books.row(DeliveryId(line.message_id, line.endpoint_id))
        assert row is not None
        row = replace(
            row,
            version=line.version_after + draw.choice((0, 0, 0, 1)),
            state=draw.choice((line.to_state, line.to_state, *State)),
            ready_at_us=draw.choice((row.ready_at_us, None, 1)),
            holder=draw.choice((row.holder, None, "somebody")),
            finished_at_us=draw.choice((row.finished_at_us, None, 1)),
        )
        said = steps.unlike(row, line) or steps.misshapen(row, hot=row.is_unfinished)
        assert steps.is_what(row, line) == (said is None), row
    assert wrong > 20


def test_every_invariant_keeps_a_promise() -> None:
    found = {
        name
        for module in (invariants, witnessed)
        for name, one in vars(module).items()
        if inspect.isfunction(one) and one.__module__ == module.__name__ and name[0] != "_"
    }
    found.remove(witnessed.more_2xx_than_attempts.__name__)  # the same as one of the others
    assert found == promises.PROMISE_OF.keys()
    assert set(promises.PROMISE_OF.values()) <= promises.PROMISES.keys()


def test_a_2xx_without_an_attempt_is_found_by_numbers_alone() -> None:
    one, other = DeliveryId("msg_1", "ep_1"), DeliveryId("msg_2", "ep_1")
    [breach] = witnessed.more_2xx_than_attempts({one: 2, other: 1}, {one: 1, other: 3})
    assert (breach.invariant, breach.delivery) == ("every_2xx_leaves_a_trace", one)


def test_every_invariant_has_a_planted_bug() -> None:
    invariants = {one.__name__ for one in (*promises.AT_ANY_MOMENT, *promises.AT_REST)}
    assert invariants == {invariant for _, invariant in PLANTED}


def test_books_that_do_not_balance_are_named() -> None:
    row = LedgerRow(endpoint_id="ep_1", app_id="app_1", window_at_us=0, accepted=3, delivered=2)
    misfit = Misfit(delivery=DeliveryId("msg_1", "ep_1"), kind="unaccounted")
    assert len(invariants.ledger_balances([row], [misfit])) == 2
    assert not invariants.ledger_balances([replace(row, dead=1)], [])


# --- planted in a world that runs ---


def broken_by(parts: Parts) -> set[str]:
    found: set[str] = set()
    for seed in range(1, 40):
        found |= {
            breach.invariant for breach in World(seed, parts=parts, shape=TINY).run().breaches
        }
    return found


class Losing(MemoryStore):
    """Forgets each retry of a delivery's first failure."""

    async def settle(self, changes: Any) -> list[bool]:
        written = await super().settle(changes)
        for change in changes:
            if change.after.state is State.WAITING and change.after.failures == 1:
                self.hot.pop(change.id, None)
        return written


class Repeating(MemoryStore):
    """Records each outcome twice."""

    async def settle(self, changes: Any) -> list[bool]:
        written = await super().settle(changes)
        for change, done in zip(changes, written, strict=True):
            if change.attempt is not None and done:
                self.lines.append(change.entry)
        return written


class Raising(Dispatcher):
    """Has a bug in the place where attempts are made."""

    def _obstacle(self, work: Any) -> Any:
        raise KeyError("a bug")


class Orphaning(Dispatcher):
    """Begins something, and does not look what comes of it."""

    async def _attend(self, work: Any) -> None:
        async def fail() -> None:
            raise KeyError("unseen")

        asyncio.create_task(fail())  # noqa: RUF006
        await super()._attend(work)


@pytest.mark.parametrize(
    ("parts", "invariants"),
    [
        (Parts(store=Losing), {"nothing_is_lost", "ledger_balances"}),
        (Parts(store=Repeating), {"no_stale_write", "every_step_is_legal"}),
        (Parts(dispatcher=Raising), {"no_part_fails"}),
        (Parts(dispatcher=Orphaning), {"no_part_fails"}),
    ],
    ids=["a loss", "an outcome recorded twice", "an error inside", "an orphan"],
)
def test_a_bug_planted_in_a_part_is_named(parts: Parts, invariants: set[str]) -> None:
    assert invariants <= broken_by(parts)


def test_receivers_and_publishers_are_asked_and_not_only_the_store() -> None:
    """A store that says delivered of what was never sent: only the receiver's side can tell."""

    class Boasting(Dispatcher):
        async def _attempt_or_not(self, work: Any) -> None:
            sender, self._sender = self._sender, _AlwaysOk()  # type: ignore[assignment]
            try:
                await super()._attempt_or_not(work)
            finally:
                self._sender = sender

    assert "delivered_means_2xx" in broken_by(Parts(dispatcher=Boasting))


class _AlwaysOk:
    async def send(self, request: Any) -> Any:
        from homing.core.outcome import Outcome

        return Outcome(reason=Reason.OK, status=200)


def test_what_is_counted_is_what_happened() -> None:
    result: Result = World(5).run()
    assert result.attempts > result.deliveries / 2
    assert result.deliveries > 20
