"""The transition table, whole."""

from __future__ import annotations

import itertools
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.making import HOLDER, SECOND_US, START_US, make_delivery

from homing.core.errors import IllegalTransition
from homing.core.lifecycle import (
    TRANSITIONS,
    UNFINISHED,
    Cancelled,
    DeadReason,
    Delivery,
    Fact,
    Failed,
    Gone,
    Leased,
    Lost,
    Parked,
    Postponed,
    Redriven,
    Released,
    Resent,
    Restored,
    Resumed,
    State,
    Succeeded,
    diagram,
    step,
)
from homing.core.retry import RetryPolicy

NOW_US = START_US + 100 * SECOND_US
POLICY = RetryPolicy(delays_s=(5.0, 300.0), jitter=0.0)
FACTS: dict[type, Fact] = {
    Leased: Leased(at_us=NOW_US, holder="other:2:b", until_us=NOW_US + 60 * SECOND_US),
    Released: Released(at_us=NOW_US),
    Postponed: Postponed(at_us=NOW_US, until_us=NOW_US + 30 * SECOND_US),
    Succeeded: Succeeded(at_us=NOW_US),
    Failed: Failed(at_us=NOW_US, chance=0.5, error="status 503"),
    Gone: Gone(at_us=NOW_US, error="status 410"),
    Parked: Parked(at_us=NOW_US, reason="disabled"),
    Resumed: Resumed(at_us=NOW_US),
    Lost: Lost(at_us=NOW_US, reason=DeadReason.PAYLOAD_GONE),
    Cancelled: Cancelled(at_us=NOW_US, actor="ann: wrong customer"),
    Resent: Resent(at_us=NOW_US, actor="ann"),
    Redriven: Redriven(at_us=NOW_US, actor="ann"),
    Restored: Restored(at_us=NOW_US, actor="ann", reason=DeadReason.ATTEMPTS_EXHAUSTED),
}


def assert_coherent(delivery: Delivery) -> None:
    """What the CHECK constraints of both schemas repeat."""
    has_time = delivery.state in (State.WAITING, State.LEASED)
    assert (delivery.ready_at_us is not None) == has_time
    assert (delivery.holder is not None) == (delivery.state is State.LEASED)
    assert (delivery.finished_at_us is not None) == (delivery.state not in UNFINISHED)
    assert (delivery.resume is not None) == delivery.manual
    assert (delivery.resume_at_us is not None) == delivery.manual


def test_there_is_a_fact_of_every_kind_in_this_file() -> None:
    assert set(FACTS) == set(get_args(Fact))


@pytest.mark.parametrize(
    ("state", "kind"), list(itertools.product(State, FACTS)), ids=lambda v: getattr(v, "value", v)
)
def test_every_pair_is_legal_or_refused(state: State, kind: type) -> None:
    before = make_delivery(state=state)
    if (state, kind) not in TRANSITIONS:
        with pytest.raises(IllegalTransition, match=kind.__name__):
            step(before, FACTS[kind], POLICY)
        return
    after = step(before, FACTS[kind], POLICY)
    assert after.state in TRANSITIONS[state, kind]
    assert after.version == before.version + 1
    assert_coherent(after)


def test_every_unfinished_state_has_a_way_out_and_parked_ones_wait_for_a_person_or_the_sweep() -> (
    None
):
    for state in UNFINISHED:
        assert any(
            before is state and state not in after for (before, _), after in TRANSITIONS.items()
        )


@given(st.lists(st.tuples(st.sampled_from(list(FACTS)), st.integers(0, 3600)), max_size=60))
def test_any_life_stays_coherent_and_never_loses_its_owner_or_due_time(
    life: list[tuple[type, int]],
) -> None:
    delivery = make_delivery()
    at_us = START_US
    for kind, after_s in life:
        at_us += after_s * SECOND_US
        fields = {"at_us": at_us}
        if kind is Leased:
            fields["until_us"] = at_us + 60 * SECOND_US
        if (delivery.state, kind) in TRANSITIONS:
            delivery = step(delivery, msgspec.structs.replace(FACTS[kind], **fields), POLICY)
            assert_coherent(delivery)


def test_a_failure_waits_for_the_next_delay_of_the_schedule() -> None:
    leased = make_delivery(state=State.LEASED)
    after = step(leased, FACTS[Failed], POLICY)
    assert (after.state, after.ready_at_us) == (State.WAITING, NOW_US + 5 * SECOND_US)
    assert (after.failures, after.first_error, after.holder) == (1, "status 503", None)


def test_the_end_of_the_schedule_is_a_dead_letter_with_its_first_and_last_error() -> None:
    leased = make_delivery(state=State.LEASED, failures=2, first_error="dns_failed")
    after = step(leased, FACTS[Failed], POLICY)
    assert (after.state, after.reason) == (State.DEAD, DeadReason.ATTEMPTS_EXHAUSTED)
    assert (after.first_error, after.last_error) == ("dns_failed", "status 503")
    assert after.failures == 3


def test_retry_after_lengthens_but_never_shortens_and_never_ends_the_schedule() -> None:
    leased = make_delivery(state=State.LEASED, failures=1)
    for asked_s, expected_s in ((0.0, 300), (10.0, 300), (900.0, 900), (1e12, 86_400)):
        fact = Failed(at_us=NOW_US, chance=0.5, error="status 429", retry_after_s=asked_s)
        after = step(leased, fact, POLICY)
        assert after.ready_at_us == NOW_US + expected_s * SECOND_US


