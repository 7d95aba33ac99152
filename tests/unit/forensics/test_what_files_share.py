"""Several files of one service: by what they name a delivery, and what is no delivery's at all."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from support.dropped import make_dropped as trace
from support.dropped import make_step as step

from homing.forensics.facts import LogFacts
from homing.forensics.investigation import Findings, investigate
from homing.forensics.judging import Why
from homing.forensics.mechanisms import recognise
from homing.forensics.operations import Op
from homing.forensics.options import Options
from homing.forensics.reading.guessing import guess
from homing.forensics.reading.joining import beside
from homing.forensics.reading.mapping import Column
from homing.forensics.reading.references import links
from homing.forensics.turns import given_up_open, is_done_idle

COUNT = 120
#: messages, their jobs and the requests are numbered far apart
MESSAGE, JOB, REQUEST = 70_000, 310_000, 880_000
#: put off by the receiver, and nobody takes it up again
THROTTLED = {30, 61, 92, 101}
#: handed over by nobody
UNQUEUED = {45, 76}

Rows = list[dict[str, Any]]


def at(number: int, seconds: float = 0.0) -> str:
    minute, second = divmod(seconds, 60)
    hour, rest = divmod(number * 3 + int(minute), 60)
    return f"2026-09-0{1 + hour // 24} {hour % 24:02}:{rest:02}:{second:06.3f}"


def tables() -> dict[str, Rows]:
    """A table of messages, of their jobs, of the requests, and of the receivers."""
    found: dict[str, Rows] = {"message": [], "job": [], "request": [], "endpoint": []}
    found["endpoint"] = [
        {"id": 300 + n, "url": f"https://r{n}.example", "status": "active", "updated_at": at(0)}
        for n in range(5)
    ]
    for n in range(COUNT):
        state = "throttled" if n in THROTTLED else "accepted" if n in UNQUEUED else "delivered"
        found["message"].append(
            {
                "id": MESSAGE + n,
                "endpoint_id": 300 + n % 5,
                "status": state,
                "next_attempt_at": at(n, 40) if n in THROTTLED else None,
                "created_at": at(n),
                "updated_at": at(n, 0 if n in UNQUEUED else 2),
            }
        )
        if n in UNQUEUED:
            continue
        found["job"].append(
            {
                "id": JOB + n,
                "state": "completed",
                "attempt": 1,
                "max_attempts": 6,
                "created_at": at(n, 0.1),
                "attempted_at": at(n, 1),
                "finalized_at": at(n, 2),
                "args": {"message_id": MESSAGE + n},
            }
        )
        found["request"].append(
            {
                "id": REQUEST + n,
                "message_id": MESSAGE + n,
                "job_id": JOB + n,
                "attempt": 1,
                "started_at": at(n, 1),
                "finished_at": at(n, 2),
                "http_status": 429 if n in THROTTLED else 200,
            }
        )
    return found


def written(folder: Path, files: dict[str, Rows]) -> list[str]:
    paths = []
    for name, rows in files.items():
        if name == "job":
            path = folder / f"{name}.jsonl"
            path.write_text("\n".join(map(json.dumps, rows)))
        else:
            path = folder / f"{name}.csv"
            with path.open("w", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
        paths.append(str(path))
    return paths


def lost(found: Findings, folder: Path) -> set[int]:
    return {int(name) - MESSAGE for name in (folder / "lost").read_text().split()}


def test_jobs_and_requests_are_of_the_message_that_they_name(tmp_path: Path) -> None:
    paths = written(tmp_path, tables())
    found = investigate(paths, Options(drops=tmp_path / "lost"))
    assert found.accepted == COUNT
    # a job that is done has delivered nothing by that
    assert lost(found, tmp_path) == THROTTLED | UNQUEUED
    assert {s.mechanism for s in found.hypothesis.shares} == {"D1", "D3"}
    layouts = {Path(path).name: m.layout for path, m in found.raw.mappings.items()}
    assert layouts["job.jsonl"] == "jobs"
    assert layouts["message.csv"] == "deliveries"
    # what others look up is no delivery's
    assert [Path(path).name for path in found.raw.nameless] == ["endpoint.csv"]


def test_a_job_alone_is_what_is_delivered(tmp_path: Path) -> None:
    found = investigate(written(tmp_path, {"job": tables()["job"]}), Options())
    assert (found.accepted, found.dropped) == (COUNT - len(UNQUEUED), 0)


def test_what_most_files_refer_to_is_what_all_are_of() -> None:
    files = tables()
    flat = [{**row, "args.message_id": row["args"]["message_id"]} for row in files["job"]]
    found = links({**files, "job": flat})
    assert {(one.owner, one.other, one.reference) for one in found} == {
        ("message", "job", "args.message_id"),
        ("message", "request", "message_id"),
    }
    every = {**files, "job": flat}
    guessed = {name: guess(rows) for name, rows in every.items()}
    assert beside(links(every), guessed, every) == ["endpoint"]
    # without a column that names them, receivers are nothing that is looked up; what they say is
    # none of any delivery either, unless a column is called so
    without = [{k: v for k, v in row.items() if k != "endpoint_id"} for row in files["message"]]
    apart = {**every, "message": without}
    own = guessed["endpoint"]
    for key, aside in (("url", ["endpoint"]), ("delivery_id", [])):
        named = replace(own, columns={**own.columns, "delivery": Column(path=key)})
        assert beside(links(apart), {**guessed, "endpoint": named}, apart) == aside
    told = {**guessed, "endpoint": replace(own, columns={"delivery": Column(path="id")})}
    assert beside(links(apart), told, apart) == ["endpoint"]


LOG = LogFacts(
    fields=frozenset({"attempt", "endpoint", "status", "to_state"}),
    ops=frozenset({Op.ACCEPTED, Op.QUEUED, Op.SENT, Op.SUCCEEDED, Op.DISCARDED}),
    usual={Op.QUEUED: 1.0, Op.SENT: 1.0, Op.SUCCEEDED: 1.0},
    attempts_last=6,
)


def test_a_job_given_up_under_an_open_request_is_d7() -> None:
    begun = (step(Op.ACCEPTED, 1), step(Op.QUEUED, 2), step(Op.SENT, 3, attempt=1))
    given_up = step(Op.DISCARDED, 60, attempt=1)
    one = trace(Why.SILENT, *begun, given_up)
    assert given_up_open(one.steps, 6) is not None
    assert recognise(one, LOG).mechanism == "D7"
    # with all attempts made, or an answer that came, it was no early end
    assert given_up_open(one.steps, 1) is None
    answered = (*begun, step(Op.FAILED, 4, attempt=1, result=-1), given_up)
    assert given_up_open(answered, 6) is None


def test_a_job_done_with_no_request_is_d4_or_d9() -> None:
    done = step(Op.NOTED, 4, word="completed")
    idle = (step(Op.ACCEPTED, 1), step(Op.QUEUED, 2), step(Op.CLAIMED, 3), done)
    assert is_done_idle(idle)
    found = recognise(trace(Why.SILENT, *idle), LOG)
    assert (found.mechanism, found.twins) == ("D4", ("D9",))
    assert not is_done_idle((*idle[:3], step(Op.SENT, 3), done))
    assert not is_done_idle(idle[:3])
