"""Which ids a page of a listing may hold: the same arithmetic for every store."""

from __future__ import annotations

from homing.core.identifiers import DeliveryId, parse_delivery_id
from homing.core.queries import Page

#: sorts after every id and every name
LAST = "\U0010ffff"


def cut(low: str, high: str, page: Page) -> tuple[str, str]:
    """(low, high) with low <= id < high, narrowed to what lies further on than `page.after`.

    A space sorts before every character of an id, so `after + " "` is its successor.
    """
    if page.after is None:
        return low, high
    if page.descending:
        return low, min(high, page.after)
    return max(low, f"{page.after} "), high


def between(page: Page) -> tuple[DeliveryId, DeliveryId]:
    """The two deliveries that a page of deliveries lies between, both exclusive."""
    first, last = DeliveryId("", ""), DeliveryId(LAST, "")
    if page.after is None:
        return first, last
    after = parse_delivery_id(page.after)
    return (first, after) if page.descending else (after, last)
