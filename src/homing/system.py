"""The only module that asks the machine for the time or for chance."""

from __future__ import annotations

import os
import random
import secrets
import socket
import threading
import time
from typing import Final

from homing import __version__


class SystemClock:
    """The machine's clocks."""

    def now_us(self) -> int:
        return time.time_ns() // 1_000

    def mono_us(self) -> int:
        return time.monotonic_ns() // 1_000


#: bytes asked of the machine at once: a system call per identifier was 3% of a delivery's cost
_POOL_BYTES: Final = 4_096


class SystemChance:
    """The machine's randomness. Threads may share one."""

    def __init__(self) -> None:
        self._pool = b""
        self._used = 0
        self._lock = threading.Lock()

    def fraction(self) -> float:
        return random.random()  # noqa: S311 (jitter, not a key)

    def entropy(self, count: int) -> bytes:
        with self._lock:
            if self._used + count > len(self._pool):
                self._pool, self._used = secrets.token_bytes(max(_POOL_BYTES, count)), 0
            start, self._used = self._used, self._used + count
            return self._pool[start : self._used]


def process_name() -> str:
    """Names this process among all that ever ran: host, process id, boot id, build."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}:{__version__}"
