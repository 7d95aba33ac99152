"""Identifiers sort by time and say when they were made."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.core.identifiers import (
    ALPHABET,
    ENTROPY_BYTES,
    DeliveryId,
    counted,
    first_id,
    made_at_us,
    new_id,
    parse_delivery_id,
)

times = st.integers(1_400_000_000_000_000, 5_000_000_000_000_000)
entropy = st.binary(min_size=ENTROPY_BYTES, max_size=ENTROPY_BYTES)


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


@given(times, st.integers(0, 62**19 - 1), st.integers(0, 62**19 - 1))
def test_counted_ids_sort_by_their_numbers(at_us: int, a: int, b: int) -> None:
    first, second = (new_id("msg_", at_us, counted(number)) for number in (a, b))
    assert (first < second) == (a < b)
    assert (first == second) == (a == b)


def test_every_digit_is_drawn_about_as_often_as_any_other() -> None:
    drawn = Counter(
        new_id("", 1_790_000_000_000_000, bytes([byte] * ENTROPY_BYTES))[-1] for byte in range(256)
    )
    assert "".join(sorted(drawn)) == ALPHABET
    assert set(drawn.values()) == {4, 5}


@pytest.mark.parametrize("text", ["", "msg_", "msg_short", "msg_" + "!" * 27, "msg" + "a" * 27])
def test_what_is_no_id_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        made_at_us(text)


def test_a_delivery_id_is_read_back() -> None:
    which = DeliveryId("msg_1", "ep_2")
    assert parse_delivery_id(str(which)) == which
    with pytest.raises(ValueError, match=r"msg_….ep_…"):
        parse_delivery_id("msg_1")
