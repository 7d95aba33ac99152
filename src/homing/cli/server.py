"""Runs an ASGI application on a socket until it is told to stop."""

from __future__ import annotations

import asyncio
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, cast

import uvicorn

from homing.core.errors import ConfigError
from homing.web.connection_limits import ConnectionLimits, LimitedProtocol, OpenConnections

#: connections that wait to be accepted; the kernel's own limit is 4,096 by default
_BACKLOG: Final = 2_048
#: how long a connection is kept for the next request, seconds. Clients let go of theirs sooner
#: (httpx, and so Svix's SDK: after 5): whose request crosses our close does not know whether it was
#: heard.
_KEEP_S: Final = 15
#: how long requests under way may take to end once we stop: a publisher's call takes far less
_REQUESTS_END_S: Final = 5


class Server(uvicorn.Server):
    """uvicorn without its own signal handlers: what SIGTERM means is decided by the caller."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def make_server(
    app: Any,
    protocol: Callable[..., LimitedProtocol] = LimitedProtocol,
    *,
    limits: ConnectionLimits | None = None,
) -> Server:
    """A server for `app`, to be run with `serve(sockets=[…])` and stopped with `should_exit`.

    Args:
        protocol: makes what reads and writes one connection.
        limits: of connections; default: no more of them than a quarter of the files that
            this process may open, so that the others are left for the sender and the database.
    """
    if limits is None:
        files_max = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        connections_max = min(ConnectionLimits().connections_max, max(64, files_max // 4))
        limits = ConnectionLimits(connections_max=connections_max)
    return Server(
        uvicorn.Config(
            app,
            loop="none",
            # uvicorn only calls it
            http=cast(Any, partial(protocol, open_connections=OpenConnections(limits))),
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_keep_alive=_KEEP_S,
            timeout_graceful_shutdown=_REQUESTS_END_S,
        )
    )


def bind(listen: str) -> socket.socket:
    """A listening socket.

    Args:
        listen: `host:port`; port 0 takes a free one.

    Raises:
        ConfigError: the address is taken, or not ours.
    """
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, int(port)))
    except OSError as error:
        listener.close()
        raise ConfigError(
            [
                f"cannot listen on {listen}: {error.strerror}; "
                "HOMING_LISTEN, or an option, can name another address"
            ]
        ) from error
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    return listener


def address_of(listener: socket.socket) -> str:
    """The URL under which a listening socket is reached."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def stop_signals() -> asyncio.Event:
    """Set by SIGTERM and SIGINT from now on."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop
