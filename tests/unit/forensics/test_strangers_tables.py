"""Tables and exports of other people that were misread once, each with its opposite beside it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.dropped import make_dropped, make_step

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.facts import LogFacts
from homing.forensics.habits import Kind
from homing.forensics.investigation import investigate
from homing.forensics.judging import Verdict, Why
from homing.forensics.mechanisms import recognise
from homing.forensics.operations import Op, Stand
from homing.forensics.options import Options
from homing.forensics.reading.columns import COMPACT, look
from homing.forensics.reading.guessing import guess
from homing.forensics.reading.joining import joined
from homing.forensics.reading.references import links
from homing.forensics.traces import Step, Trace
from homing.forensics.vocabulary import meaning
from homing.forensics.words import SAID, Behaviour, by_behaviour, line_of

Row = dict[str, Any]


def iso(at: int) -> str:
    return datetime.fromtimestamp(1_780_000_000 + at, UTC).isoformat()


@pytest.mark.parametrize(
    ("first", "form"), [(20260329011447, COMPACT), (1774746887123, "ms"), (20261329011447, "ms")]
)
def test_a_number_that_is_a_calendar_time_is_no_count_of_milliseconds(
    first: int, form: str
) -> None:
    column = look([{"ts": first + n} for n in range(10)])["ts"]
    assert column.time == form


@pytest.mark.parametrize(("second", "is_time"), [("0", True), ("x", False)])
def test_the_name_of_a_streams_entry_is_its_time(
    second: str, is_time: bool, tmp_path: Path
) -> None:
    events = ("added", "active", "completed")
    rows = [
        {"id": f"{1788649867591 + 1000 * n}-{second if second == 'x' else i}"}
        | {"event": event, "jobId": f"{n:05}"}
        for n in range(50)
        for i, event in enumerate(events)
    ]
    assert (look(rows)["id"].time == "stream") is is_time
    if not is_time:
        return
    log = tmp_path / "events.jsonl"
    log.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    found = investigate([str(log)], Options(folder=str(tmp_path)))
    assert found.books == {Verdict.DELIVERED: 50}
    assert found.events.first_us == 1_788_649_867_591_000
    assert found.events.last_us == 1_788_649_867_591_000 + 49_000_000 + 2  # third of its ms


def letters(number: int) -> list[Row]:
    told = [("N", ""), ("B", ""), ("A", f"w{number % 3}"), ("Z", f"w{number % 3}")]
    return [
        {"nr": 4 * number + i, "zst_id": f"z-{number:05}", "zust": state, "vers": min(i, 1)}
        | {"zp": iso(60 * number + i), "bearb": who, "fehl": "", "ziel": f"T{number % 7}"}
        | {"code": 200 if state == "Z" else ""}
        for i, (state, who) in enumerate(told)
    ]


def test_states_of_one_letter_and_shortened_names_are_understood() -> None:
    columns = guess([row for number in range(200) for row in letters(number)]).columns
    assert columns["to_state"].path == "zust"
    assert columns["attempt"].path == "vers"
    assert columns["worker"].path == "bearb"


def test_a_letter_of_each_row_alone_is_no_state() -> None:
    rows = [row | {"zust": "XY"[number % 2]} for number in range(200) for row in letters(number)]
    assert "to_state" not in guess(rows).columns


def test_a_file_is_not_what_its_name_is_like() -> None:
    rows = [{"id": f"msg_{n:06}", "timestamp": iso(n), "kind": "x"} for n in range(100)]
    assert "op" not in guess(rows, "svix-clean1").columns
    assert "op" not in guess(rows, "clean").columns
    assert guess(rows, "dead_letters").columns["op"].value == "dead_letters"
    assert guess(rows, "cleaned_up_3").columns["op"].value == "cleaned_up_3"


def test_a_state_with_a_bad_status_and_a_due_time_is_a_wait_for_a_retry() -> None:
    waits = Behaviour(100, 0.0, 0.1, 0.0, 0.9, 0.01, due=0.9, held=1.0)
    assert by_behaviour(waits).op is Op.RETRY
    assert by_behaviour(waits._replace(due=0.0)).op is Op.FAILED
    assert by_behaviour(waits._replace(is_last=0.9)).op is Op.FAILED


def test_a_state_of_delivered_beside_an_error_of_its_request_is_no_success() -> None:
    kind = Kind("events", None, None, "zugestellt", None, "Zeitüberschreitung", "none")
    assert line_of(kind, {}, {}).result == -1
    assert line_of(kind._replace(reason=None), {}, {}).result == SAID
    assert line_of(kind._replace(status="ok"), {}, {}).result == 1  # what failed before stays there


def test_a_time_out_is_a_failure_in_other_languages() -> None:
    for text in ("Zeitüberschreitung", "Verbindung zurückgesetzt", "tiempo de espera agotado"):
        assert meaning(text).op is Op.FAILED
    assert meaning("intentos agotados").op is Op.EXHAUSTED


def tables(reference: str) -> dict[str, list[Row]]:
    deliveries = [
        {"id": 1_000 + n, "message_id": f"evt_{n:06}", "endpoint_id": 40 + n % 9}
        | {"status": "delivered", "attempts": 1, "created_at": iso(n), "updated_at": iso(n + 2)}
        for n in range(300)
    ]
    attempts = [
        {"id": 5 + n, reference: 1_000 + n, "attempt_no": 1, "worker": f"w{n % 3}"}
        | {"started_at": iso(n + 1), "finished_at": iso(n + 2), "response_status": 200}
        for n in range(300)
    ]
    return {"deliveries": deliveries, "attempts": attempts}


def keys(samples: dict[str, list[Row]]) -> list[str | None]:
    guessed = {name: guess(rows, name) for name, rows in samples.items()}
    found = joined(links(samples), guessed, samples)
    columns = [found[name].columns for name in samples]
    return [one["delivery"].path if "delivery" in one else None for one in columns]


def test_a_number_of_a_delivery_joins_its_table_and_its_attempts() -> None:
    assert keys(tables("delivery_id")) == ["id", "delivery_id"]


def test_numbers_of_something_else_join_nothing() -> None:
    assert keys(tables("batch_no"))[0] is None


LOG = LogFacts(
    fields=frozenset({"at", "delivery", "to_state", "status", "reason", "attempt", "worker"}),
    ops=frozenset({Op.ACCEPTED, Op.SENT, Op.FAILED, Op.SUCCEEDED}),
    usual={Op.ACCEPTED: 1.0, Op.SENT: 1.0, Op.SUCCEEDED: 1.0},
    attempts_last=5,
    has_table=True,
)


def step(act: Op, second: float, attempt: int | None = 1, **about: object) -> Step:
    told: dict[str, object] = {"attempt": attempt, "result": 0, "word": None}
    return make_step(act, int(1e6 * second), **(told | about))


def trace(*steps: Step, crossings: tuple[str, ...] = (), why: Why = Why.SILENT) -> Trace:
    return make_dropped(why, *steps, crossings=crossings)


def answer(second: float, attempt: int = 1, **about: object) -> Step:
    return step(Op.FAILED, second, attempt, **({"result": -1, "status": 502} | about))


BEGUN = (step(Op.ACCEPTED, 0, None), step(Op.SENT, 1))
CALLED = step(Op.FAILED, 60, result=-1, word="failed", state="failed")


def test_called_failed_while_its_attempt_is_under_way_is_d7() -> None:
    late = trace(*BEGUN, CALLED, answer(80), crossings=("second_result",))
    assert recognise(late, LOG).mechanism == "D7"
    left = trace(*BEGUN, CALLED)
    assert recognise(left, LOG).mechanism == "D7"
    of_attempt = CALLED._replace(reason="timeout", state=None, worker="w1")
    assert recognise(trace(*BEGUN, of_attempt), LOG).mechanism != "D7"  # that is what came of it
    told = [step(Op.FAILED, 59.9, result=-1, status=502), CALLED]
    assert recognise(trace(*BEGUN, *told), LOG).mechanism != "D7"  # it follows from the answer
    last = trace(*BEGUN, CALLED._replace(attempt=5), answer(80, 5))
    assert recognise(last, LOG).mechanism != "D7"  # no attempts were left


def test_a_request_that_nobody_ended_was_met_by_its_marker_whatever_its_endpoint() -> None:
    over = step(Op.SKIPPED, 90, None, word="record found, returning")
    found = recognise(trace(*BEGUN, over, why=Why.SKIPPED), LOG)
    assert (found.mechanism, found.twins) == ("D8", ())
    ended = recognise(trace(*BEGUN, answer(2), over, why=Why.SKIPPED), LOG)
    assert "D9" in ended.twins


def test_two_lines_of_one_turn_are_no_crossing_but_those_of_two_turns_are() -> None:
    twice = (answer(2), answer(3))
    alone = trace(*BEGUN, *twice, crossings=("second_result",))
    assert recognise(alone, LOG).mechanism != "D6"
    both = trace(*BEGUN, step(Op.SENT, 1.5, 2), *twice, crossings=("second_result",))
    assert recognise(both, LOG).mechanism == "D6"


def test_a_turn_that_made_no_request_met_a_marker() -> None:
    idle = (step(Op.SENT, 40, 2), step(Op.UNKNOWN, 40, 2))
    met = trace(*BEGUN, *idle, answer(80), crossings=("late_attempt",))
    assert recognise(met, LOG).mechanism == "D8"
    failed = (step(Op.SENT, 40, 2), step(Op.UNKNOWN, 40, 2, reason="connection refused"))
    tried = trace(*BEGUN, *failed, answer(80), crossings=("late_attempt",))
    assert recognise(tried, LOG).mechanism == "D6"


def test_a_row_that_is_gone_was_deleted_only_where_others_are_kept() -> None:
    gone = trace(step(Op.SENT, 1), answer(2))
    assert recognise(gone, LOG).mechanism == "D11"
    swept = replace(LOG, usual={Op.ACCEPTED: 0.2, Op.SENT: 1.0})
    assert recognise(gone, swept).mechanism == "D2"
    assert "D11" in recognise(gone, swept).twins
    assert recognise(trace(*BEGUN, answer(2)), LOG).mechanism != "D11"


def test_a_success_taken_back_by_the_same_turn_is_d5_and_by_another_one_d6() -> None:
    said = step(Op.SUCCEEDED, 4, result=1, status=202, worker="a")
    crossings = ("second_result",)
    back = trace(*BEGUN, said, answer(20, worker="a"), crossings=crossings, why=Why.FALSE_DELIVERED)
    assert recognise(back, LOG).mechanism == "D5"
    other = trace(
        *BEGUN,
        step(Op.SENT, 3, 2, worker="b"),
        said,
        answer(20, 2, worker="b"),
        crossings=crossings,
        why=Why.FALSE_DELIVERED,
    )
    assert recognise(other, LOG).mechanism == "D6"


def test_an_attempt_that_was_skipped_says_nothing_of_its_delivery() -> None:
    kind = Kind("events", "attempt", None, None, "skipped", None, "none")
    assert line_of(kind, {}, {})[:2] == (Op.SKIPPED, Stand.NONE)
    assert line_of(kind._replace(outcome="failure"), {}, {}).op is Op.FAILED
