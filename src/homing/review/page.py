"""A review as one page that needs nothing else: light, dark, printable, no script. Pure."""

from __future__ import annotations

from html import escape
from typing import Final
from urllib.parse import urlsplit

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
    text_of,
)

#: a table with so many columns of words is too wide for a telephone: there a row is a block
_STACKS_FROM: Final = 3
#: a value of so many letters is not folded: a time, a figure
_SHORT: Final = 24
STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c2430; --paper: #fff; --soft: #566478; --line: #d9dfe7;
  --bad: #c22f2f; --bar: #8fa7c7; --mark: #fff1d6; --link: #1f5f8b; --wash: #f3f6fa;
  --measured: #2f8f5b; --declared: #2f7f9f; --assumed: #c98a1b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6ebf2; --paper: #12161c; --soft: #9aa8bb;
  --line: #2b3442; --bad: #ff7a70; --bar: #4d6b93; --mark: #3a2f17; --link: #8fc4ea;
  --wash: #1a212b; } }
* { box-sizing: border-box; }
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  margin: 0 auto; max-width: 58rem; padding: 2.2rem 1.2rem 4rem; overflow-wrap: break-word; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 1rem; text-wrap: balance; }
h2 { font-size: 1.2rem; margin: 2.6rem 0 .6rem; padding-top: .8rem;
  border-top: 1px solid var(--line); }
