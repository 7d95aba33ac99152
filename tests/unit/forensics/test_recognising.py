"""Single dropped deliveries and what they look like most, each with its opposite beside it."""

from __future__ import annotations

import dataclasses

import pytest
from support.dropped import make_dropped as trace
from support.dropped import make_step as step

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.association import Suspect
from homing.forensics.catalogue import Match
from homing.forensics.facts import LogFacts, has_field
from homing.forensics.habits import Habits, Kind
from homing.forensics.hypothesis import form
from homing.forensics.judging import Why
from homing.forensics.losing import Loss, first_deleted
from homing.forensics.mechanisms import recognise
from homing.forensics.operations import Op, Stand
from homing.forensics.traces import Trace
from homing.forensics.vocabulary import meaning
from homing.forensics.words import line_of

EVENTS = LogFacts(
    fields=frozenset({"at", "delivery", "op", "worker", "attempt", "status", "due"}),
    ops=frozenset({Op.ACCEPTED, Op.CLAIMED, Op.FAILED, Op.RETRY, Op.SUCCEEDED}),
    usual={Op.CLAIMED: 1.0, Op.SUCCEEDED: 1.0},
)


def likest(one: Trace, log: LogFacts = EVENTS) -> Match:
    return recognise(one, log)


def test_a_hand_over_that_failed_and_was_not_repeated_is_d3() -> None:
    assert meaning("push to queue failed").op is Op.NOT_QUEUED
    assert meaning("enqueue_failed").op is Op.NOT_QUEUED
    assert meaning("request failed").op is Op.FAILED
    assert meaning("dead letter publish failed").op is Op.DEAD_FAILED
    failed = trace(Why.SILENT, step(Op.ACCEPTED, 1), step(Op.NOT_QUEUED, 2))
    assert likest(failed) == Match(
        "D3", 0.95, "its hand-over to the queue failed, and was not repeated"
    )


def test_what_could_not_be_done_was_not_done() -> None:
    assert meaning("could not build retry record").op is not Op.RETRY
    assert meaning("moveToDelayed failed").stand is Stand.NONE
    assert meaning("retry scheduled").op is Op.RETRY
    assert meaning("Could not insert dead letter: value too long").op is Op.DEAD_FAILED
    assert meaning("attempt failed, moved to dead letter queue").op is Op.DEAD
    assert meaning("record redelivered, treating as poison, delivery failed").op is Op.LAPSED
    assert meaning("moved to poison queue").op is Op.DEAD
    assert meaning("attempt finished").op is Op.ATTEMPTED


def test_a_late_result_that_was_ignored_is_no_skipping_of_a_delivery() -> None:
    assert meaning("lease lost, result ignored").op is not Op.SKIPPED
    assert meaning("late response ignored").stand is Stand.NONE
    assert meaning("duplicate ignored").op is Op.SKIPPED


@pytest.mark.parametrize(("usual", "mechanism"), [(1, "D8"), (2, "D4")])
def test_two_lines_of_one_turn_are_no_second_turn(usual: int, mechanism: str) -> None:
    taken = trace(
        Why.SILENT, step(Op.ACCEPTED, 1), step(Op.CLAIMED, 2, worker="a"), step(Op.CLAIMED, 3)
    )
    log = LogFacts(fields=EVENTS.fields, ops=EVENTS.ops, usual=EVENTS.usual, takes_usual=usual)
    assert likest(taken, log).mechanism == mechanism


@pytest.mark.parametrize(("is_of_states", "twins"), [(True, ("D8",)), (False, ())])
def test_where_only_changes_of_state_have_rows_a_second_turn_has_none(
    is_of_states: bool, twins: tuple[str, ...]
) -> None:
    taken = trace(Why.SILENT, step(Op.ACCEPTED, 1), step(Op.CLAIMED, 2))
    fields = frozenset({"at", "delivery", "to_state"})
    log = LogFacts(fields=fields, ops=EVENTS.ops, usual=EVENTS.usual, is_of_states=is_of_states)
    assert likest(taken, log) == Match("D4", 0.8, "taken by a worker that never tried it", twins)


@pytest.mark.parametrize(("says", "twins"), [(True, ()), (False, ("D5",))])
def test_a_line_that_says_delivered_tells_d2_from_d5(says: bool, twins: tuple[str, ...]) -> None:
    left = trace(Why.SILENT, step(Op.ACCEPTED, 1), step(Op.CLAIMED, 2), step(Op.FAILED, 3))
    log = LogFacts(
        fields=EVENTS.fields,
        ops=EVENTS.ops,
        usual=EVENTS.usual,
        plans_retries=1.0,
        says_delivered=says,
    )
    assert (likest(left, log).mechanism, likest(left, log).twins) == ("D2", twins)


