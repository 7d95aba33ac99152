"""Somebody else's text: nothing of it moves, hides or turns what is around it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.web.pages.hostile import SHOWN_BYTES_MAX, body, plain

UNSEEN = "\x00\x07\x1b\x7f\x85\u200b\u200e\u202e\u2066\u2028\ufeff\U000e0041\u061c"


@pytest.mark.parametrize("character", UNSEEN)
def test_what_cannot_be_seen_is_named(character: str) -> None:
    for text in (plain(f"a{character}b"), body(f"a{character}b".encode()).text):
        assert character not in text
        assert len(text) > 2
        assert (text[0], text[-1]) == ("a", "b")


def test_a_line_stays_a_line_and_a_body_keeps_its_lines() -> None:
    assert "\n" not in plain("a\nb\r\nc")
    assert body(b"a\r\nb\tc\n").text == "a\nb\tc\n"
    assert plain("x" * 5_000).endswith("…")
    assert plain(None) == ""


@given(st.text(max_size=200))
def test_no_text_gets_through_with_something_unseen(text: str) -> None:
    shown = plain(text)
    assert not any(one in shown for one in UNSEEN + "\n\r")
    assert not any(one in body(text.encode("utf-8", "surrogatepass")).text for one in UNSEEN)


@given(st.binary(max_size=300), st.integers(1, 40))
def test_any_bytes_are_shown_within_their_bound(content: bytes, most: int) -> None:
    shown = body(content, most)
    assert shown.size == len(content)
    assert shown.is_cut is (len(content) > most)
    assert len(shown.text) <= 12 * 4 * most


def test_bytes_that_are_no_text_are_shown_as_bytes() -> None:
    shown = body(b"ok \xff\xfe")
    assert (shown.text, shown.is_text) == ("ok \\xff\\xfe", False)
    cut = body("é".encode() * SHOWN_BYTES_MAX, 5)
    assert (cut.text, cut.is_text, cut.is_cut) == ("éé", True, True)


def test_json_is_laid_out_without_changing_its_numbers() -> None:
    shown = body(b'{"big":123456789012345678901234567890,"a":[1.10]}')
    assert shown.is_formatted
    assert "123456789012345678901234567890" in shown.text
    assert "1.10" in shown.text
    assert not body(b'{"broken": ').is_formatted
    assert not body(b"[" * 50_000 + b"]" * 50_000).is_formatted
