"""A log of JSON lines, investigated as a user would."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from homing.forensics.investigation import Findings, investigate
from homing.forensics.judging import Verdict
from homing.forensics.options import Options


def found(folder: Path, rows: Iterable[dict[str, Any]]) -> Findings:
    """What is found in these rows, in the order of their `time`, in seconds."""
    path = folder / "service.jsonl"
    in_order = sorted(rows, key=lambda row: float(row["time"]))
    path.write_text("".join(json.dumps(row) + "\n" for row in in_order))
    return investigate([str(path)], Options(folder=str(folder)))


def books(findings: Findings) -> dict[Verdict, int]:
    """How many deliveries came to each end that any came to."""
    return {verdict: n for verdict, n in findings.books.items() if n}
