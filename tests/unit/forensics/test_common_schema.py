"""Lines of the Elastic Common Schema: an action and an outcome of its own in each, whose names one
service writes with dots and another as objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.explaining import explain
from homing.forensics.habits import Habits, Kind, showing
from homing.forensics.investigation import Findings, investigate
from homing.forensics.operations import Op
from homing.forensics.options import Options
from homing.forensics.reading.lines import Path as Names
from homing.forensics.reading.lines import divided, flat, undivided, unflat
from homing.forensics.reading.mapping import parse
from homing.forensics.words import line_of

Row = dict[str, Any]
BEGIN_S = 1_780_000_000
COUNT, ATTEMPTS = 240, 3
LOST = frozenset(range(7, COUNT, 24))
#: these fail in every attempt, and their dead letter is kept
HOPELESS = frozenset(range(11, COUNT, 24))
#: and these in the first
FLAKY = frozenset(range(3, COUNT, 6)) - LOST - HOPELESS


class Life:
    """The lines of one delivery."""

    def __init__(self, number: int) -> None:
        self.at = BEGIN_S + 40.0 * number
        self.about = {"labels.delivery_id": f"dlv_{number:05}ab"}
        self.rows: list[tuple[float, Row]] = []

    def say(self, service: str, action: str, outcome: str, more: Row | None = None) -> None:
        self.at += 0.05
        time = datetime.fromtimestamp(self.at, UTC).isoformat(timespec="milliseconds")
        told = {"service.name": service, "event.action": action, "event.outcome": outcome}
        row = {"@timestamp": time} | told | self.about
        row |= more or {}
        nested = unflat({Names(path.split(".")): value for path, value in row.items()})
        self.rows.append((self.at, row if service == "api" else nested))


def life(number: int, fault: str) -> Iterator[tuple[float, Row]]:
    one = Life(number)
    one.say("api", "delivery-accepted", "success", {"http.response.status_code": 202})
    one.say("api", "delivery-enqueued", "success")
    is_lost = number in LOST and bool(fault)
    for attempt in range(1, ATTEMPTS + 1):
        turn = {"labels.attempt": attempt}
        one.say("dispatcher", "message-received", "unknown")
        one.say("dispatcher", "attempt-started", "unknown", turn)
        if is_lost and fault == "D4":
            break
        is_bad = number in HOPELESS or is_lost or (number in FLAKY and attempt == 1)
        answer = {"http.response.status_code": 503 if is_bad else 200}
        outcome = "failure" if is_bad else "success"
        one.say("dispatcher", "delivery-attempt", outcome, answer | turn)
        if not is_bad or (is_lost and fault == "D5"):
            one.say("dispatcher", "delivery-completed", "success", {"labels.state": "delivered"})
            break
        if attempt < ATTEMPTS:
            one.say("dispatcher", "retry-scheduled", "unknown", {"labels.state": "retry"} | turn)
            one.at += 5
            one.say("dispatcher", "retry-enqueued", "success", turn)
        elif not is_lost:
            dead = {"labels.state": "dead"} | turn
            one.say("dispatcher", "delivery-dead-lettered", "failure", dead)
    yield from one.rows


def written(folder: Path, fault: str) -> Path:
    path = folder / "webhooks.ndjson"
    lines = sorted((line for n in range(COUNT) for line in life(n, fault)), key=lambda one: one[0])
    path.write_text("".join(json.dumps(row) + "\n" for _, row in lines))
    return path


def found(folder: Path, fault: str) -> tuple[Findings, Path]:
    path = written(folder, fault)
    return investigate([str(path)], Options(folder=str(folder))), path


@pytest.mark.parametrize("fault", ["D4", "D5", "D10"])
def test_a_drop_is_found_whoever_writes_dots_and_whoever_objects(
    tmp_path: Path, fault: str
) -> None:
    findings, _ = found(tmp_path, fault)
    assert (findings.accepted, findings.dropped) == (COUNT, len(LOST))
    assert findings.hypothesis.mechanism == fault


def test_what_failed_for_good_is_a_dead_letter_and_what_was_put_off_is_no_delivery(
    tmp_path: Path,
) -> None:
    findings, path = found(tmp_path, "")
    assert {v.name: n for v, n in findings.books.items() if n} == {
        "DELIVERED": COUNT - len(HOPELESS),
        "DEAD": len(HOPELESS),
    }
    printed = "\n".join(text for _, text in explain([str(path)], Options(folder=str(tmp_path))))
    given = Options(folder=str(tmp_path), mapping=parse(printed))
    assert investigate([str(path)], given).books == findings.books


def test_a_column_is_divided_if_its_name_has_two_forms() -> None:
    rows = [flat({"a.b": 1, "c": {"d": 2}}), flat({"a": {"b": 3}, "c": {"d": 4}})]
    assert divided(rows) == {"a.b"}
    assert divided(rows[:1]) == divided(rows[1:]) == frozenset()
    assert undivided({"a": {"b": 3, "e": 5}, "c": {"d": 4}}, frozenset({"a.b"})) == {
        "a": {"e": 5},
        "c": {"d": 4},
        "a.b": 3,
    }


def kind(op: str, outcome: str | None, state: str | None = None, status: str = "none") -> Kind:
    return Kind("events", op, None, state, outcome, None, status)


def test_the_failure_beside_a_dead_letter_is_its_own_unless_it_stands_among_the_dead() -> None:
    assert line_of(kind("delivery-dead-lettered", "failure", "dead"), {}, {}).op is Op.DEAD
    assert line_of(kind("delivery-dead-lettered", "failure"), {}, {}).op is Op.DEAD_FAILED


def test_that_a_retry_was_queued_with_success_is_no_answer() -> None:
    assert line_of(kind("retry-enqueued", "success"), {}, {}).result == 0
    assert line_of(kind("retry-scheduled", "failure"), {}, {}).result < 0
    assert line_of(kind("delivery-attempt", "success"), {}, {}).result == 1


def test_successes_before_the_answer_are_not_counted_against_its_word() -> None:
    shown, told = (kind("delivery-attempt", "success", status="ok"), 100), ("success", 100)
    before = [(kind(op, told[0]), told[1]) for op in ("delivery-accepted", "retry-enqueued")]
    assert showing([shown, *before]) == {"delivery-attempt"}
    others = [(kind(op, told[0]), told[1]) for op in ("delivery-completed", "attempt-finished")]
    assert showing([shown, *others]) == frozenset()
    assert Habits().showing == frozenset()
