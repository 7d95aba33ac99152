"""What is remembered, as the rules see it: the store, in parts, as protocols.

Implementations import this, never the reverse.
Every method is one transaction, durable when it returns.
All of them raise `Unavailable` when the database cannot be reached or is out of space.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

import msgspec

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
    Message,
    Reply,
    RequestKey,
)
from homing.core.resources import Resource
from homing.core.retention import Part, Purged, Standing
from homing.core.searching import Searching
from homing.core.tasks import Task
from homing.core.watching import Watching

R = TypeVar("R", bound=Resource)


class Aftermath(msgspec.Struct, frozen=True, kw_only=True):
    """What is written in the same commit as decisions on deliveries."""

    resource: Resource | None = None  #: created or replaced as by `put`
    key: RequestKey | None = None  #: of the request that asked for it; kept with `reply`
    reply: Reply | None = None
    at_us: int = 0  #: keys that have expired by then may be replaced
    expunged: tuple[str, ...] = ()  #: messages whose payload is forgotten
    also: tuple[Resource, ...] = ()  #: created; those that exist already stay as they are
    #: created or replaced as `resource`, all of them or none
    more: tuple[Resource, ...] = ()


class Deliveries(Protocol):
    """The hot table, history, attempts and the log: everything that the rules change."""

    async def accept(self, batch: Sequence[Acceptance]) -> list[AcceptResult]:
        """Store messages with all that belongs to them, in one commit.

        Each item is judged alone: a key that repeats, also within the batch, or an application
        version that is no longer the present one, stores nothing of that item.

        Returns:
            One result per item, in order.
        """

    async def due_lanes(self, at_us: int, *, limit: int) -> list[Lane]:
        """Whose the `limit` oldest deliveries are whose `ready_at_us` is at or before `at_us`.

        The counts of the lanes add up to `limit`, unless those are all that there are.
        """

    async def walk_lanes(
        self, state: State, after: tuple[str, str], *, steps: int, per_app: int
    ) -> list[Lane]:
        """The next lanes in the order of (application id, endpoint id), due or not, each once.

        Costs the same whatever is in the lanes: a step goes from one to the next.

        Args:
            state: waiting or leased: only what is in this state is looked at.
            after: the lane to go on from, exclusive; two empty texts: from the beginning.
            steps: how many at most. Fewer come back only when the end was reached.
            per_app: at most so many of one application; the rest of them are passed over.
        """

    async def claim(
        self, decide: Callable[[Delivery], Change], *, at_us: int, quotas: Sequence[Quota]
    ) -> list[Claimed]:
        """Take deliveries whose `ready_at_us` is at or before `at_us`, each lane up to its quota.

        Of a lane lapsed leases come first, then the oldest. What has limits (`Quota.limits`) gets
        what these permit at `at_us`, counted over all who claim from this database; who meets
        another claim on the same limits gets none this time.

        Each row, locked against other dispatchers, is given to `decide`, and the change that
        comes back is written exactly as `settle` would. Side by side with other dispatchers no row
        is decided on twice. `decide` may be called from another thread.

        Args:
            quotas: of different lanes.

        Returns:
            Those that became leased, with their messages, in any order.
        """

    async def settle(self, changes: Sequence[Change]) -> list[bool]:
        """Write decisions, each only if its row still has `before.version`, in one commit.

        An unfinished `after` stays in (or comes back to) the hot table, a finished one goes to
        history. `before` None adds a delivery, unless there is one for that message and endpoint,
        or the message is gone.
        Where the row has moved on, its attempt is written marked late, its log line with
        `rows_written` 0, and nothing else.

        After an error that left open whether a batch was written, it is settled again. A change
        that had been written is recognised (its attempt is stored and not late, or, if it has
        none, the row is exactly its `after`): it writes nothing again, and counts as written.

        Returns:
            Per change, in order: whether it was written, now or before.
        """

    async def settle_with(
        self, changes: Sequence[Change], follow: Callable[[list[bool]], Aftermath]
    ) -> list[bool]:
        """Settle, and write what follows from it, in one commit: all of it or nothing.

        Args:
            changes: as for `settle`; none is fine.
            follow: what else to write, given whether each change was written. May be called more
                than once, also from another thread.

        Returns:
            As `settle`.

        Raises:
            Conflict, Stale: as `put`, for a resource or the key; nothing was written.
        """

    async def next_ready_at_us(self) -> int | None:
        """The earliest `ready_at_us` of all; None when nothing waits."""

    async def parked_endpoints(self) -> list[tuple[str, str]]:
        """(application id, endpoint id) of every endpoint that has parked deliveries."""

    async def backlog(self, at_us: int) -> Backlog:
        """The hot table, counted."""

    async def behind(self, at_us: int) -> dict[str, int]:
        """Deliveries due or under way, by application id; those without any are not named."""


class Resources(Protocol):
    """Documents that people write."""

    async def get(self, kind: type[R], scope: str, name: str) -> R | None:
        """By id or by uid, within a scope."""

    async def by_ids(self, kind: type[R], ids: Sequence[str]) -> list[R]:
        """Those that exist, in any order, of any scope."""

    async def running_tasks(self, *, limit: int) -> list[Task]:
        """Background tasks that have not ended, of every scope, oldest first."""

    async def list(self, kind: type[R], scope: str | None, page: Page) -> list[R]:
        """A page of one scope's resources, by id; of all scopes' when `scope` is None.

        An id that several scopes have, as those of event types, may be cut by a page's end.
        """

    async def put(
        self,
        resource: Resource,
        *,
        touch: str | None = None,
        key: RequestKey | None = None,
        reply: Reply | None = None,
        also: Sequence[Resource] = (),
    ) -> None:
        """Create (`version` is 1) or replace (the stored version must be `version` - 1).

        Args:
            touch: an application whose version is raised in the same transaction.
            also: created in the same transaction; those that exist already stay as they are.
            key: recognises the repeat of a creating request; stored with `reply`.

        Raises:
            Conflict: the id or uid is taken, or `key` is known already (see `recall`) and has not
                expired by `resource.updated_at_us`.
            Stale: the stored version is another, or the application to touch is gone.
        """

    async def delete(
        self, resource: Resource, *, touch: str | None = None, also: Sequence[Resource] = ()
    ) -> None:
        """Remove it; an application takes its endpoints with it. Nothing if it is gone already.

        Args:
            touch: an application whose version is raised in the same transaction.
            also: created in the same transaction; those that exist already stay as they are.
        """

    async def recall(self, key: RequestKey, *, at_us: int) -> Reply | Message | None:
        """What an unexpired earlier request with this key led to.

        Raises:
            Conflict: the earlier request had another fingerprint.
        """

    async def remember(self, key: RequestKey, reply: Reply, *, at_us: int) -> None:
        """Keep the reply to a request whose work was done elsewhere.

        Nothing if the key is known already and has not expired by `at_us`.
        """


class Records(Protocol):
    """Reading back. One call sees one moment."""

    async def message(self, app_id: str, name: str) -> Message | None:
        """By id, or by event id (the newest that has it)."""

    async def messages(self, which: MessageFilter, page: Page) -> list[Message]: ...

    async def messages_by_ids(self, ids: Sequence[str]) -> dict[str, Message]: ...

    async def delivery(self, which: DeliveryId) -> Delivery | None:
        """From the hot table, or else from history."""

    async def deliveries(self, which: DeliveryFilter, page: Page) -> list[Delivery]: ...

    async def attempt(self, message_id: str, attempt_id: str) -> Attempt | None: ...

    async def attempts(self, which: AttemptFilter, page: Page) -> list[Attempt]: ...

    async def attempt_counts(self, endpoint_id: str, span: Span) -> dict[Reason, int]:
        """Attempts of an endpoint begun within `span`, by what they came to."""

    async def expunge_message(self, message_id: str) -> None:
        """Forget a payload and all responses to it, which may repeat it; the rows stay."""

    async def expunge_attempt(self, message_id: str, attempt_id: str) -> None:
        """Forget a response; the row stays."""

    async def log(
        self, cursor: LogCursor, *, limit: int, app_id: str | None = None
    ) -> list[LoggedEntry]:
        """Lines after `cursor`, oldest first. Never skips a line that commits later."""

    async def notable_log(self, cursor: LogCursor, *, limit: int) -> list[LoggedEntry]:
        """As `log`, but only lines that changed something and tell of a dead letter, or of any
        attempt but a delivery's first."""

    async def first_accepted_at_us(self) -> int | None:
        """When the oldest message still kept was accepted; None when there is none."""

    async def dead_letters(
        self, *, recent_us: int, past_us: int, after: str, limit: int, most: int
    ) -> list[DeadLetters]:
        """Dead letters that nobody has handled, counted by endpoint.

        Costs a step for each endpoint and for each dead letter that is counted.

        Args:
            recent_us, past_us: since when a death counts as recent, and as past.
            after: an endpoint's id, exclusive; "" begins.
            limit: endpoints.
            most: where the counting of one endpoint's stops, each of the three counts by itself.
        """

    async def ledger(self, span: Span, *, window_s: int) -> list[LedgerRow]:
        """The books, counted from the rows alone, for messages accepted within `span`.

        `span` is half-open here: since_us inclusive, until_us exclusive. A message belongs to the
        window that its id was made in.

        Returns:
            Rows by window, then endpoint; windows and endpoints without deliveries have none.
        """

    async def misfits(self, span: Span, *, limit: int) -> list[Misfit]:
        """Deliveries accepted within `span` (half-open) that the books cannot place."""

    async def attempts_made(self, first: str, last: str) -> dict[DeliveryId, int]:
        """How many attempts there are of each delivery; those without any are left out.

        Args:
            first, last: ids of messages, both inclusive.
        """


