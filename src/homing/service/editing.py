"""Changing resources: read, change, write, and once more when somebody else was first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar

import msgspec

from homing.core.errors import Invalid, Problem, Stale, Unavailable
from homing.core.resources import Resource
from homing.service.context import Once, Service

R = TypeVar("R", bound=Resource)

#: with a handful of editors at once somebody succeeds each time, so this many tries suffice
_TRIES_MAX: Final = 8


async def edit(
    service: Service,
    read: Callable[[], Awaitable[R]],
    change: Callable[[R], Mapping[str, object]],
    *,
    touch: str | None = None,
    also: Callable[[R, R], Awaitable[Sequence[Resource]]] | None = None,
    once: Once[R] | None = None,
) -> R:
    """Replace fields of a resource.

    Args:
        read: gets the present one.
        change: the fields to replace, from the present one; may be called several times.
        touch: an application whose version is raised too.
        also: what is to be created in the same transaction, from the resource before and after.
        once: makes the request repeatable.

    Returns:
        The resource as it is now; the present one when nothing was to be changed.

    Raises:
        Conflict: its new uid is taken, or the request was made before.
        Unavailable: somebody else kept changing it.
    """
    for _ in range(_TRIES_MAX):
        before = await read()
        fields = change(before)
        if all(getattr(before, name) == value for name, value in fields.items()):
            return before
        after = msgspec.structs.replace(
            before, **fields, version=before.version + 1, updated_at_us=service.clock.now_us()
        )
        more = () if also is None else await also(before, after)
        try:
            if once is None:
                await service.store.put(after, touch=touch, also=more)
            else:
                reply = once.reply(after)
                await service.store.put(after, touch=touch, key=once.key, reply=reply, also=more)
        except Stale:
            continue
        return after
    raise Unavailable("somebody else keeps changing this; try again")


def refuse_id_as_uid(uid: object, prefix: str) -> None:
    """Raises: Invalid: a uid that looks like an id would hide the thing that has that id."""
    if isinstance(uid, str) and uid.startswith(prefix):
        raise Invalid([Problem(("body", "uid"), f"expected a uid that does not begin {prefix!r}")])
