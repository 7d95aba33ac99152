"""Ports for programs that must be told one before they run, or that come back on the same one."""

from __future__ import annotations

import random
import socket

#: below those that the kernel gives to whoever connects or asks for port 0 (Linux: from 32,768),
#: so that nobody is given it between our look and its use
_FIRST, _LAST = 15_000, 32_000
_DRAWS = random.SystemRandom()
_given: set[int] = set()


def free_port() -> int:
    """One of 127.0.0.1 that nothing listens on, and that this process was not given before."""
    for _ in range(1_000):
        port = _DRAWS.randint(_FIRST, _LAST)
        if port in _given:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise AssertionError(f"no port from {_FIRST} to {_LAST} is free")
