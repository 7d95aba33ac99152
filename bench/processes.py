"""Starts what a bench needs as processes of their own, and ends them: Homing, load, receiver.

Also what the system knows about them: processor time and memory, from /proc (Linux).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from bench import load, receiver
from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[1]
SECRET = "a bench's secret, which guards nothing"
#: longest wait for a process to start or to end, seconds
_WAIT_MAX_S = 60.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGESIZE")


class Setup(NamedTuple):
    """How one Homing is run."""

    url: str  #: of its database
    workers: int = 1
    settings: dict[str, str] = {}
    #: instead of `homing serve`: arguments of Python
    program: tuple[str, ...] = ("-m", "homing.cli", "serve")


def environment(setup: Setup) -> dict[str, str]:
    """Of a Homing or one of its commands."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("HOMING_")}
    return {
        **inherited,
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
        "HOMING_DATABASE_URL": setup.url,
        "HOMING_SECRET": SECRET,
        "HOMING_EGRESS_ALLOW": "127.0.0.0/8",
        "HOMING_LOG_LEVEL": "warning",
        **setup.settings,
    }


class Node:
    """One `homing serve`, which can be killed and started again on the same port.

    Args:
        folder: its log goes here.
        host: the address it listens on.
        prefix: a command that runs the command after it, such as `ip netns exec NAME`.
    """

    def __init__(
        self,
        setup: Setup,
        folder: Path,
        name: str = "homing",
        *,
        host: str = "127.0.0.1",
        prefix: Sequence[str] = (),
    ) -> None:
        self.setup = setup
        self.name = name
        self._log = folder / f"{name}.log"
        self._prefix = prefix
        self.port = free_port()
        self.listen = f"{host}:{self.port}"
        self.url = f"http://{self.listen}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Run it; it may not answer yet."""
        settings = {
            "HOMING_LISTEN": self.listen,
            "HOMING_WORKERS": str(self.setup.workers),
        }
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._prefix, sys.executable, *self.setup.program],
                env=environment(self.setup) | settings,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._log.parent,
            )

    def wait_until_ready(self) -> None:
        """Return when it answers. Raises: RuntimeError."""
        deadline_s = time.monotonic() + _WAIT_MAX_S
        while time.monotonic() < deadline_s:
            assert self._process is not None
            if self._process.poll() is not None:
                break
            if self.is_ready():
                return
            time.sleep(0.05)
        raise RuntimeError(f"Homing did not start:\n{self.log_end()}")

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def is_ready(self, within_s: float = 5.0) -> bool:
        """Whether it answers now that it can accept messages."""
        with suppress(OSError):
            urllib.request.urlopen(f"{self.url}/ready", timeout=within_s).close()
            return True
        return False

    def kill(self) -> None:
        """SIGKILL: no goodbye of any kind. Its workers, if any, notice and drain."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """To the process and its workers."""
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def stop(self) -> None:
        """SIGTERM: it drains. Raises: RuntimeError where it does not end well."""
        if self._process is None:
            return
        self._process.terminate()
        code = self._process.wait(_WAIT_MAX_S)
        self._process = None
        if code:
            raise RuntimeError(f"Homing ended with {code}:\n{self.log_end()}")

    def abandon(self) -> None:
        """End it whatever it does; after a failure."""
        if self._process is not None and self._process.poll() is None:
            for pid in reversed(self.pids()):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.wait()

    def pids(self) -> list[int]:
        """Of the process and of its workers."""
        assert self._process is not None
        return with_descendants(self._process.pid)

    def log_end(self) -> str:
        return self._log.read_text()[-3_000:] if self._log.exists() else ""

    def api(self, method: str, path: str, body: object = None) -> Any:
        """One call of the API, as the organisation."""
        request = urllib.request.Request(
            f"{self.url}/api/v1{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "authorization": f"Bearer {token(self.setup)}",
                "content-type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.loads(response.read() or b"null")

    def metrics(self) -> dict[str, float]:
        """What `/metrics` says: series with its labels → value; all workers added up."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=30) as response:
            lines = response.read().decode().splitlines()
        pairs = [line.rpartition(" ") for line in lines if line and not line.startswith("#")]
        return {series: float(value) for series, _, value in pairs}


