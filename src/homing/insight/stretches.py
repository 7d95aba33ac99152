"""The log of one delivery in a few words: enough to say that all of it is well, or that it is not.

Whoever reads a log of any length keeps one stretch per delivery, may put it away and begin another,
and joins them later. Nothing is said of what is wrong: whoever wants to know reads the lines again.
Pure.
"""

from __future__ import annotations

from sys import intern

import msgspec

from homing.core.lifecycle import Delivery, State
from homing.core.records import LogEntry
from homing.insight import steps
from homing.insight.evidence import Left, Step


class Stretch(msgspec.Struct, array_like=True, tag="stretch"):
    """Some lines of one delivery, none left out between the first and the last of them."""

    message_id: str
    endpoint_id: str
    #: the place in the log before its first line
    transaction: int
    line: int
    lines: int = 0
    decided: int = 0  #: written lines that an attempt led to
    #: its first written line, unless that is a birth as it should be
    first: Step | None = None
    last: Left | None = None  #: of its last written line; None: nothing was written
    is_sound: bool = True  #: each written line may follow the one before it, from the second on

    def read(self, line: LogEntry) -> None:
        """The next line of the delivery."""
        self.lines += 1
        if not line.rows_written:
            return
        if self.last is None:
            self.first = None if steps.follows(None, line) else _step(line)
        elif not steps.follows(self.last, line):
            self.is_sound = False
        op, holder = intern(line.op), intern(line.holder)
        self.last = Left(line.version_after, line.to_state, line.lease_epoch, op, holder)
        self.decided += line.attempt_id is not None

    def join(self, later: Stretch) -> None:
        """Go on with what was read after it."""
        self.lines += later.lines
        if later.last is None:
            return
        if self.last is None:
            self.first = later.first
        elif later.first is None or not steps.follows(self.last, later.first):
            self.is_sound = False  # born a second time, or not where the first part ended
        self.is_sound = self.is_sound and later.is_sound
        self.last = later.last
        self.decided += later.decided


class Present(msgspec.Struct, frozen=True, array_like=True, tag="present", gc=False):
    """Of a row and its attempts what its life has to lead to."""

    message_id: str
    endpoint_id: str
    version: int
    state: State
    is_shaped: bool  #: it has a due time, a holder and an end just where its state asks for them
    attempts: int  #: that are recorded

    def is_end_of(self, life: Stretch, *, some_are_purged: bool) -> bool:
        """Whether a whole life is sound and led here.

        Args:
            some_are_purged: attempts have been, so that having none says nothing.
        """
        last = life.last
        return (
            last is not None
            and life.first is None
            and life.is_sound
            and last.version_after == self.version
            and last.to_state is self.state
            and self.is_shaped
            and (self.attempts >= life.decided or (not self.attempts and some_are_purged))
        )


def present(row: Delivery, attempts: int) -> Present:
    """What is there now."""
    return Present(
        row.message_id,
        row.endpoint_id,
        row.version,
        row.state,
        steps.is_shaped(row),
        attempts,
    )


def _step(line: LogEntry) -> Step:
    return Step(
        line.op,
        line.from_state,
        line.to_state,
        line.version_before,
        line.version_after,
        line.lease_epoch,
        line.actor,
    )
