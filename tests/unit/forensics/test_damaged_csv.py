"""A damaged line of CSV is counted and named, and no other row is lost for it."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.core.errors import ConfigError
from homing.forensics.document import document
from homing.forensics.investigation import investigate
from homing.forensics.options import Options
from homing.forensics.reading.records import Record, records
from homing.forensics.reading.sources import Unreadable, look_at

HEADER = "delivery_id,event,timestamp\n"


def rows(count: int) -> list[str]:
    """Deliveries that were accepted and, a second later, delivered."""
    lines = []
    for number in range(count):
        minute = f"2026-01-{1 + number // 1440:02}T{number // 60 % 24:02}:{number % 60:02}"
        lines.append(f"d-{number},accepted,{minute}:00Z\n")
        lines.append(f"d-{number},delivered,{minute}:01Z\n")
    return lines


def found(folder: Path, *lines: str, header: str = HEADER) -> dict[str, object]:
    path = folder / "log.csv"
    path.write_text(header + "".join(lines))
    return document(investigate([str(path)], Options(folder=str(folder))))


@pytest.mark.parametrize(
    ("damaged", "why"),
    [
        ('3,"accep\n', "a quote is opened and not closed"),
        ("3,accep\n", "2 of 3 columns"),
        ("3,accepted,2026-01-01,extra,extra\n", "more than 3 columns"),
    ],
)
@pytest.mark.parametrize("count", [3, 13_000])
def test_one_damaged_line_costs_no_other_row(
    damaged: str, why: str, count: int, tmp_path: Path
) -> None:
    lines = rows(count)
    at = len(lines) * 9 // 10
    one = found(tmp_path, *lines[:at], damaged, *lines[at:])
    assert one["rows"] == 2 * count
    assert one["accepted"] == count
    assert one["damaged"] == [f"{tmp_path / 'log.csv'}, line {at + 2}: {why}"]


def test_a_header_of_short_names_over_few_rows_is_a_header(tmp_path: Path) -> None:
    damaged = ['3,"accep\n', "4,accepted,2026-13-01,extra,extra\n"]
    one = found(tmp_path, *rows(2), *damaged, header="id,event,at\n")
    assert (one["rows"], one["damaged_rows"], one["accepted"]) == (4, 2, 2)
    assert one["books"]["delivered"] == 2  # type: ignore[index]


def test_words_of_what_happened_are_no_names_though_rows_are_few(tmp_path: Path) -> None:
    one = found(tmp_path, *rows(1), "d-9,accepted,2026-01-01T00:00:09Z\n")
    assert one["log"]["columns"].popitem()[1].keys() == {"delivery", "op", "at"}  # type: ignore[index]
    assert (one["books"]["delivered"], one["books"]["open"]) == (1, 1)  # type: ignore[index]


def test_a_file_of_which_most_is_damaged_is_refused_with_the_line(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=r"log\.csv.*line 4: a quote is opened"):
        found(tmp_path, *rows(1), *['9,"x\n'] * 5)


def test_lines_that_begin_with_a_time_and_hold_commas_are_no_csv(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    more = ["", "", "", ", and sent again"]
    told = [f"2026-01-01T00:00:0{n}Z d-{n} accepted, queued, sent{more[n % 4]}\n" for n in range(9)]
    path.write_text("starting, loading, waiting\n" + "".join(told))
    assert look_at(str(path)).form == "text"


def test_a_file_that_names_no_delivery_is_named_itself(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(HEADER + "".join(rows(3)))
    (tmp_path / "nolog.json").write_text('{"a": 1, "b": 2}\n')
    for paths in (["nolog.json"], ["log.csv", "nolog.json"]):
        with pytest.raises(ConfigError, match=r"nolog\.json: expected a column that names"):
            investigate([str(tmp_path / path) for path in paths], Options(folder=str(tmp_path)))


def test_a_cell_may_go_on_over_lines() -> None:
    lines = ["a,b\n", '1,"x\n', 'y"\n', "2,z\n", "\n", '3,say ""\n']
    assert [one[:2] for one in records(lines, ",")] == [
        (1, ["a", "b"]),
        (2, ["1", "x\ny"]),
        (4, ["2", "z"]),
        (6, ["3", 'say ""']),
    ]


def test_a_quote_that_another_row_closes_damages_its_own_line_alone() -> None:
    lines = ["a,b\n", '1,"x\n', '2,"y"\n', "3,z\n"]
    assert list(records(lines, ",")) == [
        Record(1, ["a", "b"]),
        Record(2, [], "a quote is opened and not closed"),
        Record(3, ["2", "y"]),
        Record(4, ["3", "z"]),
    ]