p, ul { margin: .6rem 0; max-width: 46rem; } li { margin: .25rem 0; }
.lead { font-size: 1.18rem; line-height: 1.5; max-width: none; }
table { border-collapse: collapse; width: 100%; font-size: .93rem; margin: .6rem 0; }
th { text-align: left; color: var(--soft); font-weight: 600; }
th, td { padding: .35rem .8rem .35rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
tr.mark td { background: var(--mark); font-weight: 600; }
tr.mark td:first-child { box-shadow: inset 4px 0 var(--bad); padding-left: .7rem; }
.scroll { overflow-x: auto; }
code, pre { font-family: ui-monospace, monospace; font-size: .86em; }
pre { background: var(--wash); padding: .7rem .9rem; border-radius: 6px; overflow-x: auto;
  margin: .6rem 0; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; }
td code { overflow-wrap: anywhere; }
.again { color: var(--soft); font-size: .9rem; margin: .9rem 0 0; }
.again pre { margin: .2rem 0; color: var(--ink); }
a { color: var(--link); }
a.value { color: inherit; text-decoration: underline dotted var(--soft) 1px;
  text-underline-offset: .22em;
  font-variant-numeric: tabular-nums; }
a.short { white-space: nowrap; }
a.value:hover, a.value:focus { background: var(--mark); }
a.value sup { color: var(--soft); font-size: .62em; margin-left: .12em; line-height: 0; }
.source { margin: 1.1rem 0; padding: .2rem 0 .2rem 1rem; border-left: 3px solid var(--line); }
.source:target { border-color: var(--bad); background: var(--wash); }
.source p { margin: .2rem 0; color: var(--soft); font-size: .9rem; max-width: none;
  overflow-wrap: anywhere; }
.source .name { color: var(--ink); font-weight: 600; font-size: 1rem; }
figure { margin: 1rem 0; } figcaption { color: var(--soft); font-size: .9rem; }
svg { width: 100%; height: auto; display: block; }
svg text { fill: var(--soft); font: 13px system-ui, sans-serif; } svg .ink { fill: var(--ink); }
svg .axis { stroke: var(--line); } svg .bar { fill: var(--bar); } svg .drop { fill: var(--bad); }
svg .edge { stroke: var(--bad); stroke-width: 2; stroke-dasharray: 5 4; }
svg .span { fill: var(--bad); opacity: .22; }
svg .whisker { stroke: var(--ink); stroke-width: 1.5; } svg .thin { stroke-width: 1; opacity: .55; }
svg .middle { stroke: var(--ink);
  stroke-dasharray: 5 4; }
svg .measured { fill: var(--measured); } svg .declared { fill: var(--declared); }
svg .assumed { fill: var(--assumed); } svg .lane { stroke: var(--line); stroke-width: 2; }
svg .held { fill: var(--bar); } svg .crossing { fill: var(--bad); }
@media (max-width: 40rem) { body { padding-top: 1.2rem; } h1 { font-size: 1.5rem; }
  .lead { font-size: 1.08rem; } a.short { white-space: normal; }
  th, td { padding-right: .5rem; } table { font-size: .88rem; }
  svg { overflow: visible; } svg text { font-size: 27px; } svg .aside { display: none; }
  .stacks thead { position: absolute; clip-path: inset(50%); }
  .stacks tr { display: block; padding: .5rem 0; border-bottom: 1px solid var(--line); }
  .stacks td, .stacks td.n { display: block; padding: .1rem 0; border: 0; text-align: left; }
  .stacks td:empty { display: none; }
  .stacks td[data-label]::before { content: attr(data-label) ": "; color: var(--soft); }
  .stacks tr.mark { background: var(--mark); box-shadow: inset 4px 0 var(--bad); }
  .stacks tr.mark td, .stacks tr.mark td:first-child { box-shadow: none; background: none;
    padding-left: .8rem; } }
@media print { :root { color-scheme: light; --ink: #000; --paper: #fff; --soft: #444; --line: #bbb;
  --bad: #b00; --bar: #9ab; --mark: #eee; --link: #000; --wash: #f4f4f4; }
  @page { margin: 18mm 16mm; }
  body { max-width: none; padding: 0; font-size: 10.5pt; } .scroll { overflow: visible; }
  h2 { break-after: avoid; } tr, figure, .source, li { break-inside: avoid; }
  a { text-decoration: none; } }
"""


def page(document: Document) -> str:
    """The whole review as HTML."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(text_of(document.title))}</title><style>{STYLE}</style></head>\n<body>\n"
        + body(document)
        + "\n</body></html>\n"
    )


def body(document: Document) -> str:
    """What is in the page: for another page that has a style of its own."""
    letters = _letters(document)
    writer = _Writer(letters, document)
    parts = [f"<h1>{writer.line(document.title)}</h1>"]
    parts += [writer.block(block) for block in document.blocks]
    parts.append("<h2>Sources</h2>")
    parts += [_source(one, letters[one.name]) for one in document.sources]
    return "\n".join(part for part in parts if part)


def sections(document: Document) -> list[tuple[str, str]]:
    """(heading, HTML) of each section; what comes before the first heading has an empty one.

    Its values lead to `#source-…`, which `body` has.
    """
    writer = _Writer(_letters(document), document)
    found: list[tuple[str, list[str]]] = [("", [])]
    for block in document.blocks:
        if isinstance(block, Heading):
            found.append((block.text, []))
        else:
            found[-1][1].append(writer.block(block))
    return [(heading, "\n".join(part for part in parts if part)) for heading, parts in found]


def _letters(document: Document) -> dict[str, str]:
    return {one.name: chr(ord("a") + i % 26) for i, one in enumerate(document.sources)}


def _source(source: Source, letter: str) -> str:
    told = ""
    if source.at:
        told = (
            f"<p>Found at <code>{escape(source.at)}</code> by "
            f"<code>{escape(source.by or 'nobody named')}</code>.</p>"
        )
    told += "".join(
        f"<p><code>{escape(name)}</code> has the hash <code>{escape(digest)}</code></p>"
        for name, digest in source.inputs
    )
    return (
        f'<div class="source" id="source-{escape(source.name)}">'
        f'<p class="name"><sup>{letter}</sup> '
        f"{escape(source.title)}</p><pre>{escape(source.command)}</pre>{told}</div>"
    )


class _Writer:
    """Writes blocks, with the letters of their sources."""

    def __init__(self, letters: dict[str, str], document: Document) -> None:
        self._letters = letters
        self._document = document

    def block(self, block: Block) -> str:
        match block:
            case Heading():
                return f"<h2>{escape(block.text)}</h2>"
            case Paragraph():
                tone = ' class="lead"' if block.is_lead else ""
                return f"<p{tone}>{self.line(block.line)}</p>"
            case Bullets():
                lines = "".join(f"<li>{self.line(one)}</li>" for one in block.lines)
                return f"<ul>{lines}</ul>"
            case Table():
                return self._table(block)
            case Pre():
                return f"<pre>{escape(block.text)}</pre>"
            case Plot():
                return (
                    f'<figure data-source="{escape(block.source)}">{block.svg}'
                    f"<figcaption>{self.line(block.caption)}</figcaption></figure>"
                )
            case Again():
                commands = self._document.commands(block)
                text = f"To find these numbers again:<pre>{escape(commands)}</pre>"
                return f'<div class="again">{text}</div>' if commands else ""

    def _table(self, block: Table) -> str:
        right = [head.endswith("#") for head in block.heads]
        tone = [' class="n"' if one else "" for one in right]
        heads = "".join(
            f'<th scope="col"{css}>{escape(head.rstrip("#"))}</th>'
            for head, css in zip(block.heads, tone, strict=True)
        )
        stacks = ' class="stacks"' if right.count(False) >= _STACKS_FROM else ""
        labels = [
            f' data-label="{escape(head.rstrip("#"))}"' if stacks and head.strip() else ""
            for head in block.heads
        ]
        rows = []
        for index, row in enumerate(block.rows):
            cells = "".join(
                f"<td{css}{label}>{self.line(cell)}</td>"
                for cell, css, label in zip(row, tone, labels, strict=True)
            )
            mark = ' class="mark"' if index in block.marks else ""
            rows.append(f"<tr{mark}>{cells}</tr>")
        return (
            f'<div class="scroll" tabindex="0"><table{stacks}><thead>'
            f"<tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        )

    def line(self, parts: Line) -> str:
        return "".join(self._inline(part) for part in parts)

    def _inline(self, part: Inline) -> str:
        match part:
            case Value():
                letter = self._letters.get(part.source, "")
                tone = "value short" if len(part.text) <= _SHORT else "value"
                return (
                    f'<a class="{tone}" href="#source-{escape(part.source)}" '
                    f'title="{escape(part.path)}">{escape(part.text)}'
                    f'<sup aria-hidden="true">{letter}</sup></a>'
                )
            case Code():
                return f"<code>{escape(part.text)}</code>"
            case Strong():
                return f"<strong>{self.line(part.parts)}</strong>"
            case Address():
                # An address from somebody's file is followed only where a browser may go.
                if urlsplit(part.url).scheme in ("http", "https"):
                    return f'<a href="{escape(part.url)}">{escape(part.text)}</a>'
                return f"<code>{escape(part.url)}</code>"
            case str():
                return escape(part)
