"""Looks up names without letting a slow name server hold everybody up."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import monotonic
from typing import Final

from homing.dispatch.turns import Turns

#: addresses that one name may have. A longer answer is refused, not cut: what is judged must be
#: all of it. Large services give some sixteen.
_ADDRESSES_MAX: Final = 64


class _LookUp:
    """One name that is asked for on one application's word."""

    __slots__ = ("answer", "app_id", "has_begun", "host", "waiting")

    def __init__(self, host: str, app_id: str) -> None:
        self.host = host
        self.app_id = app_id
        self.answer: asyncio.Future[tuple[str, ...]] = asyncio.get_running_loop().create_future()
        self.has_begun = False
        self.waiting = 0  #: requests that want the answer


class Resolver:
    """Names to numeric addresses, remembered for a few seconds.

    An application whose names take long waits for itself: it can hold a share of the look-ups only
    (`dispatch.shares`), and what it asks for beyond that stands in its own line.

    Args:
        ask: asks the system; called in threads.
        kept_s: how long an answer is used again. Short: a name may move at any time.
        failed_s: the same for a name that could not be looked up; at most what a first retry waits.
        lookups_max: look-ups at once. Each holds a thread for as long as the name server likes,
            even when nobody waits for it any more; with glibc's defaults that is 10 to 30 s.
        names_max: answers remembered.
    """

    def __init__(
        self,
        ask: Callable[[str], tuple[str, ...]] | None = None,
        *,
        kept_s: float = 5.0,
        failed_s: float = 2.0,
        lookups_max: int = 64,
        names_max: int = 4_096,
    ) -> None:
        self._ask = ask or ask_system
        self._kept_s = kept_s
        self._failed_s = failed_s
        self._names_max = names_max
        # Threads of its own: a name server that hangs must not hold up whoever else in the process
        # needs the event loop's threads.
        self._threads = ThreadPoolExecutor(lookups_max, thread_name_prefix="homing-dns")
        self._turns = Turns(lookups_max)
        self._known: dict[str, tuple[float, tuple[str, ...] | OSError]] = {}
        self._asking: dict[tuple[str, str], _LookUp] = {}
        self._closed = False

    async def addresses(self, host: str, app_id: str = "") -> tuple[str, ...]:
        """Every numeric address of `host`, in the order of preference, n >= 1.

        Args:
            app_id: the application on whose word.

        Raises:
            OSError: there is none, or nobody could tell (socket.gaierror).
        """
        if is_numeric(host):
            return (host,)
        known = self._known.get(host)
        if known is not None and known[0] > monotonic():
            if isinstance(known[1], OSError):
                raise socket.gaierror(*known[1].args)
            return known[1]
        look_up = self._asking.get((app_id, host)) or self._stand_in_line(host, app_id)
        look_up.waiting += 1
        try:
            # Several may wait for one look-up: none of them may cancel it.
            return await asyncio.shield(look_up.answer)
        finally:
            look_up.waiting -= 1
            if not look_up.waiting and not look_up.has_begun:
                self._turns.withdraw(app_id, host)
                self._asking.pop((app_id, host), None)

    async def close(self) -> None:
        """End every look-up as failed. Threads that wait for a name server end by themselves."""
        self._closed = True
        for look_up in self._asking.values():
            if not look_up.answer.done():
                error = socket.gaierror("closed while the name was looked up")
                look_up.answer.set_exception(error)
                look_up.answer.exception()  # told, even if nobody waits
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _stand_in_line(self, host: str, app_id: str) -> _LookUp:
        if self._closed:
            raise socket.gaierror("closed before the name was looked up")
        look_up = self._asking[app_id, host] = _LookUp(host, app_id)
        self._turns.ask(app_id, host)
        self._begin_more()
        return look_up

    def _begin_more(self) -> None:
        while not self._closed and (granted := self._turns.grant()) is not None:
            look_up = self._asking[granted]
            look_up.has_begun = True
            loop = asyncio.get_running_loop()
            asked = loop.run_in_executor(self._threads, self._ask, look_up.host)
            asked.add_done_callback(partial(self._told, look_up))

    def _told(self, look_up: _LookUp, asked: asyncio.Future[tuple[str, ...]]) -> None:
        """The system has answered, or will not."""
        self._asking.pop((look_up.app_id, look_up.host), None)
        self._turns.give_back(look_up.app_id)
        found = _judged(asked)
        failed = isinstance(found, OSError)
        kept_s = self._failed_s if failed else self._kept_s
        if kept_s:
            self._known.pop(look_up.host, None)
            if len(self._known) >= self._names_max:
                self._known.pop(next(iter(self._known)))
            self._known[look_up.host] = (monotonic() + kept_s, found)
        if not look_up.answer.done():
            if isinstance(found, OSError):
                look_up.answer.set_exception(found)
                look_up.answer.exception()  # told, even if nobody waits
            else:
                look_up.answer.set_result(found)
        self._begin_more()


def _judged(asked: asyncio.Future[tuple[str, ...]]) -> tuple[str, ...] | OSError:
    """The answer, or why it is none."""
    if asked.cancelled():
        return socket.gaierror("closed while the name was looked up")
    error = asked.exception()
    if error is not None:
        # UnicodeError too: what the system's encoder does not like is no name.
        return error if isinstance(error, OSError) else socket.gaierror(str(error))
    found = asked.result()
    if len(found) > _ADDRESSES_MAX:
        return socket.gaierror(f"more than {_ADDRESSES_MAX} addresses")
    return found


def ask_system(host: str) -> tuple[str, ...]:
    """What the system says; may take as long as the name server likes."""
    answer = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in answer))


def is_numeric(host: str) -> bool:
    """Whether `host` is an address already."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
