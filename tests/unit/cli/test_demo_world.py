"""The demo ends, whatever its service does."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from homing.cli.demo import how_on
from homing.cli.demo.world import _end

_DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); input()"


async def test_a_service_that_does_not_stop_is_killed() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-S", "-c", _DEAF),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    await process.stdout.readline()
    async with asyncio.timeout(60):
        await _end(process, 0.2)
    assert process.returncode == -signal.SIGKILL


async def test_one_that_stops_is_waited_for() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-S", "-c", "input()"), stdin=asyncio.subprocess.PIPE
    )
    await _end(process)
    assert process.returncode == -signal.SIGTERM


def test_the_demo_says_how_it_is_stopped_and_what_to_try_next() -> None:
    assert "Ctrl-C" in how_on(None)
    assert "`homing lab`" in how_on(None)
    assert "`make lab`" in how_on(Path("/opt/homing"))
