"""Behind a count stand its deliveries, each with its own rows, by the line that they are on."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from support.delivery_logs import Service

pytest.importorskip("ibis")

import pyarrow
import pyarrow.parquet

from homing.core.errors import ConfigError
from homing.forensics.behind import JUDGED, LOST, Want, behind
from homing.forensics.document import document
from homing.forensics.investigation import investigate
from homing.forensics.options import Options

PAGE = 20
LOG = Service("D6", 3, deliveries=400, slow_share=0.2, fail_share=0.2, rate=0.8, begins=0.1).run()
ROWS: list[dict[str, Any]] = [
    {
        "ts": row["at"],
        "delivery_id": row["delivery"],
        "endpoint": row["endpoint"],
        "op": row["op"],
        "from_state": row["from"],
        "to_state": row["to"],
        "worker": row["worker"],
        "attempt": row["attempt"],
        "status": row["status"],
        "lease_expires_at": row["lease"],
    }
    for row in LOG.rows
]


def as_lines(path: Path) -> list[str]:
    """JSON lines, with a blank one and a damaged one among them."""
    lines = [json.dumps(row) for row in ROWS]
    lines.insert(7, "")
    lines.insert(20, '{"broken": ')
    path.write_text("\n".join(lines) + "\n")
    return lines


def as_csv(path: Path) -> list[str]:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(ROWS[0]))
        writer.writeheader()
        writer.writerows(ROWS)
    return path.read_text().splitlines()


def as_document(path: Path) -> list[str]:
    path.write_text(json.dumps({"data": ROWS}, indent=1))
    return [json.dumps(row) for row in ROWS]


def as_parquet(path: Path) -> list[str]:
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), path, row_group_size=200)
    return [json.dumps(row) for row in ROWS]


@pytest.mark.parametrize(
    ("name", "write"),
    [("log.jsonl", as_lines), ("log.csv", as_csv), ("log.json", as_document),
     ("log.parquet", as_parquet)],
    ids=["lines", "csv", "document", "parquet"],
)  # fmt: skip
def test_every_row_of_a_lost_delivery_is_given_by_its_line(
    name: str, write: Any, tmp_path: Path
) -> None:
    path = tmp_path / name
    lines = write(path)
    (found,) = behind([str(path)], Options(), [Want(LOST, limit=1_000)])
    assert found.total == found.lost == len(LOG.dropped) > PAGE
    assert {one.name for one in found.deliveries} == LOG.dropped
    for delivery in found.deliveries:
        wanted = [at for at, line in enumerate(lines, 1) if delivery.name in line]
        assert [row.line for row in delivery.rows] == wanted
        assert all(delivery.name in row.text for row in delivery.rows)


def test_a_page_of_a_feature_counts_as_the_investigation_did(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    as_lines(path)
    values = document(investigate([str(path)], Options()))
    kinds = {one["kind"]: one for one in reversed(values["suspects"])}
    suspects = [*values["suspects"][:2], *kinds.values()]
    assert len(kinds) >= 3
    wants = [Want(one["name"], limit=1_000) for one in suspects]
    wants += [Want(LOST, limit=1_000)]
    wants += [Want(JUDGED, start=3, limit=5), Want(JUDGED, limit=10, sample=6)]
    *groups, lost, page, spread = behind([str(path)], Options(), wants)
    for one, group in zip(suspects, groups, strict=True):
        assert (group.total, group.lost) == (one["having"], one["dropped"]), one["name"]
        fates = [delivery.is_lost for delivery in group.deliveries]
        assert fates == [True] * group.lost + [False] * (group.total - group.lost)
    assert page.total == spread.total == values["judged"]
    assert [one.is_lost for one in page.deliveries] == [True] * 5
    assert [one.name for one in page.deliveries] == [one.name for one in lost.deliveries[3:8]]
    firsts = [one.rows[0].line for one in spread.deliveries]
    assert len(firsts) == 6
    assert firsts == sorted(firsts)
    assert firsts[-1] > len(ROWS) / 2


def test_what_nothing_in_the_log_is_called_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    as_lines(path)
    with pytest.raises(ConfigError, match="no deliveries of which 'full moon' is said"):
        behind([str(path)], Options(), [Want("full moon")])


def test_the_names_of_all_dropped_are_written_in_the_order_of_the_log(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    as_lines(path)
    drops = tmp_path / "drops.txt"
    found = document(investigate([str(path)], Options(folder=str(tmp_path), drops=drops)))
    names = drops.read_text().splitlines()
    assert len(names) == found["dropped"] == len(LOG.dropped)
    assert set(names) == LOG.dropped
    first = {row["delivery"]: row["at"] for row in reversed(LOG.rows)}
    assert names == sorted(names, key=lambda name: first[name])
