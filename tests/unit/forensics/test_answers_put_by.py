"""Receivers that answer 202, of which some report later what became of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.investigation import Findings, investigate
from homing.forensics.judging import Verdict
from homing.forensics.options import Options

Row = dict[str, Any]
COUNT = 400
BEGIN_S = 1_780_000_000.0
#: all of them of receivers that report
LOST = range(9, COUNT - 40, 28)


def life(number: int, kind: str) -> Iterator[Row]:
    """One delivery, of which every second receiver answers 202, and every fourth reports later.

    Args:
        kind: "fine", "unreported" (and called delivered) or "refused" (by its report).
    """
    at = BEGIN_S + 30.0 * number

    def said(event: str, after_s: float, **told: Any) -> Row:
        nonlocal at
        at += after_s
        return {"ts": at, "event": event, "delivery_id": f"d-{number * 7919 % 100_003:06x}"} | told

    yield said("accepted", 0, endpoint=f"ep-{number % 8}")
    yield said("queued", 0.3)
    yield said("taken", 0.1, worker=f"w-{number % 3}", attempt=1)
    yield said("request sent", 0, worker=f"w-{number % 3}", attempt=1)
    status = 202 if number % 2 else 200
    yield said("response", 0.2, worker=f"w-{number % 3}", attempt=1, status=status)
    if number % 4 == 1:
        yield said("held for its receipt", 0, worker=f"w-{number % 3}", attempt=1)
        if kind == "refused":
            yield said("delivered", 0, attempt=1)
            yield said("receipt came", 20, attempt=1, result="error")
            return
        if kind == "fine":
            yield said("receipt came", 20, attempt=1, result="ok")
    yield said("delivered", 0.0, attempt=1)


def found_in(folder: Path, kind: str) -> Findings:
    rows = [row for n in range(COUNT) for row in life(n, kind if n in LOST else "fine")]
    rows.sort(key=lambda row: float(row["ts"]))
    path = folder / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return investigate([str(path)], Options(folder=str(folder)))


@pytest.mark.parametrize("kind", ["unreported", "refused"])
def test_a_202_of_which_the_receiver_reports_later_is_no_answer_yet(
    tmp_path: Path, kind: str
) -> None:
    found = found_in(tmp_path, kind)
    assert found.books[Verdict.DROPPED] == len(LOST)
    assert found.books[Verdict.DELIVERED] == COUNT - len(LOST)
    assert found.hypothesis is not None
    assert found.hypothesis.mechanism == "D5"


def test_a_202_of_which_nobody_reports_is_an_answer(tmp_path: Path) -> None:
    assert found_in(tmp_path, "fine").books[Verdict.DELIVERED] == COUNT
