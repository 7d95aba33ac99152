"""What the SQLite store writes: functions on a connection whose transaction is already begun.

Rows are written with `executemany` on tuples; only where each row needs its own answer (the
fence, the keys) is there a statement per row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from homing.core.errors import Conflict, Stale
from homing.core.identifiers import DeliveryId
from homing.core.lifecycle import Delivery, State
from homing.core.records import (
    Acceptance,
    Accepted,
    AcceptResult,
    Change,
    Claimed,
    Conflicting,
    Outdated,
    Repeated,
    Reply,
    RequestKey,
)
from homing.core.resources import Application, Resource
from homing.store.queries import load_queries
from homing.store.rows import (
    Row,
    attempt_of,
    attempt_row,
    delivery_of,
    delivery_row,
    entry_row,
    message_of,
    message_row,
)

_SQL = load_queries("sqlite")


def beat(db: sqlite3.Connection) -> None:
    """Write something."""
    db.execute(_SQL["beat"])


# --- accepting --------------------------------------------------------------------------------


def accept(db: sqlite3.Connection, batch: Sequence[Acceptance]) -> list[AcceptResult]:
    """Judge each item, then write all that were accepted."""
    versions: dict[str, int | None] = {}
    earlier: dict[bytes, Row] = {}
    results = [_judge(db, item, versions, earlier) for item in batch]
    stored = [
        item for item, result in zip(batch, results, strict=True) if isinstance(result, Accepted)
    ]
    db.executemany(_SQL["insert_message"], [message_row(item.message) for item in stored])
    db.executemany(
        _SQL["insert_delivery"],
        [delivery_row(delivery) for item in stored for delivery in item.deliveries],
    )
    db.executemany(
        _SQL["insert_line"],
        [entry_row(entry, rows_written=1) for item in stored for entry in item.entries],
    )
    if earlier:
        _keep_keys(db, earlier.values(), at_us=batch[-1].message.accepted_at_us)
    return results


def _judge(
    db: sqlite3.Connection,
    item: Acceptance,
    versions: dict[str, int | None],
    earlier: dict[bytes, Row],
) -> AcceptResult:
    """What becomes of one item; notes its keys in `earlier` when it is accepted.

    Args:
        versions: of applications, as far as they were looked up for this batch.
        earlier: rows of the keys of this batch, by digest.
    """
    message = item.message
    for key in item.keys:
        known = earlier.get(key.digest)
        if known is None:
            known = _find_key(db, key, message.accepted_at_us)
        if known is not None:
            _, fingerprint, message_id, *_ = known
            if fingerprint != key.fingerprint or message_id is None:
                return Conflicting()
            return Repeated(message_id)
    if message.app_id not in versions:
        row = db.execute(_SQL["application_version"], (message.app_id,)).fetchone()
        versions[message.app_id] = row and row[0]
    if versions[message.app_id] != item.application_version:
        return Outdated()
    for key in item.keys:
        earlier[key.digest] = _key_row(key, message.id)
    return Accepted()


# --- keys -------------------------------------------------------------------------------------


def _find_key(db: sqlite3.Connection, key: RequestKey, at_us: int) -> Row | None:
    row: Row | None = db.execute(_SQL["find_key"], (key.digest, at_us)).fetchone()
    return row


def _key_row(key: RequestKey, led_to: str | Reply) -> Row:
    if isinstance(led_to, Reply):
        return (key.digest, key.fingerprint, None, led_to.status, led_to.body, key.expires_at_us)
    return (key.digest, key.fingerprint, led_to, None, None, key.expires_at_us)


def _keep_keys(db: sqlite3.Connection, rows: Iterable[Row], *, at_us: int) -> None:
    """Store new keys, and forget twice as many expired ones: the table cannot grow for ever."""
    rows = list(rows)
    db.execute(_SQL["delete_expired_keys"], (at_us, 2 * len(rows)))
    db.executemany(_SQL["insert_key"], rows)


def remember(db: sqlite3.Connection, key: RequestKey, reply: Reply, at_us: int) -> None:
    """Keep a reply, unless the key is known."""
    if _find_key(db, key, at_us) is None:
        _keep_keys(db, [_key_row(key, reply)], at_us=at_us)


# --- changing deliveries ----------------------------------------------------------------------


def claim(
    db: sqlite3.Connection, decide: Callable[[Delivery], Change], at_us: int, count: int
) -> list[Claimed]:
    """Decide on what is due, write it, and read the messages of what became leased."""
    rows = db.execute(_SQL["due_deliveries"], {"at_us": at_us, "count": count}).fetchall()
    changes = [decide(delivery_of(row)) for row in rows]
    settle(db, changes)
    leased = [change.after for change in changes if change.after.state is State.LEASED]
    claimed = []
    for delivery in leased:
        row = db.execute(_SQL["message_by_id"], (delivery.message_id,)).fetchone()
        # Without its message (somebody deleted rows) it is left to its lease, and in the end dead.
        if row is not None:
            claimed.append(Claimed(delivery, message_of(row)))
    return claimed


def settle(db: sqlite3.Connection, changes: Sequence[Change]) -> list[bool]:
    """Write decisions in order, each behind its fence."""
    answers: list[bool] = []
    now: set[DeliveryId] = set()
    for run in _runs(changes):
        answers += _settle_run(db, run, now)
    return answers


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


def _settle_run(db: sqlite3.Connection, run: Sequence[Change], now: set[DeliveryId]) -> list[bool]:
    """Take each row from its place, if it is still the one decided on; then append in bulk.

    Args:
        run: changes of different deliveries.
        now: deliveries that this call has changed; is added to.
    """
    answers: list[bool] = []
    hot: list[Row] = []
    history: list[Row] = []
    attempts: list[Row] = []
    lines: list[Row] = []
    for change in run:
        written = _take(db, change)
        if written:
            (hot if change.after.is_unfinished else history).append(delivery_row(change.after))
            now.add(change.id)
        else:
            before = _settled_before(db, change, now)
            if before is not None:
                answers.append(before)
                continue
        if change.attempt is not None:
            attempts.append(attempt_row(change.attempt, late=not written))
        lines.append(entry_row(change.entry, rows_written=int(written)))
        answers.append(written)
    for name, rows in (
        ("insert_delivery", hot),
        ("insert_history", history),
        ("insert_attempt", attempts),
        ("insert_line", lines),
    ):
        if rows:
            db.executemany(_SQL[name], rows)
    return answers


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
        row = db.execute(_SQL["delivery"], change.id).fetchone()
        return row is None
    name = "take_delivery" if before.is_unfinished else "take_history"
    taken = db.execute(_SQL[name], (before.message_id, before.endpoint_id, before.version))
    return taken.rowcount == 1


# --- resources --------------------------------------------------------------------------------


def put(
    db: sqlite3.Connection,
    resource: Resource,
    touch: str | None,
    key: RequestKey | None,
    reply: Reply | None,
) -> None:
    """Create or replace; see the port."""
    at_us = resource.updated_at_us
    if key is not None and _find_key(db, key, at_us) is not None:
        raise Conflict("this request was made before")
    _write_resource(db, resource)
    if touch is not None and db.execute(_SQL["touch_application"], (touch,)).rowcount == 0:
        raise Stale(f"application {touch} is gone")
    if key is not None and reply is not None:
        _keep_keys(db, [_key_row(key, reply)], at_us=at_us)


def _write_resource(db: sqlite3.Connection, resource: Resource) -> None:
    row = {
        "kind": resource.kind,
        "scope": resource.scope,
        "id": resource.id,
        "uid": resource.uid,
        "version": resource.version,
        "document": msgspec.json.encode(resource).decode(),
    }
    name = "insert_resource" if resource.version == 1 else "update_resource"
    try:
        count = db.execute(_SQL[name], row).rowcount
    except sqlite3.IntegrityError as error:
        raise Conflict(f"{resource.kind} {resource.uid or resource.id} exists already") from error
    if count == 0:
        raise Stale(f"{resource.kind} {resource.id} has changed since it was read")


def delete(db: sqlite3.Connection, resource: Resource, touch: str | None) -> None:
    """Remove it, an application with its endpoints."""
    which = {"kind": resource.kind, "scope": resource.scope, "id": resource.id}
    if db.execute(_SQL["delete_resource"], which).rowcount == 0:
        return
    if isinstance(resource, Application):
        db.execute(_SQL["delete_endpoints_of"], (resource.id,))
    if touch is not None:
        db.execute(_SQL["touch_application"], (touch,))


# --- forgetting -------------------------------------------------------------------------------


def expunge_message(db: sqlite3.Connection, message_id: str) -> None:
    """Forget a payload."""
    db.execute(_SQL["expunge_message"], (message_id,))


def expunge_attempt(db: sqlite3.Connection, message_id: str, attempt_id: str) -> None:
    """Forget a response."""
    db.execute(_SQL["expunge_attempt"], (message_id, attempt_id))
