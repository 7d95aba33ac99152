"""What the SQLite store writes: functions on a connection whose transaction is already begun.

Everything is written in bulk. Only when a fence fails does each row get a statement of its own, to
learn which it was.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence

import msgspec

from homing.core.errors import Conflict, Stale
from homing.core.identifiers import DeliveryId
from homing.core.records import (
    Acceptance,
    Accepted,
    AcceptResult,
    Change,
    Conflicting,
    Outdated,
    Repeated,
    Reply,
    RequestKey,
)
from homing.core.resources import Application, Resource
from homing.core.store import Aftermath
from homing.store.filing import at_once, file_changes, touches_desk
from homing.store.queries import load_queries
from homing.store.rows import (
    Row,
    attempt_of,
    attempt_row,
    delivery_of,
    delivery_row,
    entry_row,
    message_row,
)
from homing.store.sqlite.bulk import execute_bulk, fetch_bulk
from homing.store.sqlite.desk import SqliteFiles
from homing.store.sqlite.forgetting import forget_words

_SQL = load_queries("sqlite")
_EXPIRES_AT_US = 5  # its place in a row of keys


def beat(db: sqlite3.Connection) -> None:
    """Write something."""
    db.execute(_SQL["beat"])


# --- accepting --------------------------------------------------------------------------------


def accept(db: sqlite3.Connection, batch: Sequence[Acceptance]) -> list[AcceptResult]:
    """Judge each item, then write all that were accepted."""
    versions: dict[str, int | None] = {}
    known = _find_keys(db, [key for item in batch for key in item.keys])
    fresh: list[Row] = []
    results = [_judge(db, item, versions, known, fresh) for item in batch]
    stored = [
        item for item, result in zip(batch, results, strict=True) if isinstance(result, Accepted)
    ]
    execute_bulk(db, "insert_messages", [message_row(item.message) for item in stored])
    execute_bulk(
        db,
        "insert_deliveries",
        [delivery_row(delivery) for item in stored for delivery in item.deliveries],
    )
    execute_bulk(
        db,
        "insert_lines",
        [entry_row(entry, rows_written=1) for item in stored for entry in item.entries],
    )
    if fresh:
        _keep_keys(db, fresh, at_us=batch[-1].message.accepted_at_us)
    return results


def _judge(
    db: sqlite3.Connection,
    item: Acceptance,
    versions: dict[str, int | None],
    known: dict[bytes, Row],
    fresh: list[Row],
) -> AcceptResult:
    """What becomes of one item.

    Args:
        versions: of applications, as far as they were looked up for this batch; is added to.
        known: rows of keys, by digest; is added to when the item is accepted.
        fresh: rows of keys to be written; is added to likewise.
    """
    message = item.message
    for key in item.keys:
        row = _unexpired(known.get(key.digest), message.accepted_at_us)
        if row is not None:
            _, fingerprint, message_id, *_ = row
            if fingerprint != key.fingerprint or message_id is None:
                return Conflicting()
            return Repeated(message_id)
    if message.app_id not in versions:
        found = db.execute(_SQL["application_version"], (message.app_id,)).fetchone()
        versions[message.app_id] = found and found[0]
    if versions[message.app_id] != item.application_version:
        return Outdated()
    for key in item.keys:
        row = _key_row(key, message.id)
        known[key.digest] = row
        fresh.append(row)
    return Accepted()


# --- keys -------------------------------------------------------------------------------------


def _find_keys(db: sqlite3.Connection, keys: Sequence[RequestKey]) -> dict[bytes, Row]:
    """Rows of those that were used before, expired or not, by digest."""
    return {row[0]: row for row in fetch_bulk(db, "find_keys", [(key.digest,) for key in keys])}


def _unexpired(row: Row | None, at_us: int) -> Row | None:
    return row if row is not None and row[_EXPIRES_AT_US] > at_us else None


def _is_known(db: sqlite3.Connection, key: RequestKey, at_us: int) -> bool:
    return _unexpired(_find_keys(db, [key]).get(key.digest), at_us) is not None


def _key_row(key: RequestKey, led_to: str | Reply) -> Row:
    if isinstance(led_to, Reply):
        return (key.digest, key.fingerprint, None, led_to.status, led_to.body, key.expires_at_us)
    return (key.digest, key.fingerprint, led_to, None, None, key.expires_at_us)


def _keep_keys(db: sqlite3.Connection, rows: Sequence[Row], *, at_us: int) -> None:
    """Store new keys, and forget twice as many expired ones: the table cannot grow for ever."""
    db.execute(_SQL["delete_expired_keys"], (at_us, 2 * len(rows)))
    execute_bulk(db, "insert_keys", rows)


def remember(db: sqlite3.Connection, key: RequestKey, reply: Reply, at_us: int) -> None:
    """Keep a reply, unless the key is known."""
    if not _is_known(db, key, at_us):
        _keep_keys(db, [_key_row(key, reply)], at_us=at_us)


# --- changing deliveries ----------------------------------------------------------------------


def settle(db: sqlite3.Connection, changes: Sequence[Change]) -> list[bool]:
    """Write decisions in order, each behind its fence; and what that means for the desk."""
    answers: list[bool] = []
    now: set[DeliveryId] = set()
    written: list[Change] = []
    for run in _runs(changes):
        answers += _settle_run(db, run, now, written)
    if touches_desk(written):
        at_once(file_changes(SqliteFiles(db), written))
    return answers


def settle_with(
    db: sqlite3.Connection,
    changes: Sequence[Change],
    follow: Callable[[list[bool]], Aftermath],
) -> list[bool]:
    """Settle, and write what follows; whoever runs this undoes all of it when it fails."""
    written = settle(db, changes)
    after = follow(written)
    if after.key is not None and _is_known(db, after.key, after.at_us):
        raise Conflict("this request was made before")
    if after.resource is not None:
        _write_resource(db, after.resource)
    for one in after.more:
        _write_resource(db, one)
    _add(db, after.also)
    for message_id in after.expunged:
        expunge_message(db, message_id)
    if after.key is not None and after.reply is not None:
        _keep_keys(db, [_key_row(after.key, after.reply)], at_us=after.at_us)
    return written


def _runs(changes: Sequence[Change]) -> Iterator[list[Change]]:
    """Cut so that no delivery comes twice in a run: the second decision needs the first written."""
    run: list[Change] = []
    seen: set[DeliveryId] = set()
    for change in changes:
        which = change.id
        if which in seen:
            yield run
            run, seen = [], set()
        run.append(change)
        seen.add(which)
    if run:
        yield run


def _settle_run(
    db: sqlite3.Connection, run: Sequence[Change], now: set[DeliveryId], done: list[Change]
) -> list[bool]:
    """Settle changes of different deliveries.

    Args:
        run: the changes.
        now: deliveries that this call has changed; is added to.
        done: the changes that were written; is added to.
    """
    answers = [True] * len(run)
    written: Sequence[Change] = run
    late: Sequence[Change] = ()
    if not _take_all(db, run):
        answers, written, late = _take_each(db, run, now)
    now.update(change.id for change in written)
    done += written
    _append(db, written, late)
    return answers


def _take_all(db: sqlite3.Connection, run: Sequence[Change]) -> bool:
    """Remove the rows that the changes were made on, if they are all still there; else none."""
    hot: list[Row] = []
    history: list[Row] = []
    for change in run:
        before = change.before
        if before is None:
            return False
        fence = (before.message_id, before.endpoint_id, before.version)
        (hot if before.is_unfinished else history).append(fence)
    db.execute("SAVEPOINT taking")
    taken = execute_bulk(db, "take_deliveries", hot) + execute_bulk(db, "take_history", history)
    if taken != len(run):
        db.execute("ROLLBACK TO taking")
    db.execute("RELEASE taking")
    return taken == len(run)


def _take_each(
    db: sqlite3.Connection, run: Sequence[Change], now: set[DeliveryId]
) -> tuple[list[bool], list[Change], list[Change]]:
    """One by one: the answers, the changes to be written, and those that came late."""
    answers: list[bool] = []
    written: list[Change] = []
    late: list[Change] = []
    for change in run:
        answer: bool | None = _take(db, change)
        if answer:
            written.append(change)
        else:
            answer = _settled_before(db, change, now)
            if answer is None:
                answer = False
                late.append(change)
        answers.append(answer)
    return answers, written, late


def _append(db: sqlite3.Connection, written: Sequence[Change], late: Sequence[Change]) -> None:
    """Put deliveries in their new place; attempts and log lines are kept even of the late."""
    hot = [delivery_row(c.after) for c in written if c.after.is_unfinished]
    history = [delivery_row(c.after) for c in written if not c.after.is_unfinished]
    attempts = [attempt_row(c.attempt) for c in written if c.attempt is not None]
    attempts += [attempt_row(c.attempt, late=True) for c in late if c.attempt is not None]
    lines = [entry_row(change.entry, rows_written=1) for change in written]
    lines += [entry_row(change.entry, rows_written=0) for change in late]
    execute_bulk(db, "insert_deliveries", hot)
    execute_bulk(db, "insert_history", history)
    execute_bulk(db, "insert_attempts", attempts)
    execute_bulk(db, "insert_lines", lines)


def _settled_before(db: sqlite3.Connection, change: Change, now: set[DeliveryId]) -> bool | None:
    """What an earlier call with the same change answered; None: there was none."""
    attempt = change.attempt
    if attempt is not None:
        row = db.execute(_SQL["attempt"], (attempt.message_id, attempt.id)).fetchone()
        return None if row is None else not attempt_of(row).late
    row = db.execute(_SQL["delivery"], change.id).fetchone()
    is_ours = row is not None and change.id not in now and delivery_of(row) == change.after
    return True if is_ours else None


def _take(db: sqlite3.Connection, change: Change) -> bool:
    before = change.before
    if before is None:
        is_new = db.execute(_SQL["delivery"], change.id).fetchone() is None
        message = (change.after.message_id,)
        return is_new and db.execute(_SQL["message_exists"], message).fetchone() is not None
    return _take_all(db, [change])


# --- resources --------------------------------------------------------------------------------


def put(
    db: sqlite3.Connection,
    resource: Resource,
    touch: str | None,
    key: RequestKey | None,
    reply: Reply | None,
    also: Sequence[Resource],
) -> None:
    """Create or replace; see the port."""
    at_us = resource.updated_at_us
    if key is not None and _is_known(db, key, at_us):
        raise Conflict("this request was made before")
    _write_resource(db, resource)
    if touch is not None and db.execute(_SQL["touch_application"], (touch,)).rowcount == 0:
        raise Stale(f"application {touch} is gone")
    _add(db, also)
    if key is not None and reply is not None:
        _keep_keys(db, [_key_row(key, reply)], at_us=at_us)


def _write_resource(db: sqlite3.Connection, resource: Resource) -> None:
    name = "insert_resource" if resource.version == 1 else "update_resource"
    try:
        count = db.execute(_SQL[name], _resource_row(resource)).rowcount
    except sqlite3.IntegrityError as error:
        raise Conflict(f"{resource.kind} {resource.uid or resource.id} exists already") from error
    if count == 0:
        raise Stale(f"{resource.kind} {resource.id} has changed since it was read")


def _resource_row(resource: Resource) -> dict[str, str | int | None]:
    return {
        "kind": resource.kind,
        "scope": resource.scope,
        "id": resource.id,
        "uid": resource.uid,
        "version": resource.version,
        "document": msgspec.json.encode(resource).decode(),
    }


def _add(db: sqlite3.Connection, resources: Sequence[Resource]) -> None:
    """Create those that do not exist."""
    db.executemany(_SQL["add_resource"], [_resource_row(one) for one in resources])


def delete(
    db: sqlite3.Connection, resource: Resource, touch: str | None, also: Sequence[Resource]
) -> None:
    """Remove it, an application with its endpoints."""
    which = {"kind": resource.kind, "scope": resource.scope, "id": resource.id}
    if db.execute(_SQL["delete_resource"], which).rowcount == 0:
        return
    if isinstance(resource, Application):
        db.execute(_SQL["delete_endpoints_of"], (resource.id,))
    if touch is not None:
        db.execute(_SQL["touch_application"], (touch,))
    _add(db, also)


# --- forgetting -------------------------------------------------------------------------------


def expunge_message(db: sqlite3.Connection, message_id: str) -> None:
    """Forget a payload and the responses to it."""
    forget_words(db, [message_id])
    db.execute(_SQL["expunge_message"], (message_id,))
    db.execute(_SQL["expunge_attempts"], (message_id,))


def expunge_attempt(db: sqlite3.Connection, message_id: str, attempt_id: str) -> None:
    """Forget a response."""
    db.execute(_SQL["expunge_attempt"], (message_id, attempt_id))
