"""What is particular to the lines of one file of text: names with nothing to tell that they are names
(`sets off to saffron-house`), and who writes a line (`check_claims: claim expired`). Pure."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Final, NamedTuple

from homing.forensics.operations import Op
from homing.forensics.reading.lines import Row
from homing.forensics.vocabulary import meaning


class Particulars(NamedTuple):
    """What is particular to the lines of a file of text."""

    names: frozenset[str] = frozenset()  #: see `names_in`
    shape: re.Pattern[str] | None = None  #: how the names of deliveries are made
    writers: re.Pattern[str] | None = None  #: what stands before a sentence, and says who writes it

    def plain(self, line: str) -> str:
        """The line as other files would have it."""
        line = with_noun(line, self.shape) if self.shape else line
        return self.writers.sub("", line, count=1) if self.writers else line


#: a part of a program before a colon, `webhooks:stale: `
_WRITER: Final = re.compile(r"([a-z][a-z0-9]*(?:[_:][a-z0-9]+)+)(?:: (.*))?")


def writers_in(rows: Iterable[Row]) -> re.Pattern[str] | None:
    """The parts of a program that write several kinds of lines, each with its name before a colon.

    A name before one kind of line, or before failures alone, may say what happened
    (`delivery_failed: timeout`).

    Args:
        rows: of a sample.
    """
    ops: dict[str, set[Op]] = defaultdict(set)
    for row in rows:
        written = _WRITER.fullmatch(str(row.get("text", "")))
        if written:
            said = written[2] or str(row.get("detail", ""))
            ops[written[1]].add(Op.WRITTEN if _DONE.match(said) else meaning(said).op)
    found = [writer for writer, told in ops.items() if len(told - _SAY_NOTHING) > 1]
    if not found:
        return None
    return re.compile(rf"(?<=[\s\]])(?:{'|'.join(map(re.escape, found))}): ")


#: no reason begins so: `set to failed`
_DONE: Final = re.compile(r"\W*(set|marked|moved|put|changed)\b")
_SAY_NOTHING: Final = frozenset({Op.UNKNOWN, Op.NOTED, Op.FAILED})


#: a log of no more sentences than these has no names in them
_SENTENCES_MAX: Final = 80
#: so many words in one place of sentences that are otherwise alike: it is the place of a name
_ALTERNATIVES_MIN: Final = 5
#: if so many of them mean something to us, it is the place of what happened
_MEANT_MAX: Final = 0.4
#: a name stands in so many kinds of sentences: in one it may be a word
_PLACES_MIN: Final = 2
_MARKS: Final = ".,;:()[]\"'"


def names_in(texts: Iterable[str]) -> frozenset[str]:
    """The words that are names: they stand where many others do, in several kinds of sentences.

    Args:
        texts: sentences of a sample, without their ids and numbers.
    """
    known = {text for text in texts if text}
    if len(known) <= _SENTENCES_MAX:
        return frozenset()
    places: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for text in known:
        words = text.split()
        for i, word in enumerate(words):
            name = word.strip(_MARKS)
            if name:
                around = (*words[:i], word.replace(name, "*", 1), *words[i + 1 :])
                places[around].add(name)
    found: dict[str, int] = defaultdict(int)
    for names in places.values():
        if len(names) >= _ALTERNATIVES_MIN and _are_names(names):
            for name in names:
                found[name] += 1
    return frozenset(name for name, count in found.items() if count >= _PLACES_MIN)


def _are_names(words: Sequence[str] | set[str]) -> bool:
    meant = sum(meaning(word).op is not Op.UNKNOWN for word in words)
    return meant <= _MEANT_MAX * len(words)


#: so many names show how all are made, and so short ones are words
_SHAPED_FEWEST: Final = 50
_SHAPED_LENGTH: Final = 8
#: of the names, so many are made so
_SHAPED_MIN: Final = 0.95


def shape_in(names: Iterable[str]) -> re.Pattern[str] | None:
    """How the names of deliveries are made that all begin alike and are as long, `wd2wfbg6h7`, `j-5d2ad68c`:
    one in twelve of the first and in 2,500 of the second has no digit, and is known by nothing
    else. None: they are not made so.

    Args:
        names: those that a sample's sentences were seen to have.
    """
    found = [name for name in dict.fromkeys(names) if _MADE.fullmatch(name)]
    if len(found) < _SHAPED_FEWEST:
        return None
    length, often = Counter(map(len, found)).most_common(1)[0]
    alike = [name for name in found if len(name) == length]
    pairs = zip(min(alike), max(alike), strict=True)
    same = takewhile(lambda both: both[0] == both[1], pairs)
    begun = _BEGUN.match("".join(first for first, _ in same))
    begins = begun[0] if begun else ""
    if often < _SHAPED_MIN * len(found) or length < _SHAPED_LENGTH or len(begins) < 2:
        return None
    is_hex = all(_HEX.fullmatch(name[len(begins) :]) for name in alike)
    is_mark = begins.endswith("_") or (begins.endswith("-") and is_hex)
    if _VOWEL.search(begins) and not is_mark:
        return None  # so may a word begin
    letters = "a-f0-9" if is_hex else "a-z0-9"
    return re.compile(rf"(?<![\w.-]){begins}[{letters}]{{{length - len(begins)}}}(?![\w-])")


_BEGUN: Final = re.compile(r"[a-z]+[-_]?")
_HEX: Final = re.compile(r"[a-f0-9]+")
_MADE: Final = re.compile(r"(?:[a-z]{1,8}[-_])?[a-z0-9]+")
_VOWEL: Final = re.compile(r"[aeiouy]")


def with_noun(line: str, shape: re.Pattern[str]) -> str:
    """A line of text in which the first name of that shape says whose it is: `to delivery=wd2wfbg6h7`."""
    found = shape.search(line)
    if found is None or line[: found.start()].endswith("="):
        return line
    if not found[0].isalnum() and (
        _DIGIT.search(found[0]) or line[: found.start()].endswith(_INSIDE)
    ):
        return line  # it is known by its digits, or stands in a text or a path
    return f"{line[: found.start()]}delivery={found[0]} {line[found.end() :]}"


_DIGIT: Final = re.compile(r"\d")
_INSIDE: Final = ('"', "'", "/", ":")


#: what is left at the end of a sentence whose names and numbers are taken out
_LEFT_OVER: Final = frozenset(
    ["in", "after", "at", "with", "to", "of", "for", "from", "by", "on", "-"]
) | {""}


def without_names(row: Row, names: frozenset[str]) -> Row:
    """A line of text without the names in its sentence; the first is its `endpoint`, if it has none."""
    text = row.get("text")
    if not isinstance(text, str):
        return row
    words = text.split()
    told = [name for word in words if (name := word.strip(_MARKS)) in names]
    left = [word for word in words if word.strip(_MARKS) not in names]
    while left and left[-1].strip(_MARKS) in _LEFT_OVER:
        left.pop()
    found = {"endpoint": told[0]} if told else {}
    return {**found, **row, "text": " ".join(left).rstrip(_MARKS) or "-"}
