"""Rows of attempts beside a table of deliveries: when they ended, and what is gone."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.tables import write_table

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.investigation import Findings, investigate
from homing.forensics.judging import Verdict
from homing.forensics.options import Options

COUNT = 400
BEGIN_S = 1_780_000_000
STEP_S = 60
LOST = range(30, COUNT - 80, 22)


def iso(at: float | None) -> str:
    if at is None:
        return ""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


ATTEMPTS = (
    "attempt_id,delivery_no,try_no,endpoint,worker,claimed_at,sent_at,ended_at,http_code,"
    "outcome,next_retry_at"
)
DELIVERIES = (
    "delivery_no,endpoint,received_at,stored_at,queued_at,state,tries,max_tries,version,"
    "closed_at,removed_at"
)


def attempt(number: int, no: int, begun: float, took: float, code: int, outcome: str) -> list[Any]:
    due = begun + 120 if outcome == "http_error" else None
    return [
        *(f"a{number:05}{no}", 5_000_000 + number, no, f"e{number % 7}", f"w{(number + no) % 4}"),
        *(iso(begun), iso(begun + 0.02), iso(begun + took), code or "", outcome, iso(due)),
    ]


def delivery(number: int, state: str, tries: int, **times: float | None) -> list[Any]:
    at = BEGIN_S + STEP_S * number
    stored, queued = times.get("stored", at + 0.1), times.get("queued", at + 1.0)
    return [
        *(5_000_000 + number, f"e{number % 7}", iso(at), iso(stored), iso(queued), state, tries, 6),
        *(1 + 2 * tries, iso(times.get("closed")), iso(times.get("removed"))),
    ]


def found_in(folder: Path, kind: str) -> Findings:
    attempts, deliveries = [], []
    for number in range(COUNT):
        at = BEGIN_S + STEP_S * number + 2.0
        if number in LOST and kind == "removed":
            attempts.append(attempt(number, 1, at, 0.2, 503, "http_error"))
            deliveries.append(delivery(number, "waiting_retry", 1, removed=at + 60))
        elif number in LOST and kind == "late":
            attempts.append(attempt(number, 1, at, 150.0, 0, "timeout"))
            attempts.append(attempt(number, 2, at + 80, 0.4, 503, "http_error"))
            deliveries.append(delivery(number, "waiting_retry", 2))
        elif number in LOST and kind == "untried":
            deliveries.append(delivery(number, "received", 0, stored=at + 40, queued=None))
        else:
            first = 1
            if number % 9 == 4:
                attempts.append(attempt(number, 1, at, 0.2, 503, "http_error"))
                first, at = 2, at + 130
            if number % 31 == 7 and kind == "late":
                attempts.append(attempt(number, first, at, 60.0, 0, "abandoned"))
                first, at = first + 1, at + 80
            if number % 13 == 5 and kind == "late":  # a turn with no request
                attempts.append(attempt(number, first, at, 0.01, 0, "already_in_progress"))
                attempts[-1][6] = ""
                first, at = first + 1, at + 30
            attempts.append(attempt(number, first, at, 0.2, 200, "ok"))
            deliveries.append(
                delivery(number, "delivered", first, closed=at + 0.2, removed=at + 9_000)
            )
    paths = [
        write_table(folder / "attempts.csv", ATTEMPTS, attempts),
        write_table(folder / "deliveries.csv", DELIVERIES, deliveries),
    ]
    return investigate(paths, Options(folder=str(folder)))


def test_what_was_removed_before_its_end_is_lost_and_what_ended_before_is_not(
    tmp_path: Path,
) -> None:
    findings = found_in(tmp_path, "removed")
    assert (findings.dropped, findings.hypothesis.mechanism) == (len(LOST), "D11")
    assert findings.books[Verdict.DELIVERED] == COUNT - len(LOST)


def test_an_attempt_ends_when_it_ended_and_not_when_its_request_went_out(tmp_path: Path) -> None:
    findings = found_in(tmp_path, "late")
    assert findings.dropped == len(LOST)
    assert findings.books == {Verdict.DELIVERED: COUNT - len(LOST), Verdict.DROPPED: len(LOST)}
    columns = next(
        one.columns for path, one in findings.raw.mappings.items() if path.endswith("attempts.csv")
    )
    assert (columns["at"].path, columns["started_at"].path) == ("ended_at", "claimed_at")
    assert "finished_at" not in columns
    steps = findings.examples[0].steps
    answers = [(step.at_us - findings.examples[0].accepted_us) // 1_000_000 for step in steps]
    assert answers == sorted(answers)
    assert (
        max(answers) >= 150
    )  # the late answer of the first attempt is the last thing that happens


def test_what_was_stored_late_and_never_tried_was_passed_by(tmp_path: Path) -> None:
    findings = found_in(tmp_path, "untried")
    assert (findings.dropped, findings.hypothesis.mechanism) == (len(LOST), "D12")
