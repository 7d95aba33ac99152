"""A URL that names several servers, and a server that does not answer."""

from __future__ import annotations

import asyncio
import socket

import asyncpg
import pytest

from homing.store.postgres.hosts import Server, urls_of


def test_a_url_with_one_host_stays_as_it_is() -> None:
    url = "postgresql://homing:p%40ss@db.example:5433/homing?sslmode=require"
    assert urls_of(url) == [url]


def test_a_url_with_several_hosts_is_tried_one_by_one_for_one_that_takes_writes() -> None:
    url = "postgresql://homing:p%40ss@one:5433,other/homing?sslmode=require"
    assert urls_of(url) == [
        f"postgresql://homing:p%40ss@{host}/homing?sslmode=require&target_session_attrs=read-write"
        for host in ("one:5433", "other")
    ]


def test_what_the_url_says_about_the_session_is_kept() -> None:
    url = "postgresql://one,[::1]:5433/homing?target_session_attrs=primary"
    assert urls_of(url) == [
        "postgresql://one/homing?target_session_attrs=primary",
        "postgresql://[::1]:5433/homing?target_session_attrs=primary",
    ]


def test_a_url_without_a_host_is_left_to_the_driver() -> None:
    assert urls_of("postgresql:///homing") == ["postgresql:///homing"]


async def test_a_first_host_that_swallows_everything_leaves_time_for_the_second() -> None:
    # An ErrorResponse of a server that is starting up (PostgreSQL: protocol message formats).
    fields = b"SFATAL\0C57P03\0Mthe database system is starting up\0\0"
    says = b"E" + (len(fields) + 4).to_bytes(4, "big") + fields

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(8)
        writer.write(says)
        writer.close()
        await writer.wait_closed()

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()  # the kernel takes what is sent, and nobody reads it
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as speaking:
            ports = [one.getsockname()[1] for one in (silent, speaking.sockets[0])]
            hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
            server = Server(f"postgresql://homing@{hosts}/homing?sslmode=disable")
            with pytest.raises(asyncpg.CannotConnectNowError, match="starting up"):
                await server.connect(timeout=4.0)
