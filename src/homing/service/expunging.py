"""Forgetting payloads, for good.

Whoever does this wants the content gone now, so it goes at once, and with it every delivery that
would still have needed it: such a delivery is dead in the same commit, with the reason
`payload_gone`, in the books and in the log. It does not wait for a turn that cannot come.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from homing.core.ports import Aftermath
from homing.core.records import Message
from homing.core.tasks import Action, Selection, Task
from homing.service.applications import find_application
from homing.service.context import Once, Service
from homing.service.task_chunks import losses, unfinished_of
from homing.service.tasks import beginning_us, present_us, start_task
from homing.service.tokens import Caller

#: messages that are looked at and forgotten in one commit
_CHUNK: Final = 100


class Expunged(NamedTuple):
    """What was forgotten."""

    found: dict[str, bool]  #: by the name that was given: whether there is such a message
    lost: int  #: unfinished deliveries that are dead because of it


async def expunge_messages(
    service: Service, caller: Caller, app: str, names: Sequence[str]
) -> Expunged:
    """Forget the payloads of these messages (by id or event id).

    An attempt that is under way finishes with what it has; if it fails, its delivery is dead too.

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
    changes = losses(service, await unfinished_of(service, messages), caller.subject)
    after = Aftermath(expunged=tuple(message.id for message in messages))
    return sum(await service.store.settle_with(changes, lambda written: after))


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
