"""Opens connections: looks up, checks, connects, shakes hands; each in its time.

What goes wrong is a value; `_FAILURES` is the one table from exceptions to reasons.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from enum import Enum
from time import monotonic
from typing import Final

from homing.core.outcome import Reason
from homing.core.urls import Url
from homing.dispatch.connection import Connection, Deadlines, Ending, tls_detail
from homing.dispatch.egress import NOT_ALLOWED, Egress
from homing.dispatch.resolver import Resolver

#: of a name's addresses, how many are tried
_DIALS_MAX: Final = 3
#: how much too early a timer may fire: uvloop's clock counts milliseconds
_CLOCK_S: Final = 0.01


#: what the system says to one who would bind another machine's address, or has no such family
_NOT_HERE: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class _Stage(Enum):
    LOOK_UP = "look up"
    CONNECT = "connect"
    TLS = "tls"


#: what an exception means, by the stage it came in; the first that fits
_FAILURES: Final[tuple[tuple[_Stage, type[Exception], Reason, str], ...]] = (
    (_Stage.LOOK_UP, TimeoutError, Reason.DNS_FAILED, "the name was not resolved in time"),
    (_Stage.LOOK_UP, Exception, Reason.DNS_FAILED, "the name cannot be resolved"),
    (_Stage.CONNECT, ConnectionRefusedError, Reason.CONNECT_REFUSED, "connection refused"),
    (_Stage.CONNECT, TimeoutError, Reason.CONNECT_TIMEOUT, "no connection in time"),
    (_Stage.CONNECT, Exception, Reason.CONNECT_FAILED, ""),
    (_Stage.TLS, TimeoutError, Reason.TLS_TIMEOUT, "no TLS handshake in time"),
    (_Stage.TLS, Exception, Reason.TLS_FAILED, ""),
)


class Dialler:
    """Opens connections to addresses that were checked.

    Args:
        egress: which addresses may be dialled.
        tls: how certificates are checked.
    """

    def __init__(
        self, egress: Egress, resolver: Resolver, tls: ssl.SSLContext, deadlines: Deadlines
    ) -> None:
        self._egress = egress
        self._resolver = resolver
        self._tls = tls
        self._deadlines = deadlines

    async def open(
        self,
        url: Url,
        app_id: str,
        total_at: float,
        make: Callable[[int], Connection],
        marks: list[float],
    ) -> Connection | Ending:
        """A new connection, or why there is none.

        Args:
            app_id: the application on whose word.
            total_at: monotonic seconds at which the attempt must be over.
            make: makes the connection, given the descriptor of its socket.
            marks: is given the monotonic seconds at which each stage ended: the look-up, the
                connection, TLS.
        """
        stage = _Stage.LOOK_UP
        sock: socket.socket | None = None
        connect_s = _patience(self._deadlines.connect_s, total_at)
        until = monotonic() + connect_s
        try:
            async with asyncio.timeout(connect_s):
                addresses = await self._resolver.addresses(url.host, app_id)
                if not self._egress.permits_all(addresses, port=url.port, app_id=app_id):
                    return Ending(Reason.ADDRESS_BLOCKED, NOT_ALLOWED)
                marks.append(monotonic())
                stage = _Stage.CONNECT
                sock = await _dial(_in_turn(addresses)[:_DIALS_MAX], url.port, until)
                marks.append(monotonic())
            if url.is_tls:
                stage = _Stage.TLS
            async with asyncio.timeout(_patience(self._deadlines.tls_s, total_at)):
                connection = await self._attach(sock, url, make)
            if url.is_tls:
                marks.append(monotonic())
            return connection
        except (OSError, ValueError) as error:
            if sock is not None:
                sock.close()
            return _failed(stage, error, is_over=total_at - monotonic() < _CLOCK_S)
        except asyncio.CancelledError:
            if sock is not None:
                sock.close()
            raise

    async def _attach(
        self, sock: socket.socket, url: Url, make: Callable[[int], Connection]
    ) -> Connection:
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: make(sock.fileno()),
            sock=sock,
            ssl=self._tls if url.is_tls else None,
            server_hostname=url.host if url.is_tls else None,
        )
        return connection

    async def close(self) -> None:
        """End look-ups under way."""
        await self._resolver.close()


def is_here(address: str) -> bool:
    """Whether a numeric address is one of this machine's: only those can be bound.

    Asked anew each time, because addresses come and go. Says yes when in doubt, and of every
    address on a machine that may bind foreign ones (Linux: net.ipv4.ip_nonlocal_bind=1).
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.bind((address, 0))
    except OSError as error:
        return error.errno not in _NOT_HERE
    return True


def _patience(stage_s: float, total_at: float) -> float:
    """How long a stage that begins now may last."""
    return max(0.0, min(stage_s, total_at - monotonic()))


def _in_turn(addresses: Sequence[str]) -> list[str]:
    """The same with IPv4 and IPv6 alternating: one of the two may lead nowhere from here."""
    seen: Counter[bool] = Counter()

    def turn(address: str) -> int:
        is_ipv6 = ":" in address
        seen[is_ipv6] += 1
        return seen[is_ipv6]

    return sorted(addresses, key=turn)


async def _dial(addresses: Sequence[str], port: int, until: float) -> socket.socket:
    """A connected socket to the first address that answers.

    Each gets its share of the time, so that one that swallows packets does not cost the others
    theirs.

    Raises:
        OSError: of the last address.
    """
    loop = asyncio.get_running_loop()
    for left in range(len(addresses), 0, -1):
        address = addresses[len(addresses) - left]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout((until - monotonic()) / left):
                await loop.sock_connect(sock, (address, port))
        except OSError:
            sock.close()
            if left == 1:
                raise
        except asyncio.CancelledError:
            sock.close()
            raise
        else:
            return sock
    raise AssertionError("an answer without addresses was let through")


def _failed(stage: _Stage, error: Exception, *, is_over: bool) -> Ending:
    if is_over and isinstance(error, TimeoutError):
        return Ending(Reason.TOTAL_TIMEOUT, "the attempt took too long in all")
    for its_stage, kind, reason, detail in _FAILURES:
        if its_stage is stage and isinstance(error, kind):
            if reason is Reason.TLS_FAILED:
                detail = tls_detail(error)
            return Ending(reason, detail or _system_words(error))
    raise AssertionError(stage)


def _system_words(error: Exception) -> str:
    """What the system calls it, such as "network is unreachable"; never an address."""
    number = error.errno if isinstance(error, OSError) else None
    return os.strerror(number).lower() if number is not None else "the connection failed"
