"""What a clean-up found too old at one of its runs, where its lines name no delivery; and what else
took the plan of a retry away: an earlier worker, a person, or the lease of a lost worker."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.dropped import make_dropped, make_step
from support.in_duckdb import in_duckdb

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

import ibis

from homing.forensics.ages import last_plan, taken_up
from homing.forensics.facts import LogFacts
from homing.forensics.investigation import Findings, investigate
from homing.forensics.judging import Verdict, Why
from homing.forensics.mechanisms import recognise
from homing.forensics.operations import Op, Stand
from homing.forensics.options import Options
from homing.forensics.sweeps import Swept, runs, swept
from homing.forensics.traces import Step, Trace

HOUR = 3_600_000_000
LOG = LogFacts(
    fields=frozenset({"op", "status", "attempt", "worker", "due", "reason"}),
    ops=frozenset({Op.ACCEPTED, Op.CLAIMED, Op.FAILED, Op.RETRY, Op.SUCCEEDED}),
    usual={Op.ACCEPTED: 1.0, Op.CLAIMED: 1.0},
    attempts_last=8,
)


def step(act: Op, hour: float, **about: object) -> Step:
    told: dict[str, object] = {"attempt": 1}
    return make_step(act, int(HOUR * hour), **(told | about))


def waiting(number: int, born: float, failed: float, due: float, *, taken: bool = False) -> Trace:
    """Accepted, failed and to be tried again at the hours given; `taken`: and it was."""
    steps = [step(Op.ACCEPTED, born, attempt=None), step(Op.CLAIMED, born)]
    steps.append(step(Op.FAILED, failed, result=-1, status=503))
    steps.append(step(Op.RETRY, failed, due_us=int(HOUR * due)))
    if taken:
        steps.append(step(Op.SUCCEEDED, due, attempt=2, result=1, status=200))
    why, at = Why.NONE if taken else Why.SILENT, int(HOUR * born)
    one = make_dropped(why, *steps, name=f"d-{number}", accepted_us=at)
    return one._replace(verdict=Verdict.DELIVERED) if taken else one


def lost(number: int) -> Trace:
    """One that waits over the run of the sixth hour, and is too old then."""
    return waiting(number, number / 10, 5.5, 6.5)


def spared(number: int) -> Trace:
    """One that grows as old between two runs."""
    return waiting(number, number / 10, 6.2, 6.8, taken=True)


RUNS = tuple(int(HOUR * hour) for hour in (2, 4, 6, 8))
LOST = [lost(number) for number in range(10)]
SPARED = [spared(number) for number in range(5)]


def test_the_last_plan_is_due_later_than_it_was_written() -> None:
    late = step(Op.RETRY, 3, due_us=2 * HOUR)
    one = make_dropped(Why.SILENT, *LOST[0].steps, late)
    assert last_plan(one) == LOST[0].steps[-1]
    assert last_plan(make_dropped(Why.SILENT, late)) is None


def test_a_plan_is_taken_up_by_a_turn_that_comes_when_it_is_due() -> None:
    late = step(Op.FAILED, 5.9, attempt=1, result=-1)  # the answer of an earlier turn
    begun = lost(0)
    waits = make_dropped(Why.SILENT, *begun.steps, late)
    taken = make_dropped(Why.SILENT, *begun.steps, late, step(Op.CLAIMED, 6.5, attempt=2))
    assert [plan for _, plan, _ in taken_up([], [waits])] == []
    assert [plan for _, plan, _ in taken_up([], [taken])] == [begun.steps[-1]]


def test_what_a_run_found_as_old_as_others_that_it_spared_between_two_was_swept() -> None:
    found = swept(SPARED, LOST, [RUNS])
    assert found == Swept(RUNS, 6 * HOUR - LOST[9].accepted_us, is_sure=True)
    assert found is not None
    assert all(map(found.has, LOST))


def test_what_was_younger_at_the_run_or_saw_none_was_not_swept() -> None:
    found = Swept(RUNS, 5 * HOUR, is_sure=True)
    assert found.has(lost(10))
    assert not found.has(lost(11))
    assert not found.has(waiting(1, 0, 6.2, 6.8))
    assert not found.has(waiting(1, 0, 0.5, 1.5))


@pytest.mark.parametrize(
    ("fine", "dropped", "told"),
    [
        (SPARED, LOST[:7], "too few were lost"),
        (
            [*SPARED, waiting(90, 0, 5.5, 6.5, taken=True)],
            LOST,
            "a run found one as old, and kept it",
        ),
        (SPARED, [*LOST, *(waiting(n, 0, 6.2, 6.8) for n in (91, 92))], "some saw no run"),
    ],
)
def test_what_a_clean_up_does_not_tell_apart_was_not_swept(
    fine: list[Trace], dropped: list[Trace], told: str
) -> None:
    assert swept(fine, dropped, [RUNS]) is None, told


def test_of_several_clean_ups_the_one_that_tells_them_apart_is_taken() -> None:
    other = tuple(int(HOUR * hour) for hour in (1, 3, 5, 7))
    found = swept(SPARED, LOST, [other, RUNS])
    assert found is not None
    assert found.runs_us == RUNS


def test_a_planned_retry_is_d11_only_if_it_was_swept() -> None:
    log = LogFacts(
        **{f: getattr(LOG, f) for f in LOG.__slots__}
        | {"swept": Swept(RUNS, 5 * HOUR, is_sure=True)}
    )
    assert recognise(lost(3), log).mechanism == "D11"
    assert recognise(lost(11), log).mechanism == "D1"
    # whatever is old is a later attempt as well
    later = dataclasses.replace(log, are_later_attempts=True)
    assert recognise(lost(3), later).twins == ("D1",)
    assert recognise(lost(3), LOG).mechanism == "D1"


def test_where_none_was_as_old_between_two_runs_it_may_be_a_query_as_well() -> None:
    found = swept(SPARED[:2], LOST, [RUNS])
    assert found is not None
    assert not found.is_sure
    log = LogFacts(**{f: getattr(LOG, f) for f in LOG.__slots__} | {"swept": found})
    assert recognise(lost(3), log).mechanism == "D11"
    assert recognise(lost(3), log).twins == ("D1",)


def _raw(*lines: tuple[str | None, str | None, str | None, int]) -> Any:
    names = ("delivery", "op_raw", "worker", "at_us")
    columns = {name: [line[i] for line in lines] for i, name in enumerate(names)}
    table = in_duckdb(columns, schema=dict.fromkeys(names[:3], "string") | {"at_us": "int64"})
    return table.mutate(
        message=ibis.null("string"),
        to_raw=ibis.null("string"),
        changed_us=ibis.null("int64"),
        rows_written=ibis.null("int64"),
    )


def test_a_run_that_deleted_nothing_swept_nothing() -> None:
    told = [(None, "old rows purged", None, at) for at in range(10, 60, 10)]
    table = _raw(*told).mutate(rows_written=(ibis._.at_us > 20).cast("int64"))
    assert runs(table) == [(30, 40, 50)]


def test_a_clean_up_runs_where_its_line_or_its_own_name_says_so() -> None:
    words = (("old rows purged", None), ("tick", "retention-job"), ("tick", "poller"))
    lines = [(None, word, who, at) for word, who in words for at in (30, 10, 20)]
    assert sorted(runs(_raw(*lines))) == [(10, 20, 30), (10, 20, 30)]
    assert runs(_raw(*lines[6:])) == []


def test_a_line_that_names_a_delivery_and_one_that_is_rare_are_no_clean_up() -> None:
    named: list[Any] = [("d-1", "old rows purged", None, at) for at in (10, 20, 30)]
    rare: list[Any] = [(None, "old rows purged", None, at) for at in (10, 20)]
    assert runs(_raw(*named, *rare)) == []
    assert runs(_raw(*named, *rare, (None, "old rows purged", None, 40))) == [(10, 20, 40)]


def test_a_clean_up_stays_one_when_its_process_gets_another_name() -> None:
    told: list[Any] = [
        (None, "old rows purged", f"beat-{at // 25}", at) for at in (10, 20, 30, 40, 50)
    ]
    assert runs(_raw(*told)) == [(10, 20, 30, 40, 50)]


COUNT = 400
BEGIN = 1_790_000_000.0
Row = dict[str, Any]


def run(folder: Path, tell: Callable[[int, Callable[..., None]], None], beside: list[Row]) -> Any:
    """What is found where each delivery's lines are told by `tell`."""
    rows = list(beside)
    for number in range(COUNT):

        def say(event: str, second: float, number: int = number, **told: Any) -> None:
            at = BEGIN + 120 * number + second
            name = {"ts": at, "event": event, "delivery_id": f"dlv_{number * 7919 % 10_007:05}"}
            rows.append(name | told)

        tell(number, say)
    rows.sort(key=lambda row: float(row["ts"]))
    path = folder / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return investigate([str(path)], Options(folder=str(folder)))


def is_hit(number: int) -> bool:
    return number > COUNT // 4 and number % 12 == 5


def dropped(findings: Findings) -> int:
    return findings.books.get(Verdict.DROPPED, 0)


HITS = sum(map(is_hit, range(COUNT)))


def turn(say: Callable[..., None], number: int, attempt: int, at: float, status: int) -> None:
    who = {"attempt": attempt, "worker": f"w-{(number + attempt) % 4}"}
    say("claimed", at, **who)
    say("response", at + 0.5, status=status, **who)


#: a clean-up runs each hour and deletes what is older than so much
EACH_S = 3_600.0
TOO_OLD_S = 2_400.0
SWEEPS = [
    {"ts": BEGIN + EACH_S * i, "event": "retention.sweep", "rows": 3 + i % 4}
    for i in range(1, int(COUNT * 120 / EACH_S) + 3)
]


@pytest.mark.parametrize("mechanism", ["D11", "D1"])
def test_what_a_clean_up_takes_is_told_from_what_a_poller_misses(
    mechanism: str, tmp_path: Path
) -> None:
    """Both logs have the same clean-up; in one it takes what is old, in the other nothing."""
    hits = []

    def tell(number: int, say: Callable[..., None]) -> None:
        say("accepted", 0)
        is_bad = number % 3 == 0 and number < COUNT - 50
        turn(say, number, 1, 1, 503 if is_bad else 200)
        if not is_bad:
            return
        at, born = 2.0, 120.0 * number
        for attempt, wait in ((2, 900.0), (3, 2_000.0), (4, 1_500.0)):
            say(
                "retry_scheduled", at, attempt=attempt - 1, next_attempt_at=BEGIN + born + at + wait
            )
            sweep = (born + at + wait) // EACH_S * EACH_S
            is_swept = sweep > born + at and sweep - born > TOO_OLD_S
            is_missed = number % 12 == 3 and attempt == 2 + number // 12 % 3
            is_lost = is_swept if mechanism == "D11" else is_missed
            if number > COUNT // 4 and is_lost:
                hits.append(number)
                return
            at += wait + 1
            turn(say, number, attempt, at, 200 if attempt == 4 else 503)
            at += 1

    findings = run(tmp_path, tell, SWEEPS)
    assert dropped(findings) == len(hits)
    assert len(hits) > 10
    assert findings.hypothesis.mechanism == mechanism


