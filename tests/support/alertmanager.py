"""A real Alertmanager on 127.0.0.1, with one webhook receiver."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from support.ports import free_port
from support.processes import kill

PROGRAMS = ("prometheus-alertmanager", "alertmanager")
_START_S = 120.0

_CONFIG = """
route:
  receiver: hook
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: hook
    webhook_configs:
      - url: {url}
        send_resolved: true
"""


def find_program() -> str | None:
    """Where it is installed; None: it is not."""
    return next((path for name in PROGRAMS if (path := shutil.which(name))), None)


@asynccontextmanager
async def alertmanager(program: str, folder: Path, hook: str) -> AsyncIterator[str]:
    """Running, and telling `hook`; gives host:port."""
    (folder / "alertmanager.yml").write_text(_CONFIG.format(url=hook))
    process, place = await _start(program, folder)
    try:
        yield place
    finally:
        await kill(process)


async def _start(program: str, folder: Path) -> tuple[asyncio.subprocess.Process, str]:
    """On a port that nobody else took meanwhile."""
    log = folder / "alertmanager.log"
    for _ in range(5):
        place = f"127.0.0.1:{free_port()}"
        with log.open("ab") as file:
            process = await asyncio.create_subprocess_exec(
                program,
                "--config.file=alertmanager.yml",
                "--storage.path=data",
                f"--web.listen-address={place}",
                "--cluster.listen-address=",
                cwd=folder,
                stdout=file,
                stderr=file,
            )
        if await _is_ready(place, process):
            return process, place
        await kill(process)
    raise AssertionError(log.read_text()[-2_000:])


async def _is_ready(place: str, process: asyncio.subprocess.Process) -> bool:
    """Once it is; false when it ended instead."""
    async with httpx.AsyncClient(trust_env=False) as http, asyncio.timeout(_START_S):
        while process.returncode is None:
            try:
                if (await http.get(f"http://{place}/-/ready")).is_success:
                    return True
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.05)
    return False
