"""`homing walkthrough rows`: every lost delivery behind a count, with its lines of the log."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import click
from rich.text import Text

from homing.cli.counted_logs import count_logs
from homing.cli.incidents import digest_of, the_place
from homing.cli.output import as_json, note, print_json, say
from homing.core.errors import ConfigError
from homing.review.incident import Incident

#: lines of one delivery that are shown; the first of them
_LINES_MAX: Final = 50
_LINE_CHARACTERS_MAX: Final = 400


@click.command("rows")
@click.option(
    "--incident", "name", metavar="FILE|ID",
    help="The record; default: HOMING_INCIDENT, or the one opened in this folder.",
)  # fmt: skip
@click.option(
    "--page",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="Which page, from 1.",
)
@click.option("--size", type=click.IntRange(1, 100), default=10, show_default=True, metavar="N",
              help="Deliveries on a page.")  # fmt: skip
@click.option("--mapping", metavar="FILE", help="As for `homing investigate`.")
@as_json
def rows_command(
    name: str | None, page: int, size: int, mapping: str | None, as_json: bool
) -> None:
    """List every lost delivery behind a story's counts, each with its lines of the log.

    Reads the log that the record names, once its hash is the one in the record, counts the lost
    again, and prints a page of them by file and line number.

    \b
    Examples:
      homing walkthrough rows
      homing walkthrough rows --incident record.json --page 60
      homing walkthrough rows --json | jq -r '.deliveries[].id'

    Exit codes: 0 listed, 2 the log is not there, or not the one that was investigated.
    """
    place = the_place(name)
    paths = logs_of(place.load(), place.name)
    lost = count_logs([str(one) for one in paths], mapping=mapping).drops
    pages = max(1, -(-len(lost) // size))
    if page > pages:
        raise ConfigError([f"--page {page}: expected 1 to {pages}; {len(lost):,} were lost"])
    wanted = lost[(page - 1) * size : page * size]
    found = lines_of(paths, wanted)
    if as_json:
        print_json(
            {
                "lost": len(lost),
                "page": page,
                "pages": pages,
                "deliveries": [
                    {
                        "id": one,
                        "rows": [
                            {"file": file, "line": line, "text": text}
                            for file, line, text in found[one]
                        ],
                    }
                    for one in wanted
                ],
            }
        )
        return
    for one in wanted:
        say(Text(one, style="bold"))
        for file, line, text in found[one]:
            say(Text.assemble((f"  {file}:{line}  ", "dim"), text))
    following = f"; --page {page + 1} has the next" if page < pages else ""
    note(f"page {page} of {pages}, {len(lost):,} lost deliveries in all{following}")


def logs_of(incident: Incident, name: str) -> list[Path]:
    """The logs that were investigated, unchanged since: here, or beside the record's file.

    Raises:
        ConfigError: none was, or one is not there, or is another one by now.
    """
    result = incident.results.get("investigate")
    if result is None or not result.inputs:
        raise ConfigError([f"{name}: expected an investigated log; homing investigate LOG"])
    problems = []
    for one in result.inputs:
        path = _place_of(one.name, name)
        if not path.is_file():
            problems.append(
                f"{path}: the record names it, and it is neither here nor beside the record"
            )
        elif digest_of(path).sha256 != one.sha256:
            problems.append(f"{path}: it is not the log that was investigated: its hash differs")
    if problems:
        raise ConfigError(problems)
    return [_place_of(one.name, name) for one in result.inputs]


def _place_of(log: str, record: str) -> Path:
    beside = Path(record).parent / log
    return beside if Path(record).is_file() and not Path(log).is_file() else Path(log)


def lines_of(
    paths: Sequence[Path], deliveries: Sequence[str]
) -> dict[str, list[tuple[str, int, str]]]:
    """File, line from 1, and text of each line that names a delivery, in one reading.

    Raises:
        ConfigError: a log has no lines of text, such as Parquet.
    """
    found: dict[str, list[tuple[str, int, str]]] = {one: [] for one in deliveries}
    if not deliveries:
        return found
    names = re.compile(r"(?<![\w-])(?:" + "|".join(map(re.escape, deliveries)) + r")(?![\w-])")
    for path in paths:
        try:
            for number, line in _numbered(path):
                match = names.search(line)
                if match and len(found[match[0]]) < _LINES_MAX:
                    text = line.rstrip()[:_LINE_CHARACTERS_MAX]
                    found[match[0]].append((str(path), number, text))
        except (OSError, UnicodeDecodeError) as error:
            text = f"{path}: expected lines of text, plain or gzip; {error}"
            raise ConfigError([text]) from error
    return found


def _numbered(path: Path) -> Iterator[tuple[int, str]]:
    read = gzip.open if path.suffix == ".gz" else open
    with read(path, "rt", encoding="utf-8") as file:
        yield from enumerate(file, 1)
