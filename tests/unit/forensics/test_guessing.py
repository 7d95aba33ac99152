"""What the columns and words of a stranger's log are taken for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.change import Window, find
from homing.forensics.habits import Kind
from homing.forensics.operations import Op, Stand
from homing.forensics.reading.guessing import guess
from homing.forensics.reading.sampling import sample
from homing.forensics.reading.sources import Source
from homing.forensics.vocabulary import meaning
from homing.forensics.words import line_of


def row_of_a_table(number: int) -> dict[str, Any]:
    return {
        "id": 5_000 + number,
        "status": "delivered",
        "attempts": 1,
        "created_at": f"2026-02-25T06:{number // 60 % 60:02}:{number % 60:02}Z",
        "endpoint_id": f"ep{number % 40}",
    }


def test_a_table_is_keyed_by_its_id_and_not_by_what_repeats() -> None:
    mapping = guess([row_of_a_table(number) for number in range(600)])
    assert mapping.columns["delivery"].path == "id"
    assert mapping.layout == "deliveries"


def test_rows_that_were_exported_twice_are_not_two_lines_of_a_delivery() -> None:
    rows = [row_of_a_table(number) for number in range(600)]
    assert guess([*rows, *rows[:60]]).layout == "deliveries"


def test_a_sample_has_no_line_twice(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    lines = [json.dumps({"n": number, "filler": "x" * 60}) for number in range(9_000)]
    path.write_text("\n".join(lines))
    numbers = [row["n"] for row in sample(Source(str(path), "jsonl"))]
    assert len(numbers) == len(set(numbers))


def test_a_bare_event_that_holds_references_names_the_message() -> None:
    rows = [
        {
            "id": f"wha_{number}_{attempt}",
            "event": f"evt_{number}",
            "webhook_endpoint": f"we_{number % 7}",
            "created": 1_772_000_000 + number,
            "http_status": 200 if attempt else 503,
        }
        for number in range(300)
        for attempt in range(2)
    ]
    mapping = guess(rows)
    assert mapping.columns["message"].path == "event"
    assert mapping.columns["endpoint"].path == "webhook_endpoint"


def test_a_second_free_text_is_read_beside_the_reason() -> None:
    rows = [
        {
            "job_id": number // 2,
            "event": ("taken", "failed")[number % 2],
            "time": 1_772_000_000 + number,
            "error": (None, "timeout")[number % 2],
            "message": (None, "lease expired")[number % 2],
        }
        for number in range(400)
    ]
    columns = guess(rows).columns
    assert {columns["reason"].path, columns["note"].path} == {"error", "message"}


def test_one_process_id_for_all_is_no_worker() -> None:
    rows = [
        {
            "job_id": n // 3,
            "event": "start",
            "time": 1_772_000_000 + n,
            "pid": 7,
            "tid": f"t{n % 4}",
        }
        for n in range(300)
    ]
    assert guess(rows).columns["worker"].path == "tid"


@pytest.mark.parametrize(
    ("word", "op"),
    [
        ("callback timed out", Op.FAILED),
        ("request blocked: timeout", Op.FAILED),
        ("lease for attempt 2 has expired", Op.LAPSED),
        ("rebalance.revoked", Op.LAPSED),
        ("dlt.published", Op.DEAD),
    ],
)
def test_words_are_understood(word: str, op: Op) -> None:
    assert meaning(word).op is op


def test_a_reason_does_not_unsay_what_the_receiver_took() -> None:
    kind = Kind("events", "completed", None, None, None, "already sent to the archive", "ok")
    assert line_of(kind, {}, {}).op is Op.SUCCEEDED


def test_what_is_called_done_because_another_is_at_it_is_not_delivered() -> None:
    kind = Kind("events", "finish", "processing", "done", None, "already in progress", "none")
    assert line_of(kind, {}, {}).stand is Stand.GONE


def test_an_operation_that_fails_for_good_is_an_end_whatever_the_state_is_called() -> None:
    kind = Kind("events", "mark_failed_permanently", None, "failed", None, None, "none")
    assert line_of(kind, {}, {}).stand is Stand.DEAD


def test_a_worse_stretch_at_the_end_is_not_the_beginning() -> None:
    """Thirty of thirty-three drops came before it."""
    series = [Window(n * 1_000, 10, 1 if n % 3 == 0 else 0) for n in range(90)]
    series.append(Window(90_000, 4, 3))
    drops = [w.start_us for w in series for _ in range(w.dropped)]
    since = find(series, drops)
    assert since is not None
    assert since.at_us == 0
