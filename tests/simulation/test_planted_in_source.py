"""Whoever breaks a rule in the source sees it named within a minute by `homing simulate`."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"

#: file, what is written there, what is written instead, options, what must be named
PLANTED = {
    "the fence of the memory store": (
        "homing/store/memory/store.py",
        "if row is None or row.version != before.version:",
        "if row is None:",
        ("--store", "memory", "--seeds", "200"),
        {"no_stale_write", "every_step_is_legal"},
    ),
    "the fence of SQLite": (
        "homing/store/sql/sqlite/queries/settling.sql",
        "DELETE FROM deliveries\nWHERE (message_id, endpoint_id, version) "
        "IN (SELECT * FROM (VALUES (?, ?, ?)));",
        "DELETE FROM deliveries\nWHERE (message_id, endpoint_id, 1) "
        "IN (SELECT column1, column2, 1 FROM (SELECT * FROM (VALUES (?, ?, ?))));",
        ("--store", "sqlite", "--seeds", "100"),
        {"no_stale_write", "every_step_is_legal", "nothing_is_doubled", "row_is_its_last_line"},
    ),
    "a version that is not raised": (
        "homing/core/lifecycle.py",
        "waiting: Delivery = _replace(\n        delivery,\n        version=delivery.version + 1,",
        "waiting: Delivery = _replace(\n        delivery,",
        ("--store", "memory", "--seeds", "200"),
        {"no_part_fails"},
    ),
    "a failed attempt that is forgotten": (
        "homing/core/lifecycle.py",
        "return _waiting(delivery, due_at_us, failures=delivery.failures + 1,",
        "return _waiting(delivery, due_at_us, failures=delivery.failures + 2,",
        ("--store", "memory", "--seeds", "200"),
        {"dead_only_when_exhausted"},
    ),
    "a poll that is left out": (
        "homing/dispatch/loop.py",
        "timer = asyncio.get_running_loop().call_later(most_s, event.set)",
        "timer = asyncio.get_running_loop().call_later(1e9, event.set)",
        ("--store", "memory", "--seeds", "200"),
        {"everything_comes_to_its_end"},
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_bug_planted_in_the_source_is_named_within_a_minute_of_work(
    name: str, tmp_path: Path
) -> None:
    file, good, bad, options, invariants = PLANTED[name]
    shutil.copytree(SOURCE, tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    path = tmp_path / "src" / file
    text = path.read_text()
    assert text.count(good) == 1, "the source has changed: plant the bug where the rule is now"
    path.write_text(text.replace(good, bad))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = subprocess.run(
        [sys.executable, "-m", "homing.cli", "simulate", "--jobs", "1", *options, "--json"],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "src")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    took_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert run.returncode == 1, run.stderr
    found = json.loads(run.stdout)
    assert {one["invariant"] for one in found["broken"]} & invariants, found["broken"][:3]
    assert found["story"]["token"].startswith("h1.")
    assert took_s < 60
