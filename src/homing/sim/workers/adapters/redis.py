"""A client like redis.asyncio's over a server in memory: each command is one step.

A pipeline is one step when it is executed, as MULTI and EXEC are, with WATCH where it is asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

from homing.core.errors import Invalid, Problem
from homing.sim.workers.adapters.redis_data import ALL_FIELDS, RedisData, field_of
from homing.sim.workers.loading import state_asked
from homing.sim.workers.process import Process
from homing.sim.workers.surroundings import Surroundings
from homing.sim.workers.trace import EPOCH_S, value_text

READS: Final = frozenset(
    {
        "exists", "keys", "ttl", "pttl", "get", "mget", "hget", "hmget", "hgetall", "hexists",
        "llen", "lrange", "zscore", "zcard", "zrangebyscore", "zrange", "zcount", "sismember",
        "smembers", "scard",
    }
)  # fmt: skip
WRITES: Final = frozenset(
    {
        "delete", "expire", "pexpire", "persist", "set", "setnx", "setex", "getdel", "incr",
        "incrby", "decr", "hset", "hsetnx", "hdel", "hincrby", "lpush", "rpush", "lpop", "rpop",
        "lmove", "rpoplpush", "lrem", "zadd", "zrem", "zincrby", "zpopmin", "zremrangebyscore",
        "sadd", "srem",
    }
)  # fmt: skip
#: commands that may answer 0 and have changed something
_ALWAYS: Final = frozenset({"zadd", "hset", "hincrby", "incr", "incrby", "decr", "zincrby", "set"})
#: commands that name the fields of a hash that they are about
_BY_FIELD: Final = frozenset({"hget", "hmget", "hexists", "hset", "hsetnx", "hdel", "hincrby"})
#: commands whose second argument is how long the key lives, and of which unit, in seconds
_LIVES: Final = {"setex": 1.0, "expire": 1.0, "pexpire": 0.001}
_TEXT_MAX: Final = 60


def _watch_error() -> type[Exception]:
    """redis-py's own, where it is installed, so that a worker's `except` catches it."""
    try:
        found: type[Exception] = importlib.import_module("redis").WatchError
    except ImportError:
        return type("WatchError", (Exception,), {})
    return found


#: a watched key was changed before the pipeline was executed
WatchError: Any = _watch_error()


class RedisBackend:
    """The server of one world.

    Args:
        worker: has `state_of(redis, delivery)`, which says what the state of a delivery is by
            asking a `redis` whose commands are not awaited, and an `accept` that enqueues one.

    Raises:
        Invalid: it lacks one of these.
    """

    def __init__(self, worker: Any) -> None:
        for name in ("state_of", "accept"):
            if not hasattr(worker, name):
                text = (
                    f"with a store of Redis it needs {name!r}: state_of(redis, delivery), a static "
                    "method that gives a state or None, and async def accept(self, delivery)"
                )
                raise Invalid([Problem(("worker",), text)])
        self._state_of: Callable[[RedisData, str], str | None] = worker.state_of
        self._names: list[str] = []
        self._keys: dict[str, set[str]] = {}  #: those that tell the state of each delivery
        self._world: Surroundings | None = None
        self.data = RedisData(self._now)
        self.versions: dict[str, int] = {}

    def _now(self) -> float:
        return EPOCH_S + (self._world.loop.now_s if self._world is not None else 0.0)

    def open(self, process: Process) -> RedisStore:
        self._world = process.world
        return RedisStore(self, process)

    def expect(self, delivery: str) -> None:
        self._names.append(delivery)

    def states(self) -> Mapping[str, str | None]:
        found = {}
        for name in self._names:
            self.data.looked_at = self._keys[name] = set()
            found[name] = state_asked(self._state_of, self.data, name)
        self.data.looked_at = set()
        return found

    def tells(self, delivery: str, places: Iterable[str]) -> bool:
        """Whether any of the keys, or of the fields of hashes, says what its state is."""
        looked_at = self._keys.get(delivery, set())
        for place in places:
            key, is_field, _ = place.partition("\0")
            if key not in looked_at:
                continue
            fields = [one for one in looked_at if one.startswith(f"{key}\0")] if is_field else []
            if not fields or place in fields or field_of(key, ALL_FIELDS) in fields:
                return True
        return False

    def insert(self, delivery: str, now: float) -> None:
        raise AssertionError("accept is asked for")

    def row(self, delivery: str) -> str:
        """The keys that name it, and the queues that have it."""
        places = []
        for name in self.data.keys():  # noqa: SIM118 (a command, not a dict's)
            value = self.data._values[name]
            if delivery in name:
                places.append(f"{name}={value_text(value)}" if isinstance(value, str) else name)
            elif not isinstance(value, str) and delivery in value:
                score = f"@{value_text(value[delivery])}" if isinstance(value, dict) else ""
                places.append(f"in {name}{score}")
        return " ".join(places)

    def drop(self, process: Process) -> None:
        pass

    def close(self) -> None:
        pass


class RedisStore:
    """The client of one process."""

    def __init__(self, backend: RedisBackend, process: Process) -> None:
        self._backend = backend
        self._process = process

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in READS and name not in WRITES:
            raise AttributeError(
                f"{name!r} is not among the commands that Homing's Redis in memory has: "
                f"{', '.join(sorted(READS | WRITES))}, blpop, brpop, blmove, pipeline, scan_iter"
            )

        async def command(*args: Any, **given: Any) -> Any:
            return await self._run(name, args, given)

        return command

    async def _run(self, name: str, args: tuple[Any, ...], given: dict[str, Any]) -> Any:
        process, backend = self._process, self._backend
        args, given = _in_numbers(args, given)
        _learn(process, name, args, given)
        is_write = name in WRITES
        places = _places(name, args, given)

        def act() -> Any:
            found = getattr(backend.data, name)(*args, **given)
            if is_write:
                backend.versions[str(args[0])] = backend.versions.get(str(args[0]), 0) + 1
            _touch(backend, process, found, places)
            return found

        about = _about(process, args, given)

        def say(found: Any) -> str:
            return f"{_said(name, args, given)} → {_short(found)}"

        return await process.call(
            name,
            act,
            say,
            is_write=is_write,
            about=about,
            about_of=lambda found: _about(process, [found], {}),
            is_state=backend.tells(about, places),
            did=lambda found: bool(found) or name in _ALWAYS,
        )

    # --- commands that wait ---

    async def brpop(self, keys: Any, timeout: float = 0) -> tuple[str, str] | None:  # noqa: ASYNC109
        return await self._pop("rpop", keys, timeout)

    async def blpop(self, keys: Any, timeout: float = 0) -> tuple[str, str] | None:  # noqa: ASYNC109
        return await self._pop("lpop", keys, timeout)

    async def _pop(self, name: str, keys: Any, timeout_s: float) -> tuple[str, str] | None:
        names = [keys] if isinstance(keys, str) else list(keys)
        for key in await self._wait(names, timeout_s):
            value = await self._run(name, (key,), {})
            if value is not None:
                return key, value
        return await self._pop(name, keys, timeout_s) if not timeout_s else None

    async def blmove(
        self,
        first_list: str,
        second_list: str,
        timeout: float,  # noqa: ASYNC109 (redis-py's own name)
        src: str = "LEFT",
        dest: str = "RIGHT",
    ) -> str | None:
        await self._wait([first_list], timeout)
        value: str | None = await self._run("lmove", (first_list, second_list, src, dest), {})
        return value

    async def brpoplpush(self, src: str, dst: str, timeout: float = 0) -> str | None:  # noqa: ASYNC109
        return await self.blmove(src, dst, timeout, "RIGHT", "LEFT")

    async def _wait(self, names: list[str], timeout_s: float) -> list[str]:
        """Until one of the lists has something, or the time is over; those that have."""
        world, data = self._process.world, self._backend.data
        until_s = world.loop.now_s + (timeout_s or float("inf"))
        while True:
            if self._process.is_dead:
                await self._process.stop()
            if found := [name for name in names if data.llen(name)]:
                return found
            left_s = until_s - world.loop.now_s
            if left_s <= 1e-6:
                return names
            await world.wait_for_change(min(left_s, 86_400.0))

    # --- several at once ---

    def pipeline(self, transaction: bool = True) -> Pipeline:
        return Pipeline(self._backend, self._process)

    async def scan_iter(self, match: str = "*") -> AsyncIterator[str]:
        for name in await self._run("keys", (match,), {}):
            yield name

    async def aclose(self) -> None:
        pass


class Pipeline:
    """Commands that are executed as one step."""

    def __init__(self, backend: RedisBackend, process: Process) -> None:
        self._backend = backend
        self._process = process
        self._commands: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self._watched: dict[str, int] = {}
        self._is_immediate = False

    async def __aenter__(self) -> Pipeline:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._commands.clear()

    async def watch(self, *names: str) -> None:
        """EXEC fails if one of these was changed since; commands are executed at once until
        `multi`."""
        versions = self._backend.versions

        def act() -> None:
            self._watched.update({name: versions.get(name, 0) for name in names})

        await self._process.call("watch", act, lambda _: f"watch {' '.join(names)}", is_write=False)
        self._is_immediate = True

    def multi(self) -> None:
        """Collect commands again."""
        self._is_immediate = False

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in READS and name not in WRITES:
            raise AttributeError(f"{name!r} is not among the commands of Homing's Redis in memory")
        if self._is_immediate:
            return RedisStore(self._backend, self._process).__getattr__(name)

        def command(*args: Any, **given: Any) -> Pipeline:
            self._commands.append((name, *_in_numbers(args, given)))
            return self

        return command

    async def execute(self) -> list[Any]:
        """All of them, and what each gave.

        Raises:
            WatchError: a watched key was changed.
        """
        commands, self._commands = self._commands, []
        watched, self._watched = self._watched, {}
        self._is_immediate = False
        process, backend = self._process, self._backend
        places = [place for command in commands for place in _places(*command)]
        for name, args, given in commands:
            _learn(process, name, args, given)

        def act() -> list[Any] | None:
            if any(backend.versions.get(name, 0) != seen for name, seen in watched.items()):
                return None
            found = []
            for name, args, given in commands:
                found.append(getattr(backend.data, name)(*args, **given))
                if name in WRITES:
                    backend.versions[str(args[0])] = backend.versions.get(str(args[0]), 0) + 1
            _touch(backend, process, found, places)
            return found

        def say(found: Any) -> str:
            text = "; ".join(_said(*command) for command in commands)
            return f"multi {text}" if found is not None else f"multi refused: {text}"

        about = next((d for _, a, g in commands if (d := _about(process, a, g))), "")
        done: list[Any] | None = await process.call(
            "exec",
            act,
            say,
            is_write=True,
            about=about,
            is_state=backend.tells(about, places),
        )
        if done is None:
            raise WatchError("Watched variable changed.")
        return done


def _flat(values: Iterable[Any]) -> Iterable[Any]:
    for value in values:
        if isinstance(value, Mapping):
            yield from value.keys()
            yield from value.values()
        elif isinstance(value, list | tuple | set):
            yield from _flat(value)
        else:
            yield value


def _about(process: Process, args: Iterable[Any], given: Mapping[str, Any]) -> str:
    """The delivery that is named in a key or an argument."""
    deliveries = process.world.watch.deliveries
    for value in _flat((*args, *given.values())):
        if isinstance(value, str):
            for part in (value, value.rpartition(":")[2], value.partition(":")[0]):
                if part in deliveries:
                    return part
    return ""


def _places(name: str, args: tuple[Any, ...], given: Mapping[str, Any]) -> list[str]:
    """What a command is about: a key, or fields of a hash."""
    key = str(args[0])
    if name not in _BY_FIELD:
        return [key]
    fields = [*(given.get("mapping") or {}), *(given[f] for f in ("key", "keys") if f in given)]
    fields += args[1:] if name == "hdel" else args[1:2]
    return [field_of(key, field) for field in _flat(fields)] or [key]


def _touch(backend: RedisBackend, process: Process, found: Any, places: Iterable[str]) -> None:
    """Deliveries that a command gave are known to the process, if the key tells their state."""
    for value in _flat([found]):
        if isinstance(value, str) and backend.tells(value, places):
            process.world.touched(process.name, value)


def _learn(process: Process, name: str, args: tuple[Any, ...], given: Mapping[str, Any]) -> None:
    """How long keys live, and what is planned ahead, says how long a lease or a backoff is."""
    if given.get("ex"):
        process.world.learn(float(given["ex"]), is_plan=True)
    if given.get("px"):
        process.world.learn(float(given["px"]) / 1_000, is_plan=True)
    if name in _LIVES and len(args) > 1:
        process.world.learn(float(args[1]) * _LIVES[name], is_plan=True)
    process.world.learn_plans(_flat(args))


def _in_numbers(
    args: Iterable[Any], given: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments, with a timedelta as the number that redis-py passes on; that of `px` is in ms."""
    numbers = [v.total_seconds() if isinstance(v, timedelta) else v for v in args]
    return tuple(numbers), {
        name: v.total_seconds() * (1_000 if name == "px" else 1) if isinstance(v, timedelta) else v
        for name, v in given.items()
    }


def _said(name: str, args: Iterable[Any], given: Mapping[str, Any]) -> str:
    words = [value_text(value) for value in _flat(args)]
    words += [f"{key}={value_text(value)}" for key, value in given.items()]
    text = f"{name} {' '.join(words)}"
    return text if len(text) <= _TEXT_MAX else text[: _TEXT_MAX - 1] + "…"


def _short(found: Any) -> str:
    if found is None or found == []:
        return "nothing"
    if isinstance(found, bool):
        return "yes" if found else "no"
    return value_text(found)