class Forgetting(Protocol):
    """Removing what is beyond its retention, some at a time."""

    async def applications_kept(self, *, after: str, limit: int) -> list[str]:
        """Ids of applications that messages are kept of, whether or not they still exist.

        In order; `after` is exclusive, and "" begins.
        """

    async def standings(self, app_id: str, *, after: str, until: str, limit: int) -> list[Standing]:
        """How an application's messages with after < id < until stand, by id."""

    async def purge(
        self,
        message_ids: Sequence[str],
        decide: Callable[[Standing], frozenset[Part]],
        *,
        at_us: int = 0,
    ) -> Purged:
        """Remove what `decide` names of these messages, in one commit.

        Each is read again with its deliveries held, so that none of them can come back, and no
        other can be added, before the commit. Messages that somebody else holds are left out.
        `decide` may be called more than once, and from another thread.

        A message that goes whole takes its deliveries, its attempts and the lines that say that
        its deliveries were made. Its other lines are left to `purge_log`. An issue that loses dead
        letters by it keeps their number, and `at_us` as the time.
        """

    async def purge_log(
        self, cursor: LogCursor, *, until_us: int, limit: int
    ) -> tuple[LogCursor | None, Purged]:
        """Look at `limit` lines after `cursor`; remove those whose message is gone.

        A line that says that a delivery was made is never removed here, nor any other of a message
        that has such a line or an unfinished delivery: then it is evidence.

        Returns:
            The place of the last line that was looked at; None when there was none, or when it was
            written at `until_us` or later. And what was removed.
        """


