"""Files each dead letter under its issue, in the commit of its death; the same on every store.

Only batches that hold a death, or something that comes back from the dead, get here at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Coroutine, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import msgspec

from homing.core.identifiers import DeliveryId
from homing.core.issues import (
    Filed,
    Issue,
    IssueKey,
    emptied,
    expired,
    key_of,
    new_issue,
    reopened,
    seen,
    written,
)
from homing.core.lifecycle import Delivery, State
from homing.core.money import Money, money_in
from homing.core.records import Change
from homing.core.resources import EventType

T = TypeVar("T")

_DEAD: Final = State.DEAD
#: what has a place on the desk
_ON_DESK: Final = frozenset({State.DEAD, State.CANCELLED})


class Files(Protocol):
    """What filing asks of a database, inside the transaction of the decisions."""

    async def find(self, ids: Sequence[DeliveryId]) -> list[Filed]:
        """The places of these, as far as they have one."""

    async def find_of_messages(self, message_ids: Sequence[str]) -> list[Filed]: ...

    async def place(self, filed: Sequence[Filed]) -> None:
        """Write places, over those that there are."""

    async def remove(self, ids: Sequence[DeliveryId]) -> None: ...

    async def remove_of_messages(self, message_ids: Sequence[str]) -> None: ...

    async def open_issues(self, fresh: Sequence[Issue]) -> list[Issue]:
        """The issues with the uids of these, created where there are none; held until the end."""

    async def issues(self, ids: Sequence[str]) -> list[Issue]:
        """Held until the end."""

    async def merged(self, into: Sequence[str]) -> list[Issue]:
        """Those that were merged into these."""

    async def nonempty(self, issue_ids: Sequence[str]) -> set[str]:
        """Of these, the ones that have dead letters."""

    async def put_issues(self, issues: Sequence[Issue]) -> None:
        """Each one version on from what is stored, and held."""

    async def at_stake(self, message_ids: Sequence[str]) -> list[tuple[str, bytes | None, str]]:
        """Message id, payload and event type (a document), where that may say what is at stake."""


class Moves(NamedTuple):
    """What a batch of decisions did to the desk."""

    died: dict[DeliveryId, Delivery]  #: dead now, and to be filed
    restored: dict[DeliveryId, Delivery]  #: dead again after they had been discarded
    discarded: dict[DeliveryId, Delivery]
    left: list[DeliveryId]  #: neither dead nor withdrawn any more
    new: frozenset[DeliveryId]  #: of those that died, the ones that were not dead before a resend
    at_us: int


def touches_desk(changes: Iterable[Change]) -> bool:
    """Whether anything died, or something comes back from the dead or from being discarded."""
    for change in changes:
        before = change.before
        if change.after.state is _DEAD or (before is not None and before.state in _ON_DESK):
            return True
    return False


def moves_of(changes: Iterable[Change]) -> Moves:
    """What became of each delivery, over all changes of it that were written, in order."""
    firsts: dict[DeliveryId, State | None] = {}
    lasts: dict[DeliveryId, Change] = {}
    at_us = 0
    for change in changes:
        firsts.setdefault(change.id, None if change.before is None else change.before.state)
        lasts[change.id] = change
        at_us = max(at_us, change.entry.at_us)
    moves = Moves({}, {}, {}, [], frozenset(_new(lasts.values())), at_us)
    for which, change in lasts.items():
        before, after = firsts[which], change.after
        if after.state is State.DEAD:
            (moves.restored if before is State.CANCELLED else moves.died)[which] = after
        elif before is State.DEAD and after.state is State.CANCELLED:
            moves.discarded[which] = after
        elif before in (State.DEAD, State.CANCELLED):
            moves.left.append(which)
    return moves


def _new(changes: Iterable[Change]) -> Iterable[DeliveryId]:
    """Deliveries that died just now; a dead letter whose resend came to nothing did not."""
    for change in changes:
        before = change.before
        if change.after.state is not State.DEAD or before is None:
            continue
        if before.is_unfinished and before.resume is not State.DEAD:
            yield change.id


async def file_changes(files: Files, changes: Sequence[Change]) -> None:
    """Bring the desk up to date with decisions that were written just now."""
    moves = moves_of(changes)
    touched = [*moves.died, *moves.restored, *moves.discarded, *moves.left]
    if not touched:
        return
    placed = {(f.message_id, f.endpoint_id): f for f in await files.find(touched)}
    unplaced = {w: d for w, d in moves.restored.items() if w not in placed}
    dying = moves.died | unplaced
    issues = _Issues(files)
    under = await issues.of(dying)
    worth = await _worth(files, [which.message_id for which in dying])
    rows = [_filed(d, under[w], worth.get(w.message_id)) for w, d in dying.items()]
    kept = [
        *((placed[w], None) for w in moves.restored if w in placed),
        *((placed[w], d.finished_at_us) for w, d in moves.discarded.items() if w in placed),
    ]
    rows += [msgspec.structs.replace(f, discarded_at_us=at_us) for f, at_us in kept]
    await files.remove([which for which in moves.left if which in placed])
    await files.place(rows)
    await issues.hold(filed.issue_id for filed in placed.values())
    for issue_id, those in _by_issue(rows[: len(dying)]).items():
        issues.see(issue_id, those, moves.new)
    arrived = {f.issue_id for f in rows if f.discarded_at_us is None}
    for issue_id in sorted(arrived):
        issues.reopen(issue_id, moves.at_us)
    await issues.resolve_empty({f.issue_id for f in placed.values()} - arrived, moves.at_us)
    await issues.write(moves.at_us)


async def file_purge(files: Files, message_ids: Sequence[str], at_us: int) -> None:
    """Bring the desk up to date with messages that were purged whole, and note what expired."""
    gone = await files.find_of_messages(message_ids)
    if not gone:
        return
    await files.remove_of_messages(message_ids)
    issues = _Issues(files)
    await issues.hold(filed.issue_id for filed in gone)
    handled = Counter(filed.issue_id for filed in gone if filed.discarded_at_us is None)
    for issue_id, count in sorted(handled.items()):
        issues.expire(issue_id, count, at_us)
    await issues.resolve_empty(set(handled), at_us)
    await issues.write(at_us)


class _Issues:
    """The issues that a transaction holds, as they were and as they are to be."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._before: dict[str, Issue] = {}
        self._after: dict[str, Issue] = {}

    async def of(self, dying: Mapping[DeliveryId, Delivery]) -> dict[DeliveryId, str]:
        """The ids of the issues of these dead letters; they are held."""
        keys = {which: key_of(delivery) for which, delivery in dying.items()}
        if not keys:
            return {}
        first_us: dict[IssueKey, int] = {}
        for which, key in keys.items():
            at_us = dying[which].finished_at_us or 0
            first_us[key] = min(at_us, first_us.get(key, at_us))
        fresh = [new_issue(key, at_us) for key, at_us in first_us.items()]
        found = await self._files.open_issues(sorted(fresh, key=lambda issue: issue.id))
        self._keep(found)
        ids = {(issue.scope, issue.uid): issue.id for issue in found}
        await self._hold_roots()
        return {which: ids[key.app_id, key.digest] for which, key in keys.items()}

    async def hold(self, ids: Iterable[str]) -> None:
        """Read these too, and what they are part of."""
        missing = sorted(set(ids) - self._before.keys())
        if missing:
            self._keep(await self._files.issues(missing))
            await self._hold_roots()

    async def _hold_roots(self) -> None:
        roots = {issue.root_id for issue in self._before.values()} - self._before.keys()
        if roots:
            self._keep(await self._files.issues(sorted(roots)))

    def _keep(self, found: Iterable[Issue]) -> None:
        for issue in found:
            self._before.setdefault(issue.id, issue)
            self._after.setdefault(issue.id, issue)

    def _root_id(self, issue_id: str) -> str | None:
        """None: somebody has deleted the row."""
        issue = self._after.get(issue_id)
        return issue.root_id if issue is not None and issue.root_id in self._after else None

    def see(self, issue_id: str, filed: Sequence[Filed], new: Collection[DeliveryId]) -> None:
        """So many new deaths; those that only came back do not count."""
        times = [f.died_at_us for f in filed if DeliveryId(f.message_id, f.endpoint_id) in new]
        if times:
            self._after[issue_id] = seen(
                self._after[issue_id],
                first_us=min(times),
                last_us=max(times),
                deaths=len(times),
            )

    def reopen(self, issue_id: str, at_us: int) -> None:
        root_id = self._root_id(issue_id)
        if root_id is not None:
            self._after[root_id] = reopened(self._after[root_id], at_us)

    def expire(self, issue_id: str, count: int, at_us: int) -> None:
        if issue_id in self._after:
            self._after[issue_id] = expired(self._after[issue_id], count, at_us)

    async def resolve_empty(self, left: Iterable[str], at_us: int) -> None:
        """Resolve what these were taken from, where nothing is left in any part of it."""
        roots = sorted({root for issue_id in left if (root := self._root_id(issue_id))})
        if not roots:
            return
        parts = {root: {root} for root in roots}
        for issue in await self._files.merged(roots):
            parts[issue.root_id].add(issue.id)
        nonempty = await self._files.nonempty(sorted(set().union(*parts.values())))
        for root in roots:
            if nonempty.isdisjoint(parts[root]):
                self._after[root] = emptied(self._after[root], at_us)

    async def write(self, at_us: int) -> None:
        changed = [
            one
            for issue_id, before in sorted(self._before.items())
            if (one := written(before, self._after[issue_id], at_us)) is not None
        ]
        if changed:
            await self._files.put_issues(changed)