def test_at_the_last_attempt_a_cleared_retry_is_d6_and_no_dead_letter_that_failed() -> None:
    overlap = (
        step(Op.ACCEPTED, 1),
        step(Op.CLAIMED, 2, worker="a", attempt=4),
        step(Op.CLAIMED, 3, worker="b", attempt=5),
        step(Op.FAILED, 4, worker="b", attempt=5),
    )
    late = step(Op.FAILED, 6, worker="a", attempt=4)
    retry = step(Op.RETRY, 5, worker="b", attempt=5)
    crossings = ("foreign_write", "late_attempt")
    cleared = trace(Why.NO_DEAD_LETTER, *overlap, retry, late, crossings=crossings)
    assert likest(cleared).mechanism == "D6"
    ended = trace(Why.NO_DEAD_LETTER, *overlap, step(Op.EXHAUSTED, 5), late, crossings=crossings)
    assert likest(ended).mechanism == "D10"
    refused = (*overlap, retry, step(Op.DEAD_FAILED, 6), late)
    assert likest(trace(Why.NO_DEAD_LETTER, *refused, crossings=crossings)).mechanism == "D10"


def test_called_delivered_before_its_answer_is_d5_even_where_workers_are_not_told() -> None:
    said = step(Op.SUCCEEDED, 2, attempt=1, result=2)
    failed = step(Op.FAILED, 3, attempt=1)
    bare = LogFacts(fields=frozenset({"at", "delivery", "op", "attempt"}), ops=EVENTS.ops)
    too_soon = trace(Why.FALSE_DELIVERED, step(Op.ACCEPTED, 1), said, failed)
    assert (likest(too_soon, bare).mechanism, likest(too_soon, bare).twins) == ("D5", ())
    after = trace(Why.FALSE_DELIVERED, step(Op.ACCEPTED, 1), failed, said._replace(at_us=4))
    assert (likest(after, bare).mechanism, likest(after, bare).twins) == ("D5", ("D6",))


def test_a_worker_that_took_it_after_a_lease_ran_out_and_died_is_d4() -> None:
    lapsed = (step(Op.ACCEPTED, 1), step(Op.CLAIMED, 2), step(Op.LAPSED, 3))
    assert likest(trace(Why.SILENT, *lapsed)).mechanism == "D7"
    assert likest(trace(Why.SILENT, *lapsed, step(Op.CLAIMED, 4))).mechanism == "D4"


def test_passed_over_as_in_progress_is_d8_though_no_turn_has_a_line() -> None:
    about = {"reason": "already in progress"}
    skipped = trace(Why.SKIPPED, step(Op.ACCEPTED, 1), step(Op.SKIPPED, 2, **about))
    assert likest(skipped).mechanism == "D8"
    about = {"reason": "duplicate: already stored"}
    stored = trace(Why.SKIPPED, step(Op.ACCEPTED, 1), step(Op.SKIPPED, 2, **about))
    assert likest(stored).mechanism == "D3"


def test_passed_over_by_its_turn_while_its_endpoint_is_paused_is_d9() -> None:
    taken = (step(Op.ACCEPTED, 1), step(Op.CLAIMED, 2))
    for word, reason in (("is paused, skipping", ""), ("SKP", "ep_off")):
        skipped = trace(Why.SKIPPED, *taken, step(Op.SKIPPED, 3, word=word, reason=reason))
        assert likest(skipped).mechanism == "D9"
    assert likest(trace(Why.SKIPPED, *taken, step(Op.SKIPPED, 3, word="SKP"))).mechanism == "D8"
    assert [meaning(short).op for short in ("SKP", "CXL")] == [Op.SKIPPED, Op.CANCELLED]


def test_failed_for_good_with_attempts_left_is_d7_where_others_have_their_dead_letter() -> None:
    taken = step(Op.CLAIMED, 2, attempt=2)
    ended = trace(Why.NO_DEAD_LETTER, step(Op.ACCEPTED, 1), taken, step(Op.FAILED, 3, attempt=2))
    fields = frozenset({"at", "delivery", "to_state", "attempt", "version_after"})
    about = {"fields": fields, "ops": EVENTS.ops, "buries_failed": True}
    assert likest(ended, LogFacts(**about, dead_from=6)).mechanism == "D7"
    assert likest(ended, LogFacts(**about, dead_from=2)).mechanism == "D10"
    answered = trace(Why.NO_DEAD_LETTER, taken, step(Op.FAILED, 3, attempt=2, status=503))
    assert likest(answered, LogFacts(**about, dead_from=6)).mechanism == "D10"


