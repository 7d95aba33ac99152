"""What a worker asks the machine for, which no world has: found by looking on while it runs.

Time, chance, threads and sockets of the machine are the same in no two runs, or keep every worker
waiting at once. What makes a world useless is refused where it happens; the rest is told.
"""

from __future__ import annotations

import _socket
import _thread
import builtins
import datetime
import os
import random
import sqlite3
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

from homing.sim.workers.loading import NotExplorable, is_homings, is_theirs, shown

_TIME: Final = "the machine's time; ask clock.now() for the world's"
_TOKENS: Final = "it is another one each time; ask chance.random(), or count"
#: functions that make a world useless, and what to do
_REFUSED: Final[dict[Any, str]] = {
    time.sleep: "it stops all workers in the machine's own time; await clock.sleep(seconds)",
    time.time: _TIME,
    time.time_ns: _TIME,
    _thread.start_new_thread: "no threads: a world has one; await what the ports have",
    builtins.input: "nobody is there to answer",
    os.system: "no other programs are in a world",
}
#: functions that may be harmless
_TOLD: Final[dict[Any, str]] = {
    time.monotonic: _TIME,
    time.monotonic_ns: _TIME,
    time.perf_counter: _TIME,
    os.urandom: _TOKENS,
    sqlite3.connect: "a client that is not awaited: nothing ever comes between its calls",
}
for _name in ("start_joinable_thread",):  # Python 3.13
    if hasattr(_thread, _name):
        _REFUSED[getattr(_thread, _name)] = _REFUSED[_thread.start_new_thread]
#: parts of the standard library that ask on somebody's behalf
_BETWEEN: Final = frozenset({"random.py", "uuid.py", "secrets.py"})
_STANDARD: Final = sysconfig.get_path("stdlib")


class Seen:
    """What was asked for, each once: in which words, and whether it was refused."""

    def __init__(self) -> None:
        self.told: dict[str, None] = {}
        self.refused = ""


@contextmanager
def looking_on() -> Iterator[Seen]:
    """Until its end, what the workers ask the machine for is found.

    Raises:
        NotExplorable: in the worker, at what is refused; if it keeps that to itself, `Seen` has it.
    """
    seen = Seen()

    def look(frame: FrameType, event: str, function: Any) -> None:
        if event != "c_call" or (why := _why(function)) is None:
            return
        text, is_refused = why
        place = _asker(frame, is_direct=not is_refused or text == _TIME)
        if place is None:
            return
        name = f"{getattr(function, '__module__', None) or ''}.{function.__qualname__}"
        said = f"{place} calls {name.strip('.')}: {text}"
        if is_refused:
            seen.refused = seen.refused or said
            raise NotExplorable(said)
        seen.told[said] = None

    usual = sys.getprofile()
    sys.setprofile(look)
    try:
        yield seen
    finally:
        sys.setprofile(usual)


def _why(function: Any) -> tuple[str, bool] | None:
    """What is wrong with a function of C's, and whether it is refused; None: nothing."""
    owner = getattr(function, "__self__", None)
    if owner is None or type(owner) is type(sys):
        if function in _REFUSED:
            return _REFUSED[function], True
        return (_TOLD[function], False) if function in _TOLD else None
    name = function.__name__
    if isinstance(owner, random.Random):
        return _TOKENS, False
    if isinstance(owner, _socket.socket) and name in ("connect", "connect_ex", "bind", "sendto"):
        return "there is no network in a world; sender.send is the way to a receiver", True
    is_date = isinstance(owner, type) and issubclass(owner, datetime.date)
    return (_TIME, True) if is_date and name in ("now", "utcnow", "today") else None


def _asker(frame: FrameType | None, *, is_direct: bool) -> str | None:
    """File and line of somebody's code that asks; None if it is Homing's, or a library's own.

    Args:
        is_direct: a library may stand in between only if all it does is to ask.
    """
    while frame is not None:
        filename = frame.f_code.co_filename
        if is_homings(filename):
            return None
        if is_theirs(filename):
            return f"{shown(filename)}:{frame.f_lineno}"
        is_between = filename.startswith(_STANDARD) and Path(filename).name in _BETWEEN
        if is_direct and not is_between:
            return None
        frame = frame.f_back
    return None
