"""Packages of other people, installed apart from ours and kept from one run to the next."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE, STDOUT
from typing import NoReturn

#: how long a package registry, or a scenario, is waited for, in seconds
_RUN_S = 400


async def run(*command: str | Path, cwd: Path | None = None) -> tuple[int, str]:
    """The exit code of a command, and what it said."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command), cwd=cwd, stdout=PIPE, stderr=STDOUT
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), _RUN_S)
    except TimeoutError:
        process.kill()
        await process.wait()
        return 1, f"nothing within {_RUN_S} s"
    return process.returncode or 0, said.decode(errors="replace")


async def install(
    folder: Path, commands: list[list[str]], missing: Callable[[str, str], NoReturn]
) -> Path:
    """A folder that was filled by these commands, now or in an earlier run."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            for command in commands:
                code, said = await run(*command, cwd=folder)
                if code != 0:
                    missing("sdk", f"{' '.join(command)}: {said.strip().splitlines()[-1:]}")
            (folder / "complete").touch()
    return folder
