"""The delivery log as lines and columns that other programs read."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from io import BytesIO
from typing import IO, Any, Final

import msgspec

from homing.core.errors import ConfigError
from homing.core.queries import LogCursor, LoggedEntry
from homing.core.records import LogEntry
from homing.core.store import Store

#: lines read at once: a few megabytes
PAGE: Final = 5_000
#: beyond any number that a database gives to a transaction or a line, and a 64-bit integer
_MOST: Final = 2**62

_encode = msgspec.json.Encoder().encode


def parse_cursor(text: str) -> LogCursor:
    """The place that `text`, e.g. "18.3021", names.

    Raises:
        ValueError: it names none.
    """
    transaction, dot, line = text.partition(".")
    if not dot or not _is_number(transaction) or not _is_number(line):
        raise ValueError(f"expected a cursor such as 18.3021, found {text[:50]!r}")
    return LogCursor(transaction=int(transaction), line=int(line))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18


def cursor_text(cursor: LogCursor) -> str:
    """The text that `parse_cursor` reads."""
    return f"{cursor.transaction}.{cursor.line}"


async def log_pages(
    store: Store,
    cursor: LogCursor,
    *,
    limit: int,
    app_id: str | None = None,
    keep: Callable[[Sequence[LoggedEntry]], Any] | None = None,
) -> AsyncIterator[list[LoggedEntry]]:
    """The log after `cursor` in pages, until its present end or until `limit` lines.

    Args:
        limit: lines at most, >= 1.
        app_id: only of this application.
        keep: awaited with each page; returns the lines of it that may be seen.
    """
    while limit > 0:
        asked = min(limit, PAGE)
        found = await store.log(cursor, limit=asked, app_id=app_id)
        if not found:
            return
        cursor = found[-1].cursor
        shown: list[LoggedEntry] = await keep(found) if keep is not None else found
        if shown:
            yield shown
        limit -= len(shown)
        if len(found) < asked:
            return


async def end_of_log(store: Store) -> LogCursor:
    """The place after the last line there is now, found by halving: 124 look-ups, never the log."""

    async def is_end(cursor: LogCursor) -> bool:
        return not await store.log(cursor, limit=1)

    transaction = await _least(lambda n: is_end(LogCursor(transaction=n, line=_MOST)))
    line = await _least(lambda n: is_end(LogCursor(transaction=transaction, line=n)))
    return LogCursor(transaction=transaction, line=line)


async def place_at(store: Store, at_us: int) -> LogCursor:
    """A place before which lines are older than that, found as `end_of_log` finds its.

    Lines stand in the order in which they were committed, which differs a little from that of their
    times: near the place some older ones may follow, and some newer ones may have gone before.
    """

    async def is_after(cursor: LogCursor) -> bool:
        found = await store.log(cursor, limit=1)
        return not found or found[0].entry.at_us >= at_us

    transaction = await _least(lambda n: is_after(LogCursor(transaction=n, line=0)))
    line = await _least(lambda n: is_after(LogCursor(transaction=transaction, line=n)))
    return LogCursor(transaction=transaction, line=line)


async def _least(holds: Callable[[int], Awaitable[bool]]) -> int:
    """The smallest number for which `holds`, which holds for all larger ones too."""
    low, high = 0, _MOST
    while low < high:
        middle = (low + high) // 2
        if await holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


def json_lines(page: Sequence[LoggedEntry]) -> bytes:
    """One JSON object a line: the fields of the log, and `cursor`, the place after the line."""
    return b"".join(
        _encode({**msgspec.structs.asdict(line.entry), "cursor": cursor_text(line.cursor)}) + b"\n"
        for line in page
    )


class ParquetLog:
    """Writes the delivery log as Parquet, one row group a page.

    Args:
        target: a path, or a binary file.

    Raises:
        ConfigError: pyarrow is not installed; says how to.
    """

    def __init__(self, target: str | IO[bytes]) -> None:
        try:
            self._arrow = importlib.import_module("pyarrow")
            writer_of = importlib.import_module("pyarrow.parquet").ParquetWriter
        except ImportError as error:
            text = "Parquet needs one more package: `pip install 'homing[parquet]'`"
            raise ConfigError([text]) from error
        whole, text_type = self._arrow.int64(), self._arrow.string()
        fields = msgspec.structs.fields(LogEntry)
        columns = [(f.name, whole if _is_whole(f.type) else text_type) for f in fields]
        self._schema = self._arrow.schema([*columns, ("cursor", text_type)])
        self._writer = writer_of(target, self._schema)

    def write(self, page: Sequence[LoggedEntry]) -> None:
        """Append one page."""
        rows = [
            {**msgspec.to_builtins(line.entry), "cursor": cursor_text(line.cursor)} for line in page
        ]
        self._writer.write_table(self._arrow.Table.from_pylist(rows, schema=self._schema))

    def close(self) -> None:
        """Write the footer: without it the file cannot be read."""
        self._writer.close()


def parquet(pages: Sequence[Sequence[LoggedEntry]]) -> bytes:
    """The lines as a Parquet file in memory.

    Raises:
        ConfigError: as `ParquetLog`.
    """
    buffer = BytesIO()
    log = ParquetLog(buffer)
    for page in pages:
        log.write(page)
    log.close()
    return buffer.getvalue()


def _is_whole(kind: Any) -> bool:
    return kind is int or kind == int | None
