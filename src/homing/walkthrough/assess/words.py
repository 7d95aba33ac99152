"""Words of an answer with their places, and the word lists that rules share. Pure.

Everything here is a closed list or a spelling rule: no model, no network, the same answer for the
same text.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources
from typing import Any, Final, NamedTuple

#: a number with what is glued to it, a word with its apostrophes, or one sign
_TOKEN: Final = re.compile(
    r"[$€£]?\d+(?:[.,]\d+)*(?:%|[kKmM]\b)?|[A-Za-zÀ-ÿ]+(?:['’][A-Za-z]+)*|->|→|—|[^\w\s]"  # noqa: RUF001
)
#: letters that are doubled before an ending: drop, dropped
_DOUBLED: Final = re.compile(r"[^aeiou][aeiou][bdgklmnprt]$")
_RAW: Final = "re:"


class Token(NamedTuple):
    """A word, number or sign as it stands in the text."""

    text: str  #: lower case, with a straight apostrophe
    start: int
    end: int

    @property
    def is_word(self) -> bool:
        return self.text[0].isalpha()

    @property
    def is_number(self) -> bool:
        return any(letter.isdigit() for letter in self.text)


def tokens_of(text: str, start: int = 0, end: int | None = None) -> list[Token]:
    """Every word, number and sign between two places of a text, in order."""
    end = len(text) if end is None else end
    return [
        Token(one[0].lower().replace("’", "'"), one.start(), one.end())  # noqa: RUF001
        for one in _TOKEN.finditer(text, start, end)
    ]


def count_of_words(text: str) -> int:
    """How many words a speaker would say; a number is one."""
    return sum(one.is_word or one.is_number for one in tokens_of(text))


@cache
def lists() -> dict[str, frozenset[str]]:
    """The shared word lists of `rules/words.toml`, by name; entries may be of several words."""
    found: dict[str, frozenset[str]] = {}
    for name, entries in _document().items():
        if isinstance(entries, list):
            found[name] = frozenset(str(one).lower() for one in entries)
    return found


class Form(NamedTuple):
    """What a spelling of a verb is."""

    lemma: str
    tense: str  #: "past", "present", "ing", "done" (participle only)


@cache
def forms() -> dict[str, Form]:
    """Every spelling of every listed verb. Irregular forms win over regular ones."""
    found: dict[str, Form] = {}
    irregular: dict[str, list[str]] = _document()["irregular"]
    for name in ("acts", "hands_off", "takes_part", "perceives", "solves", "happens"):
        for lemma in lists()[name]:
            found.setdefault(lemma, Form(lemma, "present"))
            for spelling, form in _endings(lemma):
                found.setdefault(spelling, form)
            if lemma.endswith("ize"):
                british = lemma[:-3] + "ise"
                for spelling, form in [(british, Form(lemma, "present")), *_endings(british)]:
                    found.setdefault(spelling, Form(lemma, form.tense))
    for lemma, (past, participle) in irregular.items():
        regular = [spelling for spelling, form in found.items() if form == Form(lemma, "past")]
        for spelling in regular:
            del found[spelling]
        found[participle] = Form(lemma, "done")
        found[past] = Form(lemma, "past")
        if past == lemma:
            found[past] = Form(lemma, "past")
    for spelling, lemma in _document()["spellings"].items():
        found[spelling] = Form(lemma, found[lemma].tense if lemma in found else "present")
        for ending, form in _endings(spelling):
            found.setdefault(ending, Form(lemma, form.tense))
    return found


def _endings(lemma: str) -> Iterator[tuple[str, Form]]:
    """Regular spellings; both the doubled and the plain one where English hesitates."""
    past, ing, third = Form(lemma, "past"), Form(lemma, "ing"), Form(lemma, "present")
    if lemma.endswith("e"):
        yield lemma + "d", past
        yield lemma[:-1] + "ing", ing
        yield lemma + "s", third
        return
    if lemma.endswith("y") and lemma[-2] not in "aeiou":
        yield lemma[:-1] + "ied", past
        yield lemma + "ing", ing
        yield lemma[:-1] + "ies", third
        return
    stems = [lemma, lemma + lemma[-1]] if _DOUBLED.search(lemma) else [lemma]
    for stem in stems:
        yield stem + "ed", past
        yield stem + "ing", ing
    yield lemma + ("es" if lemma.endswith(("s", "x", "ch", "sh")) else "s"), third


@cache
def _document() -> dict[str, Any]:
    text = resources.files("homing.walkthrough").joinpath("rules/words.toml").read_text("utf-8")
    return tomllib.loads(text)


@cache
def phrase_pattern(entries: frozenset[str]) -> re.Pattern[str]:
    """Any of some phrases as whole words, blanks of any width, either apostrophe.

    `*` in a phrase stands for up to three words; after `re:` stands a regular expression.
    """

    def one(phrase: str) -> str:
        if phrase.startswith(_RAW):
            return phrase.removeprefix(_RAW).replace("\\x27", "['\u2019]")
        parts = []
        for word in phrase.split():
            parts.append(r"(?:\S+\s+){0,3}?" if word == "*" else re.escape(word) + r"\s+")
        joined = "".join(parts)
        joined = joined[: -len(r"\s+")] if joined.endswith(r"\s+") else joined
        return joined.replace("'", "['’]")  # noqa: RUF001

    ordered = sorted(entries, key=lambda phrase: (-len(phrase), phrase))
    body = "|".join(one(phrase) for phrase in ordered) or r"(?!)"
    return re.compile(rf"(?<!\w)(?:{body})(?!\w)", re.IGNORECASE)


def places(text: str, entries: Iterable[str], start: int = 0, end: int | None = None) -> list[
    tuple[int, int]
]:  # fmt: skip
    """Where any of the phrases stands."""
    pattern = phrase_pattern(frozenset(entries))
    return [one.span() for one in pattern.finditer(text, start, len(text) if end is None else end)]
