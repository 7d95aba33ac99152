"""Both ends of a run as processes: the publishers and the receivers, and what they saw."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import msgspec

from bench.chaos import sink, source
from bench.processes import ROOT


class _Child:
    """A process of ours with a plan and a report; a context manager."""

    def __init__(self, folder: Path, name: str, plan: msgspec.Struct) -> None:
        self._file = folder / f"{name}.report"
        plan_file = folder / f"{name}.plan"
        plan_file.write_bytes(msgspec.json.encode(plan))
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", f"bench.chaos.{name}"),
                *("--plan", str(plan_file), "--report", str(self._file)),
            ],
            env={"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", "PATH": "/usr/bin:/bin"},
            stdout=subprocess.PIPE,
            text=True,
        )

    def __exit__(self, *exception: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _ended(self) -> bytes:
        code = self._process.wait(120)
        if code:
            raise RuntimeError(f"{self._file.stem} ended with {code}")
        return self._file.read_bytes()


class Sink(_Child):
    """The receivers."""

    def __init__(self, folder: Path, plan: sink.Plan) -> None:
        super().__init__(folder, "sink", plan)
        assert self._process.stdout is not None
        self.url = f"http://{plan.host}:{int(self._process.stdout.readline())}"
        self._asked_s, self._told = 0.0, 0

    def __enter__(self) -> Sink:
        return self

    def so_far(self) -> int:
        """Distinct deliveries answered 2xx, as of at most a second ago."""
        if time.monotonic() - self._asked_s > 1.0:
            with urllib.request.urlopen(f"{self.url}/so-far", timeout=30) as answer:
                self._told = int(answer.read())
            self._asked_s = time.monotonic()
        return self._told

    def report(self) -> sink.Report:
        """Stop it, and what it saw."""
        self._process.send_signal(signal.SIGTERM)
        return msgspec.msgpack.decode(self._ended(), type=sink.Report)


class Publishing(_Child):
    """The publishers."""

    def __init__(self, folder: Path, plan: source.Plan) -> None:
        super().__init__(folder, "source", plan)
        self._told = False

    def __enter__(self) -> Publishing:
        return self

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        """Let it send nothing new."""
        if not self._told:  # once: a second might meet it when it has ended its own handling
            self._process.send_signal(signal.SIGTERM)
        self._told = True

    def so_far(self) -> int:
        file = self._file.with_suffix(".so-far")
        text = file.read_text() if file.exists() else ""
        return int(text) if text.endswith("\n") else 0

    def report(self) -> source.Report:
        return msgspec.json.decode(self._ended(), type=source.Report)
