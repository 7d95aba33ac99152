"""Brings the schema of a SQLite file up to date, or says that it is not."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TypeVar

from homing.core.errors import SchemaMismatch
from homing.store.queries import load_migrations, load_queries
from homing.store.sqlite.connection import connect
from homing.store.sqlite.errors import store_error

T = TypeVar("T")

_SQL = load_queries("sqlite")


def with_connection(path: str, work: Callable[[sqlite3.Connection], T]) -> T:
    try:
        db = connect(path)
        try:
            return work(db)
        finally:
            db.close()
    except sqlite3.Error as error:
        raise store_error(error) from error


def _applied(db: sqlite3.Connection) -> list[str]:
    """The migrations that the file has had.

    Raises:
        SchemaMismatch: one of them is unknown here.
    """
    applied = [name for (name,) in db.execute(_SQL["applied_migrations"])]
    unknown = set(applied) - {name for name, _ in load_migrations("sqlite")}
    if unknown:
        raise SchemaMismatch(
            f"the database was made by a later version of Homing ({', '.join(sorted(unknown))}): "
            "install that version, or `homing migrate` another database"
        )
    return applied


def check(db: sqlite3.Connection) -> None:
    try:
        applied = _applied(db)
    except sqlite3.OperationalError as error:
        raise store_error(error) from error
    missing = [name for name, _ in load_migrations("sqlite") if name not in applied]
    if missing:
        raise SchemaMismatch(f"the database lacks {', '.join(missing)}: run `homing migrate`")


def migrate(db: sqlite3.Connection) -> list[str]:
    """Apply what is missing, in one transaction; several processes may try at once."""
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("BEGIN IMMEDIATE")
    try:
        db.execute(_SQL["create_migrations"])
        applied = _applied(db)
        missing = [(name, sql) for name, sql in load_migrations("sqlite") if name not in applied]
        for name, sql in missing:
            for statement in _statements(sql):
                db.execute(statement)
            db.execute(_SQL["insert_migration"], (name,))
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
    return [name for name, _ in missing]


def _statements(script: str) -> list[str]:
    """The statements of a script; `executescript` would end the transaction."""
    found, begun = [], ""
    for line in script.splitlines(keepends=True):
        begun += line
        if sqlite3.complete_statement(begun):
            found.append(begun)
            begun = ""
    return found
