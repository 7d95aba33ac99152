"""The demo ends, whatever its service does."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

from homing.cli.demo import how_on
from homing.cli.demo.display import _line
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


def test_columns_of_the_line_stay_where_they_are_as_counts_grow() -> None:
    def line(count: int) -> str:
        backlog = SimpleNamespace(waiting=count // 10, leased=count // 20, parked=0)
        counts = dict.fromkeys(("accepted", "delivered", "retried", "dead"), count)
        books = SimpleNamespace(**counts, backlog=backlog, elapsed_s=count / 9, report=None)
        return _line(books)  # type: ignore[arg-type]

    assert len({line(count).index("delivered") for count in (9, 99, 107, 9_999)}) == 1
    assert len({line(count).index("parked") for count in (9, 99, 107, 9_999)}) == 1
