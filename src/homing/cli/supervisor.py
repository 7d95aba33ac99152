"""Keeps several processes behind one listening socket: starts, restarts and stops them."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from prometheus_client.multiprocess import mark_process_dead

_log = logging.getLogger("homing.supervisor")

#: a worker that dies at once is started again after this long, then twice as long, and so on
_BACKOFF_FIRST_S: Final = 0.5
_BACKOFF_MAX_S: Final = 30.0
#: a worker that lived this long had no trouble starting
_SETTLED_S: Final = 60.0
#: what a worker gets beyond its own drain before it is killed
_GRACE_S: Final = 5.0
#: a worker that ends so has found its configuration wrong. When that is all that any of them did,
#: nobody serves, and starting them again changes nothing; otherwise the others serve on, and
#: somebody may mend it.
_EXIT_CONFIG: Final = 2


class Supervisor:
    """N worker processes, kept alive until a signal.

    Workers hold the reading end of a pipe as standard input. When this process dies, however it
    dies, the pipe ends and they drain.

    Args:
        listener: bound and listening; every worker accepts from it.
        environment: of the workers.
        drain_s: how long a worker may take to stop, in seconds.
    """

    def __init__(
        self, listener: socket.socket, environment: Mapping[str, str], *, drain_s: float
    ) -> None:
        self._listener = listener
        self._environment = dict(environment)
        self._drain_s = drain_s
        self._stopping = asyncio.Event()
        self._exit_code = 0
        self._refused: set[int] = set()  #: workers whose first process found it wrong

    async def run(self, workers: int) -> int:
        """Until SIGTERM or SIGINT; the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        with tempfile.TemporaryDirectory(prefix="homing-metrics-") as folder:
            self._environment["PROMETHEUS_MULTIPROC_DIR"] = folder
            await asyncio.gather(*(self._keep(number, workers) for number in range(1, workers + 1)))
        return self._exit_code

    async def _keep(self, number: int, workers: int) -> None:
        backoff_s = _BACKOFF_FIRST_S
        is_first = True
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            began_s = loop.time()
            process = await self._start()
            _log.info("worker %d started", number, extra={"pid": process.pid})
            code = await self._watch(process)
            self._forget(process.pid)
            if self._stopping.is_set():
                break
            if code == _EXIT_CONFIG and is_first:
                self._refused.add(number)
                if len(self._refused) == workers:
                    self._exit_code = _EXIT_CONFIG
                    self._stopping.set()
                    break
            is_first = False
            if loop.time() - began_s > _SETTLED_S:
                backoff_s = _BACKOFF_FIRST_S
            _log.error(
                "worker %d ended with %d; starting another in %.1f s",
                number,
                code,
                backoff_s,
                extra={"pid": process.pid},
            )
            await self._pause(backoff_s)
            backoff_s = min(backoff_s * 2, _BACKOFF_MAX_S)

    async def _start(self) -> asyncio.subprocess.Process:
        file = self._listener.fileno()
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "homing.cli",
            "serve",
            "--listener",
            str(file),
            stdin=asyncio.subprocess.PIPE,
            pass_fds=[file],
            env=self._environment,
            # The terminal's Ctrl-C comes to us alone; the workers hear of it from us, once.
            start_new_session=True,
        )

    async def _watch(self, process: asyncio.subprocess.Process) -> int:
        """The exit code of a worker, which is told to stop when we are."""
        ended = asyncio.ensure_future(process.wait())
        stopping = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not ended.done():
            with suppress(ProcessLookupError):  # it ended this very moment
                process.terminate()
            await asyncio.wait({ended}, timeout=self._drain_s + _GRACE_S)
        if not ended.done():
            _log.error("worker did not stop in time; killing it", extra={"pid": process.pid})
            with suppress(ProcessLookupError):
                process.kill()
        return await ended

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    def _forget(self, pid: int) -> None:
        mark_process_dead(pid, self._environment["PROMETHEUS_MULTIPROC_DIR"])  # type: ignore[no-untyped-call]


def orphaned() -> asyncio.Event:
    """Set when the process that started this worker is gone (its pipe, our stdin, has ended)."""
    event = asyncio.Event()
    loop = asyncio.get_running_loop()

    def look() -> None:
        if not os.read(0, 1024):
            loop.remove_reader(0)
            event.set()

    loop.add_reader(0, look)
    return event
