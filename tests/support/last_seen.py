"""What a wait that took too long had seen last: its own words are only that it took too long."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest._io.saferepr import saferepr

_TESTS = Path(__file__).parents[1]
#: characters of a value
_VALUE_MAX = 2_000
#: lines of a log, the last
_LINES = 20


def last_seen(excinfo: pytest.ExceptionInfo[BaseException]) -> str:
    """The values that the functions of the tests had, the innermost last; logs by their ends."""
    return "\n".join(
        line
        for entry in excinfo.traceback
        if _TESTS in Path(entry.path).parents
        for line in _frame(entry)
    )


def _frame(entry: Any) -> Iterator[str]:
    yield f"{Path(entry.path).relative_to(_TESTS)}:{entry.lineno + 1}: {entry.name}"
    for name, value in entry.locals.items():
        if name.startswith(("@", "__")):
            continue
        yield f"    {name} = {saferepr(value, _VALUE_MAX)}"
        log = getattr(value, "log", None)
        if isinstance(log, list):
            yield from (f"        {str(line).rstrip()}" for line in log[-_LINES:])
