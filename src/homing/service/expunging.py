"""Forgetting payloads, for good.

Whoever does this wants the content gone now, so it goes at once, and with it every delivery that
would still have needed it: such a delivery is dead in the same commit, with the reason
`payload_gone`, in the books and in the log. It does not wait for a turn that cannot come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple

from homing.core.lifecycle import UNFINISHED, Delivery, State
from homing.core.queries import DeliveryFilter, Page
from homing.core.records import Message
from homing.core.store import Aftermath
from homing.core.tasks import Action, Selection, Task
from homing.service.applications import find_application
from homing.service.context import Once, Service
from homing.service.task_chunks import losses
from homing.service.tasks import beginning_us, present_us, start_task
from homing.service.tokens import Caller

#: messages that are looked at and forgotten in one commit
_CHUNK: Final = 100
_PAGE: Final = 1_000
#: an attempt under way is waited for this long before its message is forgotten for good, seconds
_UNDER_WAY_S: Final = 2.0
_POLL_S: Final = 0.05


class Expunged(NamedTuple):
    """What was forgotten."""

    found: dict[str, bool]  #: by the name that was given: whether there is such a message
    lost: int  #: unfinished deliveries that are dead because of it


async def expunge_messages(
    service: Service, caller: Caller, app: str, names: Sequence[str]
) -> Expunged:
    """Forget the payloads of these messages (by id or event id) and the responses to them, which
    may repeat them.

    An attempt that is under way finishes with what it has; if it fails, its delivery is dead too.
    It is waited for, for two seconds, so that the response to it is forgotten as well.

    Raises:
        NotFound: no such application.
    """
    application = await find_application(service, caller, app)
    found: dict[str, bool] = {}
    lost = 0
    for start in range(0, len(names), _CHUNK):
        messages: dict[str, Message] = {}
        for name in names[start : start + _CHUNK]:
            message = await service.store.message(application.id, name)
            found[name] = message is not None
            if message is not None:
                messages[message.id] = message
        lost += await _forget(service, sorted(messages.values(), key=lambda m: m.id), caller)
    return Expunged(found, lost)


async def _forget(service: Service, messages: Sequence[Message], caller: Caller) -> int:
    """Forget these payloads, ordered by id; how many deliveries are dead because of it."""
    unfinished = [d for m in messages for d in await _deliveries(service, m, tuple(UNFINISHED))]
    changes = losses(service, unfinished, caller.actor)
    after = Aftermath(expunged=tuple(message.id for message in messages))
    lost = sum(await service.store.settle_with(changes, lambda written: after))
    if await _until_nobody_sends(service, messages):
        for message in messages:
            await service.store.expunge_message(message.id)
    return lost


async def _until_nobody_sends(service: Service, messages: Sequence[Message]) -> bool:
    """Wait for what is leased, briefly; whether anything was."""
    left = list(messages)
    for waited in range(round(_UNDER_WAY_S / _POLL_S)):
        left = [one for one in left if await _deliveries(service, one, (State.LEASED,))]
        if not left:
            return bool(waited)
        await asyncio.sleep(_POLL_S)
    return True


async def _deliveries(
    service: Service, message: Message, states: tuple[State, ...]
) -> list[Delivery]:
    """All of one message that are in one of these states: the messages may lie far apart."""
    which = DeliveryFilter(app_id=message.app_id, message_id=message.id, states=states)
    found: list[Delivery] = []
    page = Page(limit=_PAGE)
    while True:
        more = await service.store.deliveries(which, page)
        found += more
        if len(more) < page.limit:
            return found
        page = Page(limit=_PAGE, after=more[-1].endpoint_id)


async def expunge_all(
    service: Service,
    caller: Caller,
    app: str,
    *,
    keep_unfinished: bool,
    once: Once[Task] | None = None,
) -> Task:
    """Forget the payloads of everything that an application has sent until now.

    Args:
        keep_unfinished: messages of which something is still to be sent keep theirs.

    Raises:
        NotFound: no such application.
    """
    application = await find_application(service, caller, app)
    which = Selection(
        since_us=await beginning_us(service),
        until_us=present_us(service),
        keep_unfinished=keep_unfinished,
    )
    return await start_task(
        service, caller, Action.EXPUNGE, which, application=application, once=once
    )
