"""What `homing investigate` prints: the finding on one screen, the lanes, the next command."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator
from typing import Any, Final

from rich.text import Text

from homing.cli.lanes import lanes_text
from homing.core.plurals import plural
from homing.forensics.catalogue import MECHANISMS
from homing.forensics.telling import (
    YOURS,
    endings_told,
    hardest_told,
    hit_count,
    rivals_told,
    since_told,
)

_HIT_MAX: Final = 3
#: how far a folded line goes on to the right: under the text of the evidence, columns
SET_IN: Final = 11


def report(document: dict[str, Any], *, saved: str | None, width: int) -> Iterator[Text]:
    """The lines of the report, from the JSON document of an investigation.

    Args:
        saved: where the document is; None: nowhere.
        width: of the screen, in columns; the lanes are made to fit.
    """
    yield from _explained(_lines(document, saved, width))


#: of a mechanism, wherever it is spoken of
_CODE: Final = re.compile(r"\bD\d{1,2}\b")


def _explained(lines: Iterable[Text]) -> Iterator[Text]:
    """The lines, with the name of each mechanism beside its code where that is said first."""
    said: set[str] = set()
    for line in lines:
        at = 0
        while found := _CODE.search(line.plain, at):
            code, at = found[0], found.end()
            if code not in said and code in MECHANISMS:
                said.add(code)
                line, at = _with_name(line, at, MECHANISMS[code].name)
        yield line


def _with_name(line: Text, at: int, name: str) -> tuple[Text, int]:
    """The line with a name behind the code that ends at a place, and where to read on."""
    rest = line.plain[at:]
    if rest.lstrip(" (").startswith(name):
        return line, at
    if rest.startswith(" ("):  # how many are like it
        at, more = at + 2, f"{name}, "
    elif rest.startswith(")"):
        more = f": {name}"
    else:
        more = f" ({name})"
    head, tail = line.divide([at])
    return Text.assemble(head, more, tail), at + len(more)


def _lines(document: dict[str, Any], saved: str | None, width: int) -> Iterator[Text]:
    yield from _head(document)
    if document["dropped"] and document.get("doubt"):
        yield Text.assemble(("suspect  ", "bold"), document["hypothesis"]["sentence"])
        for number, example in enumerate(document["examples"], 1):
            yield from _lanes(example, f"looks dropped, {number}", width)
    elif document["dropped"]:
        yield from _since(document)
        if document["deleted"]:
            yield Text(f"         {document['deleted']['sentence']}")
        yield from _who(document)
        yield from _suspect(document)
        for number, example in enumerate(document["examples"], 1):
            yield from _lanes(example, f"example {number}", width)
        for example in document["counter_examples"][:1]:
            yield from _lanes(example, "and one that came through", width)
    yield from _limits(document)
    yield from _read_as(document)
    yield from _next(document, saved)


_STYLES: Final = {
    "dropped": "bold red",
    "no drop": "bold green",
    "too short": "bold yellow",
    "in doubt": "bold yellow",
}


def _head(document: dict[str, Any]) -> Iterator[Text]:
    verdict = document["verdict"]
    told = "too short a log to tell" if verdict == "too short" else verdict
    yield Text.assemble((f"{told}: ", _STYLES[verdict]), document["summary"])
    books = document["books"]
    parts = " + ".join(f"{n:,} {name}" for name, n in books.items() if n)
    yield Text(f"  {document['accepted']:,} accepted = {parts}", style="dim")
    for told in endings_told(document):
        yield Text(f"  {told}", style="dim")
    log = document["log"]
    yield Text(
        f"  {plural(document['rows'], 'row')} from {log['from']} to {log['to']}", style="dim"
    )
    if document["damaged_rows"]:
        yield Text.assemble(
            (f"  {plural(document['damaged_rows'], 'damaged row')}: ", "yellow"),
            "; ".join(document["damaged"][:3]),
        )


def _since(document: dict[str, Any]) -> Iterator[Text]:
    since = document["since"]
    if not since["is_change"]:
        yield Text.assemble(
            ("since    ", "bold"),
            f"the log's beginning, at a constant rate (p = {since['p']:.2g} for a change)",
        )
        return
    until = f", until {since['until']}" if since["until"] else ""
    yield Text.assemble(
        ("since    ", "bold"),
        f"{since_told(since)}{until}: "
        f"{since['rate_before']:.3%} before, {since['rate_after']:.3%} after (p = {since['p']:.2g})",
    )


def _who(document: dict[str, Any]) -> Iterator[Text]:
    for name, rows in document["hit"].items():
        if len(rows) == 1 and rows[0]["accepted"] == document["accepted"]:
            continue
        parts = ", ".join(
            f"{r['name']} {r['dropped']:,} of {r['accepted']:,} ({r['dropped'] / r['accepted']:.2%})"
            for r in rows[:_HIT_MAX]
        )
        left = hit_count(document, name) - len(rows[:_HIT_MAX])
        more = f" and {left:,} more" if left else ""
        yield Text.assemble((f"{'hit':9}", "bold"), f"{name.replace('_', ' ')}: {parts}{more}")
        if hardest := hardest_told(document, name):
            yield Text.assemble(" " * 9, (hardest, "bold"))


def _suspect(document: dict[str, Any]) -> Iterator[Text]:
    one = document["hypothesis"]
    if one["mechanism"] is None:
        style = "bold yellow" if one["candidates"] else ""
        yield Text.assemble(("suspect  ", "bold"), (one["sentence"], style))
    else:
        yield Text.assemble(
            ("suspect  ", "bold"),
            (f"{one['mechanism']} {one['name']}", "bold red"),
            f": {one['sentence']}",
        )
    for each in one["candidates"]:
        yield Text.assemble(
            ("or       ", "bold"),
            (f"{each['mechanism']} {each['name']}: ", "bold"),
            each["sentence"],
        )
    for line in one["evidence"]:
        yield Text.assemble(("         · ", "dim"), line)
    yield from _rivals(one)


#: so many rivals are spoken of; the page and --json have all
_RIVALS_MAX: Final = 4


def _rivals(hypothesis: dict[str, Any]) -> Iterator[Text]:
    """Why it is none of the others, or which of them it may be."""
    for number, (is_excluded, line) in enumerate(rivals_told(hypothesis)[:_RIVALS_MAX]):
        label = "others   " if number == 0 else " " * 9
        yield Text.assemble((label, "bold"), (line, "" if is_excluded else "yellow"))


def _lanes(example: dict[str, Any], title: str, width: int) -> Iterator[Text]:
    yield Text()
    yield Text.assemble(
        (title, "bold"),
        f"  {example['delivery']}, accepted {example['accepted_at']}{_why(example)}",
    )
    yield from lanes_text(example["rows"], width)


def _why(example: dict[str, Any]) -> str:
    """Why it is called dropped; nothing of one that came through."""
    return "" if example["why"] == "none" else f", {example['why'].replace('_', ' ')}"


def _limits(document: dict[str, Any]) -> Iterator[Text]:
    said = {line for _, line in rivals_told(document["hypothesis"])[:_RIVALS_MAX]}
    left = [line for line in document["cannot_tell"] if line not in said]
    if left:
        yield Text()
        yield Text("what this log cannot show", style="bold")
        for line in left:
            yield Text(f"  · {line}")


#: so many columns are shown of a file whose columns were guessed and may be wrong
_COLUMNS_MAX: Final = 14


def _read_as(document: dict[str, Any]) -> Iterator[Text]:
    """Where the columns may have been misunderstood: what to edit."""
    if not document["log"]["doubts"]:
        return
    yield Text()
    yield Text.assemble(
        ("how it was read", "bold yellow"), "  (guessed, and some of it is in doubt: see above)"
    )
    for path, columns in list(document["log"]["columns"].items())[:2]:
        yield Text(f"  # {path}", style="dim")
        yield Text("  [columns]")
        for name, column in list(columns.items())[:_COLUMNS_MAX]:
            yield Text(f"  {name} = {_toml(column)}")
    yield Text(
        "  to correct it: the same with --explain-mapping > mapping.toml, edit that, then the same with "
        "--mapping mapping.toml"
    )


def _toml(column: dict[str, str]) -> str:
    if column.keys() == {"path"}:
        return _text(column["path"])
    told = ((("column" if key == "path" else key), value) for key, value in column.items())
    return "{ " + ", ".join(f"{key} = {_text(value)}" for key, value in told) + " }"


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _next(document: dict[str, Any], saved: str | None) -> Iterator[Text]:
    yield Text()
    if document.get("doubt"):
        told = "   (LOG: a copy that is whole)"
        yield Text.assemble(("next     ", "bold"), document["next"], (told, "dim"))
        return
    if not document["dropped"]:
        why = "" if "--horizon" in document["next"] else "   (3/1000: put what was dropped before)"
        yield Text.assemble(("next     ", "bold"), document["next"], (why, "dim"))
        return
    if document["hypothesis"]["mechanism"] is None and not document["hypothesis"]["candidates"]:
        yield Text.assemble(("next     ", "bold"), document["next"])
        return
    first = "the same with --save incident.json, then " if saved is None else ""
    command = document["next"].replace("incident.json", shlex.quote(saved or "incident.json"), 1)
    yield Text.assemble(("next     ", "bold"), first, command, (f"   ({YOURS})", "dim"))
