"""`homing incident export`, `import` and `rows`: an incident between a file and a service."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click
import msgspec

from homing.cli.client import Api, ApiError, api_options
from homing.cli.incident_rows import bring_rows
from homing.cli.incidents import InFile, the_place
from homing.cli.output import as_json, note, print_json, say
from homing.core.errors import ConfigError, HomingError
from homing.review.evidence import Kept, lists_of

_FILE: Final = click.Path(dir_okay=False, path_type=Path)


@click.command("export")
@click.argument("name", metavar="[FILE|ID]", required=False)
@click.option("-o", "--output", "to", type=_FILE, metavar="FILE", help="Default: standard output.")
def export_incident(name: str | None, to: Path | None) -> None:
    """Write an incident as a file to carry.

    \b
    Examples:
      homing incident export inc_2ab… -o record.json
    """
    one = the_place(name).load()
    if to is None:
        print_json(one)
        return
    InFile(to).save(one)
    note(f"written: {to}")


@click.command("import")
@click.argument("path", metavar="FILE", type=_FILE)
@click.option("--no-rows", is_flag=True, help="Only the record, not the rows behind its counts.")
@as_json
@api_options
def import_incident(api: Api, path: Path, no_rows: bool, as_json: bool) -> None:
    """Put an incident from a file into the running service, under its id.

    The deliveries behind its counts come with it, each with its rows of the log, if the log lies
    here or beside the file, unchanged; see `homing incident rows`.

    \b
    Examples:
      homing incident import record.json
      homing incident import record.json --no-rows
    """
    one = InFile(path).load()
    answer = api.call("PUT", "incident", one.id, body={"record": msgspec.to_builtins(one)})
    if as_json:
        print_json(answer)
    else:
        say(f"{answer['id']}: {answer['title']}")
    if no_rows or not lists_of(one):
        return
    try:
        _say_kept(bring_rows(api, one, str(path)))
    except ApiError:
        raise
    except HomingError as error:  # the log is not here, or cannot be read
        note(f"without the rows behind its counts: {error}")
        note(f"beside the log: homing incident rows {path}")


@click.command("rows")
@click.argument("name", metavar="[FILE|ID]", required=False)
@click.option("--mapping", metavar="FILE", help="As for `homing investigate`.")
@as_json
@api_options
def bring(api: Api, name: str | None, mapping: str | None, as_json: bool) -> None:
    """Put the deliveries behind an incident's counts into the service, with their rows of the log.

    Reads the logs that the record names, once their hashes are those in the record. The Evidence
    of the incident's story leads to them. Lists of more than two thousand are kept as a sample.
    For yourself, without a service: `homing walkthrough rows`.

    \b
    Examples:
      homing incident rows record.json
      homing incident rows inc_2ab…
    """
    place = the_place(name)
    one = place.load()
    if not lists_of(one):
        text = f"{place.name}: expected an investigated log; homing investigate LOG"
        raise ConfigError([text])
    kept = bring_rows(api, one, place.name, mapping)
    if as_json:
        print_json(kept)
        return
    _say_kept(kept)


def _say_kept(kept: list[Kept]) -> None:
    for one in kept:
        sample = f"; {one.kept} of them are kept" if one.is_sample else ""
        note(f"{one.total:,} {one.title}{sample}")
