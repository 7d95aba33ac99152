"""Delays and Retry-After."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.making import SECOND_US, START_US

from homing.core.retry import (
    DEFAULT_DELAYS_S,
    RetryPolicy,
    next_attempt_at_us,
    parse_retry_after,
)


def test_the_default_schedule_makes_eight_attempts_over_more_than_a_day() -> None:
    assert len(DEFAULT_DELAYS_S) + 1 == 8
    assert 27 * 3600 < sum(DEFAULT_DELAYS_S) < 28 * 3600


def test_jitter_spreads_a_delay_evenly_around_it() -> None:
    policy = RetryPolicy(delays_s=(100.0,), jitter=0.2)
    at = [next_attempt_at_us(policy, 0, 0, chance, None) for chance in (0.0, 0.5, 0.999_999)]
    assert at[0] == 80 * SECOND_US
    assert at[1] == 100 * SECOND_US
    assert 119 * SECOND_US < (at[2] or 0) < 120 * SECOND_US


def test_after_the_last_delay_there_is_no_next_attempt() -> None:
    assert next_attempt_at_us(RetryPolicy(delays_s=(1.0,)), 1, 0, 0.5, 9.0) is None


def test_retry_after_is_read_as_seconds_or_as_a_date() -> None:
    assert parse_retry_after(" 120 ", START_US) == 120.0
    assert parse_retry_after("Thu, 01 Jan 2026 00:02:00 GMT", START_US) == 120.0
    assert parse_retry_after("Wed, 31 Dec 2025 23:00:00 GMT", START_US) == 0.0


def test_a_retry_after_that_says_nothing_is_ignored() -> None:
    for text in ("", "-5", "1.5", "soon", "١٢", "Thu, 99 Jan 2026 00:00:00 GMT", "\x00"):
        assert parse_retry_after(text, START_US) is None, text


@given(st.text(max_size=80))
def test_no_header_text_makes_it_fail(text: str) -> None:
    seconds = parse_retry_after(text, START_US)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize("asked_s", [0.0, 4.0, 3_600.0, 86_400.0, 1e9, float("inf")])
def test_a_retry_after_lengthens_a_delay_up_to_the_cap_and_ends_nothing(asked_s: float) -> None:
    policy = RetryPolicy(delays_s=(5.0,), jitter=0.0)
    at_us = next_attempt_at_us(policy, 0, 0, 0.5, asked_s)
    assert at_us == round(min(max(5.0, asked_s), policy.retry_after_max_s) * 1_000_000)
