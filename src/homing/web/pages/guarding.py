"""Counts wrong tokens by address, so that nobody can try many. Pure but for what it remembers."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

#: wrong tokens that an address may send in a row before it has to wait
_FREE: Final = 5
#: the first wait, seconds; it doubles with each wrong token after
_WAIT_FIRST_S: Final = 2
_WAIT_MAX_S: Final = 900
#: an address that sent nothing wrong for so long is forgotten, seconds
_FORGET_S: Final = 3_600
#: addresses that are remembered; the one that was wrong the longest ago goes first
_ADDRESSES_MAX: Final = 10_000


class Guard:
    """What a process remembers of wrong tokens.

    A token has far more than 128 bits that cannot be guessed: this keeps a flood from costing
    anything rather than a guess from being right. Addresses of IPv6 count by their network (/64).
    """

    def __init__(self) -> None:
        #: wrong ones in a row, and when the last was
        self._wrong: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def wait_s(self, address: str, *, at_us: int) -> int:
        """How many seconds the address has to wait before it may try; 0: it may."""
        count, last_us = self._wrong.get(_network(address), (0, 0))
        gone_s = (at_us - last_us) // 1_000_000
        if count < _FREE or gone_s >= _FORGET_S:
            return 0
        wait_s = min(_WAIT_FIRST_S << min(count - _FREE, 20), _WAIT_MAX_S)
        return max(0, wait_s - gone_s)

    def note_wrong(self, address: str, *, at_us: int) -> None:
        """A wrong token came from this address."""
        network = _network(address)
        count, last_us = self._wrong.pop(network, (0, at_us))
        if at_us - last_us >= _FORGET_S * 1_000_000:
            count = 0
        self._wrong[network] = (count + 1, at_us)
        if len(self._wrong) > _ADDRESSES_MAX:
            self._wrong.popitem(last=False)


def _network(address: str) -> str:
    if ":" not in address:
        return address
    from ipaddress import IPv6Address

    try:
        return IPv6Address(address.partition("%")[0]).exploded[:19]
    except ValueError:
        return address
