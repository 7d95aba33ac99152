"""Audit tables that a trigger of a database writes: what another row became, and was before."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.investigation import investigate
from homing.forensics.judging import Verdict
from homing.forensics.options import Options
from homing.forensics.reading.audits import audited
from homing.forensics.reading.converting import rows_of
from homing.forensics.reading.lines import change_row
from homing.forensics.reading.sources import look_at

_WHEN = "2026-03-02 08:15:30.250000+00"


def _row(
    op: str, old: Any, new: Any, table: str = "outgoing_call", pk: str = "c-1"
) -> dict[str, Any]:
    cells = {"row_old": old, "row_new": new}
    texts = {name: json.dumps(side) if side else None for name, side in cells.items()}
    return {
        "no": "5",
        "made_at": _WHEN,
        "dml": op,
        "table_name": table,
        "pk": pk,
        **texts,
        "by": "sender",
    }


def test_of_an_update_the_changed_columns_alone_tell_of_the_row_that_is_named_beside_them() -> None:
    row = audited(_row("U", {"state": "SENDING", "tries": 1}, {"state": "DONE", "tries": 2}))
    assert row is not None
    assert (row["op"], row["from_state"], row["to_state"]) == ("update", "SENDING", "DONE")
    assert (row["outgoing_call_id"], row["tries"], row["at"], row["by"]) == (
        "c-1",
        2,
        _WHEN,
        "sender",
    )
    assert not {"row_old", "row_new", "pk", "dml"} & row.keys()


def test_the_row_of_another_table_is_not_taken_for_a_delivery() -> None:
    letter = {"id": 9, "outgoing_call_id": "c-1", "why": "gone"}
    row = audited(_row("INSERT", None, letter, "dead_letter", "9"))
    assert row is not None
    assert (row["op"], row["dead_letter_id"], row["outgoing_call_id"]) == ("dead_letter", 9, "c-1")


def test_when_a_trigger_ran_is_not_when_its_transaction_was_committed() -> None:
    row = audited(_row("I", None, {"id": "c-1", "state": "NEW"}))
    assert row is not None
    assert "committed_at" not in row


def test_a_deleted_row_stands_nowhere() -> None:
    row = audited(_row("D", {"id": "c-1", "state": "DONE"}, None))
    assert row is not None
    assert (row["op"], row["to_state"], row["outgoing_call_id"]) == ("delete", None, "c-1")


def test_what_only_looks_like_an_audit_is_none() -> None:
    assert audited(_row("U", {"state": "A"}, None)) is None  # nothing that it became
    assert audited(_row("sent", {"state": "A"}, {"state": "B"})) is None
    assert audited({"op": "u", "before": {"id": 1}, "after": {"id": 1}}) is None  # of no table


def test_an_audit_is_read_from_csv_and_from_lines_of_json(tmp_path: Path) -> None:
    rows = [
        _row("I", None, {"id": "c-1", "state": "NEW"}),
        _row("U", {"state": "NEW"}, {"state": "DONE"}),
    ]
    table = tmp_path / "audit.csv"
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    lines = tmp_path / "audit.jsonl"
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert (look_at(str(table)).form, look_at(str(lines)).form) == ("audit", "changes")
    read = [row for _, row, _ in rows_of(look_at(str(table)))]
    assert [row and row["to_state"] for row in read] == ["NEW", "DONE"]
    assert [change_row(line) for line in lines.read_text().splitlines()] == read


# -- a whole log of such rows --------------------------------------------------------------------

COUNT = 240
BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
Change = tuple[float, str, dict[str, Any] | None, dict[str, Any]]


def is_hit(number: int) -> bool:
    return number > COUNT // 3 and number % 12 == 5


def _stamp(second: float) -> str:
    return (BEGIN + timedelta(seconds=second)).isoformat(sep=" ")


def _turn(second: float, before: str, attempt: int) -> Change:
    mine = {"held_by": f"sender-{attempt}", "lease_until": _stamp(second + 60)}
    old = {"state": before, "tries": attempt - 1, "held_by": None, "lease_until": None}
    return second, "U", old, {"state": "SENDING", "tries": attempt, **mine}


def _changes(number: int) -> list[Change]:
    """Every third delivery fails once; some are then saved as a bulk job read them before."""
    at = 60.0 * number
    new = {"id": f"c-{number}", "state": "NEW", "tries": 0, "max_tries": 5, "due": None}
    told: list[Change] = [(at, "I", None, new), _turn(at + 1, "NEW", 1)]
    none = {"held_by": None, "lease_until": None}
    done = {"state": "DONE", "last_status": 200, **none}
    if number % 3 != 2:
        return [*told, (at + 2, "U", {"state": "SENDING"}, done)]
    wait = {"state": "WAIT", "last_status": 503, "due": _stamp(at + 30), **none}
    told.append((at + 2, "U", {"state": "SENDING"}, wait))
    if is_hit(number):
        return [*told, (at + 5, "U", {"state": "WAIT"}, {"state": "SENDING", "due": None})]
    again = _turn(at + 31, "WAIT", 2)
    return [*told, again, (at + 32, "U", {"state": "SENDING"}, done)]


def test_what_waits_and_is_saved_as_in_progress_by_nobody_is_written_over(tmp_path: Path) -> None:
    told = sorted(
        (
            (second, number, op, old, new)
            for number in range(COUNT)
            for second, op, old, new in _changes(number)
        ),
        key=lambda one: one[0],
    )
    path = tmp_path / "audit.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(_row("I", None, None)))
        writer.writeheader()
        for second, number, op, old, new in told:
            row = _row(op, old, new, pk=f"c-{number}")
            writer.writerow({**row, "made_at": _stamp(second)})
    findings = investigate([str(path)], Options(folder=str(tmp_path)))
    hits = sum(map(is_hit, range(COUNT)))
    assert findings.books[Verdict.DROPPED] == hits
    assert findings.books[Verdict.DELIVERED] == COUNT - hits
    assert findings.hypothesis.mechanism == "D6"
