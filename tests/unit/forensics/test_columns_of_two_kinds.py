"""Columns of two kinds of values, values that stand in two columns, and names of two meanings."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.document import document
from homing.forensics.habits import Habits, Kind
from homing.forensics.investigation import investigate
from homing.forensics.operations import UNKNOWN, Op, Stand, Word
from homing.forensics.options import Options
from homing.forensics.reading.guessing import guess
from homing.forensics.reading.mapping import WORDS, Column, parse, to_toml
from homing.forensics.reading.sampling import sample
from homing.forensics.reading.sources import look_at
from homing.forensics.vocabulary import meaning
from homing.forensics.words import Behaviour, by_behaviour, line_of

Row = dict[str, Any]
BEGIN = 1_780_000_000


def iso(at: float) -> str:
    return datetime.fromtimestamp(BEGIN + at, UTC).isoformat(timespec="milliseconds")


def thin(number: int, fault: str) -> list[Row]:
    """One delivery of a log of five columns; `what` is a status of HTTP, an error or a state."""
    rows: list[Row] = []
    at = 50.0 * number

    def say(wait: float, step: str, no: int | str = "", what: int | str = "") -> None:
        nonlocal at
        at += wait
        rows.append(
            {
                "time": iso(at),
                "delivery_id": 880_000 + number,
                "step": step,
                "try": no,
                "status": what,
            }
        )

    is_late = number > 250
    say(0, "received", what=201)
    if number % 20 == 3:
        say(12, "repost", what=200)  # the publisher had no answer, and asks again
        if fault == "D3" and is_late:
            return rows
    if number % 30 == 11:
        say(1, "closed", what="by:maria")
        return rows
    fails = 4 if number % 25 == 7 else number % 3 == 1
    for no in range(1, 5):
        say(20 if no > 1 else 0.2, "pushed")
        if fault == "D8" and is_late and fails == 1 and no == 2:
            say(0.02, "taken", what="busy")
            return rows
        say(0.1, "sending", no)
        say(0.3, "answer", no, (503, "ETIMEDOUT")[number % 2] if no <= fails else 200)
        if no > fails:
            say(0.01, "saved", no, "done")
            return rows
        say(0.01, "saved", no, "waiting" if no < 4 else "gave up")
    if not (fault == "D10" and is_late):
        say(0.02, "parked", what="dlq")
    return rows


@pytest.mark.parametrize(("fault", "dropped"), [("clean", 0), ("D3", 17), ("D8", 112), ("D10", 14)])
def test_a_column_of_statuses_and_of_words_is_read_as_both(
    fault: str, dropped: int, tmp_path: Path
) -> None:
    rows = sorted(
        (row for number in range(600) for row in thin(number, fault)), key=lambda row: row["time"]
    )
    log = tmp_path / "log.csv"
    with log.open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    found = document(investigate([str(log)], Options(threads=1)))
    assert found["accepted"] == 600
    assert dropped - 8 <= found["dropped"] <= dropped  # the last ones are too young
    one = found["hypothesis"]
    named = [one["mechanism"]] if one["mechanism"] else [c["mechanism"] for c in one["candidates"]]
    # a number that is given late would tell the poller's cursor
    assert named == {"clean": [], "D3": ["D3", "D12"]}.get(fault, [fault])


def test_a_mapping_of_both_can_be_edited() -> None:
    rows = [row for number in range(100) for row in thin(number, "")]
    mapping = guess(rows)
    assert mapping.columns["status"] == Column(path="status")
    assert mapping.columns["to_state"] == Column(path="status", unit=WORDS)
    assert parse(to_toml(mapping)).columns["to_state"] == mapping.columns["to_state"]
    plain = guess([row for row in rows if not isinstance(row["status"], str)])
    assert plain.columns["status"] == Column(path="status")
    assert "to_state" not in plain.columns


@pytest.mark.parametrize(
    ("numbered", "op"), [(0.0, Op.NOTED), (1.0, Op.ATTEMPTED), (None, Op.ATTEMPTED)]
)
def test_a_status_of_no_attempt_is_no_receivers_where_those_are_numbered(
    numbered: float | None, op: Op
) -> None:
    assert by_behaviour(Behaviour(50, 0.0, 0.2, 1.0, 0.0, 0.01, numbered=numbered)).op is op


def line(
    op: str, state: str = "", reason: str | None = None, about: Habits | None = None
) -> tuple[Op, Stand]:
    kind = Kind("events", op, None, state or None, None, reason, "none")
    found = line_of(kind, {}, {}, about or Habits())
    return found.op, found.stand


def test_what_stands_beside_a_word_says_what_it_is() -> None:
    assert line("taken", "busy", "busy")[0] is Op.SKIPPED
    assert line("taken", "processing", None)[0] is Op.CLAIMED
    assert line("taken", "no target", "no target")[0] is Op.DISCARDED
    assert line("closed", "", "by: ops")[0] is Op.CANCELLED
    assert line("closed", "", "by then it was late")[0] is Op.SUCCEEDED
    assert line("parked", "dlq") == (Op.DEAD, Stand.DEAD)
    assert line("parked", "paused") == (Op.PARKED, Stand.PARKED)
    assert line("saved", "waiting", None, Habits(accepts=True))[0] is Op.RETRY
    assert line("saved", "waiting", None, Habits(accepts=False))[0] is Op.ACCEPTED


def test_a_late_result_that_was_ignored_came_and_a_status_of_the_service_did_not() -> None:
    kind = Kind("events", "late", None, None, None, None, "ok")
    noted = Word(Op.NOTED, Stand.NONE)
    assert line_of(kind, {}, {"late": noted}).result == 0
    assert line_of(kind._replace(op="late result ignored"), {}, {}).result == 1


@pytest.mark.parametrize(
    ("text", "op"),
    [
        ("no answer", Op.FAILED),
        ("answer", Op.ATTEMPTED),
        ("hold ran out", Op.LAPSED),
        ("nothing to do (being handled", Op.SKIPPED),
        ("nothing to do", Op.SKIPPED),
        ("deadletter stored", Op.DEAD),
        ("stored notification", Op.ACCEPTED),
        ("passed over", Op.SKIPPED),
        ("DeliveryWaived", Op.CANCELLED),
        ("AttemptBroke", Op.FAILED),
        ("again", Op.FAILED),
        ("late", Op.NOTED),
        ("lost", Op.LAPSED),
        ("SubscriptionResumed", Op.STARTED),
        ("DeliveryResumed", Op.RESUMED),
    ],
)
def test_words_of_plain_text(text: str, op: Op) -> None:
    assert meaning(text).op is op


def discarded(number: int, told: Row, *, is_again: bool) -> list[Row]:
    about = {"id": f"d-{number:05}", "ts": BEGIN + 30 * number}
    rows = [about | {"event": "accepted"}]
    if number % 20 == 9:
        rows.append(about | {"event": "discarded", "ts": about["ts"] + 1} | told)
        if is_again:
            again = {"event": "duplicate", "note": "already accepted, skipped"}
            rows.append(about | again | {"ts": about["ts"] + 9})
        return rows
    for no, error in ((1, {"error": "request timeout"}), (2, {})):
        answer = error or {"status": 200}
        rows.append(about | {"event": "attempt.response", "ts": about["ts"] + 2 * no} | answer)
        if number % 15:
            rows[-1] = about | {"event": "attempt.response", "ts": about["ts"] + 2, "status": 200}
            break
        if error:
            rows.append(about | {"event": "deferred", "reason": "retry", "ts": about["ts"] + 2.5})
    return rows


@pytest.mark.parametrize("is_again", [False, True])
@pytest.mark.parametrize(
    ("told", "dropped"), [({"policy": "muted"}, 0), ({"by": "jo"}, 0), ({}, 20)]
)
def test_a_policy_that_has_a_name_is_somebody(
    told: Row, dropped: int, tmp_path: Path, *, is_again: bool
) -> None:
    rows = [r for n in range(400) for r in discarded(n, told, is_again=is_again)]
    rows[0] |= {"by": "jo"}  # so that both columns are there
    log = tmp_path / "log.jsonl"
    log.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    found = document(investigate([str(log)], Options(threads=1)))
    assert found["dropped"] == dropped


def test_reasons_of_two_columns_are_both_reasons() -> None:
    rows = [r for n in range(400) for r in discarded(n, {"policy": "muted"}, is_again=True)]
    reason = guess(rows).columns["reason"]
    assert {reason.path, *reason.others} == {"reason", "error"}


@pytest.mark.parametrize(
    ("values", "field"), [(("oak", "elm"), "endpoint"), (("waiting", "done"), "to_state")]
)
def test_a_column_to_names_a_receiver_or_a_state(values: tuple[str, str], field: str) -> None:
    rows = [
        {
            "time": iso(9 * n + i),
            "id": f"n{n:05}",
            "event": event,
            "to": values[n % 2 if field == "endpoint" else i],
        }
        for n in range(100)
        for i, event in enumerate(("stored", "sent"))
    ]
    assert guess(rows).columns[field].path == "to"


@pytest.mark.parametrize("every", [1, 50])
def test_a_name_that_few_rows_have_is_not_that_of_the_deliveries(every: int) -> None:
    rows = [
        {"time": iso(9 * n + i), "id": f"{n:05}ab", "event": event, "status": 200 if i else None}
        | ({"delivery": f"{n:05}ab"} if n % every == 0 else {})
        for n in range(200)
        for i, event in enumerate(("stored", "sent"))
    ]
    assert guess(rows).columns["delivery"].path == ("delivery" if every == 1 else "id")


def thrown_away(number: int, by: str) -> list[Row]:
    about = {"stream": f"delivery/{number:05}x", "at": iso(60 * number)}
    data = {"message": f"msg_{number:05}", "subscription": f"sub_{number % 9}"}
    rows = [about | {"type": "DeliveryRequested", "by": "gateway-a", "data": data}]
    if number % 20 == 9:
        gone = {"type": "DeliveryDiscarded", "at": iso(60 * number + 1), "by": by, "data": {}}
        return [*rows, about | gone]
    for wait, what, told in (
        (1, "AttemptStarted", {"attempt": 1}),
        (2, "AttemptAnswered", {"attempt": 1, "status": 200}),
        (3, "DeliveryConfirmed", {"attempt": 1}),
    ):
        rows.append(
            about | {"type": what, "at": iso(60 * number + wait), "by": "sender-1", "data": told}
        )
    return rows


@pytest.mark.parametrize(("by", "dropped"), [("ines", 0), ("sender-1", 20), ("router", 20)])
def test_who_makes_attempts_is_no_person(by: str, dropped: int, tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    rows = [row for number in range(400) for row in thrown_away(number, by)]
    log.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    found = document(investigate([str(log)], Options(threads=1)))
    assert (found["accepted"], found["dropped"]) == (400, dropped)
    assert found["hypothesis"]["mechanism"] == ("D9" if dropped else None)


def test_a_row_with_a_rare_key_is_in_the_sample_and_once(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    about = [
        {"id": n, "at": n} | ({"withdrawn_by": "jo"} if 500 < n < 560 else {}) for n in range(3_000)
    ]
    log.write_text("".join(json.dumps(row) + "\n" for row in about), "utf-8")
    ids = [row["id"] for row in sample(look_at(str(log)), 100) if row["id"]]
    assert len(set(ids)) == len(ids)
    assert {501, 520} <= set(ids)  # of a key that none of the first rows has
    assert max(ids) > 2_000  # and rows from further on


def test_unknown_words_stay_unknown() -> None:
    assert meaning("zork") == UNKNOWN
