"""`homing export`: the delivery log as JSON lines or Parquet, while the service runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Final

import click

from homing.cli.database import with_store
from homing.cli.output import note
from homing.core.plurals import plural
from homing.core.queries import LogCursor, LoggedEntry
from homing.core.store import Store
from homing.service.log_export import (
    ParquetLog,
    cursor_text,
    json_lines,
    log_pages,
    parse_cursor,
)

#: more lines than any log has: everything
_ALL: Final = 2**62

_Write = Callable[[list[LoggedEntry]], Any]


@click.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "parquet"]),
    default="jsonl",
    show_default=True,
    help="JSON lines, or Parquet (needs homing[parquet]).",
)
@click.option("--output", "-o", metavar="FILE", help="Default: standard output (jsonl only).")
@click.option("--application", metavar="ID", help="Only of this application (app_…).")
@click.option("--after", metavar="CURSOR", help="Go on where an earlier export ended.")
def export(form: str, output: str | None, application: str | None, after: str | None) -> None:
    """Write the delivery log: every change of every delivery, in the order of commits.

    The last line on standard error is a cursor: `--after` it, the next export has what is new.

    \b
    Examples:
      homing export > log.jsonl
      homing export --format parquet -o log.parquet      # needs homing[parquet]
      homing export --after 18.3021 >> log.jsonl
    """
    if form == "parquet" and not output:
        raise click.UsageError("expected --output FILE with --format parquet")
    try:
        start = parse_cursor(after) if after else LogCursor()
    except ValueError as error:
        raise click.BadParameter(f"--after: {error}") from error

    async def run(store: Store) -> tuple[int, LogCursor]:
        count, cursor = 0, start
        write, close = _parquet(str(output)) if form == "parquet" else _json_lines(output)
        try:
            async for page in log_pages(store, start, limit=_ALL, app_id=application):
                write(page)
                count += len(page)
                cursor = page[-1].cursor
        finally:
            close()
        return count, cursor

    count, cursor = with_store(run)
    note(f"{plural(count, 'line')}; the next export: --after {cursor_text(cursor)}")


def _json_lines(output: str | None) -> tuple[_Write, Callable[[], None]]:
    file: IO[bytes] = Path(output).open("wb") if output else sys.stdout.buffer  # noqa: SIM115

    def write(page: list[LoggedEntry]) -> None:
        file.write(json_lines(page))

    return write, file.close if output else file.flush


def _parquet(output: str) -> tuple[_Write, Callable[[], None]]:
    log = ParquetLog(output)
    return log.write, log.close
