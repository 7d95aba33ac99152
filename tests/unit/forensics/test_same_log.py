"""The same log gives the same document, whatever order threads and hashes come in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.delivery_logs import MANNERS, Service

pytest.importorskip("duckdb")
pytest.importorskip("ibis")


def test_two_processes_say_the_same_of_one_log(tmp_path: Path) -> None:
    _, text = MANNERS["full"](Service("D6", 5, deliveries=1_500, slow_share=0.03).run())
    (tmp_path / "log.jsonl").write_text(text)
    told = []
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-m", "homing.cli", "investigate", "log.jsonl", "--json"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONHASHSEED": seed, "HOMING_INCIDENT": ""},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 1, done.stderr
        told.append(done.stdout)
    assert told[0] == told[1]
