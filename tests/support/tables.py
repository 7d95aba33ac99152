"""Tables of a log as CSV files."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any


def write_table(path: Path, header: str, rows: Iterable[Sequence[Any]]) -> str:
    """Write a table, and return its path.

    Args:
        header: the names of its columns, with commas between them.
    """
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header.split(","))
        writer.writerows(rows)
    return str(path)
