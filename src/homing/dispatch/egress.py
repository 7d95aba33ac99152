"""Which addresses may be dialled. Pure: nothing is looked up here.

Sources: OWASP, "Server-Side Request Forgery Prevention"; IANA special-purpose address registries.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: all that a caller is told about a refused address: no name, no number, no reason
NOT_ALLOWED: Final = "address not allowed; an operator can allow it with HOMING_EGRESS_ALLOW"


class Egress:
    """The rule about addresses: public ones, and those an operator has allowed.

    Args:
        allow: networks that may be dialled although they are not public.
    """

    def __init__(self, allow: Iterable[Network] = ()) -> None:
        self._allow = tuple(allow)

    def permits(self, address: str) -> bool:
        """Whether this numeric address may be dialled; False for anything that is not one."""
        try:
            number = ipaddress.ip_address(address)
        except ValueError:
            return False
        number = _unwrapped(number)
        return is_public(number) or any(
            number.version == network.version and number in network for network in self._allow
        )

    def permits_all(self, addresses: Sequence[str]) -> bool:
        """Whether a name's whole answer may be used: one bad address spoils it.

        An answer that mixes public and private addresses is an attack or a mistake; picking the
        good ones would help either.
        """
        return bool(addresses) and all(self.permits(address) for address in addresses)


# What `ipaddress` calls global although nobody should be called there on a tenant's word. It
# differs from one Python to the next, so the list does not lean on it.
_NEVER_PUBLIC: Final[tuple[Network, ...]] = (
    ipaddress.ip_network("100.64.0.0/10"),  # shared by carriers' customers
    ipaddress.ip_network("192.0.0.0/24"),  # protocol assignments, a cloud's metadata among them
    ipaddress.ip_network("192.88.99.0/24"),  # 6to4 relays
    ipaddress.ip_network("::/96"),  # IPv4-compatible: embeds any IPv4 address
    ipaddress.ip_network("64:ff9b:1::/48"),  # local NAT64: embeds any IPv4 address
    ipaddress.ip_network("2001::/32"),  # Teredo: embeds any IPv4 address
    ipaddress.ip_network("2002::/16"),  # 6to4: embeds any IPv4 address
    ipaddress.ip_network("3fff::/20"),  # documentation
    ipaddress.ip_network("5f00::/16"),  # segment routing
    ipaddress.ip_network("fec0::/10"),  # once site-local
)
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


def is_public(address: Address) -> bool:
    """Whether anybody on the internet could be there; an embedded address is judged instead."""
    address = _unwrapped(address)
    return (
        address.is_global
        and not address.is_multicast
        and not any(
            address.version == network.version and address in network for network in _NEVER_PUBLIC
        )
    )


def _unwrapped(address: Address) -> Address:
    """The IPv4 address that an IPv4-mapped or NAT64 address reaches; others as they are."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address
