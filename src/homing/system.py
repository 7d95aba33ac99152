"""The only module that asks the machine for the time or for chance."""

from __future__ import annotations

import os
import random
import secrets
import socket
import time

from homing import __version__


class SystemClock:
    """The machine's clocks."""

    def now_us(self) -> int:
        return time.time_ns() // 1_000

    def mono_us(self) -> int:
        return time.monotonic_ns() // 1_000


class SystemChance:
    """The machine's randomness."""

    def fraction(self) -> float:
        return random.random()  # noqa: S311 (jitter, not a key)

    def entropy(self, count: int) -> bytes:
        return secrets.token_bytes(count)


def process_name() -> str:
    """Names this process among all that ever ran: host, process id, boot id, build."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}:{__version__}"
