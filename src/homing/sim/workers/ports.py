"""What a retry worker is given: the four ports through which it touches the world.

A worker that is written against these runs anywhere: in an explored world every call below is a
point at which another worker may run, the process may die, or time may pass. Between two calls a
worker is alone, as it is between two statements that it sends to a database.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

#: one record of the store, by field. A delivery's row has at least `state`: "pending",
#: "processing", "delivered", "dead" or a word of the worker's own. Values are what JSON can hold;
#: times are seconds of `Clock.now`.
Row = dict[str, Any]


class Store(Protocol):
    """Where rows are kept, by key. Each call is one atomic step at the database.

    Rows are copied in and out: to change a row that was read changes nothing until it is put.
    A database that is away raises ConnectionError from any of these; what was asked for has then
    been done or not, and the caller cannot know.
    """

    async def get(self, key: str) -> Row | None:
        """The row of that key; None if there is none."""
        ...

    async def put(self, key: str, row: Row) -> None:
        """Write the whole row, whatever was there: the last write wins."""
        ...

    async def put_if(self, key: str, row: Row, **expected: Any) -> bool:
        """Write the whole row if the one there has these values: compare and set.

        Args:
            expected: fields and the value that each must have now. None is what a missing field
                has, and every field of a missing row: `put_if(key, row, state=None)` inserts a
                row that nobody else inserted.

        Returns:
            Whether it was written.
        """
        ...

    async def find(self, where: Callable[[Row], bool], limit: int = 1) -> list[tuple[str, Row]]:
        """Keys and rows for which `where` holds, oldest key first.

        Args:
            where: asked for each row, without waiting for anything; it sees a copy.
            limit: at most so many, >= 1.
        """
        ...

    async def delete(self, key: str) -> None:
        """Take the row out; nothing happens if there is none."""
        ...


class Sender(Protocol):
    """The way to the receiver."""

    async def send(self, delivery: str, attempt: int) -> int:
        """Make one request, and wait for its answer.

        Args:
            delivery: the key of the delivery's row.
            attempt: which one it is by the worker's own count, >= 1; shown to people.

        Returns:
            The HTTP status, 100 to 599.

        Raises:
            TimeoutError: no answer came in time. The receiver may have got the request all the
                same, and may have taken it for good.
        """
        ...


class Clock(Protocol):
    """Time."""

    def now(self) -> float:
        """Seconds since some moment long ago; the same for all workers unless clocks are wrong."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait.

        Args:
            seconds: >= 0.
        """
        ...


class Chance(Protocol):
    """Randomness, as for the jitter of a backoff."""

    def random(self) -> float:
        """A number in [0, 1)."""
        ...


class Worker(Protocol):
    """A retry worker. Several run at once; each may die at any call, and be started anew.

    It is made as `Worker(store, sender, clock, chance, name)`, by a class or a function. `name` is
    its process's: "A", "B" …; one that is started again after a crash has another ("A2").
    """

    async def run(self) -> None:
        """Deliver what is due, for ever: until cancelled."""
        ...
