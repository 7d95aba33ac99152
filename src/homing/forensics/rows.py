"""The answer of a small query as rows of plain values: one way for every engine."""

from __future__ import annotations

from typing import Any


class Line(dict[str, Any]):
    """A row whose columns are also attributes."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def rows(expression: Any) -> list[Line]:
    """All rows of a table expression; it should be small: it is held in memory."""
    return [Line(row) for row in expression.to_pyarrow().to_pylist()]


def row(expression: Any) -> Line:
    """The one row of a table expression."""
    return rows(expression)[0]
