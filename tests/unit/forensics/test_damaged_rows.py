"""A delivery that a damaged row names is not called dropped for its silence; others are."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.damaged import words_of
from homing.forensics.document import document
from homing.forensics.investigation import Options, investigate

BEGIN_S = 1_780_000_000.0
CUT, LOST = 100, 150


def lines() -> list[str]:
    """Four hundred deliveries; of one the last line is cut, and one has none."""
    told: list[str] = []
    for number in range(400):
        at = BEGIN_S + 200 * number
        events = ["accepted", "sent", "delivered"]
        for i, event in enumerate(events[:1] if number == LOST else events):
            status = {"status": 200} if event == "delivered" else {}
            row = {"at": datetime.fromtimestamp(at + i, UTC).isoformat()}
            row |= {"event": event, "delivery_id": f"d-{number:04}", **status}
            text = json.dumps(row)
            told.append(text[:-12] if number == CUT and event == "delivered" else text)
    return told


def test_what_a_damaged_row_may_have_ended_is_no_drop(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(lines()) + "\n")
    found = document(investigate([str(path)], Options(folder=str(tmp_path))))
    assert (found["damaged_rows"], found["dropped"]) == (1, 1)
    assert [one["delivery"] for one in found["examples"]] == [f"d-{LOST:04}"]
    assert any(one.startswith("1 silent delivery may be named by") for one in found["cannot_tell"])


def test_the_words_of_damaged_rows_are_those_of_the_lines_that_were_named(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text('id,what\nd-1,accepted\nd-2,"del\nd-3,x\n')
    assert "d-2" in words_of({str(path): [3]})
    assert {"d-1", "d-3"}.isdisjoint(words_of({str(path): [3]}))
