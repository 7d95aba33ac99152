"""Real processes: `homing serve` as an operator starts it, and a publisher who speaks HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from .forged import Forged, start

#: what Python runs
SERVE = ("-m", "homing.cli", "serve")
SECRET = "a secret of the end-to-end tests"
_START_S = 120.0
#: longest run of a command: most of it is Python that starts
_RUN_S = 240.0
#: longest wait for what was killed, or for what has ended to be read to its end
_END_S = 60.0


def environment(database_url: str, **settings: object) -> dict[str, str]:
    """The environment of a process; settings by their lower-case names."""
    base = {name: value for name, value in os.environ.items() if not name.startswith("HOMING_")}
    given = {f"HOMING_{name.upper()}": str(value) for name, value in settings.items()}
    return base | {
        "HOMING_DATABASE_URL": database_url,
        "HOMING_LISTEN": "127.0.0.1:0",
        "HOMING_EGRESS_ALLOW": "127.0.0.0/8",
        "HOMING_SECRET": SECRET,
        "HOMING_RETRY_DELAYS_S": "0.2,0.2,0.2,0.5,0.5,1,1,2",
        "HOMING_POLL_S": "0.1",
        **given,
    }


def without_our_options() -> dict[str, str]:
    """The environment of a pytest within a test: what this run was told is not for it."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}


@dataclass
class Homing:
    """A running `homing serve`."""

    process: asyncio.subprocess.Process | Forged
    url: str
    log: list[str] = field(default_factory=list)
    _reading: asyncio.Task[None] | None = None

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    async def wait(self) -> int:
        """The exit code, once it has ended."""
        code = await asyncio.wait_for(self.process.wait(), 60)
        await self.read_to_end()
        return code

    async def read_to_end(self) -> None:
        """Until its log has ended. Raises: TimeoutError: a worker of it lives on and writes it."""
        if self._reading is not None:
            await asyncio.wait_for(self._reading, _END_S)

    async def read_on(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.log.append(line.decode())

    async def wait_for_line(self, words: str) -> str:
        """The first log line with these words."""
        async with asyncio.timeout(_START_S):
            while True:
                for line in self.log:
                    if words in line:
                        return line
                await asyncio.sleep(0.02)


@asynccontextmanager
async def serving(
    folder: Path,
    *arguments: str,
    database_url: str | None = None,
    program: tuple[str, ...] = SERVE,
    anew: bool = False,
    **settings: object,
) -> AsyncIterator[Homing]:
    """`homing serve` in `folder`; killed at the end if it still runs.

    Args:
        program: what Python is to run instead of it.
        anew: by a new interpreter, with memory that it shares with nobody.
    """
    given = environment(database_url or "sqlite:///homing.db", **settings)
    process: asyncio.subprocess.Process | Forged
    if program == SERVE:
        process = await start(
            folder,
            "serve",
            *arguments,
            environment=given,
            stderr=asyncio.subprocess.PIPE,
            anew=anew,
        )
    else:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *program, *arguments),
            cwd=folder,
            env=given,
            stderr=asyncio.subprocess.PIPE,
        )
    assert process.stderr is not None
    homing = Homing(process, "")
    try:
        async with asyncio.timeout(_START_S):
            while not homing.url:
                line = (await process.stderr.readline()).decode()
                assert line, f"it ended: {''.join(homing.log)}"
                homing.log.append(line)
                found = re.search(r"Homing listens on (\S+)", line)
                homing.url = found[1] if found else ""
        homing._reading = asyncio.create_task(homing.read_on())
        yield homing
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), 60)
            except TimeoutError:
                with suppress(ProcessLookupError):
                    process.kill()
                await asyncio.wait_for(process.wait(), _END_S)
        await homing.read_to_end()


async def kill(process: asyncio.subprocess.Process | Forged, *, is_leader: bool = False) -> None:
    """End a process that may still run, and read what is left in its pipes.

    Args:
        is_leader: it was started in a session of its own: all that it started there ends too.

    Raises:
        TimeoutError: somebody else holds its pipes; asyncio of Python 3.11 waits for those as well,
            and for a pipe that nobody reads.
    """
    with suppress(ProcessLookupError):
        if is_leader:
            os.killpg(process.pid, signal.SIGKILL)
        elif process.returncode is None:
            process.kill()
    await asyncio.wait_for(process.communicate(), _END_S)


async def read_until(stream: asyncio.StreamReader | None, words: str, within_s: float) -> str:
    """The first line with these words.

    Raises:
        AssertionError: the stream ended before it, with all that it said.
        TimeoutError: it did not come in time.
    """
    assert stream is not None
    said: list[str] = []
    async with asyncio.timeout(within_s):
        while line := (await stream.readline()).decode():
            if words in line:
                return line
            said.append(line)
    raise AssertionError(f"it ended without {words!r}: {''.join(said)}")


async def run(
    folder: Path, *arguments: str, anew: bool = False, **settings: Any
) -> tuple[int, str, str]:
    """One `homing` command: exit code, standard output, standard error.

    Args:
        anew: by a new interpreter, which takes ten times as long.
    """
    database_url = settings.pop("database_url", "sqlite:///homing.db")
    process = await start(
        folder,
        *arguments,
        environment=environment(database_url, **settings) | {"COLUMNS": "100"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        anew=anew,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), _RUN_S)
    finally:
        if process.returncode is None:
            await kill(process)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


class Shop:
    """A publisher with one application, and the endpoints it was told to make."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def add_endpoint(self, url: str) -> dict[str, Any]:
        answer = await self.http.post("/app/shop/endpoint", json={"url": url})
        answer.raise_for_status()
        return dict(answer.json())

    async def send(self, number: int) -> str:
        """Publish one message; its id once it is accepted."""
        body = {"eventType": "payment.captured", "payload": {"number": number}}
        answer = await self.http.post("/app/shop/msg", json=body)
        answer.raise_for_status()
        return str(answer.json()["id"])


@asynccontextmanager
async def shop(homing: Homing, folder: Path) -> AsyncIterator[Shop]:
    """A publisher with a token made by `homing token`."""
    code, out, err = await run(folder, "token", "--json")
    assert code == 0, err
    async with httpx.AsyncClient(
        base_url=f"{homing.url}/api/v1",
        headers={"authorization": f"Bearer {json.loads(out)['token']}"},
        timeout=60,
        trust_env=False,
    ) as http:
        body = {"name": "shop", "uid": "shop"}
        (await http.post("/app", params={"get_if_exists": "true"}, json=body)).raise_for_status()
        yield Shop(http)


async def audit(folder: Path, *arguments: str, **settings: Any) -> dict[str, Any]:
    """What `homing audit --json` finds."""
    code, out, err = await run(folder, "audit", "--json", *arguments, **settings)
    report: dict[str, Any] = json.loads(out)
    assert (code == 0) == report["balanced"], (code, out, err)
    return report
