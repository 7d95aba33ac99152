"""Whose turn it is where there are few places and many who want one. Pure.

A place may be held for long and cannot be taken back, so a fair order alone is not enough: whoever
holds many must not get the last ones. Each may hold half as many as are free, so that the more
are taken the fewer any one gets, and there is nearly always one for who has none.

Source: A. K. Choudhury, E. L. Hahne, "Dynamic Queue Length Thresholds for Shared-Memory Packet
Switches", 1998, with an alpha of one half.
"""

from __future__ import annotations

from collections import OrderedDict


class Turns:
    """Wishes in line, and places held, by who has them.

    Args:
        places: in all, at least 1.
    """

    def __init__(self, places: int) -> None:
        self._free = places
        self._held: dict[str, int] = {}
        #: who served last comes last; each one's wishes in order
        self._lines: OrderedDict[str, OrderedDict[str, None]] = OrderedDict()

    @property
    def free(self) -> int:
        """Places that nobody holds."""
        return self._free

    def ask(self, who: str, what: str) -> None:
        """Stand in line; asking for the same again changes nothing."""
        self._lines.setdefault(who, OrderedDict())[what] = None

    def withdraw(self, who: str, what: str) -> None:
        """Leave the line; nothing happens to a wish that was granted."""
        line = self._lines.get(who)
        if line is not None:
            line.pop(what, None)
            if not line:
                del self._lines[who]

    def grant(self) -> tuple[str, str] | None:
        """The next wish, which holds a place from now on; None: nobody may have one now."""
        if not self._free or not self._lines:
            return None
        who = min(self._lines, key=lambda one: self._held.get(one, 0))
        held = self._held.get(who, 0)
        if held and 2 * held >= self._free:
            return None
        what, _ = self._lines[who].popitem(last=False)
        if self._lines[who]:
            self._lines.move_to_end(who)
        else:
            del self._lines[who]
        self._held[who] = held + 1
        self._free -= 1
        return who, what

    def give_back(self, who: str) -> None:
        """One place is free again."""
        self._free += 1
        self._held[who] -= 1
        if not self._held[who]:
            del self._held[who]
