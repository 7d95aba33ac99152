"""`homing walkthrough lint`: what is wrong with a story's file, before anybody learns from it."""

from __future__ import annotations

from pathlib import Path

import click

from homing.cli.incidents import place_of
from homing.cli.main import EXIT_FINDINGS
from homing.cli.output import as_json, note, print_json, say
from homing.cli.walkthrough.choosing import paced, packs_of
from homing.core.plurals import plural
from homing.walkthrough.lint import lint
from homing.walkthrough.lint_judged import lint_judged, lint_record
from homing.walkthrough.packs import json_schema


@click.command("lint")
@click.argument("files", nargs=-1, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--incident", "record", metavar="FILE|ID",
              help="A record of its incident: every figure must be what it says.")  # fmt: skip
@click.option("--schema", "is_schema", is_flag=True,
              help="Print the JSON Schema of a story, for an editor.")  # fmt: skip
@paced
@as_json
@click.pass_context
def lint_command(
    context: click.Context, files: tuple[Path, ...], record: str | None, is_schema: bool,
    wpm: float, as_json: bool,
) -> None:  # fmt: skip
    """Check stories: their shape, and what a learner would inherit from a mistake in them.

    Without FILES, all that come with Homing. Exits 1 when there are findings.

    \b
    Examples:
      homing walkthrough lint
      homing walkthrough lint my-story.toml --json
      homing walkthrough lint --incident homing-lab/record.json
      homing walkthrough lint --schema > story.schema.json
    """
    if is_schema:
        print_json(json_schema())
        return
    library = packs_of(files)
    found = lint(library, wpm)
    found += lint_judged(library) if not found else []
    if record:
        incident = place_of(record).load()
        for scenario in library.scenarios.values():
            found += lint_record(scenario, incident)
    if as_json:
        print_json(found)
    else:
        for one in found:
            say(f"{one.pack}: {one.where}: {one.text} [{one.rule}]")
    if found:
        note(f"{plural(len(found), 'finding')} in {plural(len(library.scenarios), 'story')}")
        context.exit(EXIT_FINDINGS)
    note(f"nothing wrong with {', '.join(library.scenarios)}")
