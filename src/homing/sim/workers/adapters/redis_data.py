"""As much of Redis as retry workers use, in memory: keys that expire, lists, hashes, sets.

Commands, arguments and answers are those of redis-py with `decode_responses=True`; a test compares
them with a real server. What is not here is not a method: it fails at once, by its name.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

#: as redis-py writes bounds
_INFINITE: Final = {"-inf": float("-inf"), "+inf": float("inf"), "inf": float("inf")}


class ResponseError(Exception):
    """What the server would refuse."""


#: a field of every hash
ALL_FIELDS: Final = "*"


def field_of(name: object, field: object) -> str:
    """A field of a hash, in one word that is no key."""
    return f"{name}\0{field}"


class RedisData:
    """The keys of one server.

    Args:
        now: the server's clock, in seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._values: dict[str, Any] = {}
        self._expires: dict[str, float] = {}
        #: since it was last emptied: names of keys, and `field_of` those of hashes
        self.looked_at: set[str] = set()

    # --- keys ---

    def _alive(self, name: str) -> Any:
        name = str(name)
        self.looked_at.add(name)
        at = self._expires.get(name)
        if at is not None and at <= self._now():
            self._values.pop(name, None)
            del self._expires[name]
        return self._values.get(name)

    def _of(self, name: str, kind: type) -> Any:
        value = self._alive(name)
        if value is not None and type(value) is not kind:
            raise ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value")
        return value

    def _kept(self, name: str, kind: type) -> Any:
        """The value, made if there is none."""
        value = self._of(name, kind)
        if value is None:
            value = self._values[str(name)] = kind()
        return value

    def _tidy(self, name: str) -> None:
        if not self._values.get(str(name)):
            self.delete(name)

    def exists(self, *names: str) -> int:
        return sum(self._alive(name) is not None for name in names)

    def delete(self, *names: str) -> int:
        count = 0
        for name in map(str, names):
            count += self._alive(name) is not None
            self._values.pop(name, None)
            self._expires.pop(name, None)
        return count

    def keys(self, pattern: str = "*") -> list[str]:
        found = [name for name in list(self._values) if self._alive(name) is not None]
        return [name for name in found if fnmatch.fnmatchcase(name, pattern)]

    def expire(self, name: str, time: float) -> bool:
        return self.pexpire(name, time * 1_000)

    def pexpire(self, name: str, time: float) -> bool:
        if self._alive(name) is None:
            return False
        self._expires[str(name)] = self._now() + time / 1_000
        self._alive(name)
        return True

    def persist(self, name: str) -> bool:
        self._alive(name)
        return self._expires.pop(str(name), None) is not None

    def ttl(self, name: str) -> int:
        left = self.pttl(name)
        return left if left < 0 else round(left / 1_000)

    def pttl(self, name: str) -> int:
        if self._alive(name) is None:
            return -2
        at = self._expires.get(str(name))
        return -1 if at is None else round((at - self._now()) * 1_000)

    # --- strings ---

    def get(self, name: str) -> str | None:
        value: str | None = self._of(name, str)
        return value

    def set(
        self,
        name: str,
        value: object,
        ex: float | None = None,
        px: float | None = None,
        nx: bool = False,
        xx: bool = False,
        keepttl: bool = False,
        get: bool = False,
    ) -> bool | str | None:
        there = self._alive(name)
        if get:
            there = self.get(name)
        refused: str | None = there if get else None
        if (nx and there is not None) or (xx and there is None):
            return refused
        name = str(name)
        self._values[name] = str(value)
        if not keepttl:
            self._expires.pop(name, None)
        if ex is not None or px is not None:
            self.pexpire(name, px if px is not None else (ex or 0) * 1_000)
        return there if get else True

    def setnx(self, name: str, value: object) -> bool:
        return bool(self.set(name, value, nx=True))

    def setex(self, name: str, time: float, value: object) -> bool:
        return bool(self.set(name, value, ex=time))

    def getdel(self, name: str) -> str | None:
        value = self.get(name)
        self.delete(name)
        return value

    def mget(self, keys: Iterable[str], *args: str) -> list[str | None]:
        names = [keys] if isinstance(keys, str) else list(keys)
        return [self.get(name) for name in (*names, *args)]

    def incr(self, name: str, amount: int = 1) -> int:
        value = int(self.get(name) or 0) + amount
        self._values[str(name)] = str(value)
        return value

    incrby = incr

    def decr(self, name: str, amount: int = 1) -> int:
        return self.incr(name, -amount)

    # --- hashes ---

    def hset(
        self,
        name: str,
        key: str | None = None,
        value: object = None,
        mapping: Mapping[str, object] | None = None,
    ) -> int:
        there = self._kept(name, dict)
        given = dict(mapping or {})
        if key is not None:
            given[key] = value
        added = len([field for field in given if str(field) not in there])
        there.update({str(field): str(one) for field, one in given.items()})
        return added

    def hsetnx(self, name: str, key: str, value: object) -> bool:
        there = self._kept(name, dict)
        if str(key) in there:
            return False
        there[str(key)] = str(value)
        return True

    def hget(self, name: str, key: str) -> str | None:
        self.looked_at.add(field_of(name, key))
        value: str | None = (self._of(name, dict) or {}).get(str(key))
        return value

    def hmget(self, name: str, keys: Iterable[str]) -> list[str | None]:
        return [self.hget(name, key) for key in keys]

    def hgetall(self, name: str) -> dict[str, str]:
        self.looked_at.add(field_of(name, ALL_FIELDS))
        return dict(self._of(name, dict) or {})

    def hexists(self, name: str, key: str) -> bool:
        self.looked_at.add(field_of(name, key))
        return str(key) in (self._of(name, dict) or {})

    def hdel(self, name: str, *keys: str) -> int:
        there = self._of(name, dict) or {}
        count = sum(there.pop(str(key), None) is not None for key in keys)
        self._tidy(name)
        return count

    def hincrby(self, name: str, key: str, amount: int = 1) -> int:
        there = self._kept(name, dict)
        value = int(there.get(str(key), 0)) + amount
        there[str(key)] = str(value)
        return value

    # --- lists ---

    def lpush(self, name: str, *values: object) -> int:
        there = self._kept(name, list)
        for value in values:
            there.insert(0, str(value))
        return len(there)

    def rpush(self, name: str, *values: object) -> int:
        there = self._kept(name, list)
        there.extend(map(str, values))
        return len(there)

    def lpop(self, name: str) -> str | None:
        return self._pop(name, 0)

    def rpop(self, name: str) -> str | None:
        return self._pop(name, -1)

    def _pop(self, name: str, place: int) -> str | None:
        there = self._of(name, list)
        if not there:
            return None
        value: str = there.pop(place)
        self._tidy(name)
        return value

    def lmove(
        self, first_list: str, second_list: str, src: str = "LEFT", dest: str = "RIGHT"
    ) -> str | None:
        value = self._pop(first_list, 0 if src.upper() == "LEFT" else -1)
        if value is not None:
            (self.lpush if dest.upper() == "LEFT" else self.rpush)(second_list, value)
        return value

    def rpoplpush(self, src: str, dst: str) -> str | None:
        return self.lmove(src, dst, "RIGHT", "LEFT")

    def llen(self, name: str) -> int:
        return len(self._of(name, list) or ())

    def lrange(self, name: str, start: int, end: int) -> list[str]:
        return list(_slice(self._of(name, list) or [], start, end))

    def lrem(self, name: str, count: int, value: object) -> int:
        there = self._of(name, list) or []
        places = [i for i, one in enumerate(there) if one == str(value)]
        places = places[:count] if count > 0 else places[count:] if count < 0 else places
        for place in reversed(places):
            del there[place]
        self._tidy(name)
        return len(places)

    # --- sorted sets ---

    def zadd(
        self,
        name: str,
        mapping: Mapping[str, float],
        nx: bool = False,
        xx: bool = False,
        ch: bool = False,
    ) -> int:
        there = self._kept(name, _Scores)
        added = changed = 0
        for member, score in mapping.items():
            member = str(member)
            if (nx and member in there) or (xx and member not in there):
                continue
            added += member not in there
            changed += there.get(member) != float(score)
            there[member] = float(score)
        self._tidy(name)
        return changed if ch else added

    def zrem(self, name: str, *values: object) -> int:
        there = self._of(name, _Scores) or {}
        count = sum(there.pop(str(value), None) is not None for value in values)
        self._tidy(name)
        return count

    def zscore(self, name: str, value: object) -> float | None:
        score: float | None = (self._of(name, _Scores) or {}).get(str(value))
        return score

    def zcard(self, name: str) -> int:
        return len(self._of(name, _Scores) or ())

    def zincrby(self, name: str, amount: float, value: object) -> float:
        there = self._kept(name, _Scores)
        there[str(value)] = score = float(there.get(str(value), 0.0) + amount)
        return score

    def zrangebyscore(
        self,
        name: str,
        min: float | str,
        max: float | str,
        start: int | None = None,
        num: int | None = None,
        withscores: bool = False,
    ) -> list[Any]:
        found = [(m, s) for m, s in self._sorted(name) if _within(s, min, max)]
        if start is not None:
            found = found[start : None if num is None or num < 0 else start + num]
        return found if withscores else [member for member, _ in found]

    def zrange(self, name: str, start: int, end: int, withscores: bool = False) -> list[Any]:
        found = _slice(self._sorted(name), start, end)
        return found if withscores else [member for member, _ in found]

    def zcount(self, name: str, min: float | str, max: float | str) -> int:
        return len(self.zrangebyscore(name, min, max))

    def zpopmin(self, name: str, count: int = 1) -> list[tuple[str, float]]:
        found = self._sorted(name)[:count]
        self.zrem(name, *(member for member, _ in found))
        return found

    def zremrangebyscore(self, name: str, min: float | str, max: float | str) -> int:
        return self.zrem(name, *self.zrangebyscore(name, min, max))

    def _sorted(self, name: str) -> list[tuple[str, float]]:
        there = self._of(name, _Scores) or {}
        return sorted(there.items(), key=lambda one: (one[1], one[0]))

    # --- sets ---

    def sadd(self, name: str, *values: object) -> int:
        there = self._kept(name, _Members)
        new = {str(value) for value in values} - there.keys()
        there.update(dict.fromkeys(new))
        return len(new)

    def srem(self, name: str, *values: object) -> int:
        there = self._of(name, _Members) or {}
        gone = [str(value) for value in values if str(value) in there]
        for value in gone:
            there.pop(value, None)
        self._tidy(name)
        return len(set(gone))

    def sismember(self, name: str, value: object) -> bool:
        return str(value) in (self._of(name, _Members) or ())

    def smembers(self, name: str) -> AbstractSet[str]:
        return frozenset(self._of(name, _Members) or ())

    def scard(self, name: str) -> int:
        return len(self._of(name, _Members) or ())


class _Scores(dict[str, float]):
    """A sorted set: members and their scores."""


class _Members(dict[str, None]):
    """A set: walked in the order in which it grew, whatever the hash seed."""


def _slice(values: list[Any], start: int, end: int) -> list[Any]:
    return values[start : None if end == -1 else end + 1]


def _within(score: float, low: float | str, high: float | str) -> bool:
    bottom, is_above = _bound(low)
    top, is_below = _bound(high)
    return (score > bottom if is_above else score >= bottom) and (
        score < top if is_below else score <= top
    )


def _bound(text: float | str) -> tuple[float, bool]:
    """A bound, and whether it is left out: "(5" is."""
    if not isinstance(text, str):
        return float(text), False
    is_out = text.startswith("(")
    word = text.removeprefix("(")
    return _INFINITE.get(word, None) or float(word), is_out
