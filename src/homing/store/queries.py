"""Loads the named SQL statements of one dialect."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


def load_queries(dialect: str) -> Mapping[str, str]:
    """The statements of `sql/<dialect>/queries/*.sql` by name.

    A statement that says ASC also exists as `<name>_descending`, with DESC in its place.

    Raises:
        ValueError: two statements have one name.
    """
    folder = files("homing.store") / "sql" / dialect / "queries"
    queries: dict[str, str] = {}
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        _, *parts = _NAME.split(item.read_text("utf-8"))
        for name, sql in zip(parts[::2], parts[1::2], strict=True):
            if name in queries:
                raise ValueError(f"expected one statement named {name}, found another: {item}")
            queries[name] = sql.strip()
    for name, sql in list(queries.items()):
        if " ASC" in sql:
            queries[f"{name}_descending"] = sql.replace(" ASC", " DESC")
    return MappingProxyType(queries)


def load_migrations(dialect: str) -> list[tuple[str, str]]:
    """(name, SQL) of each migration of a dialect, in the order in which they apply."""
    folder = files("homing.store") / "sql" / dialect / "migrations"
    found = [item for item in folder.iterdir() if item.name.endswith(".sql")]
    return sorted((item.name.removesuffix(".sql"), item.read_text("utf-8")) for item in found)
