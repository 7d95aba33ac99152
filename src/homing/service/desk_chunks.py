"""What one chunk of a background task at the desk does: redrive, discard, undo.

As in `task_chunks`, a chunk says what is to be written and writes nothing. Each dead letter is come
upon once: whatever becomes of it later, it is behind the task's place by then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from homing.core.identifiers import DeliveryId, parse_delivery_id
from homing.core.issues import key_of
from homing.core.lifecycle import Cancelled, DeadReason, Delivery, Redriven, Restored, State
from homing.core.queries import LetterFilter, Page
from homing.core.resources import Endpoint
from homing.core.tasks import Action, RedrivePlan, Task
from homing.service.context import Service
from homing.service.deliveries import reasons_of
from homing.service.redrive_rules import Fate, fate_of, next_release_us, next_step
from homing.service.task_chunks import CHUNK_MAX, CHUNKERS, Chunker, Draft, deliveries_of
from homing.service.task_rules import Chunk

#: the place behind the last one, while outcomes are still awaited
END: Final = "end"
#: a dead letter that died after a task was asked for is not its business; clocks may disagree by
#: so much
_CLOCKS_US: Final = 5_000_000


class Letters(NamedTuple):
    """Some dead letters of a task's selection."""

    looked: int  #: rows that were looked at
    matching: list[Delivery]
    cursor: str | None  #: where the next ones begin; None: there are none


async def letters_of(service: Service, task: Task, limit: int) -> Letters:
    """The next dead letters of a task's selection."""
    limit = min(limit, CHUNK_MAX)
    if task.which.deliveries:
        looked, found, cursor = await _by_id(service, task, limit)
    elif task.which.issue_ids:
        looked, found, cursor = await _by_issue(service, task, limit, discarded=False)
    else:
        found, cursor = await deliveries_of(service, task, (State.DEAD,), limit)
        looked = len(found)
    until_us = task.created_at_us + _CLOCKS_US
    matching = [
        one
        for one in found
        if one.state is State.DEAD
        and one.app_id == task.app_id
        and (one.finished_at_us or 0) <= until_us
        and task.which.reason in (None, one.reason)
        and (task.which.status is None or task.which.status == key_of(one).status)
    ]
    return Letters(looked, matching, cursor)


async def _by_id(
    service: Service, task: Task, limit: int
) -> tuple[int, list[Delivery], str | None]:
    start = int(task.cursor or 0)
    names = task.which.deliveries[start : start + limit]
    ids = [parse_delivery_id(name) for name in names]
    found = await service.store.deliveries_by_ids(ids)
    end = start + len(names)
    cursor = str(end) if end < len(task.which.deliveries) else None
    return len(names), [found[which] for which in ids if which in found], cursor


async def _by_issue(
    service: Service, task: Task, limit: int, *, discarded: bool
) -> tuple[int, list[Delivery], str | None]:
    """Issue by issue, each along its letters; the place is `issue/delivery`."""
    issue_ids = task.which.issue_ids
    issue_id, _, after = (task.cursor or f"{issue_ids[0]}/").partition("/")
    which = LetterFilter(issue_id=issue_id, discarded=discarded)
    filed = await service.store.letters(which, Page(limit=limit, after=after or None))
    ids = [DeliveryId(one.message_id, one.endpoint_id) for one in filed]
    found = await service.store.deliveries_by_ids(ids)
    cursor: str | None = f"{issue_id}/{ids[-1]}" if ids else None
    if len(filed) < limit:
        rest = issue_ids[issue_ids.index(issue_id) + 1 :]
        cursor = f"{rest[0]}/" if rest else None
    return len(filed), [found[one] for one in ids if one in found], cursor


async def redrivable(service: Service, letters: Sequence[Delivery]) -> list[Delivery]:
    """Those of these dead letters that have a payload, and an endpoint to go to."""
    ids = list({letter.endpoint_id for letter in letters})
    known = {e.id for e in await service.store.by_ids(Endpoint, ids)} if ids else set()
    return [
        one for one in letters if one.reason != DeadReason.PAYLOAD_GONE and one.endpoint_id in known
    ]


