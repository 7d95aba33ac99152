"""Identifiers sort by time and say when they were made."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.core.identifiers import (
    DeliveryId,
    first_id,
    made_at_us,
    new_id,
    parse_delivery_id,
)

times = st.integers(1_400_000_000_000_000, 5_000_000_000_000_000)
entropy = st.binary(min_size=15, max_size=15)


@given(times, entropy)
def test_an_id_has_the_shape_that_svix_clients_check(at_us: int, bits: bytes) -> None:
    assert re.fullmatch(r"ep_[A-Za-z0-9]{27}", new_id("ep_", at_us, bits))


@given(times, entropy, times, entropy)
def test_ids_sort_by_the_time_they_were_made(a: int, x: bytes, b: int, y: bytes) -> None:
    if (
        a // 4_000 < b // 4_000
        and a // 1_000_000 <= b // 1_000_000
        and a % 10**6 // 4_000 != (b % 10**6 // 4_000)
    ):
        assert new_id("msg_", a, x) < new_id("msg_", b, y)


@given(times, entropy)
def test_an_id_says_when_it_was_made(at_us: int, bits: bytes) -> None:
    assert at_us - 4_000 < made_at_us(new_id("msg_", at_us, bits)) <= at_us


@given(times, entropy)
def test_the_first_id_of_a_moment_bounds_all_of_them(at_us: int, bits: bytes) -> None:
    assert first_id("msg_", at_us) <= new_id("msg_", at_us, bits)


@pytest.mark.parametrize("text", ["", "msg_", "msg_short", "msg_" + "!" * 27, "msg" + "a" * 27])
def test_what_is_no_id_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        made_at_us(text)


def test_a_delivery_id_is_read_back() -> None:
    which = DeliveryId("msg_1", "ep_2")
    assert parse_delivery_id(str(which)) == which
    with pytest.raises(ValueError, match=r"msg_….ep_…"):
        parse_delivery_id("msg_1")
