"""Words of payloads: what is one, what is found, and that the index never misses."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.service.text_words import (
    PIECE_BYTES,
    PIECE_MESSAGES,
    TEXT_BYTES_MAX,
    Builder,
    bucket_of,
    candidates,
    has_all,
    pieces_with,
    wanted,
    words_of,
)

PAYLOAD = json.dumps(
    {"email": "Ada@example.com", "order": "INV-17", "amount": 12.5, "name": "José", "note": "a\nb"}
).encode()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("inv-17", True),
        ("INV-17", True),
        ("inv", True),
        ("17", True),
        ("inv-1", False),
        ("nv-17", False),
        ("ada@example.com", True),
        ("example.co", False),
        ("12.5", True),
        ("2.5", False),
        ("José", True),
        ("jos", False),
        ('"order": "INV-17"', True),
        ("b", True),
        ("nb", False),
        ("u00e9", False),
    ],
)
def test_whole_words_are_found_as_they_are_written(text: str, found: bool) -> None:
    one = wanted(text)
    assert one is not None
    assert has_all(PAYLOAD, [one]) is found
    raw = PAYLOAD.decode().replace("\\u00e9", "é").encode()
    assert has_all(raw, [one]) is found


def test_what_has_no_letter_and_no_digit_is_no_word() -> None:
    assert wanted("--- !") is None
    assert wanted("é") is not None


def test_words_beyond_the_bound_are_not_looked_at() -> None:
    payload = b"early " + b"x" * TEXT_BYTES_MAX + b" late"
    assert b"early" in words_of(payload)
    assert b"late" not in words_of(payload)
    late = wanted("late")
    assert late is not None
    assert not has_all(payload, [late])


def test_bytes_that_are_no_text_are_no_trouble() -> None:
    one = wanted("after")
    assert one is not None
    assert has_all(b'\xff\xfe\x00 {"a": "\\ud800 after\\', [one])


WORD = st.text(min_size=1, max_size=12).filter(lambda text: wanted(text) is not None)


@given(
    st.lists(st.lists(WORD, max_size=4), min_size=1, max_size=200),
    st.sampled_from([PIECE_MESSAGES, 3]),
)
def test_the_index_names_every_piece_that_has_the_words(
    messages: list[list[str]], every: int
) -> None:
    """Also where a payload is written with escapes, or is long enough to end a piece."""
    builder = Builder(1, "")
    payloads = {}
    for number, words in enumerate(messages):
        name = f"msg_{number:027}"
        content = json.dumps({"words": words, "fill": "x" * (PIECE_BYTES // every)})
        payloads[name] = content.encode()
        builder.add(name, payloads[name])
    segment, entries = builder.build()
    assert segment.pieces[-1] == max(payloads)
    buckets = dict(entries)
    for name, words in zip(payloads, messages, strict=True):
        piece = next(place for place, last in enumerate(segment.pieces) if name <= last)
        for word in words:
            one = wanted(word)
            assert one is not None
            if has_all(payloads[name], [one]):
                mine = {text: buckets.get(bucket_of(text)) for text in one.words}
                assert piece in candidates(segment, one.words, mine)


def test_a_word_that_is_nowhere_names_no_piece() -> None:
    builder = Builder(1, "")
    for number in range(1_000):
        builder.add(f"msg_{number:027}", b'{"number": %d}' % number)
    _, entries = builder.build()
    buckets = dict(entries)
    named = sum(
        len(pieces_with(word, buckets.get(bucket_of(word), b"")))
        for word in (f"nothing{number}".encode() for number in range(5_000))
    )
    assert named <= 2  # a hash that two words share: once in some thousand million


def test_a_stale_segment_may_have_anything_anywhere() -> None:
    builder = Builder(1, "")
    builder.add("msg_1", b"one")
    segment, _ = builder.build()
    assert candidates(segment, [b"two"], {b"two": None}) == []
    assert candidates(segment._replace(stale=True), [b"two"], {b"two": None}) == [0]
