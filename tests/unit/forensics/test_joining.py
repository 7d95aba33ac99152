"""Files of which one refers to the rows of another meet in the same deliveries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.delivery_logs import Service, attempts, iso

pytest.importorskip("ibis")

from homing.forensics.document import document
from homing.forensics.investigation import investigate
from homing.forensics.options import Options
from homing.forensics.reading.joining import joined
from homing.forensics.reading.mapping import Column, Mapping
from homing.forensics.reading.references import links
from homing.forensics.reading.sentences import pairs

LOG = Service("D1", 11, deliveries=400, fail_share=0.2).run()
ATTEMPTS = [json.loads(line) for line in attempts(LOG)[1].splitlines()]


def _found(folder: Path, files: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    paths = []
    for name, rows in files.items():
        path = folder / f"{name}.jsonl"
        path.write_text("\n".join(map(json.dumps, rows)))
        paths.append(str(path))
    return document(investigate(paths, Options(folder=str(folder))))


def _whole() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """An export of deliveries by their `id`, and one of attempts with an `id` of their own."""
    accepted = {row["delivery"]: row["at"] for row in reversed(LOG.rows)}
    names = {(row["message"], row["endpoint"]): row["delivery"] for row in LOG.rows}
    events = [
        {"id": name, "created_at": iso(at), "kind": "order.paid"} for name, at in accepted.items()
    ]
    tries = [
        {
            "id": one["id"],
            "event_id": names[one["messageId"], one["endpointId"]],
            "created_at": one["createdAt"],
            "response_status": one["statusCode"],
            "attempt_number": one["attemptNumber"],
        }
        for one in ATTEMPTS
    ]
    return events, tries


def test_events_and_their_attempts_are_one_log(tmp_path: Path) -> None:
    events, tries = _whole()
    found = _found(tmp_path, {"events": events, "attempts": tries})
    assert found["accepted"] == len(events)
    assert found["dropped"] >= len(LOG.dropped) > 0


def test_messages_and_the_attempts_of_each_endpoint_are_one_log(tmp_path: Path) -> None:
    messages = {row["message"]: row["at"] for row in reversed(LOG.rows)}
    first = [{"id": name, "timestamp": iso(at)} for name, at in messages.items()]
    found = _found(tmp_path, {"messages": first, "attempts": ATTEMPTS})
    pairs_ = {(row["message"], row["endpoint"]) for row in LOG.rows}
    assert found["accepted"] == len(pairs_)


def test_a_job_is_the_delivery_that_its_arguments_name(tmp_path: Path) -> None:
    accepted = {row["delivery"]: iso(row["at"]) for row in reversed(LOG.rows)}
    lines = [
        {"time": at, "event": "accepted", "delivery_id": name} for name, at in accepted.items()
    ]
    jobs = [
        {
            "id": number,
            "state": "completed",
            "args": json.dumps({"delivery_id": name, "endpoint_id": number % 7}),
            "inserted_at": at.replace("T", " "),
            "completed_at": at.replace("T", " "),
        }
        for number, (name, at) in enumerate(accepted.items(), 4100)
    ]
    found = _found(tmp_path, {"lines": lines, "jobs": jobs})
    assert (found["accepted"], found["dropped"]) == (len(accepted), 0)
    # of arguments that name nothing else the job itself is what is delivered
    for job in jobs:
        job["args"] = json.dumps({"amount": job["id"]})
    assert _found(tmp_path, {"jobs": jobs})["accepted"] == len(jobs)


def test_files_that_meet_already_are_left_as_they_are() -> None:
    rows = [{"delivery_id": f"dlv_{i:05}", "id": f"ord_{i:05}", "at": i} for i in range(100)]
    mappings = {
        name: Mapping(layout="events", columns={"delivery": Column(path="delivery_id")})
        for name in ("one", "other")
    }
    twice = [*rows, *rows]
    assert links({"one": rows, "other": twice})[0].column == "id"
    samples = {"one": rows, "other": twice}
    assert joined(links(samples), mappings, samples) == mappings


def test_files_of_two_hosts_refer_to_nothing() -> None:
    rows = [{"id": f"dlv_{i:05}", "state": "sent"} for i in range(200)]
    assert links({"one": rows[:100], "other": rows[100:]}) == []
    # the same rows twice are copies, and no references
    assert links({"one": rows, "other": rows}) == []


def test_numbers_that_are_counted_up_everywhere_are_no_references() -> None:
    one = [{"id": str(i), "state": "new"} for i in range(100)]
    other = [{"id": f"req_{i:05}", "attempt": str(i)} for i in range(100)]
    assert links({"one": one, "other": other}) == []


def test_a_colon_behind_a_pair_is_of_the_sentence() -> None:
    assert pairs("cannot queue delivery=880039: broker unreachable") == {"delivery": "880039"}
    assert pairs('at="12:00:00" url=http://host:80/x') == {
        "at": "12:00:00",
        "url": "http://host:80/x",
    }