class Desk(Protocol):
    """Dead letters by issue. Where each belongs is written with its death (see `store.filing`)."""

    async def filed(self, ids: Sequence[DeliveryId]) -> dict[DeliveryId, Filed]:
        """The places of these: of dead letters, and of what was discarded."""

    async def letters(self, which: LetterFilter, page: Page) -> list[Filed]: ...

    async def burdens(self, issue_ids: Sequence[str]) -> dict[str, Burden]:
        """The dead letters filed under each of these, counted; those without any are not named."""

    async def unresolved_issues(self, page: Page) -> list[Issue]:
        """Of every application, by id, which is by the time of the first death."""

    async def merged_issues(self, into: Sequence[str]) -> list[Issue]:
        """Those that were merged into one of these."""

    async def put_issues(self, issues: Sequence[Issue]) -> None:
        """Replace all of these, or none.

        Raises:
            Stale: the stored version of one is not the one before.
        """

    async def deliveries_by_ids(self, ids: Sequence[DeliveryId]) -> dict[DeliveryId, Delivery]:
        """Those that exist, wherever they stand."""


class Measuring(Protocol):
    """Counting what objectives are about, from the delivery log, some of it at a time."""

    async def seen(self, cursor: LogCursor, *, limit: int, limits: MeasureLimits) -> LogPiece:
        """The next `limit` lines of the log after `cursor`, those that matter counted.

        Returns:
            With `cursor` itself as its place when there was no line.
        """

    async def tally(
        self, watch: Measured, tallies: Sequence[Tally], *, forget: Mapping[int, int]
    ) -> None:
        """Write how far the log has been counted (as by `put`) and add these, in one commit.

        Args:
            tallies: of minutes; they are added to the minute's, the hour's and the day's count.
            forget: by grain in seconds: counts that began before this time are removed.

        Raises:
            Conflict, Stale: another process was first; nothing was written.
        """

    async def tallied(self, scope: str, grain_s: int, since_us: int, until_us: int) -> list[Tally]:
        """Counts of one grain that began from `since_us` to before `until_us`, added up.

        Returns:
            One for each SLI, owner and rule, with `at_us` as `since_us`, in any order.
        """

    async def tally_series(
        self, scope: str, sli: Sli, grain_s: int, since_us: int, until_us: int
    ) -> list[Tally]:
        """Counts of one grain and SLI that began from `since_us` to before `until_us`, each by
        itself.

        Returns:
            One for each beginning and owner, over all rules (`rule` is empty), in order of time.
        """


class Store(
    Deliveries,
    Resources,
    Records,
    Forgetting,
    Desk,
    Measuring,
    Searching,
    Watching,
    Protocol,
):
    """Everything that is remembered."""

    async def ping(self) -> None:
        """Prove that a write could be committed now. Raises: Unavailable."""

    async def close(self) -> None:
        """Finish what was begun and let go of the database."""
