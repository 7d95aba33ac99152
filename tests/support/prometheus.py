"""A real Prometheus and a real Alertmanager of a test, on free ports of 127.0.0.1."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from support.ports import free_port
from support.processes import kill

_START_S = 60.0
_PROGRAMS = {
    "prometheus": ("prometheus",),
    "alertmanager": ("prometheus-alertmanager", "alertmanager"),
}


def missing_programs() -> str:
    """What is not on PATH, as a sentence; empty when both are."""
    absent = [name for name, names in _PROGRAMS.items() if not any(map(shutil.which, names))]
    return (
        f"{' and '.join(absent)} not on PATH; as root: scripts/install-prometheus" if absent else ""
    )


def _program(name: str) -> str:
    return next(found for one in _PROGRAMS[name] if (found := shutil.which(one)))


@asynccontextmanager
async def _running(url: str, log: Path, *command: str) -> AsyncIterator[httpx.AsyncClient]:
    """A process, once it says that it is ready."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(*command, stdout=output, stderr=output)
    try:
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:
            async with asyncio.timeout(_START_S):
                while True:
                    assert process.returncode is None, log.read_text()
                    try:
                        if (await client.get("/-/ready")).is_success:
                            break
                    except httpx.TransportError:
                        pass
                    await asyncio.sleep(0.1)
            yield client
    finally:
        await kill(process)


@asynccontextmanager
async def alertmanager(folder: Path, webhook_url: str) -> AsyncIterator[str]:
    """Its URL; every alert goes to one webhook at once."""
    port = free_port()
    config = {
        "route": {
            "receiver": "hook",
            "group_by": ["alertname"],
            "group_wait": "0s",
            "group_interval": "1s",
            "repeat_interval": "1h",
        },
        "receivers": [
            {"name": "hook", "webhook_configs": [{"url": webhook_url, "send_resolved": True}]}
        ],
    }
    path = folder / "alertmanager.yml"
    path.write_text(yaml.safe_dump(config))
    url = f"http://127.0.0.1:{port}"
    command = (
        _program("alertmanager"),
        f"--config.file={path}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    )
    async with _running(url, folder / "alertmanager.log", *command):
        yield url


@asynccontextmanager
async def prometheus(
    folder: Path, *, scrape: str, rules: Path, alertmanager_url: str
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of it; it scrapes one target and computes its rules every second."""
    port = free_port()
    config: dict[str, Any] = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [f"{rules}/*.rules.yml"],
        "scrape_configs": [
            {"job_name": "homing", "static_configs": [{"targets": [_address(scrape)]}]}
        ],
        "alerting": {
            "alertmanagers": [{"static_configs": [{"targets": [_address(alertmanager_url)]}]}]
        },
    }
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(config))
    command = (
        _program("prometheus"),
        f"--config.file={path}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{port}",
    )
    url = f"http://127.0.0.1:{port}"
    async with _running(url, folder / "prometheus.log", *command) as client:
        yield client


def _address(url: str) -> str:
    return url.removeprefix("http://")
