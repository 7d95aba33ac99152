"""When the supervisor gives up, and when it goes on."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from contextlib import closing

import pytest

from homing.cli.supervisor import Supervisor


class _Scripted(Supervisor):
    """Workers that do as told: each in turn exits with a code, or lives until it is told to end."""

    def __init__(self, listener: socket.socket, codes: list[int | None]) -> None:
        super().__init__(listener, {}, drain_s=1.0)
        self.codes = codes
        self.started = 0

    async def _start(self) -> asyncio.subprocess.Process:
        code = self.codes[min(self.started, len(self.codes) - 1)]
        self.started += 1
        does = "import time; time.sleep(60)" if code is None else f"raise SystemExit({code})"
        return await asyncio.create_subprocess_exec(sys.executable, "-S", "-c", does)

    def stop(self) -> None:
        self._stopping.set()


async def test_it_gives_up_when_every_worker_finds_the_configuration_wrong() -> None:
    with closing(socket.socket()) as listener:
        supervisor = _Scripted(listener, [2])
        async with asyncio.timeout(60):
            assert await supervisor.run(2) == 2


async def test_it_goes_on_while_one_worker_serves(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "homing.supervisor")
    with closing(socket.socket()) as listener:
        supervisor = _Scripted(listener, [None, 2, None])
        running = asyncio.create_task(supervisor.run(2))
        async with asyncio.timeout(60):
            while supervisor.started < 3:
                assert not running.done(), "one worker that was slow to start ended the service"
                await asyncio.sleep(0.02)
        supervisor.stop()
        assert await running == 0
    assert "ended with 2; starting another" in caplog.text