def test_a_turn_that_passed_it_over_while_the_first_one_was_about_to_fail_is_d8() -> None:
    before = (
        step(Op.ACCEPTED, 1),
        step(Op.CLAIMED, 2, worker="a"),
        step(Op.SKIPPED, 3, worker="b", word="already in progress, acknowledging"),
        step(Op.FAILED, 4, worker="a"),
    )
    assert likest(trace(Why.SILENT, *before)).mechanism == "D8"
    retried = trace(Why.SILENT, *before, step(Op.RETRY, 5, worker="a"))
    assert likest(retried).mechanism == "D1"


def test_what_is_passed_over_as_outdated_after_its_retry_was_cleared_is_d6() -> None:
    lines = (
        step(Op.ACCEPTED, 1),
        step(Op.CLAIMED, 2, worker="a"),
        step(Op.CLAIMED, 3, worker="b"),
        step(Op.FAILED, 4, worker="a"),
        step(Op.RETRY, 5, worker="a"),
        step(Op.FAILED, 6, worker="b"),
        step(Op.SKIPPED, 7, word="stale retry record, ignoring"),
    )
    assert likest(trace(Why.SKIPPED, *lines, crossings=("second_result",))).mechanism == "D6"
    same = [s._replace(worker="a") if s.worker == "b" else s for s in lines]
    assert likest(trace(Why.SKIPPED, *same)).mechanism == "D8"


@pytest.mark.parametrize(
    ("kind", "name", "is_of_it"),
    [
        ("number", "committed later by at least 2 s", True),
        ("number", "slowest response at least 2 s", False),
        ("column", "tx_ms 5000", True),
        ("column", "logger c.a.webhook.IngestController", False),
        ("column", "transaction_type payment", False),
        ("who", "endpoint https://commit.example/tx_ms", False),
    ],
)
def test_only_how_long_a_transaction_was_open_speaks_for_d12(
    kind: str, name: str, is_of_it: bool
) -> None:
    suspect = Suspect(name, kind, 10, 10, 1.0, 1.0, 0.9, 1.0, 50.0, 0.0, 0.0)
    accepted = [
        trace(Why.SILENT, step(Op.ACCEPTED, n), name=f"d-{n}", accepted_us=n) for n in range(10)
    ]
    committed = dataclasses.replace(EVENTS, fields=EVENTS.fields | {"committed_at"})
    found = form(accepted, [], [suspect], committed, busiest_share=0.1)
    assert (found.mechanism == "D12") == is_of_it
    if (
        is_of_it and kind == "number"
    ):  # by the time of its line alone, whoever wrote it may have died
        found = form(accepted, [], [suspect], EVENTS, busiest_share=0.1)
        assert [one.mechanism for one in found.candidates] == ["D12", "D3"]


def test_words_of_endpoints_and_of_leases_that_are_kept() -> None:
    assert meaning("endpoint disabled, record skipped").op is Op.DISCARDED
    assert meaning("No active endpoint for event").op is Op.DISCARDED
    assert meaning("webhook disabled, not enqueued").op is Op.DISCARDED
    assert meaning("endpoint disabled").op is Op.PARKED
    assert meaning("lease extended").stand is Stand.NONE
    assert meaning("lease expired").op is Op.LAPSED


def test_a_request_that_was_not_made_as_another_was_in_progress_is_passed_over() -> None:
    kind = Kind("events", None, None, "in_progress", None, "already_in_progress", "none")
    line = line_of(kind, {}, {})
    assert (line.op, line.stand) == (Op.SKIPPED, Stand.GONE)
    claim = line_of(kind._replace(reason=None), {}, {})
    assert (claim.op, claim.stand) == (Op.CLAIMED, Stand.LEASED)


def test_a_state_of_being_taken_that_says_how_long_it_took_has_been_tried() -> None:
    taken = step(Op.CLAIMED, 2, stand=Stand.LEASED, total_us=1_000)
    log = LogFacts(fields=frozenset({"to_state", "status"}), ops=EVENTS.ops)
    assert likest(trace(Why.SILENT, step(Op.ACCEPTED, 1), taken), log).mechanism == "D2"
    bare = taken._replace(total_us=None)
    assert likest(trace(Why.SILENT, step(Op.ACCEPTED, 1), bare), log).mechanism == "D4"


