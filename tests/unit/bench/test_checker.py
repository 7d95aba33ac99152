"""The checker tells what was lost from what is not known, and takes no run for more than it shows.

Every kind of fault that it is there for is planted here and must be named.
"""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.chaos.checker import Fate, History, Tally, check

#: what happened in a run in which nothing is wrong: three deliveries, accepted and received once
GOOD = History(
    sent={1: Fate.OK, 2: Fate.OK, 3: Fate.OK},
    received={1: 1, 2: 1, 3: 1},
    operations={"publish": Tally(invoke=3, ok=3), "kill": Tally(invoke=1, ok=1)},
)


def but(**changes: object) -> History:
    """The good run with something else in it."""
    return msgspec.structs.replace(GOOD, **changes)


def test_what_was_accepted_and_received_is_valid() -> None:
    verdict = check(GOOD)
    assert verdict.valid is True
    assert verdict.problems == verdict.doubts == []
    assert verdict.figures["ok"] == 3


def test_what_was_accepted_and_not_received_is_lost_and_named() -> None:
    verdict = check(but(received={1: 1, 3: 1}))
    assert verdict.valid is False
    assert verdict.figures["lost"] == 1
    assert verdict.problems == ["1 (such as 2) lost: accepted, but neither received nor dead"]


def test_what_was_received_and_never_sent_is_unexpected() -> None:
    verdict = check(but(received={1: 1, 2: 1, 3: 1, 99: 1}))
    assert verdict.valid is False
    assert verdict.figures["unexpected"] == 1


def test_what_was_certainly_refused_and_yet_received_is_unexpected() -> None:
    verdict = check(but(sent={1: Fate.OK, 2: Fate.OK, 3: Fate.FAIL}))
    assert verdict.valid is False
    assert verdict.figures["unexpected"] == 1


def test_a_stray_is_unexpected() -> None:
    verdict = check(but(strays=["message 7 came as msg_a and msg_b"]))
    assert verdict.valid is False
    assert verdict.problems == ["unexpected: message 7 came as msg_a and msg_b"]


def test_a_duplicate_is_counted_and_allowed() -> None:
    verdict = check(but(received={1: 1, 2: 3, 3: 1}))
    assert verdict.valid is True
    assert verdict.figures["duplicated"] == 1


def test_what_the_publisher_does_not_know_is_neither_lost_nor_a_success() -> None:
    verdict = check(but(sent={1: Fate.OK, 2: Fate.INFO, 3: Fate.OK}, received={1: 1, 3: 1}))
    assert verdict.valid is True
    assert verdict.figures["unknown to the publisher"] == 1
    assert verdict.figures["accepted"] == 2
    assert verdict.figures["lost"] == verdict.figures["recovered"] == 0


def test_what_the_publisher_does_not_know_and_is_received_is_recovered() -> None:
    verdict = check(but(sent={1: Fate.OK, 2: Fate.INFO, 3: Fate.OK}))
    assert verdict.valid is True
    assert verdict.figures["recovered"] == 1


def test_a_run_that_was_not_drained_knows_nothing_about_what_is_missing() -> None:
    verdict = check(but(received={1: 1, 3: 1}, drained=False))
    assert verdict.valid == "unknown"
    assert verdict.doubts == ["not drained: work was left when the run ended"]
    assert verdict.figures["lost"] == 1, "it is shown, though nothing is concluded from it"


def test_a_run_that_was_not_drained_is_invalid_for_what_did_arrive_wrongly() -> None:
    assert check(but(received={1: 1, 2: 1, 3: 1, 99: 1}, drained=False)).valid is False


@pytest.mark.parametrize("kind", ["publish", "kill"])
def test_a_run_in_which_some_operation_never_succeeded_is_vacuous(kind: str) -> None:
    operations = dict(GOOD.operations) | {kind: Tally(invoke=5, info=5)}
    verdict = check(but(operations=operations))
    assert verdict.valid == "unknown"
    assert verdict.doubts == [f"vacuous: no `{kind}` succeeded (5 begun)"]


def test_a_run_without_any_acceptance_is_vacuous() -> None:
    verdict = check(but(sent={1: Fate.INFO}, received={}))
    assert verdict.valid == "unknown"
    assert "nothing was accepted" in verdict.doubts


def test_a_dead_letter_is_accounted_for_but_not_right_where_the_receiver_works() -> None:
    verdict = check(but(received={1: 1, 3: 1}, given_up={2: "attempts_exhausted"}))
    assert verdict.figures["lost"] == 0
    assert verdict.valid is False
    assert verdict.problems == [
        "1 (such as 2) given up although the receiver works: 1 attempts_exhausted"
    ]


def test_what_was_received_and_is_dead_all_the_same_is_told() -> None:
    verdict = check(but(given_up={2: "poison_worker_crash"}))
    assert verdict.valid is False
    assert verdict.figures["given up although received"] == 1


def test_a_dead_letter_without_a_reason_is_a_problem() -> None:
    verdict = check(but(received={1: 1, 3: 1}, given_up={2: ""}, hopeless={2}))
    assert verdict.problems == ["1 (such as 2) dead, no reason"]


def test_what_nobody_answers_need_not_be_received() -> None:
    verdict = check(but(received={1: 1, 3: 1}, hopeless={2}))
    assert verdict.valid is True
    assert verdict.figures["receiver never answers"] == 1


def test_what_the_books_say_against_themselves_is_a_problem() -> None:
    assert check(but(books=["1 more accepted than sent"])).valid is False


deliveries = st.integers(0, 12)


@given(
    sent=st.dictionaries(deliveries, st.sampled_from(Fate)),
    received=st.dictionaries(deliveries, st.integers(1, 3)),
)
def test_every_delivery_is_in_one_class(sent: dict[int, Fate], received: dict[int, int]) -> None:
    figures = check(but(sent=sent, received=received)).figures
    counts = Counter(sent.values())
    assert figures["accepted"] == counts[Fate.OK]
    assert figures["unknown to the publisher"] == counts[Fate.INFO]
    assert figures["ok"] + figures["unexpected"] == len(received)
    assert figures["ok"] - figures["recovered"] + figures["lost"] == figures["accepted"]