def test_a_lapsed_lease_is_leased_again_under_a_new_epoch() -> None:
    lapsed = make_delivery(state=State.LEASED, leases=1, unanswered=1)
    after = step(lapsed, FACTS[Leased], POLICY)
    assert (after.leases, after.unanswered, after.holder) == (2, 2, "other:2:b")


def test_a_delivery_that_keeps_killing_its_dispatcher_is_given_up() -> None:
    lapsed = make_delivery(state=State.LEASED, leases=5, unanswered=5)
    after = step(lapsed, FACTS[Leased], POLICY)
    assert (after.state, after.reason) == (State.DEAD, DeadReason.POISON_WORKER_CRASH)


def test_an_outcome_clears_the_count_of_leases_without_one() -> None:
    leased = make_delivery(state=State.LEASED, leases=4, unanswered=4)
    assert step(leased, FACTS[Failed], POLICY).unanswered == 0


def test_a_lease_given_back_unsent_does_not_count_against_the_delivery() -> None:
    leased = make_delivery(state=State.LEASED, leases=4, unanswered=4)
    after = step(leased, FACTS[Released], POLICY)
    assert (after.unanswered, after.ready_at_us, after.failures) == (3, NOW_US, 0)


def test_a_lowered_bound_does_not_give_up_what_was_given_back_before() -> None:
    delivery = make_delivery()
    for kind in (Leased, Leased, Leased, Released):
        delivery = step(delivery, FACTS[kind], POLICY)
    fact = msgspec.structs.replace(FACTS[Leased], unanswered_max=1)
    delivery = step(delivery, fact, POLICY)
    assert delivery.state is State.LEASED
    assert step(delivery, fact, POLICY).state is State.DEAD


@pytest.mark.parametrize("failed", [Failed, Gone, Parked, Lost, Cancelled])
def test_a_failed_resend_of_a_finished_delivery_leaves_it_as_it_was(failed: type) -> None:
    for state in (State.DELIVERED, State.DEAD, State.CANCELLED):
        before = make_delivery(state=state, reason="why", failures=3, leases=3)
        asked = step(before, FACTS[Resent], POLICY)
        assert asked.state is State.WAITING
        leased = step(asked, FACTS[Leased], POLICY)
        after = step(leased, FACTS[failed], POLICY)
        assert (after.state, after.reason, after.failures, after.finished_at_us) == (
            state,
            "why",
            3,
            before.finished_at_us,
        )


def test_a_failed_resend_does_not_cancel_or_move_the_retry_that_was_due() -> None:
    due_us = NOW_US + 7_200 * SECOND_US
    waiting = make_delivery(ready_at_us=due_us, failures=1, leases=1)
    asked = step(waiting, FACTS[Resent], POLICY)
    assert asked.ready_at_us == NOW_US
    again = step(asked, FACTS[Resent], POLICY)  # an impatient person
    leased = step(again, FACTS[Leased], POLICY)
    after = step(leased, FACTS[Failed], POLICY)
    assert (after.state, after.ready_at_us, after.failures) == (State.WAITING, due_us, 1)
    assert not after.manual


def test_a_resend_that_succeeds_delivers() -> None:
    leased = step(
        step(make_delivery(state=State.DEAD), FACTS[Resent], POLICY), FACTS[Leased], POLICY
    )
    after = step(leased, FACTS[Succeeded], POLICY)
    assert (after.state, after.reason, after.manual) == (State.DELIVERED, None, False)


def test_a_resend_whose_dispatcher_dies_five_times_goes_back_to_where_it_was() -> None:
    delivery = step(make_delivery(state=State.DELIVERED), FACTS[Resent], POLICY)
    for _ in range(6):
        delivery = step(delivery, FACTS[Leased], POLICY)
    assert delivery.state is State.DELIVERED


def test_a_resend_whose_dispatcher_dies_five_times_leaves_the_retry_that_was_due() -> None:
    due_us = NOW_US + 7_200 * SECOND_US
    delivery = make_delivery(ready_at_us=due_us, failures=1, leases=1)
    delivery = step(delivery, FACTS[Resent], POLICY)
    for _ in range(6):
        delivery = step(delivery, FACTS[Leased], POLICY)
    assert (delivery.state, delivery.ready_at_us, delivery.failures) == (State.WAITING, due_us, 1)
    assert not delivery.manual


def test_a_redriven_dead_letter_gets_the_whole_schedule_again() -> None:
    dead = make_delivery(state=State.DEAD, failures=8, unanswered=0, reason="attempts_exhausted")
    after = step(dead, FACTS[Redriven], POLICY)
    assert (after.state, after.failures, after.ready_at_us, after.reason) == (
        State.WAITING,
        0,
        NOW_US,
        None,
    )


def test_410_parks_and_a_resumed_delivery_gets_the_whole_schedule_again() -> None:
    leased = make_delivery(state=State.LEASED, failures=1, holder=HOLDER)
    parked = step(leased, FACTS[Gone], POLICY)
    assert (parked.state, parked.last_error) == (State.PARKED, "status 410")
    assert step(parked, FACTS[Resumed], POLICY).failures == 0


def test_the_diagram_has_an_arrow_for_every_transition() -> None:
    arrows = diagram().splitlines()[1:]
    assert len(arrows) == sum(len(after) for after in TRANSITIONS.values())
    assert "    leased --> delivered: Succeeded" in arrows


def test_a_lease_given_back_until_a_time_is_due_at_that_time() -> None:
    leased = make_delivery(state=State.LEASED)
    after = step(leased, Released(at_us=NOW_US, until_us=NOW_US + 5), POLICY)
    assert (after.state, after.ready_at_us, after.unanswered) == (State.WAITING, NOW_US + 5, 0)