PLANNED = (
    step(Op.ACCEPTED, 0, attempt=None),
    step(Op.CLAIMED, 0.1, worker="a"),
    step(Op.CLAIMED, 1, worker="b", attempt=2),
    step(Op.FAILED, 1.1, worker="b", attempt=2, result=-1, status=503),
    step(Op.RETRY, 1.2, worker="b", attempt=2, due_us=3 * HOUR),
)


@pytest.mark.parametrize(("refused_at", "mechanism"), [(None, "D6"), (1.25, "D6"), (1.35, "D1")])
def test_a_plan_that_an_earlier_attempt_took_away_is_d6(
    refused_at: float | None, mechanism: str
) -> None:
    """Refused after it, it is none of its writes; refused before, something else was."""
    taken = step(Op.WRITTEN, 1.3, worker="a", word="retry cleared")
    steps = [*PLANNED, taken]
    if refused_at is not None:
        steps.append(step(Op.NOTED, refused_at, worker="a", word="stale result ignored"))
    steps.sort(key=lambda one: one.at_us)
    assert recognise(make_dropped(Why.SILENT, *steps), LOG).mechanism == mechanism


@pytest.mark.parametrize("word", ["retry.unbooked", "retry cleared"])
def test_a_retry_that_is_unbooked_by_a_late_worker_is_lost_to_a_race(
    word: str, tmp_path: Path
) -> None:
    def tell(number: int, say: Callable[..., None]) -> None:
        say("accepted", 0)
        if not is_hit(number):
            turn(say, number, 1, 1, 503 if number % 10 == 7 else 200)
            if number % 10 == 7:
                say("retry scheduled", 2, attempt=1, next_attempt_at=BEGIN + 120 * number + 32)
                turn(say, number, 2, 33, 200)
            return
        for attempt, at in ((1, 1), (2, 33)):
            turn(say, 0, attempt, at, 503)
            due = BEGIN + 120 * number + at + 31
            plan = {"attempt": attempt, "worker": f"w-{attempt}"}
            say("retry scheduled", at + 0.6, next_attempt_at=due, **plan)
        say(word, 36.1, worker="w-1")

    findings = run(tmp_path, tell, [])
    assert dropped(findings) == HITS
    assert findings.hypothesis.mechanism == "D6"


