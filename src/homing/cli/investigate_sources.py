"""Turns what `homing investigate` is pointed at into files: a live Homing is exported first."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from homing.cli.client import connect
from homing.cli.configuration import load_settings
from homing.cli.database import existing_store
from homing.core.queries import LogCursor
from homing.service.log_export import json_lines, log_pages

_ALL: Final = 2**62
_PAGE: Final = 5_000
_DATABASES: Final = ("sqlite:", "postgresql:", "postgres:")


def as_files(logs: Sequence[str], folder: str) -> list[str]:
    """Names of files; the log of a database or of a server is written into `folder`.

    Raises:
        ConfigError: the database is not there.
    """
    files = []
    for number, log in enumerate(logs):
        target = Path(folder) / f"live{number}.jsonl"
        if log.startswith(_DATABASES):
            asyncio.run(_from_database(log, target))
        elif log.startswith(("http://", "https://")):
            _from_server(log, target)
        elif log == "-":
            target.write_bytes(sys.stdin.buffer.read())
        else:
            files.append(log)
            continue
        files.append(str(target))
    return files


async def _from_database(url: str, target: Path) -> None:
    settings = dataclasses.replace(load_settings(make_secret=False), database_url=url)
    async with existing_store(settings) as store:
        with target.open("wb") as file:
            async for page in log_pages(store, LogCursor(), limit=_ALL):
                file.write(json_lines(page))


def _from_server(url: str, target: Path) -> None:
    """Page by page, from the cursor on the last line; HOMING_TOKEN says who asks."""
    api = connect(url, os.environ.get("HOMING_TOKEN"))
    cursor: str | None = None
    with target.open("wb") as file:
        while True:
            page = api.content("delivery-log", limit=_PAGE, cursor=cursor)
            lines = page.splitlines()
            file.write(page)
            if len(lines) < _PAGE:
                return
            cursor = msgspec.json.decode(lines[-1])["cursor"]
