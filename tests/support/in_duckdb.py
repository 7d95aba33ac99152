"""A few rows as a table of DuckDB, as the analysis reads them."""

from __future__ import annotations

from typing import Any


def in_duckdb(columns: dict[str, list[Any]], schema: dict[str, str]) -> Any:
    """The table; each has a database of its own."""
    import ibis

    return ibis.duckdb.connect().create_table("given", ibis.memtable(columns, schema=schema))
