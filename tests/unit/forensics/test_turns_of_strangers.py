"""Turns that a lease ended, answers of turns that were over, and what a retry's time looks like."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.investigation import Findings, investigate
from homing.forensics.judging import Verdict
from homing.forensics.operations import Op
from homing.forensics.options import Options
from homing.forensics.reading.sentences import pairs
from homing.forensics.vocabulary import meaning

COUNT = 300
_BEGIN = datetime(2026, 10, 1, 6, tzinfo=UTC)


def is_hit(number: int) -> bool:
    return number > COUNT // 3 and number % 12 == 5


HITS = sum(map(is_hit, range(COUNT)))


class Life:
    """The lines of one delivery."""

    def __init__(self, number: int) -> None:
        self.number, self.second, self.rows = number, 60.0 * number, []
        self.name = f"dlv_{number:05}"

    def say(self, event: str, after: float = 0.2, **told: Any) -> None:
        self.second += after
        at = (_BEGIN + timedelta(seconds=self.second)).isoformat(timespec="milliseconds")
        self.rows.append({"time": at, "event": event, "delivery_id": self.name} | told)

    def turn(self, attempt: int, status: int, worker: str = "w-1") -> None:
        self.say("delivery claimed", worker=worker, attempt=attempt)
        self.say("attempt finished", 0.4, worker=worker, attempt=attempt, status=status)
        if status < 300:
            self.say("delivered", 0.0, worker=worker, attempt=attempt)


def read(tmp_path: Path, live: Callable[[Life], None]) -> Findings:
    rows = []
    for number in range(COUNT):
        one = Life(number)
        one.say("delivery accepted")
        one.say("delivery queued")
        live(one)
        rows += one.rows
    rows.sort(key=lambda row: row["time"])
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return investigate([str(path)], Options(threads=1))


def _retried(one: Life) -> None:
    one.turn(1, 503 if one.number % 5 == 0 else 200)
    if one.number % 5 == 0:
        one.turn(2, 500)
        one.turn(3, 200)


def test_failed_as_its_lease_ran_out_is_that_whatever_passes_the_entry_over_later(
    tmp_path: Path,
) -> None:
    def live(one: Life) -> None:
        if not is_hit(one.number):
            return _retried(one)
        one.say("delivery claimed", worker="w-1", attempt=1)
        one.say("stalled delivery marked failed", 40, worker="checker", attempt=1)
        one.say("delivery claimed", 5, worker="w-2")
        return one.say("delivery already final, acking", 0.01, worker="w-2")

    found = read(tmp_path, live)
    assert found.books[Verdict.DROPPED] == HITS
    assert found.hypothesis.mechanism == "D7"


def test_the_late_failure_of_a_turn_that_a_lease_ended_takes_no_success_back(
    tmp_path: Path,
) -> None:
    def live(one: Life) -> None:
        if not is_hit(one.number):
            return _retried(one)
        one.say("delivery claimed", worker="w-1", attempt=1)
        one.say("lease expired", 30, worker="reaper")
        one.turn(1, 200)  # the same worker has it again, under the same number
        return one.say("attempt finished", 9, worker="w-1", attempt=1, status=504)

    assert read(tmp_path, live).books[Verdict.DELIVERED] == COUNT


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "run_at=2026-10-13 19:41:43.923 queue=a",
            {"run_at": "2026-10-13 19:41:43.923", "queue": "a"},
        ),
        ("until=2026-10-13 a=1", {"until": "2026-10-13", "a": "1"}),
        ("t=2026-10-13 19:41:43 UTC b=2", {"t": "2026-10-13 19:41:43 UTC", "b": "2"}),
    ],
)
def test_the_time_of_a_pair_may_have_a_space_in_it(text: str, found: dict[str, str]) -> None:
    assert pairs(text) == found


@pytest.mark.parametrize(
    ("word", "op"),
    [
        ("fanout.completed", Op.NOTED),
        ("lease_over", Op.LAPSED),
        ("Jobs::ProcessMissingError", Op.LAPSED),
        ("post repeated, key known", Op.SKIPPED),
    ],
)
def test_words_of_leases_and_repetitions(word: str, op: Op) -> None:
    assert meaning(word).op is op


def test_streams_of_other_things_are_no_deliveries(tmp_path: Path) -> None:
    def live(one: Life) -> None:
        _retried(one)
        if one.number % 20 == 0:
            one.name = f"process-{one.number}"
            one.say("feed read", 1)
            one.say("heart lost", 1)

    found = read(tmp_path, live)
    assert found.books[Verdict.DELIVERED] == COUNT
    assert sum(found.books.values()) == COUNT


def test_where_a_dead_letter_goes_by_another_name_whether_it_was_stored_stands_beside_it(
    tmp_path: Path,
) -> None:
    def live(one: Life) -> None:
        if one.number % 6:
            return _retried(one)
        for attempt in (1, 2, 3):
            one.turn(attempt, 500)
        one.say("given up", attempt=3)
        return one.say("letter box", ok=not is_hit(one.number + 5 if one.number > 150 else 0))

    found = read(tmp_path, live)
    lost = sum(n % 6 == 0 and n > 150 and is_hit(n + 5) for n in range(COUNT))
    assert lost > 5
    assert found.books[Verdict.DROPPED] == lost
    assert found.hypothesis.mechanism == "D10"
