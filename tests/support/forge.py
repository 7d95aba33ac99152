"""Makes processes of `homing` quickly: they are forked from one that has imported it already.

Most of what a command costs is Python that starts and imports. A process that is made here is a
real one all the same: a pid of its own, its own folder, environment and pipes, nobody else's memory
to write to, `python -m homing.cli` from its first line to the exit code; it can be killed at any
moment. What it does not show is that a new interpreter finds what it needs: for that, and wherever
the environment is the interpreter's own affair, processes are started and not forked.

A program (the forge) and its client: the program forks for each request that comes by a socket; the
fork forks again, waits for its child, and tells the client the pid and then the exit code. When the
client is gone, its processes are killed.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import select
import signal
import socket
import struct
import sys
from typing import Any

#: the longest request: an environment, mostly
REQUEST_BYTES_MAX = 150_000
#: a pid, or an exit code
NUMBER = struct.Struct("i")

_MODULE = "homing.cli"


def _import_all() -> None:
    """What commands import, without what only few of them do (the libraries of the analysis)."""
    import importlib

    from homing.cli.main import COMMANDS

    for module in {where.module for where in COMMANDS.values()}:
        importlib.import_module(module)
    for module in (
        "asyncpg",
        "homing.store.memory",
        "homing.store.sqlite",
        "homing.store.postgres",
    ):
        importlib.import_module(module)
    gc.collect()
    gc.freeze()


def _serve(control: socket.socket) -> dict[str, Any]:
    """Fork for each request; returns in the process that was asked for, with what it is to do."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait
    while True:
        message, files, _, _ = socket.recv_fds(control, REQUEST_BYTES_MAX, 4)
        if not message:
            os._exit(0)
        if os.fork() == 0:
            control.close()
            return _attend(json.loads(message), *files)
        for file in files:
            os.close(file)


def _attend(how: dict[str, Any], told: int, *streams: int) -> dict[str, Any]:
    """Fork once more; the parent tells of the child and ends with it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if child:
        try:
            for stream in streams:
                os.close(stream)
            _tell(told, child)
        finally:
            os._exit(0)
    os.close(told)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    return how


def _tell(told: int, child: int) -> None:
    """The pid at once, and the exit code when there is one (as `subprocess` has it)."""
    with socket.socket(fileno=told) as client:
        client.sendall(NUMBER.pack(child))
        ending = os.pidfd_open(child)
        # The client sends nothing: what there is to read is that it has gone.
        while ending not in (ready := select.select([client, ending], [], [])[0]):
            if client in ready:
                os.kill(child, signal.SIGKILL)
                select.select([ending], [], [])
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        client.sendall(NUMBER.pack(code))


def main() -> None:
    """The forge, and later each of its processes."""
    sys.path[0] = "/"  # this folder's modules are nobody's business
    _import_all()
    how = _serve(socket.socket(fileno=int(sys.argv[1])))
    os.chdir(how["folder"])
    os.environ.clear()
    os.environ.update(how["environment"])
    sys.path[0] = how["folder"]
    sys.argv[1:] = how["arguments"]
    runpy.run_module(_MODULE, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
