"""What is handed over to a queue while there is no connection to it never gets there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.investigation import Findings, investigate
from homing.forensics.judging import Verdict
from homing.forensics.options import Options
from homing.forensics.outages import spans

COUNT = 300
BEGIN = 1_790_000_000.0
#: the numbers after which the connection is lost for a minute
OUTAGES = (110, 155, 200, 260)
Row = dict[str, Any]


def test_an_outage_lasts_from_its_first_line_until_the_connection_is_there_again() -> None:
    told = [(1, False), (5, True), (6, True), (9, False), (10, False), (20, True)]
    assert spans(told) == ((5, 9),)


def test_after_hours_without_a_word_a_queue_is_not_still_out_of_reach() -> None:
    assert spans([(0, True), (7_200_000_000, False)]) == ()


def found(folder: Path, hits: set[int]) -> Findings:
    """A log in which some are handed over and never taken, and the connection is lost at times."""
    rows: list[Row] = []
    for number in range(COUNT):
        at = BEGIN + 60 * number
        if number in OUTAGES:
            rows.append({"ts": at - 10, "event": "broker connection lost", "worker": "w-1"})
            rows.append({"ts": at + 20, "event": "broker connection re-established"})
        name = f"dlv_{number * 7919 % 10_007:05}"
        words = ("accepted", "queued", "claimed", "sent", "delivered")
        for second, word in enumerate(words[: 2 if number in hits else None]):
            rows.append({"ts": at + second, "event": word, "delivery_id": name})
    path = folder / "log.jsonl"
    rows.sort(key=lambda row: float(row["ts"]))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return investigate([str(path)], Options(folder=str(folder)))


def test_what_was_handed_over_meanwhile_and_never_taken_is_d3(tmp_path: Path) -> None:
    findings = found(tmp_path, set(OUTAGES))
    assert findings.books[Verdict.DROPPED] == len(OUTAGES)
    assert findings.hypothesis.mechanism == "D3"


def test_what_was_handed_over_at_other_times_had_reached_the_queue(tmp_path: Path) -> None:
    findings = found(tmp_path, {number + 7 for number in OUTAGES})
    assert findings.books[Verdict.DROPPED] == len(OUTAGES)
    assert findings.hypothesis.mechanism == "D4"
