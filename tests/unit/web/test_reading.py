"""Reading parameters and bodies: what is taken, what is not, and where the fault is said to be."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.making import FakeClock

from homing.core.errors import Invalid, NotFound
from homing.core.records import RequestKey
from homing.service.context import Limits, Service
from homing.service.tokens import Caller
from homing.web.operations.attempts import AttemptsQuery
from homing.web.operations.messages import MessageIn, MessagesQuery
from homing.web.reading import check_path, decode_body, decode_query, request_key
from homing.web.schemas import microseconds


def _query(**given: Any) -> MessagesQuery:
    return decode_query(MessagesQuery, given.items())


def _place(refused: pytest.ExceptionInfo[Invalid]) -> tuple[str | int, ...]:
    return refused.value.problems[0].where


def test_a_list_is_repeated_suffixed_or_joined_by_commas() -> None:
    for pairs in (
        [("event_types", "a"), ("event_types", "b")],
        [("event_types[]", "a"), ("event_types[]", "b")],
        [("event_types", "a,b")],
        [("event_types", "a,,b,")],
    ):
        assert decode_query(MessagesQuery, pairs).event_types == ["a", "b"]
    assert decode_query(MessagesQuery, []).event_types is None


def test_numbers_truths_and_moments_are_read_from_text() -> None:
    query = _query(limit="7", with_content="false", before="2026-01-01T00:00:00+01:00")
    assert (query.limit, query.with_content) == (7, False)
    assert query.before is not None
    assert microseconds(query.before) == 1_767_222_000_000_000
    assert _query(before="2026-01-01T00:00:00 01:00").before == query.before, "an unescaped plus"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("limit", "x"),
        ("limit", "1.0"),
        ("limit", " 1"),
        ("limit", "٣"),
        ("with_content", "yes"),
        ("with_content", "1"),
        ("before", "2026-01-01"),
        ("before", "2026-01-01T00:00:00"),
        ("before", "0"),
        ("channel", "a b"),
        ("channel", ""),
        ("channel", "a\n"),
        ("tag", "a b"),
    ],
)
def test_what_a_parameter_cannot_be_is_named(name: str, text: str) -> None:
    with pytest.raises(Invalid) as refused:
        _query(**{name: text})
    assert _place(refused) == ("query", name)


def test_unknown_parameters_are_ignored() -> None:
    assert _query(something="new") == MessagesQuery()


def test_an_enumeration_takes_its_values_only() -> None:
    assert decode_query(AttemptsQuery, [("status_code_class", "500")]).status_code_class == 500
    with pytest.raises(Invalid):
        decode_query(AttemptsQuery, [("status_code_class", "501")])


@given(st.text())
def test_any_text_as_a_parameter_is_taken_or_refused_and_never_more(text: str) -> None:
    for name in ("limit", "iterator", "before", "channel", "event_types", "with_content"):
        try:
            _query(**{name: text})
        except Invalid as refused:
            places = [problem.where[0] for problem in refused.problems]
            assert places == ["query"]


@given(st.binary())
def test_any_bytes_as_a_body_are_taken_or_refused_and_never_more(body: bytes) -> None:
    with pytest.raises(Invalid):
        decode_body(MessageIn, body)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b'{"eventType":"a","payload":{},"channels":["x",1]}', ("body", "channels", "1")),
        (b'{"payload":{}}', ("body", "eventType")),
        (b'{"eventType":"a","application":{}}', ("body", "application", "name")),
        (b"[]", ("body",)),
        (b'{"eventType":"a","payload":{"a":"\xff"}}', ("body",)),
    ],
)
def test_the_place_of_a_fault_is_told(body: bytes, place: tuple[str, ...]) -> None:
    with pytest.raises(Invalid) as refused:
        decode_body(MessageIn, body)
    assert _place(refused) == place


def test_a_raw_payload_is_not_changed_by_reading() -> None:
    payload = b'{ "b":1.00,  "a" : "\\u00e9" ,"a":2}'
    new = decode_body(MessageIn, b'{"payload":' + payload + b',"eventType":"x"}')
    assert new.draft().payload == payload


@pytest.mark.parametrize("name", ["", "a b", "a\n", "\u0000", "é", "a" * 257, "a/b"])
def test_a_name_that_nothing_can_have_is_not_found(name: str) -> None:
    with pytest.raises(NotFound):
        check_path({"app_id": name})


def test_a_request_s_fingerprint_cannot_be_tried_without_its_key() -> None:
    service = cast(Service, SimpleNamespace(limits=Limits(), clock=FakeClock()))

    def known_by(key: str, body: bytes) -> RequestKey:
        return request_key(service, Caller("org_1"), "POST", "/api/v1/app", b"", key, body)

    first = known_by("once", b"{}")
    assert known_by("once", b"{}") == first
    assert known_by("once", b"{ }").fingerprint != first.fingerprint
    assert known_by("twice", b"{}").fingerprint != first.fingerprint
