"""The founding week: by a true race, the same for a seed, and whole again with the patch."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from homing.core.errors import Invalid
from homing.forensics.investigation import investigate
from homing.forensics.options import Options
from homing.lab.explorable import FixedWorker
from homing.lab.founding import DEPLOYED_S, have_week, load_worker
from homing.lab.lines import count_lines
from homing.lab.service.worker import LEASE_S, RetryWorker
from homing.lab.tour import STEPS, filled, steps_for
from homing.lab.world import MONDAY_US

SIZE = 8_000


def week(folder: Path, worker: Any = RetryWorker) -> tuple[Any, list[dict[str, Any]]]:
    log = folder / "log.jsonl"
    truth = have_week(worker, log=log, payments=folder / "payments.jsonl", size=SIZE)
    return truth, [json.loads(line) for line in log.read_text().splitlines()]


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, list[dict[str, Any]]]:
    """The week with the fault: its folder, the truth, and the lines of its log."""
    folder = tmp_path_factory.mktemp("week")
    return (folder, *week(folder))


def test_it_drops_some_and_only_those_that_two_workers_held(faulty: Any) -> None:
    _, truth, lines = faulty
    assert 8 <= truth.dropped <= 60
    takes: dict[str, int] = {}
    slow = set()
    for line in lines:
        takes[line["delivery_id"]] = takes.get(line["delivery_id"], 0) + (
            line["event"] == "claimed"
        )
        if line.get("duration_ms", 0) > 1_000 * LEASE_S:
            slow.add(line["delivery_id"])
    assert all(takes[key] >= 2 for key in truth.drops)
    assert set(truth.drops) <= slow
    assert slow - set(truth.drops), "every late answer lost its delivery: that is no race"
    since = {line["delivery_id"]: line["ts"] for line in lines}
    assert truth.since_us == MONDAY_US + DEPLOYED_S * 1_000_000
    assert min(since[key] for key in truth.drops) > "2026-11-10T10:12"


def test_an_investigation_finds_them(faulty: Any) -> None:
    folder, truth, _ = faulty
    found = investigate([str(folder / "log.jsonl")], Options(folder=str(folder)))
    # in so short a log, the few at the highest attempt look as if they had used theirs up
    assert truth.dropped - 3 <= found.dropped <= truth.dropped


def test_with_the_fix_the_same_payments_lose_nothing(faulty: Any, tmp_path: Path) -> None:
    folder, _, before = faulty
    paid = (folder / "payments.jsonl").read_bytes()
    truth, after = week(tmp_path, FixedWorker)
    assert truth.dropped == 0
    assert (tmp_path / "payments.jsonl").read_bytes() == paid
    accepted = [
        [line["delivery_id"] for line in lines if line["event"] == "accepted"]
        for lines in (before, after)
    ]
    assert accepted[0] == accepted[1]
    assert any(line.get("duration_ms", 0) > 1_000 * LEASE_S for line in after)


def test_the_week_with_the_fix_has_its_own_days_payments_and_build(
    faulty: Any, tmp_path: Path
) -> None:
    log = tmp_path / "after.jsonl"
    truth = have_week(FixedWorker, log=log, size=SIZE, is_later=True)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert truth.dropped == 0
    assert lines[0]["ts"].startswith("2026-11-23T")
    assert {line["build"] for line in lines} == {"1.8.2"}
    assert not {line["delivery_id"] for line in lines} & {line["delivery_id"] for line in faulty[2]}


def test_the_patch_applies_and_is_that_fix(tmp_path: Path) -> None:
    if shutil.which("patch") is None:
        pytest.skip("patch is not installed")
    ours = resources.files("homing.lab.service")
    for name in ("worker.py", "fix.patch"):
        (tmp_path / name).write_text(ours.joinpath(name).read_text())
    command = ["patch", "-N", "worker.py", "fix.patch"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=120)
    ours = (tmp_path / "worker.py").read_text()
    assert "put_if(key, done, holder=self.name" in ours
    assert load_worker(tmp_path / "worker.py").save is not RetryWorker.save


def test_a_worker_that_cannot_be_imported_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "worker.py").write_text("class Retry")
    with pytest.raises(Invalid, match=r"worker\.py"):
        load_worker(tmp_path / "worker.py")
    (tmp_path / "worker.py").write_text("x = 1")
    with pytest.raises(Invalid, match="RetryWorker"):
        load_worker(tmp_path / "worker.py")


def test_payments_say_what_they_are_worth(faulty: Any) -> None:
    folder, _, _ = faulty
    rows = [json.loads(line) for line in (folder / "payments.jsonl").read_text().splitlines()]
    assert {row["data"]["currency"] for row in rows} == {"USD", "EUR"}
    assert all(row["data"]["amount"] >= 100 for row in rows)
    assert {row["event_type"] for row in rows} > {"payment.captured"}


def test_a_step_whose_command_is_not_there_is_left_out() -> None:
    there = {"incident": 1, "investigate": 1, "lab": 1, "verify": 1}
    names = [step.name for step in steps_for(there)]
    assert names == ["notice", "investigate", "deploy", "verify"]
    everything = {one.needs: 1 for step in STEPS for one in step.commands if one.needs}
    assert len(steps_for(everything)) == len(STEPS) == 9


def test_what_the_walk_writes_down_has_the_days_of_its_story_in_their_order() -> None:
    writes = {"incident", "investigate", "reproduce", "verify", "impact"}
    lines = [one.line for step in STEPS for one in step.commands if one.needs in writes]
    days = [re.findall(r" --at (\S+)", line) for line in lines]
    assert {len(one) for one in days} == {1}, "each says when, once"
    # what others did, or what was done meanwhile, is written down afterwards
    told_later = ("incident fixed", "incident deployed --what change")
    stamps = [
        day
        for line, (day,) in zip(lines, days, strict=True)
        if not line.removeprefix("homing ").startswith(told_later)
    ]
    assert stamps == sorted(stamps)
    assert len(stamps) == len(lines) - 2


def test_a_command_line_is_filled_with_what_is_known() -> None:
    assert filled("a --rate {rate}", {"rate": "0.3%"}) == "a --rate 0.3%"


def test_lines_that_are_counted_by_hand_come_to_the_lost_deliveries(tmp_path: Path) -> None:
    def line(event: str, delivery: str, more: str = "") -> str:
        return f'{{"event":"{event}","delivery_id":"{delivery}"{more}}}\n'

    log = tmp_path / "log.jsonl.gz"
    due = ',"next_attempt_at":"2026-11-16T00:00:04Z"'
    with gzip.open(log, "wt") as file:
        for name in ("twice", "waits", "lost", "also lost", "dead"):
            file.write(line("accepted", name, due))
        file.write(
            line("failed", "waits", due) + line("failed", "lost") + line("failed", "also lost")
        )
        file.write(line("succeeded", "twice") * 2 + line("dead", "dead"))
    lines = count_lines(log)
    assert (lines.accepted, lines.succeeded, lines.dead, lines.missing) == (5, 2, 1, 2)
    assert (lines.repeated, lines.waiting, lines.lost) == (1, 1, 2)