def test_what_is_deleted_when_it_is_done_tells_nothing_of_a_retention() -> None:
    retried = trace(Why.SILENT, step(Op.ACCEPTED, 1), step(Op.FAILED, 2), step(Op.RETRY, 3))
    fields = frozenset({"op", "status"})
    always = LogFacts(fields=fields, ops=frozenset({Op.PURGED}), usual={Op.PURGED: 1.0})
    seldom = LogFacts(fields=fields, ops=frozenset({Op.PURGED}), usual={Op.PURGED: 0.0})
    assert not has_field(always, "purged")
    assert has_field(seldom, "purged")
    assert likest(retried, always).mechanism == "D1"


@pytest.mark.parametrize(("has_endpoint", "is_of_it"), [(True, False), (False, True)])
def test_what_names_no_endpoint_may_have_been_left_out_because_of_it(
    has_endpoint: bool, is_of_it: bool
) -> None:
    log = LogFacts(fields=frozenset({"endpoint", "status"}), ops=EVENTS.ops)
    accepted = trace(Why.SILENT, step(Op.ACCEPTED, 1))._replace(
        endpoint="ep_1" if has_endpoint else None
    )
    assert ("D9" in likest(accepted, log).twins) == is_of_it


@pytest.mark.parametrize(("has_endpoint", "is_of_it"), [(True, False), (False, True)])
def test_one_stretch_rules_out_no_endpoint_that_is_not_named(
    has_endpoint: bool, is_of_it: bool
) -> None:
    log = LogFacts(fields=frozenset({"endpoint", "status"}), ops=EVENTS.ops)
    accepted = [
        trace(Why.SILENT, step(Op.ACCEPTED, n))._replace(
            accepted_us=n * 1_000_000, endpoint="ep_1" if has_endpoint else None
        )
        for n in range(10)
    ]
    found = form(accepted, [], [], log, busiest_share=0.9)
    assert ("D9" in found.shares[0].twins) == is_of_it
    # a poller that goes by time passes over all that comes while clocks disagree
    assert "D12" in found.shares[0].twins


def test_one_drop_that_looks_like_something_else_is_no_second_mechanism() -> None:
    planned = trace(
        Why.SILENT,
        step(Op.ACCEPTED, 1),
        step(Op.CLAIMED, 2),
        step(Op.FAILED, 3, attempt=1, status=503),
        step(Op.RETRY, 4, due_us=9),
    )
    odd = trace(Why.SILENT, step(Op.ACCEPTED, 1), step(Op.CLAIMED, 2), step(Op.CLAIMED, 3))
    told = trace(Why.SILENT, step(Op.ACCEPTED, 1), step(Op.NOT_QUEUED, 2))
    found = form([planned] * 20 + [odd], [], [], EVENTS, busiest_share=0.1)
    assert [(s.mechanism, s.drops) for s in found.shares] == [("D1", 20), ("", 1)]
    assert found.evidence[-1] == "1 of 21 are not explained by it"
    found = form([planned] * 20 + [told], [], [], EVENTS, busiest_share=0.1)
    assert [(s.mechanism, s.drops) for s in found.shares] == [("D1", 20), ("D3", 1)], "it says so"


def test_where_the_others_end_is_the_limit_of_attempts() -> None:
    assert not has_field(EVENTS, "max_attempts")
    assert has_field(dataclasses.replace(EVENTS, dead_from=4), "max_attempts")


def test_what_was_deleted_was_lost_then_and_not_when_it_was_accepted() -> None:
    purged = trace(Why.PURGED, step(Op.ACCEPTED, 1), step(Op.PURGED, 70))
    waiting = trace(Why.SILENT, step(Op.ACCEPTED, 1), step(Op.FAILED, 40, due_us=90))
    other = trace(Why.SILENT, step(Op.ACCEPTED, 5), step(Op.FAILED, 60, due_us=80))
    assert first_deleted([purged, waiting]) == Loss(70, 70)
    assert first_deleted([waiting, other]) == Loss(60, 80)
    assert first_deleted([trace(Why.SILENT, step(Op.ACCEPTED, 1))]) is None


def test_a_failure_that_leaves_a_state_for_none_is_a_change_and_no_answer_alone() -> None:
    deleted = Kind("events", "failed", "processing", None, None, "timeout", "none")
    habits = Habits(has_states=True)
    assert line_of(deleted, {}, {}, habits).stand is Stand.FAILED
    assert line_of(deleted._replace(from_state=None), {}, {}, habits).stand is Stand.NONE
