"""What Prometheus is told when there are several workers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_WORKER = """
import sys
from homing.core.queries import (Backlog, LedgerRow)
from homing.insight.ledger import report
from homing.metrics import Metrics

row = LedgerRow(
    endpoint_id="ep_1", app_id="app_1", window_at_us=0, accepted=int(sys.argv[1]), delivered=5
)
metrics = Metrics()
backlog = Backlog(waiting=0, leased=0, parked=0, due=0, oldest_due_at_us=None)
metrics.audited(report([row], [], at_us=9, since_us=None, until_us=9), backlog)
print(metrics.text().decode())
"""


def _shown_by_worker(folder: Path, accepted: int) -> list[str]:
    """The lines that a worker shows after an audit that found so many accepted, five delivered."""
    done = subprocess.run(
        [sys.executable, "-c", _WORKER, str(accepted)],
        env=os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(folder)},
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    return done.stdout.splitlines()


def test_an_imbalance_that_one_worker_found_is_shown_by_all(tmp_path: Path) -> None:
    assert "homing_unaccounted 2.0" in _shown_by_worker(tmp_path, accepted=7)
    assert "homing_unaccounted 2.0" in _shown_by_worker(tmp_path, accepted=5)
