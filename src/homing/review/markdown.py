"""A review as Markdown: a value is a link to its source, titled with its place there. Pure."""

from __future__ import annotations

import re
from typing import Final

from homing.review.blocks import (
    Address,
    Again,
    Block,
    Bullets,
    Code,
    Document,
    Heading,
    Inline,
    Line,
    Paragraph,
    Plot,
    Pre,
    Source,
    Strong,
    Table,
    Value,
)

_SPECIAL: Final = re.compile(r"([\\`*_\[\]|])")


def markdown(document: Document) -> str:
    """The whole review."""
    parts = [f"# {_line(document.title)}"]
    parts += [_block(block, document) for block in document.blocks]
    parts += ["## Sources", *(_source(one) for one in document.sources)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _block(block: Block, document: Document) -> str:
    match block:
        case Heading():
            return f"## {_escaped(block.text)}"
        case Paragraph():
            return _line(block.line)
        case Bullets():
            return "\n".join(f"- {_line(one)}" for one in block.lines)
        case Table():
            return _table(block)
        case Pre():
            return _fenced(block.text, "")
        case Plot():
            return f"*{_line(block.caption)}*"
        case Again():
            return _again(document.commands(block))


def _table(block: Table) -> str:
    heads = [head.rstrip("#") for head in block.heads]
    rules = ["---:" if head.endswith("#") else "---" for head in block.heads]
    rows = [
        [
            f"**{_line(cell)}**" if index in block.marks and cell and _line(cell) else _line(cell)
            for cell in row
        ]
        for index, row in enumerate(block.rows)
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [heads, rules, *rows])


def _again(commands: str) -> str:
    return "To find these numbers again:\n\n" + _fenced(commands, "sh") if commands else ""


def _fenced(text: str, kind: str) -> str:
    """Lines as they are; the fence is longer than any in them, so that nothing gets out."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{kind}\n{text.rstrip()}\n{fence}"


def _source(source: Source) -> str:
    lines = [
        f'<a id="source-{source.name}"></a>',
        f"**{_escaped(source.title)}**",
        "",
        _fenced(source.command, "sh"),
    ]
    told = []
    if source.at:
        told.append(f"Found at `{source.at}` by `{source.by or 'nobody named'}`.")
    told += [f"`{name}` has the hash `{digest}`." for name, digest in source.inputs]
    return "\n".join([*lines, "", *told]) if told else "\n".join(lines)


def _line(parts: Line) -> str:
    return "".join(_inline(part) for part in parts)


def _inline(part: Inline) -> str:
    match part:
        case Value():
            path = part.path.replace('"', "'")
            return f'[{_escaped(part.text)}](#source-{part.source} "{path}")'
        case Code():
            text = part.text.replace("\n", " ").replace("|", "\\|")
            fence = "``" if "`" in text else "`"
            pad = " " if "`" in text else ""
            return f"{fence}{pad}{text}{pad}{fence}"
        case Strong():
            return f"**{_line(part.parts)}**"
        case Address():
            return f"[{_escaped(part.text)}](<{part.url}>)"
        case str():
            return _escaped(part)


def _escaped(text: str) -> str:
    """Text that means only itself, also where Markdown takes HTML."""
    text = " ".join(text.split("\n")).replace("&", "&amp;").replace("<", "&lt;")
    return _SPECIAL.sub(r"\\\1", text)
