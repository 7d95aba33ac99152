"""Machines that are namespaces of this one: each with its own addresses, on three bridges.

The process that makes them runs in a network namespace of its own (`enter`), so that two runs
cannot meet and its bridges vanish with it. Needs root and iproute2.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from enum import Enum
from pathlib import Path

#: set once the process is in a namespace of its own
_INSIDE = "HOMING_BENCH_NAMESPACE"
#: an address that all machines of a run can be allowed to call
NETWORK = "10.77.0.0/16"
_NAMED = Path("/run/netns")


class Side(Enum):
    """A bridge: who talks to whom. The value is its part of the addresses."""

    DATABASE = 1
    RECEIVERS = 2
    PUBLISHERS = 3


def missing() -> str | None:
    """What this machine lacks, with the remedy; None: nothing."""
    if not sys.platform.startswith("linux"):
        return "network namespaces exist on Linux only"
    if os.geteuid() != 0:
        return "network namespaces need root"
    for program, package in (("ip", "iproute2"), ("unshare", "util-linux")):
        if shutil.which(program) is None:
            return f"`{program}` is missing: apt-get install {package}"
    tried = subprocess.run(
        ["unshare", "--net", "ip", "link", "add", "b0", "type", "bridge"],
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode:
        return f"network namespaces are not allowed here: {tried.stderr.strip()}"
    return None


def enter(module: str, arguments: list[str]) -> None:
    """Run this program again in a network namespace of its own, unless it is in one."""
    if os.environ.get(_INSIDE) != str(os.getpid()):
        # `unshare` and `env` replace themselves, so the process id stays.
        os.environ[_INSIDE] = str(os.getpid())
        os.execvp("unshare", ["unshare", "--net", sys.executable, "-m", module, *arguments])


class Network:
    """The bridges of this run, and the machines on them; a context manager."""

    def __init__(self) -> None:
        assert os.environ.get(_INSIDE) == str(os.getpid()), "call `enter` first"
        self._prefix = f"homing-{os.getpid()}-"
        self._count = 0
        _remove_abandoned()
        _ip("link", "set", "lo", "up")
        for side in Side:
            _ip("link", "add", _bridge(side), "type", "bridge")
            _ip("addr", "add", f"{self.hub(side)}/24", "dev", _bridge(side))
            _ip("link", "set", _bridge(side), "up")

    def __enter__(self) -> Network:
        return self

    def __exit__(self, *exception: object) -> None:
        for path in _NAMED.glob(f"{self._prefix}*"):
            _remove(path.name)

    def hub(self, side: Side) -> str:
        """The address of this process on a bridge."""
        return f"10.77.{side.value}.1"

    def add(self, name: str, *sides: Side) -> Machine:
        """A machine with a cable to each of these bridges."""
        self._count += 1
        machine = Machine(self._prefix + name, self._count)
        _ip("netns", "add", machine.namespace)
        _ip("-n", machine.namespace, "link", "set", "lo", "up")
        for side in sides:
            cable, end = machine.cable(side), f"e{side.value}"
            _ip("link", "add", cable, "type", "veth", "peer", "name", end)
            _ip("link", "set", end, "netns", machine.namespace)
            _ip("-n", machine.namespace, "addr", "add", f"{machine.address(side)}/24", "dev", end)
            _ip("-n", machine.namespace, "link", "set", end, "up")
            _ip("link", "set", cable, "up")
            machine.join(side)
        return machine


class Machine:
    """One namespace."""

    def __init__(self, namespace: str, number: int) -> None:
        self.namespace = namespace
        self._number = number

    @property
    def prefix(self) -> tuple[str, ...]:
        """Before a command that is to run there; the command keeps the process id."""
        return ("ip", "netns", "exec", self.namespace)

    def address(self, side: Side) -> str:
        return f"10.77.{side.value}.{100 + self._number}"

    def cable(self, side: Side) -> str:
        return f"m{self._number}-{side.value}"

    def cut(self, side: Side) -> None:
        """From now on packets vanish both ways, and neither end is told."""
        _ip("link", "set", self.cable(side), "nomaster")

    def join(self, side: Side) -> None:
        _ip("link", "set", self.cable(side), "master", _bridge(side))


def _bridge(side: Side) -> str:
    return f"b{side.value}"


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


def _remove(name: str) -> None:
    subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def _remove_abandoned() -> None:
    """Namespaces of runs whose process was killed."""
    for path in _NAMED.glob("homing-*-*") if _NAMED.exists() else ():
        with suppress(ValueError, IndexError):
            if not Path(f"/proc/{int(path.name.split('-')[1])}").exists():
                _remove(path.name)