def homing(setup: Setup, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one command of Homing to its end."""
    return subprocess.run(
        [sys.executable, "-m", "homing.cli", *arguments],
        env=environment(setup),
        capture_output=True,
        text=True,
        timeout=1_800,
        check=False,
    )


_tokens: dict[str, str] = {}


def token(setup: Setup) -> str:
    """A token of the organisation."""
    if SECRET not in _tokens:
        _tokens[SECRET] = json.loads(homing(setup, "token", "--json").stdout)["token"]
    return _tokens[SECRET]


class Receiver:
    """A receiver process; a context manager."""

    def __init__(self, folder: Path, *options: str, name: str = "receiver") -> None:
        self._file = folder / f"{name}.json"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.receiver", "--report", str(self._file), *options],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.pid = self._process.pid
        self.port = int(self._process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Receiver:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(_WAIT_MAX_S)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def so_far(self) -> tuple[int, int]:
        """(distinct messages received, requests held at the moment)."""
        file = self._file.with_suffix(".so-far")
        file.unlink(missing_ok=True)
        self._process.send_signal(signal.SIGUSR1)
        deadline_s = time.monotonic() + _WAIT_MAX_S
        while time.monotonic() < deadline_s:
            text = file.read_text() if file.exists() else ""
            if text.endswith("\n"):
                distinct, held = text.split()
                return int(distinct), int(held)
            time.sleep(0.01)
        raise RuntimeError("the receiver does not answer")

    def report(self) -> receiver.Report:
        """Stop it, and what it saw."""
        self._process.terminate()
        self._process.wait(_WAIT_MAX_S)
        return msgspec.json.decode(self._file.read_bytes(), type=receiver.Report)


class Publisher:
    """A load process under way."""

    def __init__(self, folder: Path, plan: load.Plan, name: str = "load") -> None:
        self._file = folder / f"{name}.json"
        plan_file = folder / f"{name}.plan"
        plan_file.write_bytes(msgspec.json.encode(plan))
        arguments = ["--plan", str(plan_file), "--report", str(self._file)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.load", *arguments],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def report(self, within_s: float) -> load.Report:
        """Wait for its end, and what it saw. Raises: RuntimeError."""
        try:
            code = self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise RuntimeError(f"the load did not end within {within_s:.0f} s") from None
        if code:
            raise RuntimeError(f"the load ended with {code}")
        return msgspec.json.decode(self._file.read_bytes(), type=load.Report)

    def abandon(self) -> None:
        """End it whatever it does; after a failure."""
        if self.is_running:
            self._process.kill()
            self._process.wait()


@contextmanager
def running(setup: Setup, folder: Path) -> Iterator[Node]:
    """One Homing, ready; drained at the end."""
    node = Node(setup, folder)
    try:
        node.start()
        node.wait_until_ready()
        yield node
        node.stop()
    finally:
        node.abandon()


class Usage(NamedTuple):
    """What some processes have used so far."""

    cpu_s: float
    resident_bytes: int

    def __sub__(self, other: object) -> Usage:
        """Processor time in between; memory as it is now."""
        assert isinstance(other, Usage)
        return Usage(self.cpu_s - other.cpu_s, self.resident_bytes)


def usage(pids: Sequence[int]) -> Usage:
    """Of all of these together (user and system time)."""
    cpu_s, resident = 0.0, 0
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            # The name, in parentheses, may contain anything: fields count from its end (proc(5)).
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            cpu_s += (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
            resident += int(fields[21]) * _PAGE_BYTES
    return Usage(cpu_s, resident)


def machine_cpu_s() -> float:
    """Processor time that the whole machine has spent working, seconds (proc_stat(5))."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _wait, irq, softirq, *_ = map(int, fields)
    return (user + nice + system + irq + softirq) / _TICKS_PER_S


def with_descendants(pid: int) -> list[int]:
    """A process and all that it started, directly or not."""
    found = [pid]
    for one in found:
        with suppress(FileNotFoundError, ProcessLookupError):
            for task in Path(f"/proc/{one}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


class Peak:
    """Watches the resident memory of processes; a context manager."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.resident_bytes = 0

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            self.resident_bytes = max(self.resident_bytes, usage(self._node.pids()).resident_bytes)
