"""Turns what `homing investigate` is pointed at into files: a live Homing is exported first."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from homing.cli.following import export_all, is_live


def as_files(logs: Sequence[str], folder: str) -> list[str]:
    """Names of files; the log of a database or of a server is written into `folder`.

    Raises:
        ConfigError: the database is not there.
    """
    files = []
    for number, log in enumerate(logs):
        target = Path(folder) / f"live{number}.jsonl"
        if is_live(log):
            export_all(log, target)
        elif log == "-":
            target.write_bytes(sys.stdin.buffer.read())
        else:
            files.append(log)
            continue
        files.append(str(target))
    return files
