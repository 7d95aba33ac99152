"""Homing with its API on a free port of 127.0.0.1, inside the test's own event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_network

import httpx

from homing.cli.runtime import Runtime
from homing.cli.server import bind, make_server
from homing.core.store import Store
from homing.knobs import SecretText
from homing.service.tokens import sign_org_token
from homing.settings import Settings
from homing.system import SystemClock

SECRET = "a secret of the tests, long enough"
_END_S = 60.0


@dataclass(frozen=True)
class Served:
    """A running Homing."""

    url: str
    token: str
    runtime: Runtime
    stop: Callable[[], None]  #: the server; answers what it was asked, and closes

    def client(self, token: str | None = None, **more: object) -> httpx.AsyncClient:
        """An HTTP client with the organisation's token, or with another one."""
        headers = {"authorization": f"Bearer {token or self.token}"}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=60, **more)  # type: ignore[arg-type]


def org_token(org_id: str) -> str:
    """A token of another organisation."""
    return sign_org_token(SECRET, at_us=SystemClock().now_us(), org_id=org_id)


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
    listener = bind("127.0.0.1:0")
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
    server = make_server(*runtime.make_api())
    task = asyncio.create_task(server.serve(sockets=[listener]))
    if dispatching:
        runtime.start()
    token = sign_org_token(secret, at_us=SystemClock().now_us())
    try:
        yield Served(
            f"http://{host}:{port}", token, runtime, lambda: setattr(server, "should_exit", True)
        )
    finally:
        server.should_exit = True
        await asyncio.wait_for(task, _END_S)
        if dispatching:
            await runtime.drain(5.0)
        else:
            await runtime.intake.close()
        await runtime.close()
