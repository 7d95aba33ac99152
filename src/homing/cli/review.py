"""`homing review`: the document about an incident, each number with its source."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from rich.text import Text

from homing.cli.incidents import (
    VARIABLE,
    InFile,
    Place,
    actor_here,
    digest_of,
    name_of,
    service_here,
    the_place,
)
from homing.cli.output import as_json, note, print_json, print_table, say, say_error, why
from homing.core.errors import ConfigError
from homing.core.plurals import plural
from homing.review.blocks import Document, values_of
from homing.review.check import check as checked
from homing.review.check import record_named
from homing.review.facts import Facts, Missing
from homing.review.incident import Digest, Incident, Result
from homing.review.markdown import markdown
from homing.review.noticing import explained
from homing.review.page import page
from homing.review.results import LIVE_STEPS, condensed
from homing.review.results import found as change_of
from homing.review.sections import review as told_of
from homing.system import SystemClock

_FILE: Final = click.Path(dir_okay=False, path_type=Path)
_EXIT_FINDINGS: Final = 1
#: what a command writes is not needed to see its numbers again
_OUTPUTS: Final = frozenset(
    ("--save", "--html", "--svg", "--ids", "--pytest", "--mermaid", "--to", "--output", "--log")
)
_AGAIN: Final = frozenset(("investigate", "reproduce", "verify", "impact", "slo fired"))


@click.command()
@click.argument("name", metavar="[INCIDENT]", required=False)
@click.option("--incident", "named", metavar="FILE|ID", help="The same.")
@click.option("--markdown", "to_markdown", type=_FILE, metavar="FILE", help="Write Markdown.")
@click.option("--html", type=_FILE, metavar="FILE", help="Write one page with plots.")
@click.option(
    "--objectives", is_flag=True, help="Ask the running Homing how its objectives stand, first."
)
@click.option("--check", type=_FILE, metavar="FILE", help="Check a review that was written.")
@click.option("--recompute", is_flag=True, help="Run its commands again, and compare.")
@as_json
def review(
    name: str | None,
    named: str | None,
    to_markdown: Path | None,
    html: Path | None,
    objectives: bool,
    check: Path | None,
    recompute: bool,
    as_json: bool,
) -> None:
    """Write the review of an incident, or check one.

    \b
    INCIDENT is a file or an id; default: the one open in this folder. Without --markdown and
    --html the Markdown is printed. Every number on it is a link to its source, where the command
    stands that finds it again; what is not known is a section.

    \b
    --check refuses a number that has no source, one that its source does not give, and a zero
    without its N, in Markdown or HTML. Sources are looked up in INCIDENT or, without it, in the
    record that the review names, beside it; where there is none, it says that no value was
    compared. --json prints every value with source, path and command.

    \b
    Examples:
      homing review record.json --markdown review.md --html review.html
      homing review --check review.md
      homing review record.json --check review.md
      homing review record.json --recompute
      HOMING_SERVER_URL=https://homing.example.com homing review record.json --objectives

    Exit codes: 0 written, or nothing to complain of; 1 a number has no source, or has changed;
    2 there is no such incident or file.
    """
    name = name_of(name, named)
    if check is not None:
        _check(check, name, as_json=as_json)
        return
    place = the_place(name)
    if objectives:
        _ask_objectives(place)
    incident = place.load()
    if recompute:
        _recompute(incident, place.name, as_json=as_json)
        return
    document = written(incident, place.name)
    texts = ((to_markdown, markdown(document)), (html, page(document)))
    for _, text in texts:
        wrong = checked(text, _expected(document))
        if wrong:
            for one in wrong:
                say_error(f"the review would not pass its own check: {one}")
            raise click.exceptions.Exit(_EXIT_FINDINGS)
    for path, text in texts:
        if path is not None:
            _write(path, text)
    if as_json:
        print_json(_values(document))
    elif to_markdown is None and html is None:
        click.echo(texts[0][1], nl=False)
    else:
        values = plural(sum(1 for _ in values_of(document)), "value")
        say(f"{values}, each with its source, from {plural(len(document.sources), 'source')}")


def _ask_objectives(place: Place) -> None:
    """Add how the objectives of the running service stand to the incident.

    Raises:
        HomingError: the service does not answer, or the incident cannot be written.
    """
    result = Result(
        step="slo",
        command="homing slo report",
        at_us=SystemClock().now_us(),
        by=actor_here(),
        values={"reports": service_here().get("objective", "report")["data"]},
    )
    place.change(lambda incident: change_of(incident, result), result.by)


def written(incident: Incident, name: str) -> Document:
    """The review.

    Raises:
        ConfigError: a result in the record is not as the commands write it.
    """
    try:
        return told_of(incident, name)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        text = f"{name}: a result in it is not as `homing` writes it ({error!r}); find it again"
        raise ConfigError([text]) from error


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError([f"{path}: cannot be written: {error.strerror}"]) from error
    note(f"written: {path}")


def _expected(document: Document) -> dict[tuple[str, str], set[str]]:
    expected: dict[tuple[str, str], set[str]] = {}
    for one in values_of(document):
        expected.setdefault((one.source, one.path.replace('"', "'")), set()).add(one.text)
    return expected


def _values(document: Document) -> dict[str, Any]:
    commands = {one.name: one.command for one in document.sources}
    values = [
        {"text": one.text, "source": one.source, "path": one.path, "command": commands[one.source]}
        for one in values_of(document)
    ]
    return {"values": values, "sources": msgspec.to_builtins(document.sources)}


def _check(path: Path, name: str | None, *, as_json: bool) -> None:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: cannot be read: {why(error)}"]) from error
    place = the_place(name) if name is not None else _record_of(path, text)
    expected = None if place is None else _expected(written(place.load(), place.name))
    wrong = checked(text, expected)
    if as_json:
        print_json([msgspec.to_builtins(one) for one in wrong])
    else:
        for one in wrong:
            say(Text.assemble((f"{path}:{one.line}: ", "bold"), one.text))
        if not wrong and place is not None:
            told = f"and says what {place.name} says"
            say(f"{path}: every number has a source, {told}; every zero has its N")
        elif not wrong:
            say(f"{path}: every number names a source, and every zero has its N")
    if place is None:
        named = shlex.quote(record_named(text) or "RECORD")
        note("the values themselves were not compared: the record it was written from is not here")
        note(f"to compare them: homing review {named} --check {shlex.quote(str(path))}")
    if wrong:
        raise click.exceptions.Exit(_EXIT_FINDINGS)


def _record_of(path: Path, text: str) -> Place | None:
    """The record that a review names: the file beside it, or where it was written; None: neither.

    One in a running service is not asked for unless somebody names it.
    """
    named = record_named(text)
    if named is None:
        return None
    found = next((one for one in (path.parent / named, Path(named)) if one.is_file()), None)
    return None if found is None else InFile(found, named)


# --- again ---


def command_again(command: str) -> list[str]:
    """A recorded command as it is run to see its numbers: JSON, and nothing written.

    Raises:
        ConfigError: it is none that a review rests on: an incident may come from somebody else.
    """
    words = shlex.split(command)
    if words[:1] != ["homing"] or _AGAIN.isdisjoint((" ".join(words[1:2]), " ".join(words[1:3]))):
        raise ConfigError([f"expected one of {', '.join(sorted(_AGAIN))}, found: {command}"])
    kept: list[str] = []
    rest = iter(words[1:])
    for word in rest:
        if word in _OUTPUTS:
            next(rest, None)
        elif word.partition("=")[0] not in _OUTPUTS and word != "--json":
            kept.append(word)
    return [*kept, "--json"]


def _recompute(incident: Incident, name: str, *, as_json: bool) -> None:
    """Run every command that the review rests on, and compare each value that is on it."""
    document = written(incident, name)
    before = Facts(incident, name, explained(incident))
    rows: list[dict[str, Any]] = []
    for source in document.sources:
        if source.name not in incident.results:
            continue
        if incident.results[source.name].step in LIVE_STEPS:
            if not as_json:
                note(f"{source.command}: it asked a running service; not compared")
            continue
        if not as_json:
            say(Text.assemble(("$ ", "dim"), (source.command, "bold")))
        values = _run(incident, incident.results[source.name])
        again = msgspec.structs.replace(
            incident,
            results={
                source.name: msgspec.structs.replace(incident.results[source.name], values=values)
            },
        )
        rows.append(
            _compared(document, source.name, before, Facts(again, name, None), source.command)
        )
    is_same = all(not one["different"] for one in rows)
    if as_json:
        print_json({"is_same": is_same, "sources": rows})
    else:
        print_table(
            ("source", "values#", "different#"),
            [(one["source"], str(one["values"]), str(len(one["different"]))) for one in rows],
            empty="no command has found anything yet",
        )
        for one in rows:
            for path, was, now in one["different"]:
                say(Text.assemble((f"{one['source']}: {path} ", "bold"), f"was {was}, is {now}"))
    if not is_same:
        raise click.exceptions.Exit(_EXIT_FINDINGS)


def _compared(
    document: Document, source: str, before: Facts, after: Facts, command: str
) -> dict[str, Any]:
    paths = dict.fromkeys(one.path for one in values_of(document) if one.source == source)
    different = []
    for path in paths:
        was, now = _plain(before, source, path), _plain(after, source, path)
        if was != now:
            different.append((path, was, now))
    return {
        "source": source,
        "command": command,
        "values": len(paths),
        "different": different,
    }


def _plain(facts: Facts, source: str, path: str) -> Any:
    try:
        return facts.get(source, path)
    except Missing:
        return None


def _run(incident: Incident, result: Result) -> Mapping[str, Any]:
    """A result's command again, in a folder with the files as they were.

    Raises:
        ConfigError: a file is not what it was, or the command does not come to an end.
    """
    words = [sys.executable, "-m", "homing.cli", *command_again(result.command)]
    environment = {**os.environ, VARIABLE: "", "PYTHONDONTWRITEBYTECODE": "1"}
    with tempfile.TemporaryDirectory(prefix="homing-") as folder:
        for digest in result.inputs:
            _lay_out(incident, digest, Path(folder))
        done = subprocess.run(  # noqa: S603
            words, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:
        last = done.stderr.strip().rpartition("\n")[2]
        raise ConfigError([f"`{result.command}` did not come to an end: {last}"]) from error
    return condensed(result.step, found)


def _lay_out(incident: Incident, digest: Digest, folder: Path) -> None:
    """Put one file where the command will look for it."""
    here, there = Path(digest.name), folder / digest.name
    if not here.is_absolute() and not there.resolve().is_relative_to(folder.resolve()):
        problem = f"{digest.name}: expected a file in this folder or below"
        raise ConfigError([f"{problem}; run this where it was run"])
    text = incident.kept.get(digest.sha256) if digest.is_kept else None
    is_needed = here.is_absolute() or text is None
    if is_needed and not (here.is_file() and digest_of(here).sha256 == digest.sha256):
        what = "is another file than it was" if here.is_file() else "is not here"
        raise ConfigError([f"{here} {what}: expected the one with SHA-256 {digest.sha256}"])
    if here.is_absolute():
        return
    there.parent.mkdir(parents=True, exist_ok=True)
    if text is not None:
        there.write_text(text, encoding="utf-8")
    elif not there.exists():
        there.symlink_to(here.resolve())
