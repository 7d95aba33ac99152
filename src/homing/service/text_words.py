"""Words of payloads, and the index over them. Pure.

The index says, for a word, which pieces of the stored messages may have it; the payloads of these
are then read, so that nothing is found that is not there any more. Messages are cut into segments
of some thousands in the order of their ids, a segment into pieces of 64. Of each piece every
distinct word is one entry: 32 bits of a hash. The first 8 of them choose one of 256 buckets of the
segment; the bucket holds the other 24, each with the number of its piece, in order. To look for a
word is thus to read one small bucket for each segment.

A hash is not a word: no text is kept a second time. Two words may share one, which costs the
reading of a piece in vain.
"""

from __future__ import annotations

import re
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple
from zlib import crc32

from homing.core.searching import Segment

#: of a payload, bytes that are looked at: words after them are not found
TEXT_BYTES_MAX: Final = 65_536
#: messages of a piece: reading one is a fraction of a millisecond
PIECE_MESSAGES: Final = 64
#: and bytes of their payloads, after which a piece ends early
PIECE_BYTES: Final = 262_144
#: messages of a segment: what is newer than the last whole one is read through instead
SEGMENT_MESSAGES: Final = 4_096
SEGMENT_BYTES: Final = 8_388_608
#: a piece's number has 8 bits
PIECES_MAX: Final = 256
BUCKETS: Final = 256
#: of a word, the bytes that count
_WORD_BYTES_MAX: Final = 64
#: bytes of a query's word that are compared
QUERY_WORD_BYTES_MAX: Final = 200

_WORD_BYTES: Final = b"0123456789abcdefghijklmnopqrstuvwxyz_" + bytes(range(0x80, 0x100))
#: capitals as small letters; everything that is in no word as a space
_SPACED: Final = bytes(
    ord(chr(byte).lower())
    if chr(byte).isascii() and chr(byte).isupper()
    else byte
    if byte in _WORD_BYTES
    else 0x20
    for byte in range(256)
)
_ESCAPED: Final = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_ESCAPES: Final = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"b": b" ", b"f": b" "}


class Wanted(NamedTuple):
    """Something that a payload is to have: as it is written, and its words."""

    text: bytes
    words: frozenset[bytes]


def wanted(text: str) -> Wanted | None:
    """What a word of a query stands for; None: it has neither a letter nor a digit."""
    given = _lowered(text.encode("utf-8", "replace")).strip()[:QUERY_WORD_BYTES_MAX]
    words = frozenset(word[:_WORD_BYTES_MAX] for word in given.translate(_SPACED).split())
    return Wanted(given, words) if words else None


def has_all(payload: bytes, all_of: Sequence[Wanted]) -> bool:
    """Whether a payload has every one of these, as whole words, capital or not."""
    text = _readable(payload[:TEXT_BYTES_MAX])
    return all(_has(text, one.text) for one in all_of)


def words_of(payload: bytes) -> set[bytes]:
    """The distinct words of a payload, of its first `TEXT_BYTES_MAX` bytes."""
    return set(_readable(payload[:TEXT_BYTES_MAX]).translate(_SPACED).split())


