"""Redis in memory answers as a real server does."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from homing.sim.workers.adapters.redis_data import RedisData

#: command, arguments → how the real one is asked; answers are compared as text
SCRIPT: tuple[tuple[Any, ...], ...] = (
    ("set", "a", "1"), ("get", "a"), ("set", "a", "2", "NX"), ("get", "a"),
    ("set", "b", "x", "PX", 60_000), ("ttl", "b"), ("set", "b", "y"), ("ttl", "b"), ("ttl", "no"),
    ("incr", "a"), ("incrby", "n", 5), ("decr", "n"), ("exists", "a", "b", "no"), ("getdel", "b"),
    ("get", "b"), ("lpush", "l", "1", "2"), ("rpush", "l", "3", "1"), ("lrange", "l", 0, -1),
    ("lrange", "l", 1, 2), ("lrem", "l", 1, "1"), ("lrange", "l", 0, -1), ("rpop", "l"),
    ("lmove", "l", "m", "RIGHT", "LEFT"), ("rpoplpush", "l", "m"), ("llen", "l"), ("llen", "m"),
    ("exists", "l"), ("lpop", "no"), ("zadd", "z", 2, "b", 1, "a"), ("zadd", "z", 3, "b"),
    ("zrangebyscore", "z", "-inf", "+inf"), ("zrangebyscore", "z", "(1", 3),
    ("zrangebyscore", "z", "-inf", "inf", "LIMIT", 1, 1), ("zscore", "z", "b"),
    ("zscore", "z", "no"), ("zcard", "z"), ("zcount", "z", 1, 2), ("zrange", "z", 0, 0),
    ("zpopmin", "z"), ("zrem", "z", "b", "no"), ("exists", "z"), ("hset", "h", "f", "1"),
    ("hset", "h", "f", "2"), ("hget", "h", "f"), ("hincrby", "h", "n", 2),
    ("hsetnx", "h", "f", "3"),
    ("hgetall", "h"), ("hdel", "h", "f", "no"), ("hexists", "h", "f"), ("sadd", "s", "1", "2", "1"),
    ("sismember", "s", "1"), ("srem", "s", "1"), ("scard", "s"), ("smembers", "s"),
    ("delete", "s", "h", "no"), ("persist", "a"), ("expire", "no", 5),
)  # fmt: skip
NAMES = {"delete": "DEL"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[socket.socket]:
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server: not on PATH (it only checks the stand-in against a real one)")
    place = str(tmp_path / "redis.sock")
    command = [program, "--port", "0", "--unixsocket", place, "--save", "", "--dir", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    client = socket.socket(socket.AF_UNIX)
    try:
        for _ in range(500):
            if Path(place).exists():
                break
            time.sleep(0.02)
        client.connect(place)
        yield client
    finally:
        client.close()
        process.terminate()
        process.wait(10)


def ask(client: socket.socket, *words: object) -> Any:
    parts = [str(word).encode() for word in words]
    lines = b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
    client.sendall(b"*%d\r\n" % len(parts) + lines)
    return _read(client.makefile("rb"))


def _read(stream: Any) -> Any:
    line = stream.readline().strip().decode()
    kind, rest = line[0], line[1:]
    if kind == "*":
        return [_read(stream) for _ in range(int(rest))]
    if kind == "$":
        return None if rest == "-1" else stream.read(int(rest) + 2)[:-2].decode()
    assert kind != "-", rest
    return int(rest) if kind == ":" else rest


def ours(data: RedisData, name: str, *words: Any) -> Any:
    """The call in redis-py's words, and its answer in the server's."""
    if name == "set":
        flags = {"nx": "NX" in words, "px": words[words.index("PX") + 1] if "PX" in words else None}
        return "OK" if data.set(words[0], words[1], **flags) else None
    if name == "zadd":
        return data.zadd(words[0], dict(zip(words[2::2], words[1::2], strict=True)))
    if "LIMIT" in words:
        return data.zrangebyscore(*words[:3], start=words[4], num=words[5])
    found = getattr(data, name)(*words)
    if isinstance(found, dict):
        return [part for pair in found.items() for part in pair]
    if isinstance(found, frozenset):
        return sorted(found)
    if isinstance(found, list) and found and isinstance(found[0], tuple):
        return [f"{part:g}" if isinstance(part, float) else part for p in found for part in p]
    return (
        f"{found:g}"
        if isinstance(found, float)
        else int(found)
        if found in (True, False)
        else found
    )


def test_every_answer_is_the_servers(server: socket.socket) -> None:
    data = RedisData(time.monotonic)
    for name, *words in SCRIPT:
        theirs = ask(server, NAMES.get(name, name), *words)
        assert ours(data, name, *words) == theirs, (name, words)


def test_a_key_is_gone_when_its_time_is_over() -> None:
    now = 100.0
    data = RedisData(lambda: now)
    data.set("a", "1", px=500)
    data.set("b", "1", ex=10)
    now += 0.6
    assert data.get("a") is None
    assert data.keys() == ["b"]
    assert data.set("a", "2", nx=True) is True
