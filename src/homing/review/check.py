"""Holds a written review to its rule: no number without a source, no zero without its N. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from html import unescape
from html.parser import HTMLParser
from typing import Final

import msgspec

from homing.review.blocks import Line, Strong, Value, is_figure, is_numeric, text_of

#: a value in Markdown: [0.298%](#source-investigate "rate.value")
_SOURCED: Final = re.compile(r'\[((?:\\.|[^\]\\])*)\]\(#source-([\w-]+) "([^"]+)"\)')
_LINK: Final = re.compile(r"\[((?:\\.|[^\]\\])*)\]\([^)\s]*\)")
_CODE: Final = re.compile(r"(`+)(.+?)\1")
_ANCHOR: Final = re.compile(r'<a id="source-([\w-]+)"></a>')
_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
#: the source that is the record itself, in Markdown and in HTML
_RECORD: Final = re.compile(r'id="source-record".*?homing incident show (.+?) --json', re.DOTALL)
#: words that look for whom, where a review asks for what made it likely
_BLAME: Final = re.compile(
    r"\b(?:to blame|blames?|blamed|careless(?:ly|ness)?|negligen(?:t|ce)|human error|"
    r"should have known|incompetent|stupid(?:ly|ity)?|\w+'s fault|fault of)\b",
    re.IGNORECASE,
)
_TAG: Final = re.compile(r"</?[a-zA-Z][^>]*>")
_WORDS: Final = (
    "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|"
    "sixty|seventy|eighty|ninety|hundreds?|thousands?|millions?|dozen|half"
)
_THINGS: Final = (
    "percent|per cent|deliver(?:y|ies)|drops?|webhooks?|payments?|customers?|events?|messages?|"
    "dollars?|euros?|pounds?|hours?|days?|weeks?|minutes?|seconds?|tenants?|shops?"
)
_IN_WORDS: Final = re.compile(
    rf"\b(?:{_WORDS})[ -](?:of |the |a )*(?:{_THINGS}|{_WORDS})\b",
    re.IGNORECASE,
)
_ZERO_WORDS: Final = re.compile(
    r"\bzero\b|\bno (?:\w+ )?(?:drops?|loss(?:es)?|webhooks?|deliver(?:y|ies))\b"
    r"|\bnone\b[^.;]*\b(?:dropped|lost|missing|unaccounted)\b"
    r"|\bnothing (?:was|is|has been) (?:dropped|lost)\b|\bwithout (?:a|any) (?:drop|loss)\b",
    re.IGNORECASE,
)
_ZERO: Final = re.compile(r"[^\w.,]*0(?:[.,]0+)?\s*(?:%|drops?|dropped|[A-Z]{3})?")
_OF: Final = re.compile(r"\b(?:of|in|among|out of)\s*$", re.IGNORECASE)
_SENTENCE: Final = re.compile(r"(?<=[.!?;])\s+")


class Sourced(msgspec.Struct, frozen=True):
    """A value as it stands in a file."""

    text: str
    source: str
    path: str


class Passage(msgspec.Struct, frozen=True):
    """A sentence, or a row of a table."""

    number: int  #: of the line, from 1
    parts: tuple[str | Sourced, ...]


class Mistake(msgspec.Struct, frozen=True):
    """Something the linter refuses."""

    line: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}"


def check(text: str, expected: Mapping[tuple[str, str], set[str]] | None = None) -> list[Mistake]:
    """What is wrong with a review, Markdown or HTML, by line.

    Args:
        expected: (source, path) → what the sources say now; None: only whether there is a source.
    """
    is_page = text.lstrip()[:9].lower() == "<!doctype"
    passages, sources, mistakes = _of_page(text) if is_page else _of_markdown(text)
    for passage in passages:
        mistakes += _unsourced(passage)
        mistakes += _unknown(passage, sources, expected)
        mistakes += _bare_zero(passage)
    return sorted(mistakes, key=lambda one: one.line)


def record_named(text: str) -> str | None:
    """The record that a review says it was written from; None: it says none."""
    found = _RECORD.search(text)
    try:
        words = shlex.split(unescape(found[1])) if found else []
    except ValueError:
        return None
    return words[0] if len(words) == 1 else None


def faults(parts: Line) -> list[Mistake]:
    """What would be wrong with a sentence that somebody, or a command, has written."""
    plain: list[str | Sourced] = []
    for part in parts:
        if isinstance(part, Value):
            plain.append(Sourced(part.text, part.source, part.path))
        elif isinstance(part, str):
            plain.append(part)
        elif isinstance(part, Strong):
            plain.append(text_of(part.parts))
    found: list[Mistake] = []
    for passage in (Passage(1, one) for one in _sentences(plain)):
        found += [*_unsourced(passage), *_bare_zero(passage)]
    return found


def _unsourced(passage: Passage) -> Iterator[Mistake]:
    for part in passage.parts:
        if isinstance(part, Sourced):
            continue
        for word in part.split():
            if is_numeric(word):
                yield Mistake(passage.number, f"{word!r} has no source")
    plain = "".join(part if isinstance(part, str) else "\x00" for part in passage.parts)
    for found in _IN_WORDS.finditer(plain):
        yield Mistake(passage.number, f"{found[0]!r} has no source: a number in words is one, too")
    for found in _BLAME.finditer(plain):
        told = "blames somebody: say what happened, and what made it likely"
        yield Mistake(passage.number, f"{found[0]!r} {told}")


def _unknown(
    passage: Passage, sources: set[str], expected: Mapping[tuple[str, str], set[str]] | None
) -> Iterator[Mistake]:
    for part in passage.parts:
        if isinstance(part, str):
            continue
        if part.source not in sources:
            text = f"{part.text!r}: there is no source {part.source!r} in this document"
            yield Mistake(passage.number, text)
        elif expected is not None:
            said = expected.get((part.source, part.path), set())
            if part.text not in said:
                now = " or ".join(sorted(said)) or "nothing"
                text = f"{part.text!r}: {part.path} of {part.source} gives {now}"
                yield Mistake(passage.number, text)


def _bare_zero(passage: Passage) -> Iterator[Mistake]:
    """A zero is worth its number of deliveries, which must stand beside it."""
    plain = "".join(part for part in passage.parts if isinstance(part, str))
    zeros = [
        part.text
        for part in passage.parts
        if isinstance(part, Sourced) and _ZERO.fullmatch(part.text.strip(" .,;:()"))
    ]
    word = _ZERO_WORDS.search(plain)
    if not zeros and word is None:
        return
    before = ""
    for part in passage.parts:
        if isinstance(part, str):
            before = part
        elif _OF.search(before) and re.search(r"[1-9]", part.text):
            return
    said = zeros[0] if zeros else word[0] if word else ""
    yield Mistake(passage.number, f"{said!r} without its N: say of how many")


# --- Markdown ---


def _of_markdown(text: str) -> tuple[list[Passage], set[str], list[Mistake]]:
    passages: list[Passage] = []
    fence = ""
    sources = set(_ANCHOR.findall(text))
    for number, raw in enumerate(text.splitlines(), 1):
        mark = _FENCE.match(raw)
        if fence:
            if mark and mark[1].startswith(fence) and not mark[2].strip():
                fence = ""
            continue
        if mark:
            fence = mark[1]
            continue
        parts = _parts(raw)
        is_row = raw.lstrip().startswith("|")
        passages += [Passage(number, one) for one in ([parts] if is_row else _sentences(parts))]
    return passages, sources, []


def _parts(raw: str) -> tuple[str | Sourced, ...]:
    """A line of Markdown as text and values; code and where links lead to is left out."""
    parts: list[str | Sourced] = []
    at = 0
    for found in _SOURCED.finditer(raw):
        parts.append(_plain(raw[at : found.start()]))
        parts.append(Sourced(_unescaped(found[1]), found[2], found[3]))
        at = found.end()
    parts.append(_plain(raw[at:]))
    return tuple(parts)


def _plain(text: str) -> str:
    text = _CODE.sub(lambda code: code[2] if is_figure(code[2]) else " ", text)
    text = _LINK.sub(lambda link: link[1], text)
    return _unescaped(_TAG.sub("", text))


def _unescaped(text: str) -> str:
    return unescape(re.sub(r"\\([\\`*_\[\]|<>#])", r"\1", text))


def _sentences(parts: Sequence[str | Sourced]) -> list[tuple[str | Sourced, ...]]:
    """The parts, cut where a sentence ends."""
    found: list[list[str | Sourced]] = [[]]
    for part in parts:
        if isinstance(part, Sourced):
            found[-1].append(part)
            continue
        first, *rest = _SENTENCE.split(part)
        found[-1].append(first)
        found += [[one] for one in rest]
    return [tuple(one) for one in found]


# --- HTML ---

_BLOCKS: Final = frozenset(
    ("p", "li", "tr", "h1", "h2", "h3", "h4", "figcaption", "div", "section", "caption", "body")
)
_SILENT: Final = frozenset(("code", "pre", "style", "svg", "title"))


class _Page(HTMLParser):
    """Reads a page into passages."""

    def __init__(self) -> None:
        super().__init__()
        self.passages: list[Passage] = []
        self.sources: set[str] = set()
        self.mistakes: list[Mistake] = []
        self._parts: list[str | Sourced] = []
        self._silent: list[str] = []
        self._code = ""
        self._value: tuple[str, str] | None = None
        self._figures: list[str] = []
        self._plots: list[tuple[int, str]] = []
        self._number = 1
        self._is_row = False
        self._is_letter = False
        self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name = given.get("id") or ""
        if name.startswith("source-"):
            self.sources.add(name.removeprefix("source-"))
        if tag == "script":
            self._refuse("a script: the page must say the same without one")
        if tag == "figure":
            self._figures.append(given.get("data-source") or "")
        if tag == "svg" and not self._silent:
            self._plots.append((self.getpos()[0], self._figures[-1] if self._figures else ""))
        if tag in ("img", "iframe", "object", "embed", "video", "canvas"):
            self._refuse(f"<{tag}>: what it shows has no source")
        if tag == "sup" and self._value is not None:
            self._is_letter = True
        elif tag in _SILENT:
            self._silent.append(tag)
            self._code = ""
        elif tag == "a" and (given.get("href") or "").startswith("#source-"):
            source = (given.get("href") or "").removeprefix("#source-")
            self._value = (source, given.get("title") or "")
            self._text = ""
        elif tag in _BLOCKS and not self._silent:
            self._end(is_row=tag == "tr")

    def handle_endtag(self, tag: str) -> None:
        if self._silent and tag == self._silent[-1]:
            self._silent.pop()
            if tag == "code" and not self._silent and is_figure(self._code):
                self._parts.append(self._code)
        elif tag == "sup":
            self._is_letter = False
        elif tag == "a" and self._value is not None:
            source, path = self._value
            self._value = None
            self._parts.append(Sourced(self._text, source, path))
        elif tag == "figure" and self._figures:
            self._figures.pop()
        elif tag in _BLOCKS and not self._silent:
            self._end()
        elif tag in ("td", "th"):
            self._parts.append(" ")

    def handle_data(self, data: str) -> None:
        if self._silent:
            self._code += data
        elif self._is_letter:
            return
        elif self._value is not None:
            self._text += data
        else:
            if not self._parts:
                self._number = self.getpos()[0]
            self._parts.append(data)

    def _end(self, *, is_row: bool = False) -> None:
        parts = self._parts
        cut = [tuple(parts)] if self._is_row else _sentences(parts)
        self.passages += [Passage(self._number, one) for one in cut if one]
        self._parts = []
        self._number = self.getpos()[0]
        self._is_row = is_row

    def finish(self) -> None:
        """What can be said only when all of it was read."""
        self._end()
        self.mistakes += [
            Mistake(number, "a plot has no source (data-source of its figure)")
            for number, source in self._plots
            if source not in self.sources
        ]

    def _refuse(self, text: str) -> None:
        self.mistakes.append(Mistake(self.getpos()[0], text))


def _of_page(text: str) -> tuple[list[Passage], set[str], list[Mistake]]:
    page = _Page()
    page.feed(text)
    page.close()
    page.finish()
    return page.passages, page.sources, page.mistakes
