"""Everything that the demo starts, and stops again in order."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

from homing.cli.admin import sign_token
from homing.cli.client import Api, ApiError
from homing.cli.configuration import keep_secret, read_settings
from homing.cli.demo.publisher import APPLICATION, EVENT_TYPES
from homing.cli.receiver import Arrival, Manners, Receiver
from homing.cli.server import Server, address_of, bind, make_server
from homing.core.errors import ConfigError
from homing.core.store import Store
from homing.store import migrate, open_store
from homing.system import SystemChance

#: settings that let people see in seconds what takes hours in earnest
_SETTINGS: Final = {
    "HOMING_DATABASE_URL": "sqlite:///homing.db",
    "HOMING_EGRESS_ALLOW": "127.0.0.0/8",
    "HOMING_RETRY_DELAYS_S": "1,2,3,5",
    "HOMING_FIRST_BYTE_S": "1",
    "HOMING_AUDIT_EVERY_S": "5",
    "HOMING_DRAIN_S": "5",
    "HOMING_WORKERS": "1",
}
_READY_S: Final = 20.0
#: longer than the service may drain
_STOP_S: Final = 30.0


class DemoReceiver:
    """A receiver with a name, and what it has seen."""

    def __init__(
        self, name: str, description: str, event_types: list[str], manners: Manners
    ) -> None:
        self.name = name
        self.description = description
        self.event_types = event_types
        self.received = self.refused = self.unverified = 0
        self.app = Receiver(manners, SystemChance(), on_arrival=self._count)
        self.endpoint_id = ""

    def _count(self, arrival: Arrival) -> None:
        self.received += 1
        self.refused += arrival.status >= 300
        self.unverified += arrival.complaint is not None


def _make_receivers() -> list[DemoReceiver]:
    return [
        DemoReceiver("books", "healthy, wants everything", [], Manners(delay_s=0.02)),
        DemoReceiver(
            "mailer",
            "refuses 25%, stalls 5%",
            ["payment.captured", "payment.failed", "refund.created"],
            Manners(delay_s=0.05, refused_ratio=0.25, stalled_ratio=0.05, stall_s=1.5),
        ),
    ]


class World:
    """What runs while the demo runs."""

    def __init__(
        self,
        *,
        store: Store,
        server_url: str,
        token: str,
        log: Path,
        process: asyncio.subprocess.Process,
        receivers: list[DemoReceiver],
    ) -> None:
        self.store = store
        self.server_url = server_url
        self.token = token
        self.log = log
        self.receivers = receivers
        self._process = process
        self._names = {r.endpoint_id: r.name for r in receivers}

    def name_of(self, endpoint_id: str) -> str:
        """What people call an endpoint; its id when it is none of ours."""
        return self._names.get(endpoint_id, endpoint_id[:8])

    @property
    def unverified(self) -> int:
        """Webhooks whose signature was wrong."""
        return sum(receiver.unverified for receiver in self.receivers)

    def summary(self) -> dict[str, Any]:
        """What arrived, counted by those who received it."""
        return {
            "received": {r.name: r.received for r in self.receivers},
            "unverified": self.unverified,
        }

    async def wait_for_end(self) -> None:
        """Until the service ends although nobody asked it to.

        Raises:
            ConfigError: it did.
        """
        code = await self._process.wait()
        raise ConfigError([f"the service ended with {code}; {self.log} says why"])

    async def stop_serving(self) -> None:
        """Drain the service and wait for its end."""
        await _end(self._process)


@asynccontextmanager
async def open_world(folder: Path, listen: str) -> AsyncIterator[World]:
    """Start the service and the receivers; stop whatever was started, however this is left.

    Args:
        folder: exists; keeps the database and the log.
    """
    async with AsyncExitStack() as stack:
        database = (folder / "homing.db").absolute()
        await migrate(f"sqlite:///{database}")
        listener = stack.enter_context(_bind(listen))
        settings = read_settings(
            _SETTINGS | {"HOMING_SECRET": keep_secret(Path(f"{database}.secret"))}
        )
        log = folder / "homing.log"
        process = await _serve(folder, log, listener)
        stack.push_async_callback(_end, process)
        api = Api(address_of(listener), sign_token(settings))
        await _wait_until_ready(api, process, log)
        receivers = _make_receivers()
        await asyncio.to_thread(_make_application, api)
        for receiver in receivers:
            url = await _start_receiver(stack, receiver)
            await asyncio.to_thread(_register, api, receiver, url)
        store = await open_store(f"sqlite:///{database}", migrate=False)
        stack.push_async_callback(store.close)
        yield World(
            store=store,
            server_url=api.server_url,
            token=sign_token(settings),
            log=log,
            process=process,
            receivers=receivers,
        )


def _bind(listen: str) -> socket.socket:
    """The asked-for address, or a free port beside it: a demo should start."""
    try:
        return bind(listen)
    except ConfigError:
        return bind(f"{listen.rpartition(':')[0]}:0")


async def _serve(folder: Path, log: Path, listener: socket.socket) -> asyncio.subprocess.Process:
    """The service in a process of its own; it ends when this process does, however that ends."""
    environment = {n: v for n, v in os.environ.items() if not n.startswith("HOMING_")}
    file = listener.fileno()
    with log.open("ab") as out:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "homing.cli",
            "serve",
            "--listener",
            str(file),
            cwd=folder,
            env=environment | _SETTINGS,
            stdin=asyncio.subprocess.PIPE,
            stdout=out,
            stderr=out,
            pass_fds=[file],
            start_new_session=True,
        )


async def _end(process: asyncio.subprocess.Process, within_s: float = _STOP_S) -> None:
    """Let it drain; what has not stopped in time is killed."""
    ended = asyncio.ensure_future(process.wait())
    for stop in (process.terminate, process.kill):
        if process.returncode is None:
            with suppress(ProcessLookupError):
                stop()
        if (await asyncio.wait([ended], timeout=within_s))[0]:
            return
    ended.cancel()


async def _wait_until_ready(api: Api, process: asyncio.subprocess.Process, log: Path) -> None:
    deadline = asyncio.get_running_loop().time() + _READY_S
    while True:
        try:
            await asyncio.to_thread(api.get, "app", limit=1)
            return
        except ApiError as error:
            late = asyncio.get_running_loop().time() > deadline
            if process.returncode is not None or late:
                raise ConfigError([f"the service did not start: {error}; {log} says why"]) from None
        await asyncio.sleep(0.1)


def _make_application(api: Api) -> None:
    body = {"name": "Payments (demo)", "uid": APPLICATION}
    api.call("POST", "app", query={"get_if_exists": "true"}, body=body)
    for name, description in EVENT_TYPES.items():
        api.call("PUT", "event-type", name, body={"description": description})


async def _start_receiver(stack: AsyncExitStack, receiver: DemoReceiver) -> str:
    """The URL at which it listens from now on."""
    listener = bind("127.0.0.1:0")
    server = make_server(receiver.app)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    stack.push_async_callback(_stop_receiver, server, task)
    return f"{address_of(listener)}/{receiver.name}"


async def _stop_receiver(server: Server, task: asyncio.Task[None]) -> None:
    server.should_exit = True
    await task


def _register(api: Api, receiver: DemoReceiver, url: str) -> None:
    """An endpoint for the receiver: the one of an earlier run, or a new one."""
    body: dict[str, Any] = {
        "url": url,
        "uid": receiver.name,
        "description": receiver.description,
        "disabled": False,
    }
    if receiver.event_types:
        body["eventTypes"] = receiver.event_types
    made = api.call("PUT", "app", APPLICATION, "endpoint", receiver.name, body=body)
    receiver.endpoint_id = made["id"]
    found = api.get("app", APPLICATION, "endpoint", receiver.name, "secret")
    receiver.app.secret = found["key"]
