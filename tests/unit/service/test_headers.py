"""Which headers an endpoint may add."""

from __future__ import annotations

import pytest

from homing.core.errors import Invalid
from homing.service.headers import check_headers


def test_ordinary_headers_may_be_set() -> None:
    check_headers({"Authorization": "Bearer x", "X-Shop": "1", "x_y": ""}, where=("body",))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Content-Type", "text/plain"),
        ("HOST", "example.com"),
        ("Transfer-Encoding", "chunked"),
        ("Webhook-Signature", "v1,x"),
        ("svix-id", "x"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("", "x"),
        ("a b", "x"),
        ("a:", "x"),
        ("a\r\nb", "x"),
        ("é", "x"),
        ("a" * 129, "x"),
        ("a", "x\r\nb: c"),
        ("a", "x\n"),
        ("a", "\u0000"),
        ("a", "é"),
        ("a", "x" * 4_097),
    ],
)
def test_what_is_ours_or_would_break_a_request_may_not(name: str, value: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_headers({name: value}, where=("body", "headers"))
    assert refused.value.problems[0].where == ("body", "headers", name)


def test_there_is_a_bound_and_no_name_comes_twice() -> None:
    with pytest.raises(Invalid):
        check_headers({f"x-{number}": "1" for number in range(51)}, where=())
    with pytest.raises(Invalid):
        check_headers({"a": "1", "A": "2"}, where=())
