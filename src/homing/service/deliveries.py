"""What a person may do to deliveries. None of it shortens the machine's own work (promise 6)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from homing.core.errors import Conflict, NotFound, Refused, Unavailable
from homing.core.identifiers import DeliveryId
from homing.core.issues import Issue
from homing.core.journal import newborn
from homing.core.lifecycle import (
    Cancelled,
    DeadReason,
    Delivery,
    Fact,
    Redriven,
    Resent,
    Restored,
    State,
)
from homing.core.records import Change, Message
from homing.core.resources import Endpoint, parking_reason
from homing.core.store import Aftermath
from homing.service.context import Service

NOTHING_AFTER: Final = Aftermath()
#: an attempt under way is waited for this long before a resend is taken to mean that very attempt
_RESEND_WAIT_S: Final = 2.0
_RESEND_POLL_S: Final = 0.05
_TRIES_MAX: Final = 8


async def resend(
    service: Service,
    app_id: str,
    message_id: str,
    endpoint_id: str,
    *,
    actor: str,
    after: Aftermath = NOTHING_AFTER,
) -> bool:
    """Ask for one attempt now. The retries that were due stay due, whatever comes of it.

    A delivery that is being attempted is waited for, for two seconds; if its attempt is still
    under way then, that attempt is the one asked for. A parked delivery goes out when its endpoint
    is enabled. A message that this endpoint never had becomes a delivery of it.

    Args:
        after: what is written in the same commit: the key of the request that asked for it.

    Returns:
        Whether there was something to write.

    Raises:
        Conflict: the same request was made before.
        NotFound: no such message, or no such endpoint, in this application.
        Refused: `missing_payload`.
    """
    message = await _message_with_payload(service, app_id, message_id)
    endpoint = await _endpoint(service, app_id, endpoint_id)
    which = DeliveryId(message.id, endpoint.id)
    for _ in range(_TRIES_MAX):
        before = await _after_attempt(service, which)
        if before is None:
            change = added(service, message, endpoint, actor)
        elif before.state in (State.LEASED, State.PARKED):
            return False
        else:
            fact = Resent(at_us=service.clock.now_us(), actor=actor)
            change = service.journal.decide(before, fact, actor=actor)
        written = await service.store.settle_with(
            [change], lambda written: after if written[0] else NOTHING_AFTER
        )
        if written[0]:
            service.wake()
            return True
    raise Unavailable("the delivery keeps changing; ask again")


def added(service: Service, message: Message, endpoint: Endpoint, actor: str) -> Change:
    """A delivery of an earlier message to this endpoint, which never had one."""
    born = newborn(
        message_id=message.id,
        endpoint_id=endpoint.id,
        app_id=message.app_id,
        at_us=service.clock.now_us(),
        parked=parking_reason(endpoint),
    )
    return service.journal.added(born, actor=actor)


async def redrive(service: Service, app_id: str, which: DeliveryId, *, actor: str) -> Delivery:
    """Give a dead letter its whole schedule again, the first attempt now.

    Raises:
        NotFound: no such delivery in this application.
        Conflict: it is not dead.
        Refused: `missing_payload`.
    """
    await _message_with_payload(service, app_id, which.message_id)
    return await _decide_on_dead(
        service, app_id, which, actor, lambda at_us: Redriven(at_us=at_us, actor=actor)
    )


async def discard(
    service: Service, app_id: str, which: DeliveryId, *, actor: str, why: str
) -> Delivery:
    """Withdraw a dead letter; it stays in the books as cancelled, with who did it and why.

    Raises:
        NotFound: no such delivery in this application.
        Conflict: it is not dead.
    """
    who = f"{actor}: {why}"
    return await _decide_on_dead(
        service, app_id, which, actor, lambda at_us: Cancelled(at_us=at_us, actor=who)
    )


async def cancel(
    service: Service, app_id: str, which: DeliveryId, *, actor: str, why: str
) -> Delivery:
    """Withdraw a delivery that waits or is parked: nothing more of it is sent.

    It stays in the books as cancelled, with who did it and why. One that had finished before
    somebody asked for a resend goes back to how it had ended. An attempt under way is waited for,
    for two seconds.

    Raises:
        NotFound: no such delivery in this application.
        Conflict: it has finished, or its attempt is still under way.
    """
    for _ in range(_TRIES_MAX):
        before = await delivery(service, app_id, which)
        if before.state is State.LEASED:
            await _after_attempt(service, which)
            before = await delivery(service, app_id, which)
        if before.state not in (State.WAITING, State.PARKED):
            raise Conflict(
                f"delivery {which} is {before.state}; only one that is waiting or parked can be "
                "cancelled"
            )
        fact = Cancelled(at_us=service.clock.now_us(), actor=f"{actor}: {why}")
        change = service.journal.decide(before, fact, actor=actor)
        if (await service.store.settle([change]))[0]:
            return change.after
    raise Unavailable("the delivery keeps changing; ask again")


async def undo_discard(service: Service, app_id: str, which: DeliveryId, *, actor: str) -> Delivery:
    """Make what was discarded a dead letter again, in the issue that it was in.

    Raises:
        NotFound: no such delivery in this application.
        Conflict: it was not discarded, or longer ago than that can be taken back.
    """
    for _ in range(_TRIES_MAX):
        before = await delivery(service, app_id, which)
        reason = (await reasons_of(service, [which])).get(which)
        if before.state is not State.CANCELLED or reason is None:
            days = service.limits.undo_s / 86_400
            raise Conflict(
                f"delivery {which} is {before.state}; only what was discarded in the last "
                f"{days:g} days can be brought back"
            )
        fact = Restored(at_us=service.clock.now_us(), actor=actor, reason=reason)
        change = service.journal.decide(before, fact, actor=actor)
        if (await service.store.settle([change]))[0]:
            return change.after
    raise Unavailable("the delivery keeps changing; ask again")


async def reasons_of(
    service: Service, ids: Sequence[DeliveryId]
) -> Mapping[DeliveryId, DeadReason]:
    """Why these discarded ones had been given up, of those that can still be brought back."""
    since_us = service.clock.now_us() - round(service.limits.undo_s * 1_000_000)
    filed = await service.store.filed(ids)
    kept = {which: f for which, f in filed.items() if (f.discarded_at_us or 0) >= since_us}
    issue_ids = sorted({one.issue_id for one in kept.values()})
    issues = {one.id: one for one in await service.store.by_ids(Issue, issue_ids)}
    return {
        which: DeadReason(issues[one.issue_id].reason)
        for which, one in kept.items()
        if one.issue_id in issues and one.discarded_at_us is not None
    }


async def delivery(service: Service, app_id: str, which: DeliveryId) -> Delivery:
    """One delivery of this application.

    Raises:
        NotFound: there is none.
    """
    found = await service.store.delivery(which)
    if found is None or found.app_id != app_id:
        raise NotFound(f"there is no delivery {which}")
    return found


async def _decide_on_dead(
    service: Service,
    app_id: str,
    which: DeliveryId,
    actor: str,
    fact: Callable[[int], Fact],
) -> Delivery:
    for _ in range(_TRIES_MAX):
        before = await delivery(service, app_id, which)
        if before.state is not State.DEAD:
            raise Conflict(f"delivery {which} is not dead but {before.state}")
        change: Change = service.journal.decide(before, fact(service.clock.now_us()), actor=actor)
        if (await service.store.settle([change]))[0]:
            service.wake()
            return change.after
    raise Unavailable("the delivery keeps changing; ask again")


async def _after_attempt(service: Service, which: DeliveryId) -> Delivery | None:
    """The delivery once nobody is attempting it, or as it is after a short wait."""
    for _ in range(round(_RESEND_WAIT_S / _RESEND_POLL_S)):
        found = await service.store.delivery(which)
        if found is None or found.state is not State.LEASED:
            return found
        await asyncio.sleep(_RESEND_POLL_S)
    return await service.store.delivery(which)


async def _message_with_payload(service: Service, app_id: str, message_id: str) -> Message:
    message = await service.store.message(app_id, message_id)
    if message is None:
        raise NotFound(f"there is no message {message_id!r}")
    if message.payload is None:
        raise Refused("missing_payload", "the payload of this message has been deleted")
    return message


async def _endpoint(service: Service, app_id: str, name: str) -> Endpoint:
    endpoint = await service.store.get(Endpoint, app_id, name)
    if endpoint is None:
        raise NotFound(f"there is no endpoint {name!r}")
    return endpoint
