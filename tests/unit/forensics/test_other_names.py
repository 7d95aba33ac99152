"""Logs of many files, and the names in them that are of other things than deliveries."""

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
from homing.forensics.reading.guessing import Unmapped
from homing.forensics.reading.sources import Source, column_names

Row = dict[str, Any]
COUNT = 300
LOST = {31, 62, 93}
BEGIN_S = 1_780_000_000


def name(number: int) -> str:
    return f"dlv_{number * 7919 % 65536:06x}"


def number_of(number: int) -> int:
    return 700_000 + number * 7919 % 65536


def of_delivery(number: int) -> Iterator[Row]:
    at, own = BEGIN_S + 60.0 * number, {"delivery_id": name(number)}
    yield {"time": at, "event": "accepted", **own}
    if number not in LOST:
        yield {"time": at + 1, "event": "attempt started", "attempt": 1, **own}
        yield {"time": at + 2, "event": "delivered", "attempt": 1, "status": 200, **own}


def write(path: Path, rows: list[Row]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def found(paths: list[str], folder: Path) -> Findings:
    return investigate(paths, Options(folder=str(folder)))


BOOKS = {Verdict.DELIVERED: COUNT - len(LOST), Verdict.DROPPED: len(LOST)}


# --- names of a kind of their own


def of_number(number: int) -> Iterator[Row]:
    for row in of_delivery(number):
        yield row | {"delivery_id": number_of(number)}


def with_processes() -> list[Row]:
    """Deliveries by numbers, and beside them processes by names in the same column."""
    words = ("scheduler started", "member up")
    return [row for n in range(COUNT) for row in of_number(n)] + [
        {"time": BEGIN_S + 900.0 * n + 30 * k, "event": word, "delivery_id": f"host-{n:05x}"}
        for n in range(12)
        for k, word in enumerate(words)
    ]


def test_names_that_nobody_tries_and_of_which_else_is_said_are_left_out(tmp_path: Path) -> None:
    findings = found([write(tmp_path / "log.jsonl", with_processes())], tmp_path)
    assert findings.books == BOOKS
    (told,) = findings.events.strangers
    assert (told.kind, told.names, told.example[:5]) == ("host", 12, "host-")
    assert any("host-00000 are taken for no deliveries" in one for one in findings.cannot_tell)


def test_names_of_which_most_would_be_lost_are_left_out_though_they_show_a_status(
    tmp_path: Path,
) -> None:
    rows = [row for n in range(COUNT) for row in of_number(n)]
    probes = [
        {"time": BEGIN_S + 60.0 * n, "event": "probe skipped", "delivery_id": f"probe-{n:04x}"}
        for n in range(40)
    ]
    answered = [row | {"status": 200} for row in probes]
    findings = found([write(tmp_path / "log.jsonl", rows + answered)], tmp_path)
    assert findings.books == BOOKS
    assert [one.kind for one in findings.events.strangers] == ["probe"]


def test_names_of_another_kind_that_are_accepted_alike_are_deliveries(tmp_path: Path) -> None:
    rows = [row for n in range(COUNT) for row in of_number(n)]
    late = [{"time": BEGIN_S + n, "event": "accepted", "delivery_id": f"eu-{n}"} for n in range(9)]
    findings = found([write(tmp_path / "log.jsonl", rows + late)], tmp_path)
    assert findings.dropped == len(LOST) + len(late)
    assert findings.events.strangers == ()


def test_what_a_declared_mapping_calls_a_delivery_is_one(tmp_path: Path) -> None:
    path = write(tmp_path / "log.jsonl", with_processes())
    declared = found([path], tmp_path).raw.mappings[path]
    options = Options(folder=str(tmp_path), mapping=declared)
    assert investigate([path], options).accepted == COUNT + 12


def test_a_task_that_is_named_by_the_path_to_a_delivery_is_none(tmp_path: Path) -> None:
    rows: list[Row] = []
    for n in range(COUNT):
        rows += of_delivery(n)
        task = f"projects/p/queues/hooks/tasks/{name(n)}-a1"
        rows.append({"time": BEGIN_S + 60.0 * n + 0.5, "task": task, "status": "OK"})
    tasks = write(tmp_path / "tasks.jsonl", [row for row in rows if "task" in row])
    app = write(tmp_path / "app.jsonl", [row for row in rows if "task" not in row])
    assert found([app, tasks], tmp_path).books == BOOKS


# --- many files


def by_hours(folder: Path, others: list[Row]) -> list[str]:
    """A file an hour, of the service and of its requests."""
    hours: dict[int, list[Row]] = {}
    for n in range(COUNT):
        hours.setdefault(n // 20, []).extend(of_delivery(n))
    paths = [write(folder / f"app/{h:02}.json", rows) for h, rows in hours.items()]
    for h in hours:
        asked = [{**row, "time": BEGIN_S + 1200.0 * h + k} for k, row in enumerate(others)]
        paths.append(write(folder / f"requests/{h:02}.json", asked))
    return sorted(paths)


def test_files_of_a_kind_agree_however_many_there_are(tmp_path: Path) -> None:
    health = [{"insert_id": f"x{n:07x}", "path": "/healthz", "status": 200} for n in range(20)]
    findings = found(by_hours(tmp_path, health), tmp_path)
    assert findings.books == BOOKS


@pytest.mark.parametrize("count", [9, 30])
def test_a_small_file_that_names_nothing_stops_no_investigation(tmp_path: Path, count: int) -> None:
    rows = [row for n in range(COUNT) for row in of_delivery(n)]
    size = len(rows) // count + 1
    parts = (rows[i * size : (i + 1) * size] for i in range(count))
    paths = [write(tmp_path / f"worker-{i:02}.log", part) for i, part in enumerate(parts)]
    said = [{"time": BEGIN_S + n, "event": "purge", "rows": 0} for n in range(3)]
    paths.append(write(tmp_path / "janitor.log", said))
    findings = found(paths, tmp_path)
    assert findings.books == BOOKS
    assert findings.raw.nameless == [str(tmp_path / "janitor.log")]
    said = [{"at": BEGIN_S + n, "said": "purge", "found": 3 * n} for n in range(4 * size)]
    large = write(tmp_path / "janitor.log", said)
    with pytest.raises(Unmapped, match=r"janitor\.log: expected a column that names a delivery"):
        found([*paths[:-1], large], tmp_path)


# --- a logger's cells


def test_a_logger_that_separates_its_cells_by_tabs_names_them() -> None:
    source = Source("gateway.log", "csv", "\t", has_header=False)
    cells = ["2026-01-01T00:00:00Z", "api-1", "INFO", "api/in.go:88", "event accepted", '{"id":1}']
    told = ["column1", "host", "level", "caller", "message", "column6"]
    assert column_names(source, cells) == told
    assert column_names(source, cells[2:]) == ["level", "caller", "message", "column4"]
    assert column_names(source, ["2026-01-01", "d-1", "ok"]) == ["column1", "column2", "column3"]
