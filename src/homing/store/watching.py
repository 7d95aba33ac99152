"""What the stores share when they tell how endpoints are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from homing.core.outcome import Reason
from homing.core.watching import Failure

#: sorts after every id of an attempt
ATTEMPTS_END: Final = "atmpt_~"


def in_order(rows: Iterable[Sequence[Any]]) -> list[Failure]:
    """Failures of rows of (reason, status, count), most often first, then by name."""
    found = [Failure(reason=Reason(row[0]), status=row[1], count=row[2]) for row in rows]
    return sorted(found, key=lambda one: (-one.count, one.reason, one.status or 0))
