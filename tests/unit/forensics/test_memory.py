"""Memory is bounded by the limit, not by the log: what does not fit goes to disk."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from bench.forensics import _CHILD, peak_of

ROOT = Path(__file__).parents[3]
#: MB that DuckDB may use, and MiB that Python and the libraries take besides, at the most
LIMIT, BESIDES = 250, 350


@pytest.mark.explore
def test_a_log_of_several_times_the_limit_is_investigated_within_it(tmp_path: Path) -> None:
    peaks = []
    for rows in (1_000_000, 2_000_000):
        log = tmp_path / f"{rows}.parquet"
        # in a process of its own: a child's peak of memory begins at its parent's
        making = ["--make", str(log), "--rows", str(rows), "--form", "parquet"]
        subprocess.run([sys.executable, "-m", "bench.forensics", *making], check=True, cwd=ROOT)
        text, _, _, peak_mib = peak_of(["-c", _CHILD, str(log), f"{LIMIT}MB", "2", str(tmp_path)])
        assert json.loads(text)["mechanism"] == "D1"
        peaks.append(peak_mib)
    assert max(peaks) < LIMIT + BESIDES, peaks
