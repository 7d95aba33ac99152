"""`homing serve` and `homing dispatch`: run the service until told to stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import resource
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, Final

import click
import uvloop

from homing.channels import make_channels
from homing.cli.configuration import load_settings, without_password
from homing.cli.logs import set_up_logs
from homing.cli.runtime import Runtime
from homing.cli.server import address_of, bind, make_server, stop_signals
from homing.cli.supervisor import Supervisor, orphaned
from homing.core.errors import ConfigError, Unavailable
from homing.settings import Settings
from homing.store import migrate as migrate_store
from homing.store import open_store

_log = logging.getLogger("homing")

_EXIT_FAILED: Final = 1
#: objects made, less objects freed, before the collector looks at young, older and all objects
_COLLECT_AFTER: Final = (20_000, 20, 20)


@click.command()
@click.option("--listen", metavar="HOST:PORT", help="Instead of HOMING_LISTEN.")
@click.option("--workers", type=int, metavar="N", help="Instead of HOMING_WORKERS.")
@click.option("--listener", type=int, hidden=True, help="A worker's: number of the open socket.")
def serve(listen: str | None, workers: int | None, listener: int | None) -> None:
    """Run the API and the dispatcher until SIGTERM or Ctrl-C, then drain.

    A database that is empty or of an earlier version is migrated first.

    \b
    Examples:
      homing serve
      HOMING_LISTEN=0.0.0.0:8000 HOMING_DATABASE_URL=postgresql://… homing serve --workers 4
    """
    settings = load_settings(listen=listen, workers=workers)
    _prepare(settings)
    if listener is not None:
        code = _work(settings, socket.socket(fileno=listener))
    elif settings.workers == 1:
        code = uvloop.run(_serve(settings, bind(settings.listen), is_worker=False))
    else:
        code = _supervise(settings)
    raise click.exceptions.Exit(code)


def _work(settings: Settings, listener: socket.socket) -> int:
    """Serve as one of several; a database that is away now is worth another start."""
    try:
        return uvloop.run(_serve(settings, listener, is_worker=True))
    except Unavailable as error:
        _log.error("%s", error)
        return _EXIT_FAILED


@click.command()
def dispatch() -> None:
    """Run the dispatcher alone, without the API: more hands for a busy database.

    \b
    Examples:
      HOMING_DATABASE_URL=postgresql://… homing dispatch
    """
    settings = load_settings()
    _prepare(settings)
    raise click.exceptions.Exit(uvloop.run(_dispatch(settings)))


def _prepare(settings: Settings) -> None:
    set_up_logs(settings.log_format, settings.log_level)
    raise_file_limit()


def raise_file_limit() -> int:
    """Allow this process as many open files as it may have; how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS refuses its own "unlimited"
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return soft


def _supervise(settings: Settings) -> int:
    if settings.database_url == "memory:":
        raise ConfigError(["HOMING_WORKERS: one, because memory: is not shared between processes"])
    make_channels([one.reveal() for one in settings.alerts])  # one complaint, not each worker's
    asyncio.run(migrate_store(settings.database_url))
    listener = bind(settings.listen)
    environment = dict(os.environ) | {
        "HOMING_LISTEN": settings.listen,
        "HOMING_WORKERS": str(settings.workers),
    }
    _say_where(settings, listener)
    supervisor = Supervisor(listener, environment, drain_s=settings.drain_s)
    return asyncio.run(supervisor.run(settings.workers))


def _say_where(settings: Settings, listener: socket.socket) -> None:
    _log.info(
        "Homing listens on %s",
        address_of(listener),
        extra={
            "database": without_password(settings.database_url),
            "workers": settings.workers,
        },
    )


async def _serve(settings: Settings, listener: socket.socket, *, is_worker: bool) -> int:
    stop = stop_signals()
    # Port 0 has become a real one by now, and the sender must know it to keep away from it.
    settings = replace(settings, listen=address_of(listener).removeprefix("http://"))
    async with _running(settings, migrate=not is_worker) as runtime:
        server = make_server(*runtime.make_api())
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        if not is_worker:
            _say_where(settings, listener)
        await _first(stop.wait(), runtime.failed.wait(), serving, *_orphaned_if(is_worker))
        runtime.stopping = True
        deadline = asyncio.get_running_loop().time() + settings.drain_s
        server.should_exit = True
        await serving
        return await _drain(runtime, deadline)


async def _dispatch(settings: Settings) -> int:
    stop = stop_signals()
    async with _running(settings, migrate=True) as runtime:
        _log.info("dispatching from %s", without_password(settings.database_url))
        await _first(stop.wait(), runtime.failed.wait())
        return await _drain(runtime, asyncio.get_running_loop().time() + settings.drain_s)


@asynccontextmanager
async def _running(settings: Settings, *, migrate: bool) -> AsyncIterator[Runtime]:
    store = await open_store(settings.database_url, migrate=migrate)
    runtime = Runtime(settings, store)
    try:
        runtime.start()
        _collect_rarely()
        yield runtime
    finally:
        await runtime.close()


def _collect_rarely() -> None:
    """Let the collector of reference cycles look seldom, and never at what was there at the start.

    A delivery makes some twenty short-lived objects and no cycle; by default the collector would
    look at all that is in flight after every 700 of them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)


async def _drain(runtime: Runtime, deadline: float) -> int:
    """Stop dispatching by `deadline` (loop time); the exit code."""
    in_flight = runtime.dispatcher.in_flight
    _log.info("draining", extra={"in_flight": in_flight})
    left_s = max(0.0, deadline - asyncio.get_running_loop().time())
    finished = await runtime.drain(left_s)
    if not finished:
        _log.warning(
            "not everything in flight ended in time; it is attempted again when its lease runs out"
        )
    _log.info("stopped")
    return _EXIT_FAILED if runtime.failed.is_set() else 0


def _orphaned_if(is_worker: bool) -> list[Any]:
    return [orphaned().wait()] if is_worker else []


async def _first(*waits: Any) -> None:
    """Until one of these is done; the others that only wait are let go."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task, wait in zip(tasks, waits, strict=True):
        if task is not wait:
            task.cancel()
