"""Which words tell of an answer, whose it is, and what is called delivered where none is shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.dropped import make_dropped, make_step

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.facts import LogFacts
from homing.forensics.habits import Habits, Kind, has_states, showing
from homing.forensics.investigation import Findings, investigate
from homing.forensics.judging import Verdict, Why
from homing.forensics.mechanisms import recognise
from homing.forensics.operations import Op, Stand
from homing.forensics.options import Options
from homing.forensics.traces import Step
from homing.forensics.turns import is_done_at_once
from homing.forensics.vocabulary import meaning
from homing.forensics.words import SAID, line_of

COUNT = 300
BEGIN = 1_790_000_000.0
Say = Callable[..., None]


def is_hit(number: int) -> bool:
    return number > COUNT // 3 and number % 30 == 5


HITS = sum(map(is_hit, range(COUNT)))


def found(
    folder: Path, tell: Callable[[int, Say], None], *, texts: bool = False, count: int = COUNT
) -> Findings:
    """What is found where each delivery's lines are told by `tell`; `texts`: as lines of text."""
    rows: list[dict[str, Any]] = []
    for number in range(count):

        def say(event: str, second: float, number: int = number, **told: Any) -> None:
            name = f"dlv_{number * 7919 % 10_007:05}"
            at = round(BEGIN + 60 * number + second, 3)
            rows.append({"ts": at, "event": event, "delivery_id": name, **told})

        tell(number, say)
    rows.sort(key=lambda row: float(row["ts"]))
    path = folder / ("service.log" if texts else "log.jsonl")
    path.write_text("".join((line if texts else json.dumps)(row) + "\n" for row in rows))
    return investigate([str(path)], Options(folder=str(folder)))


def line(row: dict[str, Any]) -> str:
    """The row as a service writes it for people to read."""
    at, event, *told = row.values()
    stamp = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    named = " ".join(f"{key}={value}" for key, value in zip(list(row)[2:], told, strict=True))
    return f"{stamp} INFO {event} {named}"


def dropped(findings: Findings) -> int:
    return findings.books.get(Verdict.DROPPED, 0)


def deliver(number: int, say: Say, at: float = 1, **told: Any) -> None:
    """A turn that is answered well, at the second attempt for some."""
    who = {"worker": f"w-{number % 3}"}
    say("claimed", at, attempt=1, **who)
    if number % 10 == 7:
        say("attempt finished", at + 0.4, attempt=1, status=503, **who)
        say("retry scheduled", at + 0.41, attempt=1, next_attempt_at=BEGIN + 60 * number + 30)
        say("claimed", at + 31, attempt=2, **who)
        at += 31
    no = 2 if number % 10 == 7 else 1
    say("attempt finished", at + 0.4, attempt=no, status=200, **who, **told)
    say("delivered", at + 0.5, **who)


def bare(number: int, say: Say, after: float = 0.001) -> None:
    """Taken, and called delivered with no answer on record."""
    say("claimed", 1, attempt=1, worker=f"w-{number % 3}")
    say("delivered", 1 + after, worker=f"w-{number % 3}")


@pytest.mark.parametrize(("after", "twins"), [(0.001, ("D5",)), (5.0, None)])
def test_what_alone_shows_no_answer_was_not_delivered(
    after: float, twins: tuple[str, ...] | None, tmp_path: Path
) -> None:
    """Done as soon as it was taken, it may have been passed over as well as called so too early."""

    def tell(number: int, say: Say) -> None:
        say("accepted", 0)
        if is_hit(number):
            bare(number, say, after)
        else:
            deliver(number, say)

    findings = found(tmp_path, tell)
    assert dropped(findings) == HITS
    if twins is not None:
        assert [one.mechanism for one in findings.hypothesis.shares] == ["D9"]


@pytest.mark.parametrize("hand", ["resumed", "cancelled"])
def test_what_a_person_had_a_hand_in_may_show_no_answer(hand: str, tmp_path: Path) -> None:
    def tell(number: int, say: Say) -> None:
        say("accepted", 0)
        if is_hit(number):
            say(hand, 0.5, actor="m.okafor")
            bare(number, say)
        else:
            deliver(number, say)

    assert dropped(found(tmp_path, tell)) == 0


