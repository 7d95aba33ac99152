"""The lines of several containers in one file, each behind its name and in a form of its own."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.whole_log import books

from homing.forensics.investigation import investigate
from homing.forensics.judging import Verdict
from homing.forensics.options import Options
from homing.forensics.reading.converting import rows_of
from homing.forensics.reading.lines import composed_row, is_composed
from homing.forensics.reading.sources import look_at, sources_of
from homing.forensics.reading.years import near_one_another

COUNT = 240
LOST = frozenset(range(20, COUNT - 60, 17))
BEGIN_S = 1_780_000_000


def iso(at: float) -> str:
    return datetime.fromtimestamp(BEGIN_S + at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def written(path: Path, *, lost: bool) -> str:
    """An API that writes objects, a relay with pairs, workers with sentences and a stack trace."""
    lines: list[tuple[float, str]] = []

    def say(at: float, container: str, text: str) -> None:
        lines.append((at, f"{container:<9} | {text}"))

    for n in range(COUNT):
        at, name, worker = 90.0 * n, f"dlv_{n:08x}", f"worker-{n % 3 + 1}"
        told = {"time": iso(at), "msg": "delivery accepted", "delivery_id": name, "endpoint": n % 7}
        say(at, "api-1", json.dumps(told))
        say(at + 0.1, "relay-1", f"ts={iso(at + 0.1)} level=info msg=enqueued delivery_id={name}")
        if lost and n in LOST:
            continue
        say(at + 0.2, worker, f"{iso(at + 0.2)} INFO delivery {name}: attempt 1, POST to hook")
        if n % 20 == 3:
            say(at + 0.3, worker, f"{iso(at + 0.3)} WARN metrics: could not be sent")
            say(at + 0.301, worker, '  File "metrics.py", line 7, in push')
        say(at + 0.5, worker, f"{iso(at + 0.5)} INFO delivery {name}: answered 200, delivered")
    path.write_text("".join(line + "\n" for _, line in sorted(lines, key=lambda one: one[0])))
    return str(path)


@pytest.mark.parametrize("lost", [False, True])
def test_what_containers_print_is_one_log(tmp_path: Path, lost: bool) -> None:
    path = written(tmp_path / "compose.log", lost=lost)
    findings = investigate([path], Options(folder=str(tmp_path)))
    hits = len(LOST) if lost else 0
    want = {Verdict.DELIVERED: COUNT - hits, Verdict.DROPPED: hits}
    assert books(findings) == {verdict: n for verdict, n in want.items() if n}
    assert not findings.raw.damage.count
    if lost:
        assert findings.hypothesis is not None
        assert findings.hypothesis.mechanism == "D4"


def test_a_line_in_colour_is_read_without_it() -> None:
    row = composed_row('\x1b[36mapi-1  | \x1b[0m{"delivery_id": "d-1"}')
    assert row == {"container": "api-1", "delivery_id": "d-1"}


@pytest.mark.parametrize(
    ("lines", "is_one"),
    [
        (["a-1  | started", "b-1  | started", "a-1  | ready", "b-1  | ready"], True),
        (["alpha | queued", "beta | sent", "gamma | sent", "delta | sent"], False),  # a table
        (["a-1 | x | 1", "a-1 | y | 2", "a-1 | z | 3", "a-1 | z | 4"], False),  # of more cells
        (["a-1  | started", "2026-01-01 and so on"], False),
        ([], False),
    ],
)
def test_cells_are_no_containers(lines: list[str], is_one: bool) -> None:
    assert is_composed(lines) is is_one


def test_a_table_with_bars_stays_one(tmp_path: Path) -> None:
    path = tmp_path / "deliveries.txt"
    rows = [f"d-{n} | delivered | 200" for n in range(30)]
    path.write_text("\n".join(["id | state | status", *rows]) + "\n")
    assert look_at(str(path)).form == "csv"


def test_a_line_of_a_container_that_names_no_year_has_that_of_the_others(tmp_path: Path) -> None:
    path = tmp_path / "compose.log"
    lines = [
        "mail-1 | Mar 11 19:31:00 host relay[7]: d-1 sent",
        "api-1  | 20240311T193100.5Z d-1 in",
    ]
    path.write_text("".join(line + "\n" for line in lines * 4))
    (source,) = near_one_another(sources_of([str(path)])[0])
    rows = [row for _, row, _ in rows_of(source) if row is not None]
    assert [row["time"] for row in rows[:2]] == ["2024-03-11T19:31:00", "2024-03-11T19:31:00.5Z"]