async def redrive(service: Service, task: Task, limit: int) -> Draft:
    """Dead letters get their whole schedule again, as many at a time as the plan says."""
    plan = task.plan or RedrivePlan()
    at_us = service.clock.now_us()
    ids = [parse_delivery_id(name) for name in task.under_way]
    present = await service.store.deliveries_by_ids(ids) if ids else {}
    fates = {which: fate_of(present.get(which)) for which in ids}
    news = Counter(str(fate) for fate in fates.values() if fate is not Fate.UNDER_WAY)
    under_way = tuple(str(which) for which, fate in fates.items() if fate is Fate.UNDER_WAY)
    step = next_step(
        plan,
        Counter(task.counts) + news,
        under_way=len(under_way),
        is_exhausted=task.cursor == END,
        canary_passed=task.canary_passed,
        next_at_us=task.next_at_us,
        at_us=at_us,
    )
    counts: dict[str, int] = dict(news)
    passed = task.canary_passed or step.canary_passed
    fields: dict[str, object] = {"under_way": under_way, "canary_passed": passed}
    if not step.release:
        cursor = None if step.is_done else task.cursor or ""
        chunk = Chunk(cursor=cursor, counts=counts, fields=fields, verdict=step.verdict)
        return Draft(chunk=chunk, wait_s=step.wait_s)
    letters = await letters_of(service, task, min(step.release, limit))
    wanted = await redrivable(service, letters.matching)
    fact = Redriven(at_us=at_us, actor=task.actor)
    by = f"{task.actor} ({task.id})"
    changes = [service.journal.decide(letter, fact, actor=by) for letter in wanted]
    counts |= {"looked": letters.looked, "skipped": letters.looked - len(changes)}
    fields["next_at_us"] = next_release_us(plan, len(changes), task.next_at_us, at_us)
    chunk = Chunk(cursor=letters.cursor or END, counts=counts, fields=fields, under_way=under_way)
    return Draft(chunk=chunk, changes=changes, follows=True)


async def discard(service: Service, task: Task, limit: int) -> Draft:
    """Dead letters are withdrawn, by somebody and for a reason, and keep their place."""
    letters = await letters_of(service, task, limit)
    fact = Cancelled(at_us=service.clock.now_us(), actor=f"{task.actor}: {task.why}")
    by = f"{task.actor} ({task.id})"
    changes = [service.journal.decide(letter, fact, actor=by) for letter in letters.matching]
    counts = {"looked": letters.looked, "skipped": letters.looked - len(changes)}
    chunk = Chunk(cursor=letters.cursor, counts=counts)
    return Draft(chunk=chunk, changes=changes, changes_count_as="discarded")


async def undo(service: Service, task: Task, limit: int) -> Draft:
    """What was discarded, and not too long ago, is a dead letter again."""
    limit = min(limit, CHUNK_MAX)
    if task.which.issue_ids:
        looked, found, cursor = await _by_issue(service, task, limit, discarded=True)
    else:
        looked, found, cursor = await _discarded(service, task, limit)
    changes = []
    reasons = await reasons_of(service, [one.id for one in found])
    for one in found:
        reason = reasons.get(one.id)
        if reason is not None and one.state is State.CANCELLED and one.app_id == task.app_id:
            fact = Restored(at_us=service.clock.now_us(), actor=task.actor, reason=reason)
            by = f"{task.actor} ({task.id})"
            changes.append(service.journal.decide(one, fact, actor=by))
    counts = {"looked": looked, "skipped": looked - len(changes)}
    return Draft(
        chunk=Chunk(cursor=cursor, counts=counts), changes=changes, changes_count_as="restored"
    )


async def _discarded(
    service: Service, task: Task, limit: int
) -> tuple[int, list[Delivery], str | None]:
    which = LetterFilter(app_id=task.app_id or "", discarded=True)
    filed = await service.store.letters(which, Page(limit=limit, after=task.cursor))
    ids = [DeliveryId(one.message_id, one.endpoint_id) for one in filed]
    found = await service.store.deliveries_by_ids(ids)
    cursor = str(ids[-1]) if len(filed) == limit else None
    return len(filed), [found[one] for one in ids if one in found], cursor


#: all that a task may do
ALL_CHUNKERS: Final[Mapping[Action, Chunker]] = {
    **CHUNKERS,
    Action.REDRIVE: redrive,
    Action.DISCARD: discard,
    Action.UNDO: undo,
}
