"""Which walk a look takes, and how far it came: the same for every store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeVar

from homing.core.identifiers import DeliveryId
from homing.core.lifecycle import UNFINISHED, State
from homing.core.searching import Looked, Sought
from homing.store.paging import LAST

T = TypeVar("T")

_ABOVE_ALL: Final = DeliveryId(LAST, "")


class Walk(NamedTuple):
    """A statement that walks, and what it walks along."""

    name: str
    of: str | None  #: an application's id, or an endpoint's, as the name says


def walk_for_messages(which: Sought) -> Walk:
    """Along all messages, or those of one application."""
    if len(which.app_ids) == 1:
        return Walk("walk_messages_of_app", which.app_ids[0])
    return Walk("walk_messages", None)


def walk_for_deliveries(which: Sought) -> Walk:
    """Along the narrowest index that has all of them."""
    states = set(which.states)
    if states == {State.DEAD}:
        if which.endpoint_id is not None:
            return Walk("walk_dead_of_endpoint", which.endpoint_id)
        if len(which.app_ids) == 1:
            return Walk("walk_dead_of_app", which.app_ids[0])
        return Walk("walk_dead", None)
    if states and states <= UNFINISHED:
        if which.endpoint_id is not None:
            return Walk("walk_unfinished_of_endpoint", which.endpoint_id)
        return Walk("walk_unfinished", None)
    if which.endpoint_id is not None:
        return Walk("walk_endpoint", which.endpoint_id)
    return walk_for_messages(which)


def bounds(which: Sought) -> tuple[str, str]:
    """(low, high): messages with low <= id < high are walked past."""
    low, high = which.span.half_open_bounds("msg_")
    if which.below is None:
        return low, high
    message_id, endpoint_id = which.below
    # A space sorts before every character of an id: with it the message itself is walked past.
    return low, min(high, f"{message_id} " if endpoint_id else message_id)


def walked_by(which: Sought, looks: int) -> list[str] | None:
    """The messages that are given, downwards; None: a walk has to find them."""
    if not which.message_ids:
        return None
    low, high = bounds(which)
    return sorted((one for one in which.message_ids if low <= one < high), reverse=True)[:looks]


def place_below(which: Sought) -> DeliveryId:
    """Only deliveries before it are wanted."""
    return which.below or _ABOVE_ALL


def looked(
    walked: Sequence[str],
    found: Sequence[T],
    name_of: Callable[[T], DeliveryId],
    *,
    looks: int,
    limit: int,
) -> Looked[T]:
    """What a look comes to.

    Args:
        walked: ids of the messages that were walked past, downwards.
        found: one more than `limit`, if there are as many.
        name_of: the place of one that was found.
    """
    rows = list(found[:limit])
    if len(found) > limit:
        return Looked(found=rows, reached=name_of(rows[-1]))
    reached = DeliveryId(walked[-1], "") if len(walked) == looks else None
    return Looked(found=rows, reached=reached)


def type_fits(event_type: str, wanted: Sequence[str]) -> bool:
    """Whether an event type is one of those that are wanted; empty: it is."""
    return not wanted or any(
        event_type.startswith(one[:-1]) if one.endswith("*") else event_type == one
        for one in wanted
    )


def whose(app_id: str | None) -> str:
    """How the name of a statement ends that is about one application, or about all."""
    return "of_all" if app_id is None else "of_app"
