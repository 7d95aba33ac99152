"""Keeps what may be killing processes apart from what was only there when one died. Pure.

A process that dies takes up to `sends_max` leases with it, and each of those counts against its
delivery. Where processes die often, some innocent delivery is always there when it happens; in five
leases in a row, one of a few hundred is, and would be set aside as what kills.

So a delivery whose lease has lapsed twice in a row is a suspect, and a process attempts only a few
suspects at once, and of those that are suspected for more than that only one: a death can no longer
add to the count of many. The others wait a while.
"""

from __future__ import annotations

from typing import Final

from homing.core.lifecycle import Delivery

#: leases in a row without outcome from which a delivery is a suspect: two, because one is what any
#: restart costs
_FROM: Final = 2
#: suspects that one process attempts at once: at 30 ms each, 250 a second
_TOGETHER_MAX: Final = 8
#: leases in a row without outcome from which it is attempted with no other of its kind
_ALONE_FROM: Final = 3
#: those that must wait do so for this share of a lease, drawn evenly: they have waited for two
_PAUSE_SHARES: Final = (0.1, 0.6)


class Suspects:
    """Counts those of one process."""

    def __init__(self) -> None:
        #: lapsed leases of those under way, and of those that the present claim has admitted
        self._attempted: list[int] = []
        self._claimed: list[int] = []

    def begin_claim(self) -> None:
        """What the last claim admitted has been started by now, or was not claimed after all."""
        self._claimed.clear()

    def admit(self, delivery: Delivery) -> bool:
        """Whether a delivery that is due may be leased now; one that is no suspect may."""
        if delivery.unanswered < _FROM:
            return True
        now = self._attempted + self._claimed
        if len(now) >= _TOGETHER_MAX:
            return False
        if delivery.unanswered >= _ALONE_FROM and any(lapsed >= _ALONE_FROM for lapsed in now):
            return False
        self._claimed.append(delivery.unanswered)
        return True

    def started(self, leased: Delivery) -> None:
        """An attempt begins; the lease for it is counted in `unanswered`."""
        if leased.unanswered > _FROM:
            self._attempted.append(leased.unanswered - 1)

    def ended(self, leased: Delivery) -> None:
        """The same attempt has ended."""
        if leased.unanswered > _FROM:
            self._attempted.remove(leased.unanswered - 1)


def pause_us(lease_s: float, chance: float) -> int:
    """How long one that is not admitted waits; `chance` in [0, 1) spreads them out."""
    low, high = _PAUSE_SHARES
    return round(lease_s * (low + (high - low) * chance) * 1_000_000)