def _filed(dead: Delivery, issue_id: str, money: Money | None) -> Filed:
    return Filed(
        message_id=dead.message_id,
        endpoint_id=dead.endpoint_id,
        app_id=dead.app_id,
        issue_id=issue_id,
        died_at_us=dead.finished_at_us or 0,
        currency=None if money is None else money.currency,
        micro=None if money is None else money.micro,
    )


def _by_issue(filed: Iterable[Filed]) -> dict[str, list[Filed]]:
    found: dict[str, list[Filed]] = {}
    for one in filed:
        found.setdefault(one.issue_id, []).append(one)
    return found


async def _worth(files: Files, message_ids: Sequence[str]) -> dict[str, Money]:
    """What is at stake with these messages, by id, where their payload says it."""
    if not message_ids:
        return {}
    found = {}
    event_types: dict[str, EventType] = {}
    for message_id, payload, document in await files.at_stake(sorted(set(message_ids))):
        if document not in event_types:
            event_types[document] = msgspec.json.decode(document, type=EventType)
        money = money_in(payload, event_types[document].money)
        if money is not None:
            found[message_id] = money
    return found


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """What a coroutine returns that never waits, as on a store whose calls are plain functions."""
    try:
        work.send(None)
    except StopIteration as done:
        value: T = done.value
        return value
    work.close()
    raise AssertionError("it waited")
