"""The answer of a small query as rows of plain values: one way for every engine."""

from __future__ import annotations

import functools
from typing import Any, Final

import ibis
import ibis.expr.operations as ops

#: as many queries are remembered as some investigations ask, each of about 80
_QUERIES_MAX: Final = 512


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


@functools.lru_cache(_QUERIES_MAX)
def _sql_of(node: Any) -> str:
    expression = node.to_expr()
    return str(expression.get_backend().compile(expression))


def sql_of(expression: Any) -> str:
    """A table expression in DuckDB's words; those of an earlier one that asked the same.

    Half of a small investigation's time goes into these words, and they depend on which columns
    there are and hardly on which log it is: of the questions about a second log nine in ten were
    asked of the first.
    """
    return _sql_of(expression.op())


def rows(expression: Any) -> list[Line]:
    """All rows of a table expression; it should be small: it is held in memory."""
    backend = expression.get_backend()
    if backend.name == "duckdb":
        found = backend.raw_sql(sql_of(expression))
        names = [column[0] for column in found.description]
        return [Line(zip(names, values, strict=True)) for values in found.fetchall()]
    return [Line(row) for row in portable(expression, backend.name).to_pyarrow().to_pylist()]


def row(expression: Any) -> Line:
    """The one row of a table expression."""
    return rows(expression)[0]
