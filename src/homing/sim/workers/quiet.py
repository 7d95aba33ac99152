"""What a worker prints and logs in a world goes to the world's trace, and not to the terminal."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import cache
from typing import Any


@contextmanager
def quiet(hears: Callable[[str], None]) -> Iterator[None]:
    """Until its end, `hears` is given each line that is printed or logged, by whomever."""

    def log(_: logging.Logger, record: logging.LogRecord) -> None:
        hears(record.getMessage())

    _be_deaf()
    logger: Any = logging.Logger
    usual, logger.callHandlers = logger.callHandlers, log
    ear = _Ear(hears)
    try:
        with redirect_stdout(ear), redirect_stderr(ear):
            yield
    finally:
        logger.callHandlers = usual


@cache
def _be_deaf() -> None:
    """From now on nobody hears of workers that went on when their world was let go of.

    Those with a bare `except` in a loop do, and Python says so whenever the garbage is collected.
    """
    usual = sys.unraisablehook

    def hear(error: Any) -> None:
        if str(error.exc_value) != "coroutine ignored GeneratorExit":
            usual(error)

    sys.unraisablehook = hear


class _Ear(io.TextIOBase):
    """A file that is written to a line at a time."""

    def __init__(self, hears: Callable[[str], None]) -> None:
        self._hears = hears
        self._rest = ""

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._hears(line)
        return len(text)
