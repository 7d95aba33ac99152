"""The store on one SQLite file: for one machine, any number of processes.

Writes go through one thread with group commit (`writer`), reads through a few threads with
connections of their own, each call in one snapshot. WAL lets them run side by side.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Concatenate, ParamSpec, TypeVar

from homing.core.errors import Unavailable
from homing.core.identifiers import DeliveryId
from homing.core.issues import Burden, Filed, Issue
from homing.core.lifecycle import Delivery, State
from homing.core.limits import Lane, Quota
from homing.core.objectives import Limits as MeasureLimits
from homing.core.objectives import LogPiece, Measured, Sli, Tally
from homing.core.outcome import Reason
from homing.core.queries import (
    AttemptFilter,
    Backlog,
    DeadLetters,
    DeliveryFilter,
    LedgerRow,
    LetterFilter,
    LogCursor,
    LoggedEntry,
    MessageFilter,
    Misfit,
    Page,
    Span,
)
from homing.core.records import (
    Acceptance,
    AcceptResult,
    Attempt,
    Change,
    Claimed,
    LogEntry,
    Message,
    Reply,
    RequestKey,
)
from homing.core.resources import Resource
from homing.core.retention import Part, Purged, Standing
from homing.core.searching import Head, Indexing, Looked, Segment, Sought, Text
from homing.core.store import Aftermath
from homing.core.tasks import Task
from homing.core.watching import Failure, Load, Slice
from homing.store.looking import whose
from homing.store.sqlite import (
    claiming,
    desk,
    measuring,
    purging,
    reads,
    searching,
    texts,
    watching,
    writes,
)
from homing.store.sqlite.connection import connect
from homing.store.sqlite.errors import store_error
from homing.store.sqlite.writer import Writer

R = TypeVar("R", bound=Resource)
T = TypeVar("T")
P = ParamSpec("P")

#: readers at the same time: of a few rows by their keys, which dispatching waits for, and of what
#: takes as long as it takes (listings, the books); the machine's other work needs the cores more
_READERS_MAX = 1
_BROWSERS_MAX = 2


class SqliteStore:
    """The store's contract on one SQLite file. Open it with `open_sqlite`."""

    def __init__(self, path: str, *, inline: bool = False) -> None:
        self.round_trips = 0  #: calls that went to the database
        self._path = path
        self._inline = inline
        self._writer = Writer(connect(path), inline=inline)
        self._pool = ThreadPoolExecutor(_READERS_MAX, thread_name_prefix="homing-reader")
        self._browsers = ThreadPoolExecutor(_BROWSERS_MAX, thread_name_prefix="homing-browser")
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._closed = False

    @property
    def commits(self) -> int:
        """Transactions that were committed."""
        return self._writer.commits

    async def close(self) -> None:
        self._closed = True
        await self._writer.close()
        await asyncio.to_thread(self._pool.shutdown)
        await asyncio.to_thread(self._browsers.shutdown)
        for db in self._connections:
            db.close()
        self._connections.clear()

    async def _write(
        self,
        work: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        self.round_trips += 1
        return await self._writer.submit(lambda db: work(db, *args, **kwargs))

    async def _read(
        self,
        work: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """A short look-up by key."""
        return await self._run(self._pool, lambda db: work(db, *args, **kwargs))

    async def _browse(
        self,
        work: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """A listing or a count, kept apart from short look-ups."""
        return await self._run(self._browsers, lambda db: work(db, *args, **kwargs))

    async def _run(self, pool: ThreadPoolExecutor, work: Callable[[sqlite3.Connection], T]) -> T:
        self.round_trips += 1
        if self._closed:
            raise Unavailable("the store is closed")

        def run() -> T:
            try:
                db = self._reader()
                db.execute("BEGIN")
                try:
                    return work(db)
                finally:
                    db.execute("COMMIT")
            except sqlite3.Error as error:
                raise store_error(error) from error

        if self._inline:
            return run()
        return await asyncio.get_running_loop().run_in_executor(pool, run)

    def _reader(self) -> sqlite3.Connection:
        """This thread's connection."""
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None:
            db = connect(self._path)
            db.execute("PRAGMA query_only = ON")
            self._local.db = db
            self._connections.append(db)
        return db

    async def ping(self) -> None:
        await self._write(writes.beat)

    async def accept(self, batch: Sequence[Acceptance]) -> list[AcceptResult]:
        return await self._write(writes.accept, batch)

    async def due_lanes(self, at_us: int, *, limit: int) -> list[Lane]:
        return await self._read(reads.due_lanes, at_us, limit)

    async def walk_lanes(
        self, state: State, after: tuple[str, str], *, steps: int, per_app: int
    ) -> list[Lane]:
        return await self._read(reads.walk_lanes, state, after, steps, per_app)

    async def claim(
        self, decide: Callable[[Delivery], Change], *, at_us: int, quotas: Sequence[Quota]
    ) -> list[Claimed]:
        return await self._write(claiming.claim, decide, at_us, quotas)

    async def settle(self, changes: Sequence[Change]) -> list[bool]:
        return await self._write(writes.settle, changes)

    async def settle_with(
        self, changes: Sequence[Change], follow: Callable[[list[bool]], Aftermath]
    ) -> list[bool]:
        return await self._write(writes.settle_with, changes, follow)

    async def next_ready_at_us(self) -> int | None:
        return await self._read(reads.next_ready_at_us)

    async def parked_endpoints(self) -> list[tuple[str, str]]:
        return await self._read(reads.parked_endpoints)

    async def backlog(self, at_us: int) -> Backlog:
        return await self._browse(reads.backlog, at_us)

    async def behind(self, at_us: int) -> dict[str, int]:
        return await self._browse(reads.behind, at_us)

    async def get(self, kind: type[R], scope: str, name: str) -> R | None:
        return await self._read(reads.get, kind, scope, name)

    async def by_ids(self, kind: type[R], ids: Sequence[str]) -> list[R]:
        return await self._read(reads.by_ids, kind, ids)

    async def running_tasks(self, *, limit: int) -> list[Task]:
        return await self._read(reads.running_tasks, limit)

    async def put(
        self,
        resource: Resource,
        *,
        touch: str | None = None,
        key: RequestKey | None = None,
        reply: Reply | None = None,
        also: Sequence[Resource] = (),
    ) -> None:
        await self._write(writes.put, resource, touch, key, reply, also)

    async def delete(
        self, resource: Resource, *, touch: str | None = None, also: Sequence[Resource] = ()
    ) -> None:
        await self._write(writes.delete, resource, touch, also)

    async def recall(self, key: RequestKey, *, at_us: int) -> Reply | Message | None:
        return await self._read(reads.recall, key, at_us)

    async def remember(self, key: RequestKey, reply: Reply, *, at_us: int) -> None:
        await self._write(writes.remember, key, reply, at_us)

    async def message(self, app_id: str, name: str) -> Message | None:
        return await self._read(reads.message, app_id, name)

    async def messages(self, which: MessageFilter, page: Page) -> list[Message]:
        return await self._browse(reads.messages, which, page)

    async def messages_by_ids(self, ids: Sequence[str]) -> dict[str, Message]:
        return await self._read(reads.messages_by_ids, ids)

    async def delivery(self, which: DeliveryId) -> Delivery | None:
        return await self._read(reads.delivery, which)

    async def deliveries(self, which: DeliveryFilter, page: Page) -> list[Delivery]:
        return await self._browse(reads.deliveries, which, page)

    async def attempt(self, message_id: str, attempt_id: str) -> Attempt | None:
        return await self._read(reads.attempt, message_id, attempt_id)

    async def attempts(self, which: AttemptFilter, page: Page) -> list[Attempt]:
        return await self._browse(reads.attempts, which, page)

    async def attempt_counts(self, endpoint_id: str, span: Span) -> dict[Reason, int]:
        return await self._browse(reads.attempt_counts, endpoint_id, span)

    async def expunge_message(self, message_id: str) -> None:
        await self._write(writes.expunge_message, message_id)

    async def expunge_attempt(self, message_id: str, attempt_id: str) -> None:
        await self._write(writes.expunge_attempt, message_id, attempt_id)

    async def log(
        self, cursor: LogCursor, *, limit: int, app_id: str | None = None
    ) -> list[LoggedEntry]:
        return await self._browse(reads.log, cursor, limit, app_id)

    async def notable_log(self, cursor: LogCursor, *, limit: int) -> list[LoggedEntry]:
        return await self._browse(reads.notable_log, cursor, limit)

    async def first_accepted_at_us(self) -> int | None:
        return await self._read(reads.first_accepted_at_us)

    async def dead_letters(
        self, *, recent_us: int, past_us: int, after: str, limit: int, most: int
    ) -> list[DeadLetters]:
        return await self._browse(reads.dead_letters, recent_us, past_us, after, limit, most)

    async def ledger(self, span: Span, *, window_s: int) -> list[LedgerRow]:
        return await self._browse(reads.ledger, span, window_s)

    async def misfits(self, span: Span, *, limit: int) -> list[Misfit]:
        return await self._browse(reads.misfits, span, limit)

    async def attempts_made(self, first: str, last: str) -> dict[DeliveryId, int]:
        return await self._browse(reads.attempts_made, first, last)

    async def applications_kept(self, *, after: str, limit: int) -> list[str]:
        return await self._browse(purging.applications_kept, after, limit)

    async def standings(self, app_id: str, *, after: str, until: str, limit: int) -> list[Standing]:
        return await self._browse(purging.standings, app_id, after, until, limit)

    async def purge(
        self,
        message_ids: Sequence[str],
        decide: Callable[[Standing], frozenset[Part]],
        *,
        at_us: int = 0,
    ) -> Purged:
        return await self._write(purging.purge, message_ids, decide, at_us)

    async def purge_log(
        self, cursor: LogCursor, *, until_us: int, limit: int
    ) -> tuple[LogCursor | None, Purged]:
        return await self._write(purging.purge_log, cursor, until_us, limit)

    async def filed(self, ids: Sequence[DeliveryId]) -> dict[DeliveryId, Filed]:
        return await self._read(desk.filed, ids)

    async def letters(self, which: LetterFilter, page: Page) -> list[Filed]:
        return await self._browse(desk.letters, which, page)

    async def burdens(self, issue_ids: Sequence[str]) -> dict[str, Burden]:
        return await self._browse(desk.burdens, issue_ids)

    async def unresolved_issues(self, page: Page) -> list[Issue]:
        return await self._browse(desk.unresolved_issues, page)

    async def merged_issues(self, into: Sequence[str]) -> list[Issue]:
        return await self._read(desk.merged_issues, into)

    async def put_issues(self, issues: Sequence[Issue]) -> None:
        await self._write(desk.put_issues, issues)

    async def deliveries_by_ids(self, ids: Sequence[DeliveryId]) -> dict[DeliveryId, Delivery]:
        return await self._read(desk.deliveries_by_ids, ids)

    async def seen(self, cursor: LogCursor, *, limit: int, limits: MeasureLimits) -> LogPiece:
        return await self._browse(measuring.seen, cursor, limit, limits)

    async def tally(
        self, watch: Measured, tallies: Sequence[Tally], *, forget: Mapping[int, int]
    ) -> None:
        await self._write(measuring.tally, watch, tallies, forget)

    async def tallied(self, scope: str, grain_s: int, since_us: int, until_us: int) -> list[Tally]:
        return await self._browse(measuring.tallied, scope, grain_s, since_us, until_us)

    async def loads(
        self,
        endpoints: Sequence[tuple[str, str]],
        *,
        since_us: int,
        accepted_us: int,
        most: int,
    ) -> dict[str, Load]:
        return await self._browse(watching.loads, endpoints, since_us, accepted_us, most)

    async def slices(
        self, endpoint_id: str, edges: Sequence[int], *, counted: int, sampled: int
    ) -> list[Slice]:
        return await self._browse(watching.slices, endpoint_id, edges, counted, sampled)

    async def failures(self, endpoint_id: str, since_us: int, *, most: int) -> list[Failure]:
        return await self._browse(watching.failures, endpoint_id, since_us, most)

    async def look_for_messages(self, which: Sought, *, looks: int, limit: int) -> Looked[Head]:
        return await self._browse(searching.look_for_messages, which, looks, limit)

    async def look_for_deliveries(
        self, which: Sought, *, looks: int, limit: int
    ) -> Looked[Delivery]:
        return await self._browse(searching.look_for_deliveries, which, looks, limit)

    async def heads(self, ids: Sequence[str]) -> dict[str, Head]:
        return await self._browse(searching.heads, ids)

    async def life(self, which: DeliveryId, *, limit: int) -> list[LogEntry]:
        return await self._browse(searching.life, which, limit)

    async def tally_series(
        self, scope: str, sli: Sli, grain_s: int, since_us: int, until_us: int
    ) -> list[Tally]:
        return await self._browse(measuring.tally_series, scope, sli, grain_s, since_us, until_us)

    async def texts(
        self, after: str, last: str, *, limit: int, bytes_max: int, app_id: str | None = None
    ) -> list[Text]:
        name = f"texts_{whose(app_id)}"
        return await self._browse(texts.texts, name, after, last, limit, bytes_max, app_id)

    async def newest_texts(
        self, after: str, below: str, *, limit: int, bytes_max: int, app_id: str | None = None
    ) -> list[Text]:
        name = f"newest_{whose(app_id)}"
        return await self._browse(texts.texts, name, after, below, limit, bytes_max, app_id)

    async def put_segment(
        self, progress: Indexing, segment: Segment | None, entries: Sequence[tuple[int, bytes]]
    ) -> None:
        await self._write(texts.put_segment, progress, segment, entries)

    async def segments(self, below: str, *, limit: int) -> list[Segment]:
        return await self._browse(texts.segments, below, limit)

    async def stale_segments(self, *, limit: int) -> list[Segment]:
        return await self._browse(texts.stale_segments, limit)

    async def entries(self, bucket: int, numbers: Sequence[int]) -> dict[int, bytes]:
        return await self._browse(texts.entries, bucket, numbers)

    # the last of all: within the class, its name hides the built-in `list` from what follows
    async def list(self, kind: type[R], scope: str | None, page: Page) -> list[R]:
        return await self._read(reads.list_resources, kind, scope, page)
