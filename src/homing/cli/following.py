"""Follows the log of a live Homing: its server, or its database; each time only what is new."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from pathlib import Path
from typing import Final, Protocol

import msgspec

from homing.cli.client import Api, connect
from homing.cli.configuration import load_settings
from homing.cli.database import existing_store
from homing.core.queries import LogCursor
from homing.service.log_export import json_lines, log_pages, parse_cursor

DATABASES: Final = ("sqlite:", "postgresql:", "postgres:")
SERVERS: Final = ("http://", "https://")
_ALL: Final = 2**62
#: lines asked for at once: a few megabytes
_PAGE: Final = 5_000
#: how far back the pace is measured where nothing has been accepted since, seconds
_PACE_S: Final = 3_600
_BORN: Final = frozenset({"accepted", "added"})


class _Line(msgspec.Struct, frozen=True):
    """As much of a line as is needed to follow."""

    at_us: int
    op: str
    cursor: str


_decode = msgspec.json.Decoder(_Line).decode


class _Source(Protocol):
    def page(self, cursor: str | None) -> bytes:
        """The next lines after a cursor, as JSON lines; empty at the present end."""
        ...


class _Server:
    """The log as the API gives it; HOMING_TOKEN says who asks."""

    def __init__(self, url: str) -> None:
        self._api: Api = connect(url, os.environ.get("HOMING_TOKEN"))

    def page(self, cursor: str | None) -> bytes:
        content: bytes = self._api.content("delivery-log", limit=_PAGE, cursor=cursor)
        return content


class _Database:
    """The log in the database, beside the running service."""

    def __init__(self, url: str) -> None:
        settings = load_settings(make_secret=False)
        self._settings = dataclasses.replace(settings, database_url=url)

    def page(self, cursor: str | None) -> bytes:
        return asyncio.run(self._page(LogCursor() if cursor is None else parse_cursor(cursor)))

    async def _page(self, cursor: LogCursor) -> bytes:
        parts: list[bytes] = []
        async with existing_store(self._settings) as store:
            async for page in log_pages(store, cursor, limit=_PAGE * 20):
                parts.append(json_lines(page))
        return b"".join(parts)


def is_live(log: str) -> bool:
    """Whether it names a database or a server, and no file."""
    return log.startswith((*DATABASES, *SERVERS))


class LiveLog:
    """The log of a live Homing in a file that grows.

    Args:
        log: a database or a server.
        target: where its lines go.
        since_us: lines before are read past and not kept; 0: all are kept.

    Raises:
        ConfigError: the database is not there, or there is no token for the server.
    """

    def __init__(self, log: str, target: Path, since_us: int = 0) -> None:
        self.target = target
        self.since_us = since_us
        self.kept = 0  #: lines in the file
        self._source: _Source = _Database(log) if log.startswith(DATABASES) else _Server(log)
        self._cursor: str | None = None
        self._earlier: list[int] = []  #: when deliveries were accepted shortly before `since_us`
        target.touch()

    def read(self) -> int:
        """Append what is new.

        Returns:
            How many lines that were.

        Raises:
            HomingError: the database or the server is away; the next call goes on from here.
        """
        before = self.kept
        with self.target.open("ab") as file:
            while page := self._source.page(self._cursor):
                lines = page.splitlines(keepends=True)
                for line in lines:
                    told = _decode(line)
                    if told.at_us >= self.since_us:
                        file.write(line)
                        self.kept += 1
                    elif told.op in _BORN and told.at_us >= self.since_us - _PACE_S * 1_000_000:
                        self._earlier.append(told.at_us)
                self._cursor = _decode(lines[-1]).cursor
        return self.kept - before

    @property
    def earlier_per_s(self) -> float:
        """Deliveries accepted per second in the hour before `since_us`, or since the first of
        them; 0.0: none."""
        if len(self._earlier) < 2:
            return 0.0
        span_s = (self.since_us - min(self._earlier)) / 1_000_000
        return len(self._earlier) / max(span_s, 1.0)


def export_all(log: str, target: Path) -> None:
    """All that the log of a live Homing has by now.

    Raises:
        ConfigError: the database is not there.
        HomingError: it is away.
    """
    LiveLog(log, target).read()
