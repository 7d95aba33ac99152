"""Whom it hit: some are named, and how many there are is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.cli.investigate_report import report
from homing.forensics.document import document
from homing.forensics.investigation import investigate
from homing.forensics.options import Options
from homing.forensics.page import page

BEGIN = 1_780_000_000


@pytest.mark.parametrize(("losing", "shown"), [(14, 10), (10, 10), (3, 3)])
def test_more_that_lost_some_than_are_named_are_counted(
    tmp_path: Path, losing: int, shown: int
) -> None:
    rows = []
    for number in range(800):
        about = {"delivery_id": f"d-{number:04}", "endpoint": f"ep_{number % 40}", "worker": "a"}
        begin = BEGIN + 40 * number
        rows.append({"ts": begin, "event": "accepted", **about})
        rows.append({"ts": begin + 0.1, "event": "claimed", "attempt": 1, **about})
        if number >= 200 + losing or number < 200:
            rows.append({"ts": begin + 0.3, "event": "delivered", "status": 200, **about})
    log = tmp_path / "log.jsonl"
    log.write_text("".join(json.dumps(one) + "\n" for one in rows), "utf-8")
    told = document(investigate([str(log)], Options(threads=1)))
    assert told["dropped"] == losing
    assert (told["hit_count"]["endpoint"], len(told["hit"]["endpoint"])) == (losing, shown)
    screen = "\n".join(line.plain for line in report(told, saved=None, width=120))
    assert (f" and {losing - 3} more" in screen) is (losing > 3)
    is_said = f"The {shown} that lost most, of {losing} that lost any." in page(told)
    assert is_said is (losing > shown)
    del told["hit_count"]  # as in documents that were saved before
    assert " and 7 more" in "\n".join(one.plain for one in report(told, saved=None, width=120)) or (
        losing < 10
    )
