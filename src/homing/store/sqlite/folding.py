"""Keeps the write-ahead log of a SQLite file from growing without end.

SQLite folds the log back into the file as it grows, and begins it anew when a writer finds all of
it folded and nobody reading from it. Where readers of several processes overlap, or one process
appends while another folds, there may be no such moment for hours: the log grew to gigabytes. So
beyond a size somebody makes the moment: keeps writers out, folds what is left, waits for readers,
and cuts the log off.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from typing import Final

#: how long one try waits for readers and for another writer, milliseconds, while nobody can write.
#: Many short ones: a try that waits for the place of one reader does not see that the next reader
#: there is up to date, and would wait for as long as readers overlap
_TRY_MS: Final = 50
#: a listing reads for some milliseconds, the books of a busy minute for some hundreds
_TRIES: Final = 20
#: commits until it is tried again, where all of these were in vain: seconds of heavy traffic
_PATIENCE: Final = 400


class Folding:
    """Watches over the log of the file that `db` is open on, for the one who writes to it.

    Args:
        bytes_max: beyond which the log is cut off; well above the size from which SQLite folds it,
            so that it hardly ever comes to that.
    """

    def __init__(self, db: sqlite3.Connection, bytes_max: int) -> None:
        self._db = db
        self._bytes_max = bytes_max
        file = db.execute("PRAGMA database_list").fetchone()[2]
        self._log = f"{file}-wal" if file else None
        self._commits_left = 0  #: until it is looked at again

    def is_due(self) -> bool:
        """Whether the log is too long; to be asked once after each commit."""
        if self._commits_left > 0:
            self._commits_left -= 1
            return False
        if self._log is None:
            return False
        try:
            return os.stat(self._log).st_size > self._bytes_max
        except OSError:  # there is none yet
            return False

    def fold(self) -> None:
        """Cut the log off, or, when somebody reads from it for too long, leave it for later.

        Takes no longer than what is left to be folded and all the tries.
        """
        db = self._db
        is_busy = True
        with suppress(sqlite3.Error):  # nothing is lost by it: the log is as good as the file
            db.execute(f"PRAGMA busy_timeout = {_TRY_MS}")
            try:
                for _ in range(_TRIES):
                    is_busy = bool(db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0])
                    if not is_busy:
                        break
            finally:
                db.execute("PRAGMA busy_timeout = 0")
        if is_busy:
            self._commits_left = _PATIENCE
