"""What must hold of somebody else's worker: judged step by step, from what the world saw.

The world tells what happened, in order; `Watch` keeps the books and says what was broken. It knows
nothing of loops, stores or clients.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import msgspec

from homing.core.plurals import plural

#: every invariant, the worst first, and what it means in a few words
INVARIANTS: Final = {
    "nothing_is_lost": "what was accepted is taken by its receiver, or is given up and says so",
    "delivered_means_2xx": "a delivery is called delivered only after its receiver answered 2xx",
    "an_end_is_for_ever": "nobody undoes an end: a late write changes nothing",
    "nothing_is_sent_after_success": "no attempt begins after success was recorded",
    "dead_only_after_refusals": "a delivery is given up only after its receiver refused it",
    "everything_ends": "what its receiver has taken comes to an end in the books, too",
}


class Breach(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that must not be."""

    invariant: str  #: a name of INVARIANTS
    text: str  #: one sentence
    delivery: str = ""
    before: str = ""  #: what was, in a few words
    after: str = ""  #: what is

    def __str__(self) -> str:
        return f"{self.invariant}: {self.text}"


class Ends(msgspec.Struct, frozen=True, kw_only=True):
    """Words for the states that deliveries come to rest in."""

    delivered: tuple[str, ...] = ("delivered",)
    dead: tuple[str, ...] = ("dead",)  #: given up after refusals
    others: tuple[str, ...] = ("cancelled",)  #: rest, of which nothing more is asked
    #: refusals that must have been seen before a delivery is dead, >= 1
    refusals_min: int = 1

    @property
    def all(self) -> frozenset[str]:
        return frozenset((*self.delivered, *self.dead, *self.others))


class _Book:
    """What is known of one delivery."""

    __slots__ = ("accepted", "ended", "refused", "sent", "state", "success_at", "taken", "touched")

    def __init__(self) -> None:
        self.accepted = False
        self.state: str | None = None
        self.ended = False  #: its last state was an end; the row may be gone by now
        self.sent = 0  #: requests made
        self.taken = 0  #: requests that the receiver answered 2xx, seen by somebody or not
        self.refused = 0  #: failures that a worker saw
        self.success_at = 0  #: moment at which success was recorded; 0: never
        self.touched: dict[str, int] = {}  #: when each process last read or wrote it


class Watch:
    """The books of one world.

    Args:
        ends: which states are ends.
    """

    def __init__(self, ends: Ends) -> None:
        self.breaches: list[Breach] = []
        self._delivered = frozenset(ends.delivered)
        self._dead = frozenset(ends.dead)
        self._ends = ends.all
        self._refusals_min = ends.refusals_min
        self._books: dict[str, _Book] = {}
        self._moment = 0

    def open(self, delivery: str) -> None:
        """There is such a delivery; it need not be accepted yet."""
        self._books[delivery] = _Book()

    @property
    def deliveries(self) -> Collection[str]:
        """All that there are."""
        return self._books.keys()

    def state(self, delivery: str) -> str | None:
        """The state of its row; None while there is none."""
        return self._books[delivery].state

    def is_taken(self, delivery: str) -> bool:
        """Whether the receiver has answered 2xx for it."""
        return self._books[delivery].taken > 0

    def is_settled(self, delivery: str) -> bool:
        """Whether it has come to an end; a row that is gone has, if it was at one or was taken."""
        book = self._books[delivery]
        return book.ended or (book.state is None and book.taken > 0)

    @property
    def open_ones(self) -> list[str]:
        """Accepted, and not at an end."""
        return [
            name
            for name, book in self._books.items()
            if book.accepted and not self.is_settled(name)
        ]

    # --- what happens ---

    def accepted(self, delivery: str) -> None:
        """Its publisher was told so."""
        self._books[delivery].accepted = True

    def touched(self, process: str, delivery: str) -> None:
        """A process read or wrote its row."""
        self._moment += 1
        self._books[delivery].touched[process] = self._moment

    def wrote(self, process: str, delivery: str, after: str | None) -> None:
        """The state of its row is now another."""
        book = self._books[delivery]
        before, book.state = book.state, after
        if after is not None:
            book.ended = after in self._ends
        if before == after:
            return
        self._moment += 1
        if after in self._delivered:
            if not book.taken:
                self._break(
                    "delivered_means_2xx",
                    delivery,
                    f"{process} called {delivery} {after}, and its receiver never answered 2xx",
                    f"{before}, {plural(book.sent, 'request')} made, none answered 2xx",
                    f"{after}",
                )
            book.success_at = book.success_at or self._moment
        elif after in self._dead and book.refused < self._refusals_min and before not in self._ends:
            requests = (
                f" of {plural(book.sent, 'request')}" if book.sent else ", before any request"
            )
            self._break(
                "dead_only_after_refusals",
                delivery,
                f"{process} gave {delivery} up after {plural(book.refused, 'refusal')}{requests}",
                f"{before}, {plural(book.sent, 'request')} made, {book.refused} seen to fail",
                f"{after}",
            )
        if before in self._ends and after is not None:
            is_better = after in self._delivered and book.taken
            if not is_better or before in self._delivered:
                self._break(
                    "an_end_is_for_ever",
                    delivery,
                    f"{process} made {delivery} {after}, which was {before}",
                    f"{before}",
                    f"{after}",
                )

    def sends(self, process: str, delivery: str) -> None:
        """A request goes out."""
        book = self._books[delivery]
        book.sent += 1
        if book.success_at and book.touched.get(process, 0) > book.success_at:
            self._break(
                "nothing_is_sent_after_success",
                delivery,
                f"{process} sends {delivery} again after its success was recorded",
                f"success recorded after {plural(book.sent - 1, 'request')}",
                f"request number {book.sent} goes out",
            )

    def took(self, delivery: str) -> None:
        """The receiver answered 2xx, whether anybody saw it or not."""
        self._books[delivery].taken += 1

    def saw_refusal(self, delivery: str) -> None:
        """A worker saw an answer that is no 2xx, or none in time."""
        self._books[delivery].refused += 1

    def at_rest(self) -> None:
        """Faults have stopped, fresh workers had all the time they need, and nothing moves."""
        for name in self.open_ones:
            book = self._books[name]
            where = f"stays {book.state}" if book.state is not None else "is nowhere"
            if book.taken:
                self._break(
                    "everything_ends",
                    name,
                    f"{name} {where} for ever, though its receiver took it",
                    f"accepted, and answered 2xx {plural(book.taken, 'time')}",
                    f"{where}; no worker will touch it again",
                )
            else:
                self._break(
                    "nothing_is_lost",
                    name,
                    f"{name} {where} for ever: its receiver never took it, and nobody tries again",
                    f"accepted, {plural(book.sent, 'request')} made",
                    f"{where}; fresh workers do not find it",
                )

    def _break(self, invariant: str, delivery: str, text: str, before: str, after: str) -> None:
        self.breaches.append(
            Breach(invariant=invariant, text=text, delivery=delivery, before=before, after=after)
        )