@pytest.mark.parametrize(("who", "lost"), [("m.okafor", 0), (None, HITS)])
def test_a_retry_that_a_person_cancelled_was_called_off(
    who: str | None, lost: int, tmp_path: Path
) -> None:
    """Without a name only the plan is gone, and nobody has called the delivery off."""

    def tell(number: int, say: Callable[..., None]) -> None:
        say("accepted", 0)
        is_bad = is_hit(number) or number % 10 == 7
        turn(say, number, 1, 1, 503 if is_bad else 200)
        if is_bad:
            say("retry scheduled", 2, attempt=1, next_attempt_at=BEGIN + 120 * number + 92)
        if is_hit(number):
            say("retry cancelled", 20, **({"operator": who} if who else {}))
        elif is_bad:
            turn(say, number, 2, 93, 200)

    findings = run(tmp_path, tell, [])
    assert dropped(findings) == lost
    assert findings.books.get(Verdict.CANCELLED, 0) == HITS - lost


@pytest.mark.parametrize("attempt", [2, 8])
def test_a_lease_that_ran_out_for_good_with_attempts_left_is_d7(attempt: int) -> None:
    gone = step(Op.LAPSED, 1, stand=Stand.GONE, word="lease expired", attempt=attempt)
    taken = step(Op.CLAIMED, 0.1, attempt=attempt)
    one = make_dropped(Why.DISCARDED, step(Op.ACCEPTED, 0, attempt=None), taken, gone)
    assert (recognise(one, LOG).mechanism == "D7") == (attempt == 2)


def test_a_lease_that_ran_out_and_left_its_delivery_discarded_is_d7(tmp_path: Path) -> None:
    def tell(number: int, say: Callable[..., None]) -> None:
        say("accepted", 0, state="pending")
        if is_hit(number):
            say("claimed", 1, attempt=1, worker="w-1", state="leased")
            say("lease expired", 40, attempt=1, worker="w-1", state="discarded")
            return
        attempts = 6 if number % 20 == 9 else 1
        for attempt in range(1, attempts + 1):
            at, who = 30.0 * attempt, {"attempt": attempt, "worker": f"w-{attempt % 4}"}
            say("claimed", at, state="leased", **who)
            is_last = attempt == attempts
            status, state = (200, "delivered") if is_last else (503, "pending")
            say("response", at + 1, status=status, state=state, **who)

    findings = run(tmp_path, tell, [])
    assert dropped(findings) == HITS
    assert findings.hypothesis.mechanism == "D7"


def test_a_cancellation_by_a_clock_that_is_behind_is_a_cancellation(tmp_path: Path) -> None:
    """It is written a few milliseconds before the acceptance that it is of."""

    def tell(number: int, say: Callable[..., None]) -> None:
        if is_hit(number):
            say("cancelled", -0.004, actor="m.okafor")
        say("accepted", 0)
        if not is_hit(number):
            turn(say, number, 1, 1, 200)

    findings = run(tmp_path, tell, [])
    assert dropped(findings) == 0
    assert findings.books.get(Verdict.CANCELLED, 0) == HITS
