"""The answer of a small query as rows of plain values: one way for every engine."""

from __future__ import annotations

from typing import Any

import ibis
import ibis.expr.operations as ops


class Line(dict[str, Any]):
    """A row whose columns are also attributes."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def portable(expression: Any, backend: str) -> Any:
    """The same expression with what an engine cannot do said in another way."""
    if backend != "postgres":
        return expression
    return expression.op().replace(_for_postgresql).to_expr()


def _for_postgresql(node: Any, parts: Any) -> Any:
    """It makes an integer of a boolean and no other number, and decimals of a mean of integers."""
    if parts:
        node = node.copy(**parts)
    if isinstance(node, ops.Mean) and not node.arg.dtype.is_floating():
        return node.copy(arg=ops.Cast(node.arg, "float64"))
    if isinstance(node, ops.Cast) and node.arg.dtype.is_boolean() and node.to.is_integer():
        one = ibis.literal(1, node.to).op()
        return ops.IfElse(node.arg, one, ibis.literal(0, node.to).op())
    return node


def rows(expression: Any) -> list[Line]:
    """All rows of a table expression; it should be small: it is held in memory."""
    expression = portable(expression, expression.get_backend().name)
    return [Line(row) for row in expression.to_pyarrow().to_pylist()]


def row(expression: Any) -> Line:
    """The one row of a table expression."""
    return rows(expression)[0]
