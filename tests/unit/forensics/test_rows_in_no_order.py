"""Logs whose rows lie in no order, or are there twice, tell the same as those in good order."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.document import document
from homing.forensics.investigation import investigate
from homing.forensics.options import Options

BEGIN = 1_772_000_000


def rows(deliveries: int = 300) -> list[dict[str, Any]]:
    """Whole lives within a second each; every tenth is left after a failure, from the middle on."""
    found = []
    for number in range(deliveries):
        lost = number > deliveries // 2 and number % 10 == 0
        steps = [("received", None), ("queued", None), ("picked up", 1)]
        steps += [("failed", 1)] if lost else [("ok", 1)]
        found += [
            {
                "when": BEGIN + 60 * number,
                "job": f"J{number}",
                "what": what,
                "try": attempt,
                "http": {"ok": 200, "failed": 503}.get(what),
            }
            for what, attempt in steps
        ]
    return found


def findings(told: list[dict[str, Any]], folder: Path) -> dict[str, Any]:
    path = folder / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in told))
    return document(investigate([str(path)], Options(folder=str(folder))))


def test_shuffled_and_repeated_rows_change_nothing(tmp_path: Path) -> None:
    told = rows()
    straight = findings(told, tmp_path)
    mixed = [*told, *told[:40]]
    random.Random(4).shuffle(mixed)
    crooked = findings(mixed, tmp_path)
    same = ("accepted", "dropped", "books", "dropped_because")
    assert {key: crooked[key] for key in same} == {key: straight[key] for key in same}
    assert straight["dropped"] > 0
    for found in (straight, crooked):
        assert found["hypothesis"]["mixture"] == straight["hypothesis"]["mixture"]
    assert any(line.startswith("40 rows are in the log twice") for line in crooked["cannot_tell"])
