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


def place_after(page: Page) -> DeliveryId:
    """The delivery that a page of deliveries begins behind; before all where there is none."""
    return DeliveryId("", "") if page.after is None else parse_delivery_id(page.after)
