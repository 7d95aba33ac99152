"""Looks up names without letting a slow name server hold everybody up."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Final

#: addresses that one name may have. A longer answer is refused, not cut: what is judged must be
#: all of it. Large services give some sixteen.
_ADDRESSES_MAX: Final = 64


class Resolver:
    """Names to numeric addresses, remembered for a few seconds.

    Args:
        ask: asks the system; called in threads.
        kept_s: how long an answer is used again. Short: a name may move at any time.
        lookups_max: look-ups at once. Each holds a thread for as long as the name server likes,
            even when nobody waits for it any more.
        names_max: answers remembered.
    """

    def __init__(
        self,
        ask: Callable[[str], tuple[str, ...]] | None = None,
        *,
        kept_s: float = 5.0,
        lookups_max: int = 16,
        names_max: int = 4_096,
    ) -> None:
        self._ask = ask or ask_system
        self._kept_s = kept_s
        self._names_max = names_max
        # Threads of its own: a name server that hangs must not hold up whoever else in the process
        # needs the event loop's threads.
        self._threads = ThreadPoolExecutor(lookups_max, thread_name_prefix="homing-dns")
        self._known: dict[str, tuple[float, tuple[str, ...]]] = {}
        self._asking: dict[str, asyncio.Task[tuple[str, ...]]] = {}

    async def addresses(self, host: str) -> tuple[str, ...]:
        """Every numeric address of `host`, in the order of preference, n >= 1.

        Raises:
            OSError: there is none, or nobody could tell (socket.gaierror).
        """
        if is_numeric(host):
            return (host,)
        known = self._known.get(host)
        if known is not None and known[0] > monotonic():
            return known[1]
        task = self._asking.get(host)
        if task is None:
            task = asyncio.create_task(self._look_up(host))
            self._asking[host] = task
            task.add_done_callback(lambda done: self._asked(host, done))
        try:
            # Several may wait for one look-up: none of them may cancel it.
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            waiting = asyncio.current_task()
            if task.cancelled() and waiting is not None and not waiting.cancelling():
                raise socket.gaierror("closed while the name was looked up") from None
            raise

    async def close(self) -> None:
        """End every look-up as failed. Threads that wait for a name server end by themselves."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _look_up(self, host: str) -> tuple[str, ...]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, self._ask, host)
        if len(found) > _ADDRESSES_MAX:
            raise socket.gaierror(f"more than {_ADDRESSES_MAX} addresses")
        return found

    def _asked(self, host: str, task: asyncio.Task[tuple[str, ...]]) -> None:
        del self._asking[host]
        if task.cancelled() or task.exception() is not None:
            return
        if len(self._known) >= self._names_max:
            self._known.pop(next(iter(self._known)))
        self._known[host] = (monotonic() + self._kept_s, task.result())


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
