"""A table of last states beside the lines of what was done: which of the two tells what."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from support.dropped import make_dropped, make_step

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.document import document
from homing.forensics.facts import LogFacts
from homing.forensics.habits import Kind
from homing.forensics.hypothesis import form
from homing.forensics.investigation import investigate
from homing.forensics.judging import Why
from homing.forensics.mechanisms import recognise
from homing.forensics.operations import Op, Stand
from homing.forensics.options import Options
from homing.forensics.reading.columns import look
from homing.forensics.reading.guessing import guess
from homing.forensics.traces import Step
from homing.forensics.words import line_of

LOG = LogFacts(
    fields=frozenset({"op", "status", "attempt", "worker", "to_state", "endpoint", "reason"}),
    ops=frozenset({Op.ACCEPTED, Op.QUEUED, Op.CLAIMED, Op.FAILED, Op.SUCCEEDED}),
    usual={Op.ACCEPTED: 1.0, Op.QUEUED: 1.0, Op.CLAIMED: 1.0},
    attempts_last=8,
    has_table=True,
)


def step(act: Op, second: float, **about: object) -> Step:
    told: dict[str, object] = {"attempt": 1, "result": 0}
    return make_step(act, int(1e6 * second), **(told | about))


TAKEN = (step(Op.ACCEPTED, 0, attempt=None), step(Op.QUEUED, 1, attempt=None), step(Op.CLAIMED, 2))
FAILED = step(Op.FAILED, 3, result=-1, status=500)


def row(second: float, stand: Stand = Stand.GONE, **about: object) -> Step:
    return step(Op.DISCARDED, second, stand=stand, is_row=True, **about)


def test_discarded_by_a_table_long_after_a_turn_without_an_answer_is_d7() -> None:
    left = make_dropped(Why.DISCARDED, *TAKEN, row(22))
    assert recognise(left, LOG).mechanism == "D7"
    at_once = make_dropped(Why.DISCARDED, *TAKEN, row(2.1))
    assert recognise(at_once, LOG).mechanism == "D9"
    because = make_dropped(Why.DISCARDED, *TAKEN, row(22, reason="endpoint disabled"))
    assert recognise(because, LOG).mechanism == "D9"


def test_a_turn_with_no_row_ended_as_those_that_have_one() -> None:
    gone = [make_dropped(Why.SILENT, *TAKEN, name=f"g-{i}") for i in range(5)]
    there = [make_dropped(Why.DISCARDED, *TAKEN, row(22), name=f"t-{i}") for i in range(4)]
    assert recognise(gone[0], LOG).twins == ("D7",)
    found = form([*gone, *there], [], [], LOG, busiest_share=0.0)
    assert [(s.mechanism, s.drops) for s in found.shares] == [("D7", 9)]
    held = row(22)._replace(act=Op.WRITTEN, stand=Stand.LEASED)
    kept = [make_dropped(Why.SILENT, *TAKEN, held, name=f"k-{i}") for i in range(4)]
    found = form([*gone, *there, *kept], [], [], LOG, busiest_share=0.0)
    assert {s.mechanism: s.drops for s in found.shares}["D7"] == 4


def test_what_is_unfinished_and_in_no_table_was_deleted() -> None:
    log = LogFacts(**{f: getattr(LOG, f) for f in LOG.__slots__} | {"rows_from_us": 1_000_000})
    young = make_dropped(Why.SILENT, *TAKEN, FAILED, accepted_us=2_000_000)
    assert recognise(young, log)[0::3] == ("D11", ())
    old = make_dropped(Why.SILENT, *TAKEN, FAILED)
    assert recognise(old, log)[0::3] == ("D11", ("D1", "D2"))
    stays = row(4)._replace(act=Op.WRITTEN, stand=Stand.LEASED)
    held = make_dropped(Why.SILENT, *TAKEN, FAILED, stays, accepted_us=2_000_000)
    assert recognise(held, log).mechanism == "D2"


def test_an_answer_that_another_one_brings_is_no_race() -> None:
    said = step(Op.SUCCEEDED, 3, worker="b", stand=Stand.DELIVERED)
    late = step(Op.FAILED, 4, worker="c", result=-1, status=502, attempt=None)
    taken = [s._replace(worker="b") for s in TAKEN]
    about: dict[str, Any] = {"crossings": ("foreign_write",)}
    alone = make_dropped(Why.FALSE_DELIVERED, *taken, said, late, **about)
    assert recognise(alone, LOG).mechanism == "D5"
    second = step(Op.CLAIMED, 2.5, worker="c", attempt=2)
    both = make_dropped(Why.FALSE_DELIVERED, *taken, second, said, late, **about)
    assert recognise(both, LOG).mechanism == "D6"


def test_done_without_a_request_because_of_the_endpoint_is_d9() -> None:
    over = step(Op.DISCARDED, 2.1, word="endpoint not found, nothing to do")
    done = step(Op.SUCCEEDED, 2.1, stand=Stand.DELIVERED)
    passed = make_dropped(Why.FALSE_DELIVERED, *TAKEN, over, done, crossings=("instant_end",))
    assert recognise(passed, LOG).mechanism == "D9"
    again = make_dropped(Why.FALSE_DELIVERED, *TAKEN, done, crossings=("instant_end",))
    assert recognise(again, LOG).mechanism == "D8"


def test_an_answer_that_is_not_the_final_one_is_none() -> None:
    callback = Kind("events", "gateway:callback", None, None, "queued", None, "ok")
    assert line_of(callback, {}, {}).op is Op.NOTED
    assert line_of(callback._replace(outcome="final"), {}, {}).result == 1
    assert line_of(callback._replace(outcome="accepted"), {}, {}).result == 1
    rows = [
        {"at": 1_780_000_000 + i, "delivery_id": f"d-{i // 4}", "event": event}
        | ({"phase": ("queued", "final")[i % 2], "status": 202} if event == "callback" else {})
        for i, event in enumerate(["accepted", "job_start", "callback", "callback"] * 20)
    ]
    assert guess(rows).columns["outcome"].path == "phase"
    for one in rows:
        if "phase" in one:
            one["phase"] = str(one["phase"]).replace("final", "sent")
    assert "outcome" not in guess(rows).columns


def test_the_attempt_after_which_a_job_is_discarded_is_its_last() -> None:
    kind = Kind("events", "job:exception", None, "discard", None, "HTTP 500", "none")
    assert line_of(kind, {}, {})[:2] == (Op.EXHAUSTED, Stand.EXHAUSTED)
    assert line_of(kind._replace(to_state="failure"), {}, {}).op is Op.FAILED


def test_an_empty_list_is_nothing() -> None:
    seen = look([{"errors": "[]"}, {"errors": '[{"error": "HTTP 500"}]'}])
    assert seen["errors"].filled == 1


def _found(folder: Path, lines: list[dict[str, Any]], table: list[dict[str, Any]]) -> Any:
    (folder / "lines.jsonl").write_text("\n".join(map(json.dumps, lines)))
    with (folder / "jobs.csv").open("w") as file:
        writer = csv.DictWriter(file, table[0].keys())
        writer.writeheader()
        writer.writerows(table)
    paths = [str(folder / name) for name in ("lines.jsonl", "jobs.csv")]
    return document(investigate(paths, Options(folder=str(folder))))


def test_a_table_of_the_logs_end_stands_after_what_was_done(tmp_path: Path) -> None:
    """Its newest time is that of the last attempt's beginning, and the failure came later."""
    start, lines, table = 1_780_000_000, [], []
    for i in range(400):
        at, name, is_lost = start + 30 * i, f"dlv_{i:05}", 200 <= i < 240

        def say(event: str, second: float, at: int = at, name: str = name, **more: Any) -> None:
            lines.append({"ts": at + second, "event": event, "delivery_id": name, **more})

        say("accepted", 0)
        say("job_insert", 1)
        say("job_start", 2, attempt=1)
        ends = {"attempt": 1, "status": 503 if is_lost or not i % 10 else 200}
        say("response", 4, **ends)
        if not is_lost and not i % 10:
            say("job_start", 34, attempt=2)
            say("response", 35, attempt=2, status=200)
        table.append(
            {"delivery_id": name, "state": "executing" if is_lost else "completed", "attempt": 1}
            | {"inserted_at": at + 1, "attempted_at": at + 2}
            | {"completed_at": None if is_lost else at + 35}
        )
    found = _found(tmp_path, sorted(lines, key=lambda one: one["ts"]), table)
    assert (found["dropped"], found["hypothesis"]["mechanism"]) == (40, "D2")
