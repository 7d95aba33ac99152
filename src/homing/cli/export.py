"""`homing export`: the delivery log as JSON lines or Parquet, while the service runs."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import IO, Any, Final

import click
import msgspec

from homing.cli.database import with_store
from homing.cli.output import note
from homing.core.errors import ConfigError
from homing.core.ports import LogCursor, LoggedEntry, Store
from homing.core.records import LogEntry

#: lines fetched and written at once; also a Parquet row group
_PAGE: Final = 20_000
_WHOLE_NUMBERS: Final = frozenset(
    {
        "at_us",
        "mono_us",
        "sequence",
        "version_before",
        "version_after",
        "rows_written",
        "lease_epoch",
        "ready_at_us",
        "attempt_no",
        "request_bytes",
        "status",
        "first_byte_us",
        "total_us",
    }
)

_Write = Callable[[list[LogEntry]], None]


@click.command()
@click.option(
    "--format", "form", type=click.Choice(["jsonl", "parquet"]), default="jsonl", show_default=True
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
      homing export --format parquet -o log.parquet      (needs homing[parquet])
      homing export --after 18.3021 >> log.jsonl
    """
    if form == "parquet" and not output:
        raise click.UsageError("expected --output FILE with --format parquet")
    start = _parse_cursor(after)

    async def run(store: Store) -> tuple[int, LogCursor]:
        count, cursor = 0, start
        write, close = _parquet(str(output)) if form == "parquet" else _json_lines(output)
        try:
            async for page in _pages(store, start, application):
                write([line.entry for line in page])
                count += len(page)
                cursor = page[-1].cursor
        finally:
            close()
        return count, cursor

    count, cursor = with_store(run)
    note(f"{count} lines; the next: --after {cursor.transaction}.{cursor.line}")


async def _pages(
    store: Store, cursor: LogCursor, application: str | None
) -> AsyncIterator[list[LoggedEntry]]:
    while True:
        page = await store.log(cursor, limit=_PAGE, app_id=application)
        if page:
            cursor = page[-1].cursor
            yield page
        if len(page) < _PAGE:
            return


def _parse_cursor(text: str | None) -> LogCursor:
    if text is None:
        return LogCursor()
    transaction, dot, line = text.partition(".")
    if not (dot and transaction.isdecimal() and line.isdecimal()):
        raise click.BadParameter(f"--after: expected a cursor such as 18.3021, found {text!r}")
    return LogCursor(transaction=int(transaction), line=int(line))


def _json_lines(output: str | None) -> tuple[_Write, Callable[[], None]]:
    file: IO[bytes] = Path(output).open("wb") if output else sys.stdout.buffer  # noqa: SIM115
    encoder = msgspec.json.Encoder()

    def write(entries: list[LogEntry]) -> None:
        file.write(encoder.encode_lines(entries))

    return write, file.close if output else file.flush


def _parquet(output: str) -> tuple[_Write, Callable[[], None]]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ConfigError(
            ["Parquet needs one more package: `pip install 'homing[parquet]'`"]
        ) from error
    schema = pyarrow.schema(
        [
            (name, pyarrow.int64() if name in _WHOLE_NUMBERS else pyarrow.string())
            for name in LogEntry.__struct_fields__
        ]
    )
    writer = pyarrow.parquet.ParquetWriter(output, schema)

    def write(entries: list[LogEntry]) -> None:
        rows: list[dict[str, Any]] = msgspec.to_builtins(entries)
        writer.write_table(pyarrow.Table.from_pylist(rows, schema=schema))

    return write, writer.close
