"""Forgetting what is beyond its retention, on SQLite: statements for some messages at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

import msgspec

from homing.core.queries import LogCursor
from homing.core.retention import Part, Purged, Standing
from homing.store.filing import at_once, file_purge
from homing.store.purging import sorted_out
from homing.store.queries import load_queries
from homing.store.rows import standing_of
from homing.store.sqlite.desk import SqliteFiles
from homing.store.sqlite.forgetting import forget_words

_SQL = load_queries("sqlite")


def applications_kept(db: sqlite3.Connection, after: str, limit: int) -> list[str]:
    rows = db.execute(_SQL["applications_kept"], {"after": after, "limit": limit})
    return [app_id for (app_id,) in rows]


def standings(
    db: sqlite3.Connection, app_id: str, after: str, until: str, limit: int
) -> list[Standing]:
    which = {"app_id": app_id, "after": after, "until": until, "limit": limit}
    return [standing_of(row) for row in db.execute(_SQL["standings"], which)]


def purge(
    db: sqlite3.Connection,
    message_ids: Sequence[str],
    decide: Callable[[Standing], frozenset[Part]],
    at_us: int,
) -> Purged:
    """Decide again, now that nobody else writes, and remove what goes."""
    found = [standing_of(row) for row in db.execute(_SQL["standings_of"], _ids(message_ids))]
    going = sorted_out(found, decide)
    whole = _ids(going[Part.MESSAGE])

    def remove(name: str, ids: dict[str, str]) -> int:
        return db.execute(_SQL[name], ids).rowcount

    forget_words(db, going[Part.PAYLOAD] + going[Part.MESSAGE])
    at_once(file_purge(SqliteFiles(db), going[Part.MESSAGE], at_us))
    dead_letters: int = db.execute(_SQL["count_dead"], whole).fetchone()[0]
    return Purged(
        payloads=remove("purge_payloads", _ids(going[Part.PAYLOAD])),
        attempts=remove("purge_attempts", _ids(going[Part.ATTEMPTS] + going[Part.MESSAGE])),
        deliveries=remove("purge_history", whole),
        dead_letters=dead_letters,
        lines=remove("purge_born_lines", whole),
        messages=remove("purge_messages", whole),
    )


def purge_log(
    db: sqlite3.Connection, cursor: LogCursor, until_us: int, limit: int
) -> tuple[LogCursor | None, Purged]:
    """Remove lines of messages that are gone."""
    given = {"line": cursor.line, "until_us": until_us, "limit": limit}
    last: int | None = db.execute(_SQL["looked_at_lines"], given).fetchone()[0]
    if last is None:
        return None, Purged()
    gone = db.execute(_SQL["purge_lines"], given | {"last": last}).rowcount
    return LogCursor(line=last), Purged(lines=gone)


def _ids(message_ids: Sequence[str]) -> dict[str, str]:
    return {"ids": msgspec.json.encode(message_ids).decode()}
