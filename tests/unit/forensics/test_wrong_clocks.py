"""Rows dated far from all others neither move a log's end nor its beginning, and are counted."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.clocks import extent_of
from homing.forensics.document import document
from homing.forensics.investigation import investigate
from homing.forensics.options import Options

BEGIN_S = 1_780_000_000.0
DAY_US = 86_400_000_000
DELIVERIES = 400


def rows_of(lost: int) -> list[dict[str, Any]]:
    """A day of deliveries; the one that is on its way at the end is nobody's fault."""
    draw = random.Random(5)
    rows: list[dict[str, Any]] = []
    for number in range(DELIVERIES):
        at = BEGIN_S + number * 216
        name = f"d-{number:04}"
        rows.append({"at": at, "delivery_id": name, "event": "accepted"})
        if lost and number % (DELIVERIES // lost) == 7:
            continue
        rows.append({"at": at + 1, "delivery_id": name, "event": "sent"})
        if number == DELIVERIES - 1:
            continue  # on its way
        at += draw.uniform(2, 60)
        rows.append({"at": at, "delivery_id": name, "event": "delivered", "status": 200})
    return sorted(rows, key=lambda row: float(row["at"]))


def findings(rows: list[dict[str, Any]], folder: Path) -> dict[str, Any]:
    path = folder / "log.jsonl"
    path.write_text(
        "".join(
            json.dumps(row | {"at": datetime.fromtimestamp(row["at"], UTC).isoformat()}) + "\n"
            for row in rows
        )
    )
    return document(investigate([str(path)], Options(folder=str(folder))))


@pytest.mark.parametrize("years", [-50, 5, 70])
def test_one_row_with_a_wrong_clock_makes_no_drops(years: int, tmp_path: Path) -> None:
    rows = rows_of(lost=0)
    rows[300] = rows[300] | {"at": rows[300]["at"] + years * 31_557_600}
    found = findings(rows, tmp_path)
    assert found["dropped"] == 0
    year = datetime.fromtimestamp(rows[300]["at"], UTC).year
    assert any(
        one.startswith(f"1 rows are dated far from all others, as {year}")
        for one in found["cannot_tell"]
    )


def test_what_is_lost_is_found_beside_a_wrong_clock(tmp_path: Path) -> None:
    rows = rows_of(lost=10)
    rows[300] = rows[300] | {"at": rows[300]["at"] + 3e9}
    found = findings(rows, tmp_path)
    assert found["dropped"] == 10
    assert found["log"]["to"].startswith("2026")


def day(at: float, rows: int) -> tuple[int, int, int, int]:
    start = int(at * DAY_US)
    return (start, start + DAY_US // 2, rows, 0)


def test_both_ends_of_a_log_may_have_wrong_clocks() -> None:
    week = [day(20_000 + i, 1_000) for i in range(7)]
    extent = extent_of([day(0, 2), *week, day(20_400, 1), day(47_000, 1)])
    assert (extent.first_us, extent.last_us) == (week[0][0], week[-1][1])
    assert extent.odd == 4
    assert extent.rows == 7_004


@pytest.mark.parametrize(
    "days",
    [
        [day(20_000, 1_000), day(20_001, 3)],  # retries of hours
        [day(20_000 + i, 1_000) for i in range(7)] + [day(20_012, 3)],  # shorter than the log
        [day(19_900, 2), *(day(20_000 + i, 1_000) for i in range(7))],  # has lain about for months
        [day(20_000, 100), day(20_400, 1)],  # one row in a hundred is no exception
    ],
)
def test_few_rows_at_an_end_may_be_in_order(days: list[tuple[int, int, int, int]]) -> None:
    extent = extent_of(days)
    assert (extent.odd, extent.first_us, extent.last_us) == (0, days[0][0], days[-1][1])
