"""Keeps what may be killing processes apart from what was only there when one died. Pure.

A process that dies takes up to `sends_max` leases with it, and each of those counts against its
delivery. Where processes die often, some innocent delivery is always there when it happens; in five
leases in a row, one of a few hundred is, and would be set aside as what kills.

So a delivery whose lease has lapsed twice in a row is a suspect, and a process attempts only a few
suspects at once: one death can no longer add to the count of many. The others wait a while.
"""

from __future__ import annotations

from typing import Final

from homing.core.lifecycle import Delivery

#: leases in a row without outcome from which a delivery is a suspect: two, because one is what any
#: restart costs
_FROM: Final = 2
#: suspects that one process attempts at once: at 30 ms each, 250 a second
_TOGETHER_MAX: Final = 8
#: those that must wait do so for this share of a lease, drawn evenly: they have waited for two
_PAUSE_SHARES: Final = (0.1, 0.6)


class Suspects:
    """Counts those of one process."""

    def __init__(self) -> None:
        self._attempted = 0
        self._claimed = 0

    def begin_claim(self) -> None:
        """What the last claim admitted has been started by now, or was not claimed after all."""
        self._claimed = 0

    def admit(self, delivery: Delivery) -> bool:
        """Whether a delivery that is due may be leased now; one that is no suspect may."""
        if delivery.unanswered < _FROM:
            return True
        if self._attempted + self._claimed >= _TOGETHER_MAX:
            return False
        self._claimed += 1
        return True

    def started(self, leased: Delivery) -> None:
        """An attempt begins."""
        self._attempted += leased.unanswered > _FROM

    def ended(self, leased: Delivery) -> None:
        """The same attempt has ended."""
        self._attempted -= leased.unanswered > _FROM


def pause_us(lease_s: float, chance: float) -> int:
    """How long one that is not admitted waits; `chance` in [0, 1) spreads them out."""
    low, high = _PAUSE_SHARES
    return round(lease_s * (low + (high - low) * chance) * 1_000_000)
