"""What a review is written in: text without numbers, and values that know where they are from.

A number is a `Value`, never text: `line` refuses text that has one. So a document that was built
is one in which every number has a source; `check` holds files to the same rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

#: a word; with something numeric in it, it is a value: 0.3%, $8,000, 1.8.1, ½
_NUMERIC: Final = re.compile(r"\S+")
#: what is only a figure is one in any type: `0.3%`, `12 ms`
_FIGURE: Final = re.compile(r"[\s$€£~≈<>=+\-]*[\d.,]+\s*(%|[a-zA-Z]{0,4})\s*")


class Unsourced(ValueError):
    """A number in the text of a document: a bug of whoever wrote the sentence."""


class Value(msgspec.Struct, frozen=True):
    """A number, a time or a name, with where it is from."""

    text: str
    source: str  #: the name of a source of the document, e.g. "investigate"
    path: str  #: where in what the source's command prints, e.g. "rate.value"


class Code(msgspec.Struct, frozen=True):
    """A command, an id, the name of a file."""

    text: str


class Strong(msgspec.Struct, frozen=True):
    """Said louder."""

    parts: tuple[Inline, ...]


class Address(msgspec.Struct, frozen=True):
    """A link to somewhere else."""

    text: str
    url: str


Inline = str | Value | Code | Strong | Address
Line = tuple[Inline, ...]


class Heading(msgspec.Struct, frozen=True):
    """Of a section."""

    text: str


class Paragraph(msgspec.Struct, frozen=True):
    """Some sentences."""

    line: Line
    is_lead: bool = False


class Bullets(msgspec.Struct, frozen=True):
    """A list."""

    lines: tuple[Line, ...]


class Table(msgspec.Struct, frozen=True):
    """Rows; of columns whose head ends in "#" the cells are to the right."""

    heads: tuple[str, ...]
    rows: tuple[tuple[Line, ...], ...]
    marks: frozenset[int] = frozenset()  #: rows that stand out


class Pre(msgspec.Struct, frozen=True):
    """Lines as they are: commands, a diff."""

    text: str


class Plot(msgspec.Struct, frozen=True):
    """A picture of what a source says."""

    svg: str
    caption: Line
    source: str


class Again(msgspec.Struct, frozen=True):
    """The commands that find the numbers of a section again."""

    sources: tuple[str, ...]


Block = Heading | Paragraph | Bullets | Table | Pre | Plot | Again


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where values come from."""

    name: str
    title: str
    command: str
    at: str = ""  #: when it was found, ISO 8601
    by: str = ""
    inputs: tuple[tuple[str, str], ...] = ()  #: file and SHA-256


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A review, before it is Markdown or a page."""

    title: Line
    blocks: tuple[Block, ...]
    sources: tuple[Source, ...]

    def commands(self, again: Again) -> str:
        """The commands that it means, a line each; a source that is not here has none."""
        known = {one.name: one.command for one in self.sources}
        return "\n".join(known[name] for name in again.sources if name in known)


def is_numeric(text: str) -> bool:
    """Whether there is a digit in it, of any script: 3, ½, ³."""
    return any(letter.isnumeric() for letter in text)


def is_figure(text: str) -> bool:
    """Whether a text, also one in the type of code, is nothing but a figure."""
    return _FIGURE.fullmatch(text) is not None


def line(*parts: Inline) -> Line:
    """Parts of a sentence.

    Raises:
        Unsourced: there is a number in plain text.
    """
    for part in parts:
        if isinstance(part, str) and is_numeric(part):
            raise Unsourced(f"a number in plain text: {part!r}")
        if isinstance(part, Strong):
            line(*part.parts)
    return parts


def strong(*parts: Inline) -> Strong:
    return Strong(line(*parts))


def quoted(text: str, source: str, path: str) -> Line:
    """Somebody's own words: each number in them has the given source."""
    parts: list[Inline] = []
    at = 0
    for found in _NUMERIC.finditer(text):
        word = found[0].lstrip("(“\"'").rstrip(".,;:!?)”\"'")
        if not is_numeric(word):
            continue
        start = found.start() + found[0].index(word)
        if start > at:
            parts.append(text[at:start])
        parts.append(Value(word, source, path))
        at = start + len(word)
    if at < len(text):
        parts.append(text[at:])
    return tuple(parts)


def values_of(document: Document) -> Iterator[Value]:
    """Every value, in order."""
    yield from _values(document.title)
    for block in document.blocks:
        match block:
            case Paragraph():
                yield from _values(block.line)
            case Bullets():
                for one in block.lines:
                    yield from _values(one)
            case Table():
                for row in block.rows:
                    for cell in row:
                        yield from _values(cell)
            case Plot():
                yield from _values(block.caption)
            case Heading() | Pre() | Again():
                pass


def _values(parts: Line) -> Iterator[Value]:
    for part in parts:
        if isinstance(part, Value):
            yield part
        elif isinstance(part, Strong):
            yield from _values(part.parts)


def text_of(parts: Line) -> str:
    """The sentence as plain text."""
    return "".join(
        part
        if isinstance(part, str)
        else text_of(part.parts)
        if isinstance(part, Strong)
        else part.text
        for part in parts
    )
