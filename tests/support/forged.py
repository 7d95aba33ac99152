"""Processes of `homing` from the forge, with what asyncio's own processes have."""

from __future__ import annotations

import asyncio
import atexit
import functools
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from . import forge

#: names of variables that an interpreter, or what was imported already, reads once when it starts
_READ_ONCE = ("PYTHON", "LD_", "PROMETHEUS_", "FAKETIME", "LC_", "LANG", "TZ")
_END_S = 60.0


class Forged:
    """As `asyncio.subprocess.Process`."""

    def __init__(
        self,
        told: socket.socket,
        pid: int,
        stdout: asyncio.StreamReader | None,
        stderr: asyncio.StreamReader | None,
    ) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdout, self.stderr = stdout, stderr
        self._told = told
        self._ending = asyncio.ensure_future(self._end())

    async def _end(self) -> None:
        with self._told:
            self.returncode = await _number(self._told)

    def send_signal(self, number: int) -> None:
        """Raises: ProcessLookupError: it has ended."""
        if self.returncode is not None:
            raise ProcessLookupError
        os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    async def wait(self) -> int:
        await asyncio.shield(self._ending)
        assert self.returncode is not None
        return self.returncode

    async def communicate(self) -> tuple[bytes, bytes]:
        """All that it prints, once it has ended."""
        out, err, _ = await asyncio.gather(_rest(self.stdout), _rest(self.stderr), self.wait())
        return out, err


async def start(
    folder: Path,
    *arguments: str,
    environment: Mapping[str, str],
    stdin: int | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
    anew: bool = False,
) -> Forged | asyncio.subprocess.Process:
    """`python -m homing.cli` with these arguments: forked where that shows the same.

    Args:
        stdin: DEVNULL; None: this process's own.
        stdout: PIPE; None: this process's own. `stderr` likewise.
        anew: by a new interpreter in any case.
    """
    control, begun = _forge()
    if anew or control is None or _read_once(environment) != begun:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "homing.cli", *arguments),
            cwd=folder,
            env=environment,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
        )
    told, theirs = socket.socketpair()
    told.setblocking(False)
    how = {"arguments": arguments, "folder": str(folder), "environment": dict(environment)}
    with theirs, open(os.devnull) as nothing:
        mine = (nothing.fileno() if stdin == subprocess.DEVNULL else 0, 1, 2)
        out, out_end = await _pipe(stdout, mine[1])
        err, err_end = await _pipe(stderr, mine[2])
        files = [theirs.fileno(), mine[0], out_end, err_end]
        socket.send_fds(control, [json.dumps(how).encode()], files)
        for end in {out_end, err_end} - set(mine):
            os.close(end)
    return Forged(told, await _number(told), out, err)


async def _pipe(wanted: int | None, otherwise: int) -> tuple[asyncio.StreamReader | None, int]:
    """The end to read, and the one to give away."""
    if wanted is None:
        return None, otherwise
    assert wanted == subprocess.PIPE
    ours, theirs = os.pipe()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(ours, "rb", buffering=0)
    )
    return reader, theirs


async def _number(told: socket.socket) -> int:
    data = b""
    while len(data) < forge.NUMBER.size:
        some = await asyncio.get_running_loop().sock_recv(told, forge.NUMBER.size - len(data))
        if not some:
            raise RuntimeError("the forge has gone; what it says is on standard error")
        data += some
    return int(forge.NUMBER.unpack(data)[0])


async def _rest(stream: asyncio.StreamReader | None) -> bytes:
    return b"" if stream is None else await stream.read()


def _read_once(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_READ_ONCE)}


@functools.cache
def _forge() -> tuple[socket.socket | None, dict[str, str]]:
    """Where to ask the forge of this process, and what it read when it started."""
    begun = _read_once(os.environ)
    if not hasattr(os, "pidfd_open"):  # Linux has it
        return None, begun
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, forge.__file__, str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )

    def leave() -> None:
        ours.close()
        process.wait(_END_S)

    atexit.register(leave)
    return ours, begun
