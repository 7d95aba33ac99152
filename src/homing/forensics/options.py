"""What may be asked of an analysis beside the log itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from homing.forensics.operations import Stand
from homing.forensics.reading.mapping import Mapping as ColumnMapping

MEMORY: Final = "1400MB"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What may be asked for beside the log itself."""

    mapping: ColumnMapping | None = None
    horizon_us: int | None = None  #: a silence longer than this is a drop; None: from the log
    legal: Mapping[Stand, frozenset[Stand]] | None = None  #: None: that of any service
    memory: str = MEMORY
    threads: int = 2
    folder: str | None = None  #: where to spill; None: a temporary folder
    drops: Path | None = None  #: where the names of all dropped deliveries go, a line each
    engine: str = "duckdb"  #: or "spark", or the URL of a warehouse or of a file of DuckDB
