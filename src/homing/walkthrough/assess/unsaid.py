"""What stands in an answer and is not said to be so: taken back, supposed, or only listed. Pure.

Words alone can be had for nothing. "It is not true that nobody asked" has the words of "nobody
asked", "if they had merged it, it would have gone to zero" those of a result, and twenty keywords,
each with an "I" and a verb before it, those of a whole story.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from homing.walkthrough.assess.words import Token, lists, places, tokens_of

Place = tuple[int, int]

#: where the scope of a denial or a wish ends: "…, I was", "… but", a new statement after a comma
_SCOPE_END: Final = re.compile(
    r"\s+but\b|\s*[;—]"
    r"|,\s+(?:(?:and|so|because|since|yet|still)\s+)?"
    r"(?:i|we|he|she|they|it|it's|my|our|the|this|that's|in\s+fact|actually)\b",
    re.IGNORECASE,
)
#: a sentence of at most so many words that says of the one before that it is not so
_RETRACTION_MAX: Final = 8
#: such a sentence begins with one of these
_POINTS_BACK: Final = re.compile(
    r"(?:but\s+|well,?\s+|no,?\s+|and\s+)*(?:that|this|it|which|none)\b", re.I
)

#: a piece of a list has at most so many words
_BARE_MAX: Final = 5
#: so many pieces in a row are a list, whatever else is told
_RUN_LONG: Final = 6
#: so many are a list where single pieces between them are told
_RUN_BROKEN: Final = 8
#: so many are one where much of the text is such lists, or where all are built alike
_RUN_SHORT: Final = 4
_LISTED_MUCH: Final = 0.4
#: a piece of fewer words has no build to compare
_SHAPE_MIN: Final = 4
#: one piece that is told may stand between pieces of a list, if it is no longer than this
_BETWEEN_MAX: Final = 8
#: a piece with one of these says something, one without goes on with it
_SUBJECTS: Final = frozenset(("i", "we", "it", "they", "he", "she", "nobody", "i've", "there"))
_BEFORE_NUMBERS: Final = frozenset(("to", "from", "by"))
_STOPS: Final = frozenset((",", ";", ":", ".", "—", "\u2013", "!", "?", "(", ")", "/", "->", "→"))


def denied(text: str, sentences: Sequence[Place]) -> list[Place]:
    """Where something is said and taken back, before it, behind it or in the next sentence."""
    found = []
    for number, (start, end) in enumerate(sentences):
        for before, after in places(text, lists()["denies"], start, end):
            found.append((before, _scope(text, after, end)))
        for before, _ in places(text, lists()["retracts"], start, end):
            head = text[start:before]
            if len(head.split()) >= 2:
                found.append((start, before))
            elif number and _is_short(text, start, end) and _POINTS_BACK.match(text[start:end]):
                found.append(sentences[number - 1])
    return found


def supposed(text: str, sentences: Sequence[Place]) -> list[Place]:
    """Where something is wished, planned, expected or supposed, and not told as having been."""
    found = []
    for start, end in sentences:
        if places(text, lists()["supposes"], start, end):
            found.append((start, end))
        for _, after in places(text, lists()["wishes"], start, end):
            found.append((after, _scope(text, after, end)))
    return found


def _scope(text: str, start: int, end: int) -> int:
    stop = _SCOPE_END.search(text, start, end)
    return stop.start() if stop else end


def _is_short(text: str, start: int, end: int) -> bool:
    return len(text[start:end].split()) <= _RETRACTION_MAX


class _Piece(NamedTuple):
    """Words between two signs, or before "and I"."""

    start: int
    end: int
    words: tuple[str, ...]  #: without sounds of speech and words that only go on

    @property
    def is_bare(self) -> bool:
        """Whether nothing ties it to what is told: no place, no reason, no "it"."""
        # "it dropped to zero" hangs on nothing in a list, "they adopted it" does
        if len(self.words) > _BARE_MAX or lists()["ties"] & set(
            self.words[self.words[0] == "it" :]
        ):
            return False
        # "for the owners" is a place in a story, "from 0.3%" and "by 50%" are not
        return not any(
            one in _BEFORE_NUMBERS and not after[:1].isdigit()
            for one, after in itertools.pairwise((*self.words, ""))
        )

    @property
    def shape(self) -> tuple[str, ...]:
        """How it is built: small words as they are, of all others only that they are there."""
        small = lists()["ties"] | lists()["begins"] | lists()["joins"] | lists()["negations"]
        kept = [one for one in self.words if one not in lists()["determiners"]]
        return tuple(one if one in small else "_" for one in kept)


def listed(text: str, sentences: Sequence[Place]) -> list[Place]:
    """Where there are lists of keywords, each with an "I" and a verb or without."""
    pieces = [piece for start, end in sentences for piece in _pieces(text, start, end)]
    if not pieces:
        return []
    flags = [one.is_bare for one in pieces]
    alike = [run for run in _alike(pieces) if run[1] - run[0] + 1 >= _RUN_SHORT]
    short = [run for run in _runs(flags, pieces) if _count(pieces, run) >= _RUN_SHORT]
    total = sum(len(one.words) for one in pieces)
    inside = {at for first, last in short for at in range(first, last + 1)}
    share = sum(len(pieces[at].words) for at in inside) / total if total else 0.0
    unbroken = [run for run in _runs(flags, pieces, gap_max=0) if _count(pieces, run) >= _RUN_LONG]
    broken = [run for run in short if _count(pieces, run) >= _RUN_BROKEN]
    runs = short if share >= _LISTED_MUCH else [*unbroken, *broken]
    return [(pieces[first].start, pieces[last].end) for first, last in (*runs, *alike)]


def _count(pieces: Sequence[_Piece], run: tuple[int, int]) -> int:
    """How many different ones; what is said twice counts once."""
    return len({one.words for one in pieces[run[0] : run[1] + 1] if one.is_bare})


def _runs(
    flags: Sequence[bool], pieces: Sequence[_Piece], gap_max: int = 1
) -> Iterator[tuple[int, int]]:
    """First and last of the bare pieces that follow one another, short told ones let pass."""
    first = last = -1
    for at, is_bare in enumerate(flags):
        if not is_bare:
            continue
        gap = pieces[last + 1 : at] if last >= 0 else ()
        if last >= 0 and (not gap or (len(gap) <= gap_max and len(gap[-1].words) <= _BETWEEN_MAX)):
            last = at
            continue
        if last >= 0:
            yield first, last
        first = last = at
    if last >= 0:
        yield first, last


def _alike(pieces: Sequence[_Piece]) -> Iterator[tuple[int, int]]:
    """First and last of pieces that are all built alike."""
    first = 0
    for at in range(1, len(pieces) + 1):
        if at < len(pieces) and pieces[at].shape == pieces[first].shape:
            continue
        if len(pieces[first].words) >= _SHAPE_MIN:
            yield first, at - 1
        first = at


def _pieces(text: str, start: int, end: int) -> Iterator[_Piece]:
    """Pieces of a sentence; "logs, traces and queries" behind a statement is a part of it."""
    found: list[_Piece] = []
    for one in _cut(text, start, end):
        is_said = bool(found) and bool(_SUBJECTS & set(found[-1].words))
        if is_said and not _SUBJECTS & set(one.words):
            found[-1] = found[-1]._replace(end=one.end)
        else:
            found.append(one)
    yield from found


def _cut(text: str, start: int, end: int) -> Iterator[_Piece]:
    held: list[Token] = []
    tokens = tokens_of(text, start, end)
    for at, token in enumerate(tokens):
        after = tokens[at + 1].text if at + 1 < len(tokens) else ""
        is_new = token.text in ("and", "then", "so", "plus") and after in lists()["begins"]
        if token.text in _STOPS or is_new:
            yield from _piece(held)
            held = []
        else:
            held.append(token)
    yield from _piece(held)


def _piece(tokens: Sequence[Token]) -> Iterator[_Piece]:
    kept = [one for one in tokens if one.is_word or one.is_number]
    empty = lists()["adverbs"] | lists()["fillers"] | {"and", "then", "so", "plus", "or"}
    words = tuple(one.text for one in kept if one.text not in empty)
    if words:
        yield _Piece(kept[0].start, kept[-1].end, words)
