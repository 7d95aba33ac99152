"""Deadlines of a sender that is tried with receivers that overrun them."""

from __future__ import annotations

from collections.abc import Collection

from homing.core.outcome import Reason
from homing.dispatch.connection import Deadlines

#: the stage whose deadline an outcome tells of
_STAGES = {
    Reason.CONNECT_TIMEOUT: "connect_s",
    Reason.TLS_TIMEOUT: "tls_s",
    Reason.FIRST_BYTE_TIMEOUT: "first_byte_s",
    Reason.IDLE_TIMEOUT: "idle_s",
    Reason.TOTAL_TIMEOUT: "total_s",
}
SLOW = frozenset(_STAGES)
SHORT_S, LONG_S = 0.5, 60.0


def deadlines_for(*reasons: Reason) -> Deadlines:
    """Short for the stages that these tell of, and so long for all others that only these can run
    out, however busy the machine is."""
    short = {_STAGES[reason]: SHORT_S for reason in reasons if reason in _STAGES}
    return Deadlines(**(dict.fromkeys(_STAGES.values(), LONG_S) | short))


def is_within_bounds(took_s: float, reasons: Collection[Reason]) -> bool:
    """Whether it ended by the deadline that it was to end by, and not by another."""
    return took_s < LONG_S and (took_s >= SHORT_S * 0.9 or not SLOW.issuperset(reasons))
