"""Logs in the manner of many services: every drop is counted, and its mechanism named."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from support.delivery_logs import MANNERS, MECHANISMS, Log, Service

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.document import document
from homing.forensics.investigation import investigate
from homing.forensics.options import Options

#: manners whose clean log is read in the quick run as well
QUICK = ("full", "states", "dump", "attempts")


def findings(log: Log, manner: str, folder: Path) -> dict[str, Any]:
    """The JSON document for a log written in a manner."""
    ending, text = MANNERS[manner](log)
    path = folder / f"log.{ending}"
    path.write_text(text)
    return document(investigate([str(path)], Options(folder=str(folder))))


@pytest.mark.parametrize("fault", MECHANISMS)
def test_a_log_with_all_fields_names_its_mechanism(fault: str, tmp_path: Path) -> None:
    log = Service(fault, 1, deliveries=1_500, slow_share=0.04).run()
    found = findings(log, "full", tmp_path)
    assert found["hypothesis"]["mechanism"] == fault
    assert found["accepted"] == 1_500
    missed = len(log.dropped) - found["dropped"] - found["books"]["open"] - found["books"]["later"]
    assert abs(missed) <= 0.02 * len(log.dropped)


@pytest.mark.parametrize(
    "manner",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.explore) for name in MANNERS],
)
def test_a_log_without_drops_is_not_suspected(manner: str, tmp_path: Path) -> None:
    log = Service(None, 3, deliveries=2_000, slow_share=0.03, fail_share=0.15).run()
    found = findings(log, manner, tmp_path)
    assert found["dropped"] == 0
    assert found["verdict"] == "no drop"
    assert found["excluded_rate"] == pytest.approx(1 - 0.05 ** (1 / found["judged"]))


@pytest.mark.parametrize(
    ("manner", "fault"),
    [
        ("nested", "D6"),
        pytest.param("nested", "D8", marks=pytest.mark.explore),
        ("states", "D10"),
        pytest.param("minimal", "D4", marks=pytest.mark.explore),
        ("logfmt", "D3"),
    ],
)
def test_other_names_and_forms_lead_to_the_same_mechanism(
    manner: str, fault: str, tmp_path: Path
) -> None:
    log = Service(fault, 2, deliveries=2_000, slow_share=0.03).run()
    assert findings(log, manner, tmp_path)["hypothesis"]["mechanism"] == fault


def test_the_beginning_is_found_within_its_interval(tmp_path: Path) -> None:
    log = Service("D2", 4, deliveries=3_000).run()
    since = findings(log, "full", tmp_path)["since"]
    assert since["is_change"]
    first = min(r["at"] for r in log.rows if r["delivery"] in log.dropped and r["op"] == "accepted")
    assert datetime.fromisoformat(since["at"]).timestamp() == pytest.approx(first, abs=0.01)
    assert datetime.fromisoformat(since["low"]).timestamp() <= (log.started_s or 0)


def test_what_the_log_lacks_is_said(tmp_path: Path) -> None:
    log = Service("D1", 5, deliveries=2_000).run()
    found = findings(log, "attempts", tmp_path)
    assert found["hypothesis"]["mechanism"] is None
    assert {"D1", "D2"} <= {one["mechanism"] for one in found["hypothesis"]["candidates"]}
    assert any("cannot tell D2 from D1" in line for line in found["cannot_tell"])
    assert any("begins with the first attempt" in line for line in found["cannot_tell"])


def test_a_table_of_last_states_shows_who_called_it_delivered_to_nobody(tmp_path: Path) -> None:
    log = Service("D5", 2, deliveries=2_000, slow_share=0.03).run()
    one = findings(log, "dump", tmp_path)["hypothesis"]
    assert [each["mechanism"] for each in one["candidates"]] == ["D5", "D6"]
    assert "the log has no worker or lease epoch" in one["sentence"]


def test_a_table_that_keeps_the_status_of_the_last_failure_is_not_called_false(
    tmp_path: Path,
) -> None:
    log = Service(None, 3, deliveries=1_000, fail_share=0.15).run()
    rows = list(csv.DictReader(io.StringIO(MANNERS["dump"](log)[1])))
    for row in rows:
        if int(row["attempts"]) > 1:
            row["last_status_code"] = "503"
    path = tmp_path / "table.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert document(investigate([str(path)], Options(folder=str(tmp_path))))["dropped"] == 0


def test_an_entry_that_is_acknowledged_with_its_dead_letter_is_no_drop(tmp_path: Path) -> None:
    rows = []
    for n in range(300):
        ended = ("dead", 503) if n % 40 == 7 else ("succeeded", 200)
        life = (("accepted", None), ("claimed", None), ended, ("acked", None))
        for after_s, (event, status) in enumerate(life):
            at = 1_790_000_000 + 60 * n + after_s
            row = {"at": at, "delivery_id": f"dlv_{n:04}", "event": event, "status": status}
            rows.append(row)
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    found = document(investigate([str(path)], Options(folder=str(tmp_path))))
    books = found["books"]
    assert (found["dropped"], books["dead"], books["delivered"]) == (0, 8, 292)
