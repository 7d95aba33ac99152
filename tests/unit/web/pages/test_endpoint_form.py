from __future__ import annotations

from typing import Any

import pytest
from starlette.datastructures import ImmutableMultiDict
from support.making import make_endpoint

from homing.core.errors import Conflict, Invalid, Problem
from homing.web.pages.endpoint_form import blank, draft_in, texts_in, texts_of, words_in, wrongs


def texts(**fields: Any) -> dict[str, Any]:
    return blank() | {"url": "https://example.com/hook"} | fields


def test_an_endpoint_comes_back_from_its_form_as_it_was() -> None:
    endpoint = make_endpoint(
        description="Orders",
        uid="mine",
        event_types=("order.placed", "order.paid"),
        channels=("eu", "us"),
        rate_limit=20,
        concurrency_limit=3,
        retry_delays_s=(5.0, 0.5),
        metadata={"team": "shop"},
        disabled=True,
    )
    given = draft_in(texts_of(endpoint), present=endpoint).given()
    assert {name: getattr(endpoint, name) for name in given} == given


@pytest.mark.parametrize(
    ("fields", "expected"),
    [({}, None), ({"retry_delays": "1, 2.5"}, (1.0, 2.5)), ({"one_attempt": True}, ())],
)
def test_retries_are_the_usual_ones_own_ones_or_none(
    fields: dict[str, Any], expected: tuple[float, ...] | None
) -> None:
    draft = draft_in(texts(**fields))
    assert draft.retry_delays_s == expected
    endpoint = make_endpoint(retry_delays_s=expected)
    assert draft_in(texts_of(endpoint), present=endpoint).retry_delays_s == expected


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"url": "ftp://example.com"}, "url"),
        ({"url": ""}, "url"),
        ({"rate_limit": "0"}, "rate_limit"),
        ({"rate_limit": "many"}, "rate_limit"),
        ({"concurrency_limit": "-1"}, "concurrency_limit"),
        ({"retry_delays": "5, soon"}, "retry_delays"),
        ({"retry_delays": "9999999"}, "retry_delays"),
        ({"channels": "a b!"}, "channels"),
        ({"event_types": ["a b"]}, "event_types"),
        ({"uid": "no spaces"}, "uid"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(fields: dict[str, Any], name: str) -> None:
    with pytest.raises(Invalid) as caught:
        draft_in(texts(**fields))
    assert list(wrongs(caught.value)) == [name]


def test_what_no_field_is_about_is_said_of_the_whole() -> None:
    assert wrongs(Invalid([Problem(("body", "elsewhere"), "no")])) == {"": "no"}
    assert list(wrongs(Conflict("taken"))) == ["uid"]


def test_event_types_are_ticked_typed_or_both() -> None:
    fields = ImmutableMultiDict(
        [("event_type", "a"), ("event_type", "b"), ("event_types_typed", "b,  c\nd")]
    )
    assert texts_in(fields)["event_types"] == ["a", "b", "c", "d"]
    assert words_in(" ,, ") == []
