"""Lines that name several deliveries in a list: each is told of as by a line of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.investigation import Findings, investigate
from homing.forensics.options import Options
from homing.forensics.reading.listed import Listed, apart_of, lists_of, spread
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


# --- what a list called deliveries names


def of_export(event: int) -> Row:
    """An event as an export lists it, with how its one to three deliveries stand."""
    mine = [3 * event + n for n in range(1 + event % 3)]
    told = [
        {"id": f"dlv_{n:06x}", "status": "queued" if n in LOST else "succeeded", "attempts": 1}
        for n in mine
    ]
    return {
        "id": f"evt_{event:06x}",
        "type": "order.paid",
        "created_at": at(60 * event),
        "deliveries": [one | {"updated_at": at(60 * event + 3)} for one in told],
    }


def test_a_list_of_objects_called_deliveries_has_a_row_each(tmp_path: Path) -> None:
    rows = [of_export(event) for event in range(COUNT)]
    path = tmp_path / "events.json"
    path.write_text(json.dumps({"object": "list", "data": rows}))
    found = investigate([str(path)], Options(drops=tmp_path / "drops.txt"))
    assert found.accepted == sum(len(row["deliveries"]) for row in rows)
    lost = {f"dlv_{n:06x}" for event in range(COUNT) for n in LOST if n // 3 == event}
    named = {one["id"] for row in rows for one in row["deliveries"]}
    assert set((tmp_path / "drops.txt").read_text().split()) == lost & named
    columns = found.raw.mappings[str(path)].columns
    assert columns["delivery"].path == "deliveries.id"


def test_a_list_of_names_called_deliveries_has_a_row_each(tmp_path: Path) -> None:
    rows: list[Row] = []
    for event in range(COUNT):
        mine = [900_000 + 2 * event, 900_001 + 2 * event]
        asked = {"method": "POST", "path": "/v1/events", "action": "create", "status": 202}
        told = {"time": at(60 * event), "event_id": f"evt_{event:06x}", "deliveries": mine}
        rows.append(asked | told)
        for n in mine:
            if n - 900_000 not in LOST:
                about = {"delivery_id": n, "attempt": 1, "http_status": 204}
                rows.append({"time": at(60 * event + 2), "msg": "attempt", **about})
    path = tmp_path / "web.log"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = investigate([str(path)], Options(drops=tmp_path / "drops.txt"))
    assert found.accepted == 2 * COUNT
    dropped = set((tmp_path / "drops.txt").read_text().split())
    assert dropped == {str(900_000 + n) for n in LOST}


def test_names_in_a_list_of_any_name_are_those_that_other_rows_name() -> None:
    rows: list[Row] = [{"id": f"d{n:04}", "msg": "sent"} for n in range(30)]
    rows.append({"msg": "batch", "ids": ["d0003", "d0004"], "tags": ["red", "blue"]})
    ids = Listed(("ids",), "id", is_bare=True)
    assert lists_of(rows, KEY) == [ids]
    assert [row["id"] for row in spread(rows[-1], [ids])] == ["d0003", "d0004"]


def test_what_a_declared_mapping_names_is_spread_and_nothing_else() -> None:
    rows = [of_export(2)]
    declared = Mapping(layout="deliveries", columns={"delivery": Column(path="id")})
    assert apart_of(rows, None) == [Listed(("deliveries",), "id", is_apart=True)]
    assert apart_of(rows, declared) == []
    inside = Mapping(layout="deliveries", columns={"delivery": Column(path="deliveries.id")})
    assert apart_of(rows, inside) == apart_of(rows, None)