def test_the_task_by_which_a_person_withdrew_it_delivers_nothing(tmp_path: Path) -> None:
    def tell(number: int, say: Say) -> None:
        say("accepted", 0)
        if is_hit(number):
            say("attempt failed", 1, attempt=1, worker="w1", status=503)
            say("cancelled", 2, worker="w2", actor="m.okafor")
            say("delivered", 2.1, worker="w2")
        else:
            deliver(number, say)

    findings = found(tmp_path, tell)
    assert findings.books[Verdict.CANCELLED] == HITS
    assert dropped(findings) == 0


def test_where_a_few_of_all_show_no_answer_the_others_without_are_delivered(
    tmp_path: Path,
) -> None:
    """One in ten shows none: that is how this log is written."""

    def tell(number: int, say: Say) -> None:
        say("accepted", 0)
        if is_hit(number) or number % 10 == 3:
            bare(number, say)
        else:
            deliver(number, say)

    assert dropped(found(tmp_path, tell)) == 0


@pytest.mark.parametrize(("count", "lost"), [(190, 0), (COUNT, HITS)])
def test_where_few_show_a_status_one_that_shows_none_is_delivered(
    count: int, lost: int, tmp_path: Path
) -> None:
    def tell(number: int, say: Say) -> None:
        say("accepted", 0)
        if is_hit(number):
            bare(number, say)
        else:
            deliver(number, say)

    assert dropped(found(tmp_path, tell, count=count)) == lost


def step(act: Op, at_us: int, **about: object) -> Step:
    return make_step(act, at_us, **about)


LOG = LogFacts(
    fields=frozenset({"op", "status", "attempt", "worker"}),
    ops=frozenset({Op.ACCEPTED, Op.CLAIMED, Op.FAILED, Op.SUCCEEDED}),
    usual={Op.ACCEPTED: 1.0, Op.CLAIMED: 1.0},
)
TAKEN = (step(Op.ACCEPTED, 0), step(Op.CLAIMED, 1_000_000, attempt=1))


@pytest.mark.parametrize(("after_us", "is_at_once"), [(1_000, True), (5_000_000, False)])
def test_done_at_once_is_sooner_than_any_request(after_us: int, is_at_once: bool) -> None:
    done = step(Op.SUCCEEDED, 1_000_000 + after_us, stand=Stand.DELIVERED)
    one = make_dropped(Why.FALSE_DELIVERED, *TAKEN, done)
    assert is_done_at_once(one) == is_at_once
    assert not is_done_at_once(make_dropped(Why.FALSE_DELIVERED, TAKEN[0], done))
    match = recognise(one, LOG)
    assert (match.mechanism, match.twins) == (("D9", ("D5",)) if is_at_once else ("D5", ()))


@pytest.mark.parametrize("word", ["event accepted", "hook taken over"])
def test_what_the_service_answers_its_publisher_is_an_acceptance(word: str, tmp_path: Path) -> None:
    """`event accepted -> 202` begins a delivery, and those that were lost have no more."""

    def tell(number: int, say: Say) -> None:
        say(f"{word} -> 202", 0)
        if is_hit(number):
            return
        say("queued", 0.5)
        say("taken", 1, worker=f"w-{number % 3}")
        say("POST -> 200", 1.4, worker=f"w-{number % 3}")

    findings = found(tmp_path, tell, texts=True)
    assert findings.accepted == COUNT
    assert dropped(findings) == HITS


def test_what_the_service_answers_counts_although_a_workers_clock_is_ahead(
    tmp_path: Path,
) -> None:
    """Half of the deliveries begin with the turn that comes before, by the clocks."""

    def tell(number: int, say: Say) -> None:
        say("event accepted -> 202", 1.1 if number % 2 and not is_hit(number) else 0)
        if is_hit(number):
            return
        say("taken", 1, worker=f"w-{number % 3}")
        say("POST -> 200", 1.4, worker=f"w-{number % 3}")

    findings = found(tmp_path, tell, texts=True)
    assert findings.accepted == COUNT
    assert dropped(findings) == HITS


def test_a_check_that_is_completed_before_the_queue_is_no_delivery(tmp_path: Path) -> None:
    def tell(number: int, say: Say) -> None:
        say("accepted", 0)
        say("check completed", 0.1)
        if is_hit(number):
            return
        say("queued", 0.5)
        deliver(number, say)

    findings = found(tmp_path, tell)
    assert dropped(findings) == HITS
    assert "D3" in [one.mechanism for one in findings.hypothesis.candidates]


