"""Which server to talk to: a URL may name several, and after a failover it is another one.

asyncpg can read such a URL, but spends the whole of its time on a first host that swallows packets
(a machine that lost its power, a cut network), and never notices that an open connection leads to
such a host. Both are what a failover looks like from here.
"""

from __future__ import annotations

import os
import re
import socket
from typing import Any, Final
from urllib.parse import parse_qs

import asyncpg

#: how long a server may leave what we sent without an acknowledgement (of its kernel, not of its
#: PostgreSQL: a slow statement is acknowledged at once), seconds; then the connection is given up
SILENCE_MAX_S: Final = 10
#: an idle connection, or one that waits for an answer, is tried this often, seconds
_PROBE_S: Final = 5


class Server:
    """Opens connections to whichever host takes writes.

    Args:
        url: as libpq reads it: `postgresql://user@one:5432,other:5432/database`. With several hosts
            `target_session_attrs=read-write` is meant unless it says something else.
    """

    def __init__(self, url: str) -> None:
        self._urls = urls_of(url)
        self._latest = 0  # the one that answered last is asked first

    async def connect(
        self,
        *_: Any,
        timeout: float,  # noqa: ASYNC109 (asyncpg's pool calls it so)
        **options: Any,
    ) -> asyncpg.Connection:
        """A connection.

        Args:
            timeout: of all hosts together, seconds; each gets its share.
            options: as `asyncpg.connect`.

        Raises:
            OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError,
            asyncpg.InternalClientError: what a server said; else what kept us from the last one.
        """
        count = len(self._urls)
        failures: list[Exception] = []
        for number in range(self._latest, self._latest + count):
            url = self._urls[number % count]
            try:
                connection = await asyncpg.connect(url, timeout=timeout / count, **options)
            except (
                OSError,
                asyncpg.PostgresError,
                asyncpg.InterfaceError,
                asyncpg.InternalClientError,
            ) as error:
                failures.append(error)
            else:
                self._latest = number % count
                notice_silence(connection)
                return connection
        said = [error for error in failures if isinstance(error, asyncpg.PostgresError)]
        raise (said or failures)[-1]


#: scheme, authority and the rest (RFC 3986, appendix B); beside another host `urllib` refuses an
#: address in brackets since CVE-2024-11168 was mended, as in Debian's Python
_PARTS: Final = re.compile(r"([^:/?#]+://)([^/?#]*)(.*)", re.DOTALL)


def urls_of(url: str) -> list[str]:
    """One URL for each host that `url` names, in its order."""
    found = _PARTS.fullmatch(url)
    scheme, authority, rest = found.groups() if found else ("", "", url)
    who, at, where = authority.rpartition("@")
    hosts = where.split(",")
    if len(hosts) == 1:
        return [url]
    path, _, query = rest.partition("?")
    if "target_session_attrs" not in parse_qs(query):
        query += "&" * bool(query) + "target_session_attrs=read-write"
    return [f"{scheme}{who}{at}{host}{path}?{query}" for host in hosts]


def notice_silence(connection: asyncpg.Connection) -> None:
    """Have the kernel give a connection up when nobody is at its other end any more (tcp(7))."""
    found = connection._transport.get_extra_info("socket")
    if found is None or found.family not in (socket.AF_INET, socket.AF_INET6):
        return
    wanted = {
        "TCP_USER_TIMEOUT": SILENCE_MAX_S * 1_000,
        "TCP_KEEPIDLE": _PROBE_S,
        "TCP_KEEPINTVL": _PROBE_S,
        "TCP_KEEPCNT": max(1, SILENCE_MAX_S // _PROBE_S),
    }
    # A socket object of our own on the same connection: an event loop's shows only some methods.
    with socket.socket(fileno=os.dup(found.fileno())) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in wanted.items():
            if hasattr(socket, name):  # Linux has all of them
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
