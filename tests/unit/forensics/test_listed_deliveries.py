"""Lines that name several deliveries in a list: each is told of as by a line of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.investigation import Findings, Options, investigate
from homing.forensics.reading.listed import Listed, lists_of, spread
from homing.forensics.reading.mapping import Column, Mapping

COUNT = 120
LOST = {14, 15, 61}  #: accepted, and never handed over

Row = dict[str, Any]


def delivery(number: int) -> str:
    return f"del-{number:05x}-{number * 7919 % 65536:04x}"


def at(second: int) -> str:
    return f"2026-03-02T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"


def lines_of(event: int) -> list[Row]:
    """An event with two deliveries, and what becomes of each of them."""
    mine = [2 * event, 2 * event + 1]
    start = 60 * event
    named = [{"delivery_id": delivery(n), "endpoint_id": f"ep-{n % 9}"} for n in mine]
    rows: list[Row] = [{"time": at(start), "msg": "event accepted", "created": named}]
    for n in mine:
        if n in LOST:
            continue
        own = {"delivery_id": delivery(n), "endpoint_id": f"ep-{n % 9}"}
        rows += [
            {"time": at(start + 2), "msg": "request sent", "attempt": 1, **own},
            {"time": at(start + 3), "msg": "delivered", "attempt": 1, "status": 200, **own},
        ]
    return rows


def found_in(folder: Path, *, is_text: bool) -> tuple[Findings, set[str]]:
    rows = [row for event in range(COUNT // 2) for row in lines_of(event)]
    if is_text:
        told = [{"time": row.pop("time"), "message": json.dumps(row)} for row in rows]
        told += [{"time": at(60 * n + 5), "message": f"START request {n}"} for n in range(20)]
    path = folder / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in (told if is_text else rows)))
    found = investigate([str(path)], Options(drops=folder / "drops.txt"))
    return found, set((folder / "drops.txt").read_text().split())


@pytest.mark.parametrize("is_text", [False, True])
def test_what_only_a_list_names_was_accepted(tmp_path: Path, *, is_text: bool) -> None:
    found, dropped = found_in(tmp_path, is_text=is_text)
    assert found.accepted == COUNT
    assert dropped == {delivery(n) for n in LOST}


KEY = Mapping(layout="events", columns={"delivery": Column(path="id")})
ITEMS = Listed(("items",), "id")


def test_a_row_is_made_of_each_element_with_what_the_line_says_itself() -> None:
    row = {"at": 1, "items": [{"id": "a", "to": "x"}, {"id": "b", "to": "y"}]}
    assert lists_of([row], KEY) == [ITEMS]
    assert list(spread(row, [ITEMS])) == [
        {"at": 1, "id": "a", "to": "x"},
        {"at": 1, "id": "b", "to": "y"},
    ]


@pytest.mark.parametrize(
    "row",
    [
        {"at": 1, "id": "a", "items": [{"id": "b"}]},  # of one delivery: its parts
        {"at": 1, "items": [{"number": 7}]},
        {"at": 1, "items": []},
        {"at": 1, "items": ["a", "b"]},
        {"at": 1},
    ],
)
def test_any_other_row_stays_as_it_is(row: Row) -> None:
    assert lists_of([row], KEY) == []
    assert list(spread(row, [ITEMS])) == [row]