def test_a_status_of_1xx_is_no_answer(tmp_path: Path) -> None:
    """`102 Processing` says that a request is under way, and not that it failed."""

    def tell(number: int, say: Say) -> None:
        say("accepted", 0)
        say("claimed", 1, attempt=1, worker=f"w-{number % 3}")
        say("attempt progressed", 1.2, attempt=1, status=102)
        if not is_hit(number):
            say("attempt finished", 2, attempt=1, status=200)

    findings = found(tmp_path, tell)
    assert dropped(findings) == HITS
    assert findings.hypothesis.mechanism == "D4"


def kind(op: str | None, **about: Any) -> Kind:
    told: dict[str, Any] = dict.fromkeys(Kind._fields[1:7]) | {"op": op, "status": "none"}
    return Kind(layout="events", **(told | about))


SHOWN = kind("response", status="ok")
TOLD = kind("turn over", outcome="success")


def test_turns_that_states_alone_tell_are_turns() -> None:
    """A log without words of what was done has turns where a state becomes that of a worker."""
    taken = kind(None, from_state="pending", to_state="leased")
    done = kind(None, from_state="leased", to_state="delivered")
    assert has_states([(taken, 100), (done, 100)])
    assert not has_states([(taken._replace(from_state="leased"), 100), (done, 100)])


@pytest.mark.parametrize(("bare_lines", "words"), [(100, {"response"}), (200, set())])
def test_words_show_answers_where_there_are_as_many_as_bare_outcomes(
    bare_lines: int, words: set[str]
) -> None:
    assert showing([(SHOWN, 100), (TOLD, bare_lines)]) == words


def test_an_outcome_beside_no_status_is_only_said_where_others_show_one() -> None:
    told = TOLD._replace(op="attempt finished")
    habits = Habits(showing=frozenset({"response"}))
    assert line_of(told, {}, {}).result == 1
    assert line_of(told, {}, {}, habits).result == SAID
    own = habits._replace(showing=frozenset({"attempt finished"}))
    assert line_of(told, {}, {}, own).result == 1


@pytest.mark.parametrize(
    ("state", "stand"),
    [("CLOSED", Stand.GONE), ("done", Stand.GONE), ("delivered", Stand.DELIVERED)],
)
def test_what_was_skipped_and_is_over_is_gone(state: str, stand: Stand) -> None:
    line = line_of(kind("SKIPPED", to_state=state), {}, {})
    assert (line.op, line.stand) == (Op.SKIPPED, stand)


@pytest.mark.parametrize("outcome", ["skipped", "discarded"])
def test_what_is_settled_as_not_delivered_did_not_succeed(outcome: str) -> None:
    assert line_of(kind("settled", outcome=outcome), {}, {}).op is not Op.SUCCEEDED


@pytest.mark.parametrize(
    ("text", "op"),
    [
        ("answer 503", Op.ATTEMPTED),
        ("answered 200", Op.ATTEMPTED),
        ("completed of ParkDeadLetter", Op.DEAD),
        ("scheduled of ParkDeadLetter", Op.NOTED),
        ("started of dlq_writer", Op.NOTED),
        ("retry.unbooked", Op.WRITTEN),
        ("retry cleared", Op.WRITTEN),
        ("retry cancelled", Op.WRITTEN),
        ("timer removed", Op.WRITTEN),
        ("plan wiped", Op.WRITTEN),
        ("cleared pending retry", Op.WRITTEN),
        ("unscheduled retry", Op.WRITTEN),
        ("sent to morgue", Op.DEAD),
        ("moved to the graveyard", Op.DEAD),
        ("lock out", Op.LAPSED),
        ("lease_out", Op.LAPSED),
        ("ActivityTaskTimedOut", Op.LAPSED),
        ("post repeated", Op.SKIPPED),
        ("request was repeated", Op.SKIPPED),
        ("key known", Op.SKIPPED),
        ("not posting", Op.SKIPPED),
        ("lock is taken", Op.SKIPPED),
    ],
)
def test_words_of_answers_and_of_plans(text: str, op: Op) -> None:
    assert meaning(text).op is op


def test_a_lock_that_is_held_passes_a_delivery_over() -> None:
    assert meaning("lock is held").op is Op.SKIPPED
    assert meaning("retry until done").op is Op.RETRY
