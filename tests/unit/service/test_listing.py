"""Pages over a list in memory, for every size, direction and filter."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.core.errors import Invalid
from homing.core.queries import Page
from homing.service.listing import Ask, is_delivery_id, is_id, is_plain_name, paginate

names_st = st.sets(st.text("ab-._", min_size=1, max_size=3), max_size=12).map(sorted)


class Names:
    """What a store would do."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.fetches = 0

    async def fetch(self, page: Page) -> list[str]:
        self.fetches += 1
        if page.descending:
            end = len(self.names) if page.after is None else bisect_left(self.names, page.after)
            return self.names[:end][::-1][: page.limit]
        start = 0 if page.after is None else bisect_right(self.names, page.after)
        return self.names[start : start + page.limit]


async def _page(names: list[str], ask: Ask, keep=lambda name: True):  # type: ignore[no-untyped-def]
    return await paginate(
        Names(names).fetch, lambda name: name, ask, is_name=is_plain_name, keep=keep
    )


@given(names_st, st.integers(1, 4), st.booleans())
async def test_going_on_and_on_sees_every_name_once_in_order(
    names: list[str], limit: int, descending: bool
) -> None:
    seen: list[str] = []
    iterator = None
    for _ in range(len(names) + 1):
        ask = Ask(limit=limit, descending=descending, iterator=iterator)
        listing = await _page(names, ask)
        seen += listing.data
        iterator = listing.iterator
        if listing.done:
            break
    assert seen == sorted(names, reverse=descending)


@given(names_st, st.integers(1, 4), st.booleans())
async def test_going_back_from_the_end_sees_the_same_pages_in_order(
    names: list[str], limit: int, descending: bool
) -> None:
    ordered = sorted(names, reverse=descending)
    if not ordered:
        return
    seen: list[str] = [ordered[-1]]
    iterator: str | None = "-" + ordered[-1]
    for _ in range(len(names) + 1):
        listing = await _page(names, Ask(limit=limit, descending=descending, iterator=iterator))
        seen = listing.data + seen
        if listing.done:
            break
        iterator = listing.prev_iterator
    assert seen == ordered


@given(names_st, st.integers(1, 3), st.booleans())
async def test_names_that_are_left_out_do_not_end_a_listing(
    names: list[str], limit: int, descending: bool
) -> None:
    def keep(name: str) -> bool:
        return "a" in name

    seen: list[str] = []
    iterator = None
    for _ in range(len(names) + 1):
        ask = Ask(limit=limit, descending=descending, iterator=iterator)
        listing = await _page(names, ask, keep)
        seen += listing.data
        iterator = listing.iterator
        if listing.done:
            break
    assert seen == sorted(filter(keep, names), reverse=descending)


async def test_a_page_is_cut_short_when_too_much_is_left_out_and_goes_on_from_there() -> None:
    names = Names([f"{number:04}" for number in range(1_000)])

    def keep(name: str) -> bool:
        return name == "0999"

    iterator = None
    for _ in range(100):
        names.fetches = 0
        ask = Ask(limit=1, iterator=iterator)
        listing = await paginate(
            names.fetch, lambda name: name, ask, is_name=is_plain_name, keep=keep
        )
        assert names.fetches <= 40
        if listing.done:
            break
        assert listing.data == []
        iterator = listing.iterator
    assert listing.data == ["0999"]


@pytest.mark.parametrize("iterator", ["", "-", "~", "a b", "a\n", "\u0000", "é", "a" * 257])
async def test_an_iterator_that_no_listing_gave_is_invalid(iterator: str) -> None:
    with pytest.raises(Invalid):
        await _page(["a"], Ask(iterator=iterator))


def test_only_what_looks_like_an_id_is_one() -> None:
    message, endpoint = "msg_" + "0" * 27, "ep_" + "0" * 27
    assert is_id("msg_")(message)
    assert not is_id("msg_")(endpoint)
    assert not is_id("msg_")("msg_" + "0" * 26)
    assert not is_id("msg_")("msg_" + "0" * 26 + "!")
    assert is_delivery_id(f"{message}.{endpoint}")
    assert not is_delivery_id(message)
    assert not is_delivery_id(f"{endpoint}.{message}")
