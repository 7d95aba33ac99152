"""The life of a delivery as a person reads it."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.making import (
    SECOND_US,
    START_US,
    FakeClock,
    make_attempt,
    make_delivery,
)

from homing.core.journal import Journal
from homing.core.lifecycle import DeadReason, Delivery, Fact, Failed, Leased, Resent, State, step
from homing.core.outcome import Opening, Reason
from homing.core.records import Attempt, LogEntry
from homing.core.retry import RetryPolicy, next_attempt_at_us
from homing.insight.timeline import (
    dead_words,
    may_have_left,
    reason_words,
    timeline,
    to_come,
    waterfall,
)

POLICY = RetryPolicy(delays_s=(10.0, 100.0), jitter=0.1)


def test_a_life_is_told_from_its_lines_and_attempts_together() -> None:
    clock = FakeClock()
    journal = Journal(clock, "host:1:a")
    born = make_delivery(state=State.LEASED)
    lines: list[LogEntry] = [journal.accepted(born)]
    attempts: list[Attempt] = []
    row = born
    for fact in (
        Failed(at_us=START_US, chance=0.5, error="status 500"),
        Resent(at_us=START_US, actor="Ada"),
        Leased(at_us=START_US, holder="h", until_us=START_US * 2),
        Failed(at_us=START_US, chance=0.5, error="status 500"),
    ):
        clock.advance(1)
        attempt = None
        if isinstance(fact, Failed):
            attempt = make_attempt(
                row, at_us=clock.now_us(), reason=Reason.STATUS, status=500, number=row.leases
            )
            attempts.append(attempt)
        actor = "Ada" if isinstance(fact, Resent) else None
        change = journal.decide(row, fact, POLICY, attempt=attempt, actor=actor)
        row = change.after
        if not isinstance(fact, Leased):  # a claim is routine: it is not among the lines
            lines.append(change.entry)
    last = make_attempt(row, at_us=clock.now_us() + SECOND_US, number=3)

    told = timeline(row, lines, [last, *attempts])
    assert [(one.title, one.actor) for one in told] == [
        ("Accepted", None),
        ("Attempt 1: status 500", None),
        ("Resend asked for", "Ada"),
        ("Attempt 2: status 500", None),
        ("Attempt 3: status 200", None),
    ]
    assert told[1].attempt == attempts[0]
    assert told[1].next_us == START_US + 10 * SECOND_US
    assert told[-1].tone == "good"


def test_what_is_beyond_its_retention_is_said() -> None:
    [told] = timeline(make_delivery(), [], [])
    assert told.title == "Accepted"
    assert "retention" in told.about


@pytest.mark.parametrize("reason", list(Reason))
def test_every_attempt_has_words_and_stages_that_add_up(reason: Reason) -> None:
    assert reason_words(reason)
    answered = reason in (Reason.OK, Reason.STATUS, Reason.IDLE_TIMEOUT)
    attempt = make_attempt(
        reason=reason,
        status=200 if answered else None,
        first_byte_us=700 if answered else None,
        total_us=1_000,
        opening=Opening(100, 250, 500),
    )
    stages = waterfall(attempt)
    if not stages:
        assert reason in (Reason.URL_INVALID, Reason.SIGN_FAILED, Reason.NO_OUTCOME)
        return
    assert stages[0].begin_us == 0
    assert stages[-1].end_us == 1_000
    assert all(a.end_us == b.begin_us for a, b in itertools.pairwise(stages))
    assert [one.failed for one in stages[:-1]] == [False] * (len(stages) - 1)
    assert stages[-1].failed is (reason not in (Reason.OK, Reason.STATUS))


def test_the_stages_of_a_first_request_and_of_one_on_an_open_connection() -> None:
    first = make_attempt(opening=Opening(100, 250, 500), first_byte_us=700, total_us=1_000)
    assert [(one.name, one.end_us - one.begin_us) for one in waterfall(first)] == [
        ("Look-up", 100),
        ("Connect", 150),
        ("TLS", 250),
        ("Waiting for the answer", 200),
        ("Reading the answer", 300),
    ]
    kept = msgspec.structs.replace(first, opening=None)
    assert [one.name for one in waterfall(kept)] == ["Waiting for the answer", "Reading the answer"]
    refused = make_attempt(
        reason=Reason.CONNECT_REFUSED, opening=Opening(100), first_byte_us=None, total_us=180
    )
    assert [(one.name, one.failed) for one in waterfall(refused)] == [
        ("Look-up", False),
        ("Connect", True),
    ]


def test_every_reason_for_a_death_has_words() -> None:
    assert all(dead_words(reason) != str(reason) for reason in DeadReason)
    assert dead_words(None)


@given(
    delays=st.lists(st.integers(0, 10_000), max_size=8),
    chances=st.lists(st.floats(0, 1, exclude_max=True), min_size=9, max_size=9),
)
def test_the_retries_come_when_it_was_said(delays: list[int], chances: list[float]) -> None:
    """Fail each attempt at the moment that it was due: the next lies where it was announced."""
    policy = RetryPolicy(delays_s=tuple(float(one) for one in delays), jitter=0.2)
    row = make_delivery(state=State.WAITING, ready_at_us=START_US)
    planned = to_come(row, policy)
    assert len(planned) == len(delays) + 1
    for place, plan in enumerate(planned):
        assert row.ready_at_us is not None
        assert plan.earliest_us - 1 <= row.ready_at_us <= plan.latest_us + 1
        assert plan.number == place + 1
        assert plan.is_last is (place == len(delays))
        left = to_come(row, policy)
        assert len(left) == len(planned) - place
        if len(left) > 1:
            spread_us = left[1].latest_us - left[1].earliest_us
            assert abs(spread_us - 0.4 * delays[place] * 1_000_000) <= 2
        row = _failed(row, policy, chances[place])
    assert row.state is State.DEAD
    assert to_come(row, policy) == []


def _failed(row: Delivery, policy: RetryPolicy, chance: float) -> Delivery:
    at_us = row.ready_at_us or 0
    facts: list[Fact] = [
        Leased(at_us=at_us, holder="h", until_us=at_us + SECOND_US),
        Failed(at_us=at_us, chance=chance, error="no"),
    ]
    for fact in facts:
        row = step(row, fact, policy)
    return row


def test_a_resend_comes_first_and_moves_nothing() -> None:
    due_us = START_US + 50 * SECOND_US
    row = make_delivery(state=State.WAITING, ready_at_us=due_us, leases=1, failures=1)
    after = step(row, Resent(at_us=START_US, actor="Ada"), POLICY)
    first, second, *_ = to_come(after, POLICY)
    assert (first.number, first.earliest_us, first.is_last) == (2, START_US, False)
    assert (second.number, second.earliest_us) == (3, due_us)
    assert next_attempt_at_us(POLICY, 1, due_us, 0.5, None) == due_us + 100 * SECOND_US


@pytest.mark.parametrize(
    ("reason", "left"),
    [
        (Reason.OK, True),
        (Reason.RESET, True),
        (Reason.NO_OUTCOME, True),
        (Reason.DNS_FAILED, False),
        (Reason.CONNECT_REFUSED, False),
        (Reason.TLS_FAILED, False),
        (Reason.SIGN_FAILED, False),
    ],
)
def test_a_request_that_nobody_can_have_got_is_known(reason: Reason, left: bool) -> None:
    row = make_delivery(state=State.LEASED)
    attempt = make_attempt(row, at_us=START_US, reason=reason, status=None, number=1)
    assert may_have_left(attempt) is left
