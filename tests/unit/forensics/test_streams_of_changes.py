"""Exports of a change stream, a file for each table: dated by commits, named twice, some empty."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.tables import write_table

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.investigation import investigate
from homing.forensics.judging import Verdict
from homing.forensics.operations import Op
from homing.forensics.options import Options
from homing.forensics.reading.guessing import guess
from homing.forensics.reading.sources import Unreadable, sources_of
from homing.forensics.vocabulary import meaning

COUNT = 300
BEGIN_S = 1_780_000_000
DEAD = range(20, COUNT, 40)


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(sep=" ", timespec="milliseconds")


CHANGES = (
    "lsn,xid,commit_ts_ms,kind,parcel_no,parcel_key,station_ref,stage,tries,next_run_at,"
    "runner,created_at"
)


def changes() -> list[list[Any]]:
    found: list[list[Any]] = []
    for number in range(COUNT):
        at = BEGIN_S + 60.0 * number
        key = f"{number * 7919 + 3:08x}-{number:04x}"
        stages = [(0.0, "staged", ""), (1.0, "lined_up", ""), (2.0, "claimed", f"r{number % 3}")]
        stages.append((3.0, "interred" if number in DEAD else "confirmed", ""))
        for after, stage, runner in stages:
            place = len(found)
            moment = round(1_000 * (at + after))
            row = [f"4/{place:08X}", 2_000_000 + place, moment, "u", 4_000_000 + number, key]
            found.append([*row, f"st-{number % 5}", stage, 1, "", runner, iso(at)])
    return found


def calls() -> list[list[Any]]:
    found = []
    for n in range(COUNT):
        at, code = BEGIN_S + 60 * n, "500" if n in DEAD else "200"
        found.append([n, f"{n * 7919 + 3:08x}-{n:04x}", 1, iso(at + 2), iso(at + 3), code])
    return found


def files(folder: Path) -> list[str]:
    stations = [[f"4/{n}", 77 + n, 1_000 * BEGIN_S, f"st-{n}", "active"] for n in range(5)]
    return [
        write_table(folder / "parcels.cdc.csv", CHANGES, changes()),
        write_table(
            folder / "calls.csv", "call_no,parcel_key,try_no,began_at,ended_at,code", calls()
        ),
        write_table(folder / "graves.cdc.csv", "xid,commit_ts_ms,parcel_key,tries", []),
        write_table(folder / "stations.cdc.csv", "lsn,xid,commit_ts_ms,station_ref,mood", stations),
    ]


def test_a_change_stream_is_read_with_its_tables(tmp_path: Path) -> None:
    paths = files(tmp_path)
    findings = investigate(paths, Options(folder=str(tmp_path)))
    assert findings.accepted == COUNT  # by one of their two names
    assert findings.books == {Verdict.DELIVERED: COUNT - len(DEAD), Verdict.DEAD: len(DEAD)}
    columns = findings.raw.mappings[paths[0]].columns
    assert columns["delivery"].path == "parcel_key"
    assert (columns["at"].path, columns["accepted_at"].path) == ("commit_ts_ms", "created_at")


def test_an_empty_table_is_left_out_and_said_so(tmp_path: Path) -> None:
    paths = files(tmp_path)
    sources, left_out = sources_of(paths)
    assert [Path(one.path).name for one in sources] == [
        "parcels.cdc.csv",
        "calls.csv",
        "stations.cdc.csv",
    ]
    (told,) = left_out
    assert told.startswith(f"{paths[2]}, line 2: expected rows below the header")


def test_an_empty_table_alone_is_no_log(tmp_path: Path) -> None:
    path = write_table(tmp_path / "empty.csv", "xid,commit_ts_ms,parcel_key,tries", [])
    with pytest.raises(Unreadable, match="line 2: expected rows below the header"):
        sources_of([path])


def test_when_a_delivery_was_committed_is_not_when_its_rows_were() -> None:
    rows = [
        {"id": f"d{n:04}", "event": event, "ts": iso(BEGIN_S + n + after), "committed_at": iso(n)}
        for n in range(COUNT)
        for after, event in enumerate(("created", "queued", "claimed", "delivered"))
    ]
    columns = guess(rows).columns
    assert (columns["at"].path, columns["committed_at"].path) == ("ts", "committed_at")


def test_words_of_a_graveyard() -> None:
    assert meaning("interred").op is Op.DEAD
    assert meaning("spent").op is Op.EXHAUSTED
