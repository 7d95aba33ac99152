"""The words of a search, and what is said of those that are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.making import START_US

from homing.core.identifiers import DeliveryId
from homing.core.lifecycle import State
from homing.service.querying import QUERY_LENGTH_MAX, Query, parse_query, written

NOW_US = START_US + 10 * 86_400 * 1_000_000
HOUR_US = 3_600 * 1_000_000
DAY_US = 24 * HOUR_US


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Query()),
        ("  ", Query()),
        ("msg_1", Query(message_id="msg_1")),
        ("id:msg_1.ep_2", Query(delivery_id=DeliveryId("msg_1", "ep_2"))),
        ("ep_2 app_3", Query(endpoint="ep_2", app="app_3")),
        ("event:order-17", Query(event_id="order-17")),
        ("type:payment.*,order.placed", Query(event_types=("payment.*", "order.placed"))),
        ("status:dead,PARKED", Query(states=(State.DEAD, State.PARKED))),
        ("tag:a tag:b tag:a channel:eu", Query(tags=("a", "b"), channel="eu")),
        ("after:2h before:1h", Query(after_us=NOW_US - 2 * HOUR_US, before_us=NOW_US - HOUR_US)),
        ("before:30min", Query(before_us=NOW_US - HOUR_US // 2)),
        ("after:yesterday", Query(after_us=NOW_US - NOW_US % DAY_US - DAY_US)),
        ("after:1970-01-02", Query(after_us=DAY_US)),
        ("after:1970-01-02T01:00+01:00", Query(after_us=DAY_US)),
        ('Berlin "Main Street" text:17', Query(words=("Berlin", "Main Street", "17"))),
        ('app:"my shop" TYPE:a', Query(app="my shop", event_types=("a",))),
        ('"type:payment"', Query(words=("type:payment",))),
    ],
)  # fmt: skip
def test_what_is_typed_is_understood(text: str, expected: Query) -> None:
    assert parse_query(text, now_us=NOW_US) == (expected, ())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("stauts:dead", "did you mean status:dead?"),
        ("http://x", 'To look for it in payloads: "http://x'),
        ("status:failed", "did you mean dead?"),
        ("status:zzz", "known are waiting, leased, parked, delivered, dead and cancelled"),
        ("type:pay*ment", "only at the end"),
        ("after:soon", "Expected a time after after:"),
        ("after:1h before:2h", "earlier than before"),
        ("app:a app:b", "nothing can be both"),
        ('"open', "second quotation mark"),
        ("id:17", "event:17"),
        ("id:atmpt_1", "webhook-id"),
        ("atmpt_1", "webhook-id"),
        ("id:msg_1.nothing", "msg_….ep_…"),
        ("a b c d e f g h i", "at most 8 words"),
        ("x" * (QUERY_LENGTH_MAX + 1), "at most 1,000 characters"),
    ],
)
def test_what_is_not_understood_is_said_with_what_to_do(text: str, told: str) -> None:
    problems = parse_query(text, now_us=NOW_US).problems
    assert any(told in problem for problem in problems), problems


@given(st.text(max_size=80))
def test_any_text_gives_a_query_or_a_problem(text: str) -> None:
    parsed = parse_query(text, now_us=NOW_US)
    assert all(problem[0].isupper() or not problem[0].isalpha() for problem in parsed.problems)


def test_a_query_can_be_written_again() -> None:
    text = 'msg_1 event:a type:b.*,c app:d endpoint:e status:dead tag:t "two words"'
    query = parse_query(text, now_us=NOW_US).query
    assert parse_query(written(query), now_us=NOW_US).query == query
