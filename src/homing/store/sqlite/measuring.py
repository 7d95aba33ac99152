"""Counting what objectives are about, on SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from homing.core.objectives import Limits, LogPiece, Measured, Sli, Tally
from homing.core.queries import LogCursor
from homing.store.queries import load_queries
from homing.store.rows import plain_seen_of, point_of, seen_of, tally_of, tally_rows
from homing.store.sqlite.writes import put

_SQL = load_queries("sqlite")
_COLUMNS = ("scope", "grain_s", "at_us", "sli", "owner", "rule", "count")


def seen(db: sqlite3.Connection, cursor: LogCursor, limit: int, limits: Limits) -> LogPiece:
    """The next lines, counted; see the port."""
    end, count = db.execute(_SQL["seen_end"], {"line": cursor.line, "limit": limit}).fetchone()
    if end is None:
        return LogPiece(cursor, [], is_full=False)
    which = {
        "line": cursor.line,
        "end": end,
        "first_us": limits.first_us,
        "delivered_us": limits.delivered_us,
        "retry_us": limits.retry_us,
    }
    rows = [plain_seen_of(row) for row in db.execute(_SQL["seen_plain"], which)]
    rows += [seen_of(row) for row in db.execute(_SQL["seen"], which)]
    return LogPiece(LogCursor(line=end), rows, is_full=count == limit)


def tally(
    db: sqlite3.Connection, watch: Measured, tallies: Sequence[Tally], forget: Mapping[int, int]
) -> None:
    """Write the place and add the counts."""
    put(db, watch, None, None, None, ())
    db.executemany(
        _SQL["add_tally"],
        [dict(zip(_COLUMNS, row, strict=True)) for row in tally_rows(tallies)],
    )
    for grain_s, until_us in forget.items():
        db.execute(_SQL["forget_tallies"], {"grain_s": grain_s, "until_us": until_us})


def tallied(
    db: sqlite3.Connection, scope: str, grain_s: int, since_us: int, until_us: int
) -> list[Tally]:
    """Counts of a stretch of time."""
    which = {"scope": scope, "grain_s": grain_s, "since_us": since_us, "until_us": until_us}
    rows = db.execute(_SQL["tallied"], which)
    return [tally_of(row, scope=scope, at_us=since_us) for row in rows]


def tally_series(
    db: sqlite3.Connection, scope: str, sli: Sli, grain_s: int, since_us: int, until_us: int
) -> list[Tally]:
    """Counts of one SLI by time."""
    which = {
        "scope": scope,
        "sli": str(sli),
        "grain_s": grain_s,
        "since_us": since_us,
        "until_us": until_us,
    }
    return [point_of(row, scope=scope, sli=sli) for row in db.execute(_SQL["tally_series"], which)]
