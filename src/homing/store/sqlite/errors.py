"""What an error of SQLite means for the caller."""

from __future__ import annotations

import sqlite3

from homing.core.errors import SchemaMismatch, StoreError, Unavailable

_OTHER_SCHEMA = ("no such table", "no such column", "has no column named", "has 0 columns but")


def store_error(error: BaseException) -> StoreError:
    """The error to raise instead; the driver's own is its cause."""
    text = str(error)
    if isinstance(error, sqlite3.IntegrityError):
        meant: StoreError = StoreError(f"the database refused a row: {text}")
    elif any(words in text for words in _OTHER_SCHEMA):
        meant = SchemaMismatch(f"the database has another schema ({text}): run `homing migrate`")
    else:
        # Locked, full, read-only, not a database, an I/O error: the file, not the request.
        meant = Unavailable(f"the database cannot be used now: {text}")
    meant.__cause__ = error
    return meant
