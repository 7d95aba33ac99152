"""Deliveries among other objects of an audit, what is handed on, and queues of errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.dropped import make_dropped, make_step

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.facts import LogFacts
from homing.forensics.habits import Kind
from homing.forensics.hypothesis import form
from homing.forensics.investigation import Findings, investigate
from homing.forensics.judging import Verdict, Why
from homing.forensics.mechanisms import recognise
from homing.forensics.neighbours import Block, Neighbours
from homing.forensics.operations import Op
from homing.forensics.options import Options
from homing.forensics.reading.guessing import guess
from homing.forensics.vocabulary import meaning
from homing.forensics.words import line_of

COUNT = 300
BEGIN_MS = 1_790_000_000_000
Row = dict[str, Any]
LIFE = ("accepted", "dispatched", "assigned", "transmitting", "confirmed")


def is_hit(number: int) -> bool:
    return number > COUNT // 3 and number % 15 == 5


HITS = sum(map(is_hit, range(COUNT)))


def record(number: int, place: int, action: str, *, fails: bool = False) -> Row:
    """A row of an audit: who did what to which object, and how it stood before and after."""
    before = {"state": LIFE[place - 1]} if place else None
    after = before if fails else {"state": LIFE[place]}
    begin = BEGIN_MS + 60_000 * number
    status = 503 if fails else (200 if place == len(LIFE) - 1 else None)
    return {
        "at": begin + 700 * place,
        "trace_id": f"{number * 7919 % 10_007:032x}",
        "action": f"delivery.{action}",
        "object": {"type": "delivery", "id": f"del_{number * 7919 % 10_007:05}"},
        "before": before,
        "after": after,
        "detail": {"attempt": 1 if place > 2 else None, "http_status": status},
    }


def audit(lost_after: int, *, fails: bool = False) -> list[Row]:
    """The life of so many deliveries; those that are hit have no more than so many records, and one
    of a failed attempt if it `fails`."""
    rows = []
    for number in range(COUNT):
        hit = is_hit(number)
        for place, action in enumerate(LIFE):
            if hit and place == lost_after and fails:
                rows.append(record(number, place, "attempt_failed", fails=True))
            if not (hit and place >= lost_after):
                rows.append(record(number, place, action))
    hosts = [
        {"at": BEGIN_MS + 900_000 * i, "action": "worker.started", "trace_id": f"{i:032x}"}
        | {"object": {"type": "worker", "id": f"wk-{i}"}, "before": None, "after": {"slots": 3}}
        for i in range(8)
    ]
    return sorted([*rows, *hosts], key=lambda row: int(row["at"]))


def found(folder: Path, rows: list[Row]) -> Findings:
    path = folder / "audit.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return investigate([str(path)], Options(folder=str(folder)))


def test_the_object_of_a_record_is_the_delivery_where_its_kind_says_so(tmp_path: Path) -> None:
    findings = found(tmp_path, audit(len(LIFE)))
    (mapping,) = findings.raw.mappings.values()
    names = {field: mapping.columns[field].path for field in ("delivery", "from_state", "to_state")}
    assert names == {
        "delivery": "object.id", "from_state": "before.state", "to_state": "after.state"
    }  # fmt: skip
    assert findings.accepted == COUNT
    assert not findings.dropped


@pytest.mark.parametrize(("kind", "is_it"), [("delivery", True), ("invoice", False)])
def test_an_object_of_another_kind_names_no_delivery(kind: str, is_it: bool) -> None:
    rows = [
        {"at": BEGIN_MS + i, "trace_id": f"t{i // 3}", "action": ("made", "sent", "done")[i % 3]}
        | {"object.type": kind, "object.id": f"ob_{i // 3}"}
        for i in range(COUNT)
    ]
    assert (guess(rows).columns["delivery"].path == "object.id") == is_it


def test_what_is_dispatched_before_a_worker_has_it_is_no_request_and_no_end(tmp_path: Path) -> None:
    findings = found(tmp_path, audit(2))
    assert findings.dropped == HITS
    assert findings.events.words["delivery.dispatched"] == "queued"


def test_a_failure_that_leaves_the_delivery_in_progress_is_no_end(tmp_path: Path) -> None:
    findings = found(tmp_path, audit(4, fails=True))
    assert findings.books.get(Verdict.DEAD, 0) == 0
    assert findings.dropped == HITS
    assert findings.hypothesis.mechanism == "D2"


@pytest.mark.parametrize(
    ("text", "op"),
    [
        ("moved to hooks_error", Op.DEAD),
        ("published to error queue", Op.DEAD),
        ("publish failed to hooks_error", Op.DEAD_FAILED),
        ("rejected by receiver, not retrying", Op.DEAD),
        ("non-retryable status", Op.DEAD),
        ("giving up, no more retries", Op.EXHAUSTED),
        ("no retry needed", Op.RETRY),
        ("message has an inbox entry, acknowledged", Op.SKIPPED),
        ("Saved delivery with 2 attempts", Op.WRITTEN),
        ("executor rejected task", Op.NOT_QUEUED),
        ("subscription not active, acked", Op.DISCARDED),
    ],
)
def test_words_of_errors_and_of_what_is_not_tried_again(text: str, op: Op) -> None:
    assert meaning(text).op is op


@pytest.mark.parametrize(
    ("reason", "op"),
    [
        ("policy gone-means-stop", Op.CANCELLED),
        ("rule: quiet-hours", Op.CANCELLED),
        ("policymaker", Op.DISCARDED),
        ("against policy", Op.DISCARDED),
    ],
)
def test_what_a_policy_that_is_named_discards_is_ended_on_purpose(reason: str, op: Op) -> None:
    kind = Kind("events", None, "answered", "discarded", None, reason, "none")
    assert line_of(kind, {}, {}).op is op


LOG = LogFacts(
    fields=frozenset({"op", "status", "attempt", "worker", "endpoint"}),
    ops=frozenset({Op.ACCEPTED, Op.CLAIMED, Op.SENT, Op.LAPSED, Op.SUCCEEDED, Op.WRITTEN}),
    usual={Op.ACCEPTED: 1.0, Op.CLAIMED: 1.0, Op.SENT: 1.0},
)


@pytest.mark.parametrize(
    ("after", "mechanism", "twins"),
    [((), "D7", ()), ((Op.CLAIMED,), "D8", ("D4",)), ((Op.CLAIMED, Op.WRITTEN), "D8", ())],
)
def test_a_turn_after_the_lease_ran_out_that_makes_no_request_is_swallowed(
    after: tuple[Op, ...], mechanism: str, twins: tuple[str, ...]
) -> None:
    acts = (Op.ACCEPTED, Op.CLAIMED, Op.SENT, Op.LAPSED, *after)
    steps = [make_step(act, 20_000_000 * i) for i, act in enumerate(acts)]
    match = recognise(make_dropped(Why.SILENT, *steps), LOG)
    assert (match.mechanism, match.twins) == (mechanism, twins)


@pytest.mark.parametrize(("lasts_us", "is_of_endpoint"), [(50_000, False), (60_000_000, True)])
def test_what_came_in_one_transaction_was_not_left_out_with_its_endpoint(
    lasts_us: int, is_of_endpoint: bool
) -> None:
    lost = [
        make_dropped(Why.SILENT, make_step(Op.ACCEPTED, n), name=f"d-{n}", accepted_us=n)._replace(
            endpoint="ep_1"
        )
        for n in range(10)
    ]
    near = Neighbours(own=1.0, others=0.0, blocks=(Block("ep_1", 0, lasts_us, 1),))
    shaped = form(lost, [], [], LOG, busiest_share=0.1, near=near)
    assert (shaped.mechanism == "D9") == is_of_endpoint
