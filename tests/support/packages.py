"""Packages of other people, installed apart from ours and kept from one run to the next."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from subprocess import PIPE, STDOUT
from typing import IO, NoReturn

from support.processes import kill

#: how long a package registry, or a scenario, is waited for, in seconds; somebody else who
#: installs the same at this moment is waited for as long
_RUN_S = 240


async def run(*command: str | Path, cwd: Path | None = None) -> tuple[int, str]:
    """The exit code of a command, and what it said."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command), cwd=cwd, stdout=PIPE, stderr=STDOUT, start_new_session=True
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), _RUN_S)
    except TimeoutError:
        return 1, f"nothing within {_RUN_S} s"
    finally:
        if process.returncode is None:
            await kill(process, is_leader=True)
    return process.returncode or 0, said.decode(errors="replace")


async def install(
    folder: Path, commands: list[list[str]], missing: Callable[[str, str], NoReturn]
) -> Path:
    """A folder that was filled by these commands, now or in an earlier run."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        await _take(lock)
        if not (folder / "complete").exists():
            for command in commands:
                code, said = await run(*command, cwd=folder)
                if code != 0:
                    missing("sdk", f"{' '.join(command)}: {said.strip().splitlines()[-1:]}")
            (folder / "complete").touch()
    return folder


async def _take(lock: IO[str]) -> None:
    """Be the only one. Not in a thread: one that waits for ever would keep the loop from closing.

    Raises:
        TimeoutError: somebody else does not let go of it.
    """
    async with asyncio.timeout(_RUN_S):
        while True:
            with suppress(BlockingIOError):
                return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            await asyncio.sleep(0.2)