class Builder:
    """Gathers the messages of one segment, in the order of their ids.

    Args:
        after: the id that the segment begins after.
    """

    def __init__(self, number: int, after: str) -> None:
        self.number = number
        self.after = after
        self.last = after
        self.messages = 0
        self.text_bytes = 0
        self._buckets = [array("I") for _ in range(BUCKETS)]
        self._ends: list[str] = []  #: the last id of each whole piece
        self._words: set[bytes] = set()  #: of the piece that is being filled
        self._in_piece = 0
        self._piece_bytes = 0

    @property
    def is_full(self) -> bool:
        return (
            self.messages >= SEGMENT_MESSAGES
            or self.text_bytes >= SEGMENT_BYTES
            or len(self._ends) >= PIECES_MAX
        )

    def add(self, message_id: str, payload: bytes) -> None:
        """The next message; about 10 µs for a payload of 1 KiB."""
        assert message_id > self.last
        self._words.update(words_of(payload))
        size = min(len(payload), TEXT_BYTES_MAX)
        self.last = message_id
        self.messages += 1
        self.text_bytes += size
        self._in_piece += 1
        self._piece_bytes += size
        if self._in_piece >= PIECE_MESSAGES or self._piece_bytes >= PIECE_BYTES:
            self._end_piece()

    def build(self) -> tuple[Segment, list[tuple[int, bytes]]]:
        """The segment, and its entries by bucket."""
        if self._in_piece:
            self._end_piece()
        segment = Segment(
            self.number,
            self.after,
            self.last,
            tuple(self._ends),
            self.messages,
            self.text_bytes,
            stale=False,
        )
        entries = [
            (bucket, _bytes_of(array("I", sorted(found))))
            for bucket, found in enumerate(self._buckets)
            if found
        ]
        return segment, entries

    def _end_piece(self) -> None:
        piece = len(self._ends)
        buckets = self._buckets
        for word in self._words:
            hashed = crc32(word[:_WORD_BYTES_MAX])
            buckets[hashed >> 24].append((hashed & 0xFFFFFF) << 8 | piece)
        self._ends.append(self.last)
        self._words = set()
        self._in_piece = 0
        self._piece_bytes = 0


def bucket_of(word: bytes) -> int:
    """Where a word's entries are."""
    return crc32(word) >> 24


def pieces_with(word: bytes, entries: bytes) -> set[int]:
    """The pieces that may have a word.

    Args:
        entries: of the word's bucket.
    """
    found = array("I")
    found.frombytes(entries)
    if sys.byteorder == "big":
        found.byteswap()
    first = (crc32(word) & 0xFFFFFF) << 8
    place = bisect_left(found, first)
    pieces = set()
    while place < len(found) and found[place] < first + PIECES_MAX:
        pieces.add(found[place] - first)
        place += 1
    return pieces


def candidates(
    segment: Segment, all_of: Iterable[bytes], entries: dict[bytes, bytes | None]
) -> list[int]:
    """The pieces of a segment that may have all of these words, newest first.

    Args:
        entries: of this segment's bucket, by word; None: the bucket is empty.
    """
    pieces = set(range(len(segment.pieces)))
    if segment.stale:
        return sorted(pieces, reverse=True)
    for word in all_of:
        bucket = entries[word]
        pieces &= pieces_with(word, bucket) if bucket is not None else set()
        if not pieces:
            break
    return sorted(pieces, reverse=True)


def piece_bounds(segment: Segment, piece: int) -> tuple[str, str]:
    """(after, last): messages with after < id <= last are in the piece."""
    return (segment.pieces[piece - 1] if piece else segment.after), segment.pieces[piece]


def _bytes_of(entries: array[int]) -> bytes:
    if sys.byteorder == "big":
        entries.byteswap()
    return entries.tobytes()


def _lowered(text: bytes) -> bytes:
    return text.lower()  # of ASCII alone: bytes of UTF-8 stay as they are


def _readable(payload: bytes) -> bytes:
    """The text in small letters, with the escapes of JSON as what they stand for."""
    if b"\\" in payload:
        payload = _ESCAPED.sub(_unescaped, payload)
    return _lowered(payload)


def _unescaped(match: re.Match[bytes]) -> bytes:
    digits, other = match.groups()
    if digits is None:
        return _ESCAPES.get(other, other)
    code = int(digits, 16)
    if 0xD800 <= code < 0xE000:  # half of a pair: it belongs to no word that is looked for
        return b" "
    return chr(code).encode()


def _has(text: bytes, phrase: bytes) -> bool:
    """Whether `phrase` is in the text and no word goes on at either end."""
    start = text.find(phrase)
    while start >= 0:
        end = start + len(phrase)
        before = text[start - 1 : start].translate(_SPACED).strip()
        after = text[end : end + 1].translate(_SPACED).strip()
        if not (before and _is_word(phrase[:1])) and not (after and _is_word(phrase[-1:])):
            return True
        start = text.find(phrase, start + 1)
    return False


def _is_word(byte: bytes) -> bool:
    return bool(byte.translate(_SPACED).strip())
