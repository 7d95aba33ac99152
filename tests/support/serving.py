"""Homing with its API on a free port of 127.0.0.1, inside the test's own event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from ipaddress import ip_network

import httpx
import uvicorn

from homing.cli.runtime import Runtime
from homing.core.ports import Store
from homing.service.tokens import sign_org_token
from homing.settings import SecretText, Settings
from homing.system import SystemClock

SECRET = "a secret of the tests, long enough"


@dataclass(frozen=True)
class Served:
    """A running Homing."""

    url: str
    token: str
    runtime: Runtime

    def client(self, token: str | None = None, **more: object) -> httpx.AsyncClient:
        """An HTTP client with the organisation's token, or with another one."""
        headers = {"authorization": f"Bearer {token or self.token}"}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=20, **more)  # type: ignore[arg-type]


def org_token(org_id: str) -> str:
    """A token of another organisation."""
    return sign_org_token(SECRET, at_us=SystemClock().now_us(), org_id=org_id)


class _Server(uvicorn.Server):
    """Without uvicorn's signal handlers, and telling when it has begun."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.begun = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.begun.set()


@asynccontextmanager
async def serving(
    store: Store, *, dispatching: bool = True, secret: str = SECRET, **fields: object
) -> AsyncIterator[Served]:
    """Serve `store`, which is closed at the end.

    Args:
        dispatching: also send what is accepted; to 127.0.0.1 only, unless `fields` say more.
        secret: HOMING_SECRET.
        fields: of Settings.
    """
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    host, port = listener.getsockname()
    settings = Settings(
        secret=SecretText(secret),
        listen=f"{host}:{port}",
        **{  # type: ignore[arg-type]
            "egress_allow": (ip_network("127.0.0.0/8"),),
            "poll_s": 0.05,
            "drain_s": 5.0,
            **fields,
        },
    )
    runtime = Runtime(settings, store)
    server = _Server(
        uvicorn.Config(
            runtime.make_app(),
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
        )
    )
    task = asyncio.create_task(server.serve(sockets=[listener]))
    await server.begun.wait()
    if dispatching:
        runtime.start()
    token = sign_org_token(secret, at_us=SystemClock().now_us())
    try:
        yield Served(f"http://{host}:{port}", token, runtime)
    finally:
        server.should_exit = True
        await task
        if dispatching:
            await runtime.drain(5.0)
        else:
            await runtime.intake.close()
        await runtime.close()
