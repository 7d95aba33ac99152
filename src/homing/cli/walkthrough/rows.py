"""`homing walkthrough rows`: the deliveries behind a count, each with its rows of the log."""

from __future__ import annotations

import click
from rich.text import Text

from homing.cli.incident_rows import read_lists
from homing.cli.incidents import the_place
from homing.cli.output import as_json, note, print_json, say
from homing.core.errors import ConfigError
from homing.review.evidence import lists_of


@click.command("rows")
@click.option(
    "--incident", "name", metavar="FILE|ID",
    help="The record; default: HOMING_INCIDENT, or the one opened in this folder.",
)  # fmt: skip
@click.option("--of", "which", default="lost", show_default=True, metavar="LIST",
              help="lost, judged, suspects.0, guilty, after.judged …: see --list.")  # fmt: skip
@click.option(
    "--list", "is_listing", is_flag=True, help="Say which lists the record has counts of."
)
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
    name: str | None,
    which: str,
    is_listing: bool,
    page: int,
    size: int,
    mapping: str | None,
    as_json: bool,
) -> None:
    """List the deliveries behind a story's counts, each with its rows of the log.

    Reads the log that the record names (JSON, CSV, Parquet, as `homing investigate` does), once
    its hash is the one in the record, counts again, and prints a page of what was counted: the
    lost first, each by file and line.

    \b
    Examples:
      homing walkthrough rows
      homing walkthrough rows --incident record.json --page 60
      homing walkthrough rows --list
      homing walkthrough rows --of suspects.0
      homing walkthrough rows --json | jq -r '.deliveries[].id'

    Exit codes: 0 listed, 2 the log is not there, or not the one that was investigated.
    """
    place = the_place(name)
    incident = place.load()
    wanted = {one.name: one for one in lists_of(incident)}
    if not wanted:
        text = f"{place.name}: expected an investigated log; homing investigate LOG"
        raise ConfigError([text])
    if is_listing:
        if as_json:
            print_json([{"name": one.name, "title": one.title} for one in wanted.values()])
            return
        for one in wanted.values():
            say(Text.assemble((f"{one.name:<14}", "bold"), f"  {one.title}"))
        return
    if which not in wanted:
        raise ConfigError([f"--of {which}: expected one of {', '.join(wanted)}"])
    start = (page - 1) * size
    (found,) = read_lists(
        incident, place.name, [wanted[which]], start=start, limit=size, mapping=mapping
    )
    pages = max(1, -(-found.total // size))
    if page > pages:
        text = f"--page {page}: expected 1 to {pages}; there are {found.total:,}"
        raise ConfigError([text])
    if as_json:
        counts = {"list": which, "total": found.total, "lost": found.lost}
        print_json({**counts, "page": page, "pages": pages, "deliveries": found.deliveries})
        return
    for delivery in found.deliveries:
        fate = ("lost", "red") if delivery.is_lost else ("not lost", "green")
        say(Text.assemble((delivery.id, "bold"), "  ", fate))
        for row in delivery.rows:
            say(Text.assemble((f"  {row.file}:{row.line}  ", "dim"), row.text))
    following = f"; --page {page + 1} has the next" if page < pages else ""
    lost = f", {found.lost:,} of them lost" if found.lost != found.total else ""
    note(f"page {page} of {pages}: {found.total:,} {wanted[which].title}{lost}{following}")
