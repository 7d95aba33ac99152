"""The addresses at which no receiver of strangers' webhooks is, each range with its source. Pure.

A table of our own: `ipaddress.is_global` says yes to multicast, to most forms of IPv6 that hide an
IPv4 address and to 192.88.99.1, and its answer changes with Python's patch level.

What a registry calls "globally reachable" although it is special-purpose (AS112, AMT, anycast) is
in the table too: nobody receives webhooks there.

Sources: IANA, "IPv4 Special-Purpose Address Registry", "IPv6 Special-Purpose Address Registry",
"IPv4 Address Space Registry", "Internet Protocol Version 6 Address Space"; RFC 6890. The RFC beside
a row is the one that set the range aside.
"""

from __future__ import annotations

import ipaddress
from typing import Final, NamedTuple

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Range(NamedTuple):
    """Addresses that are refused."""

    network: Network
    what: str  #: it is for
    source: str  #: that says so


def _rows(*rows: tuple[str, str, str]) -> tuple[Range, ...]:
    return tuple(Range(ipaddress.ip_network(text), what, source) for text, what, source in rows)


SPECIAL_V4: Final = _rows(
    ("0.0.0.0/8", "this host, this network", "RFC 791 3.2, RFC 1122 3.2.1.3"),
    ("10.0.0.0/8", "private", "RFC 1918"),
    ("100.64.0.0/10", "shared by a carrier's customers", "RFC 6598"),
    ("127.0.0.0/8", "loopback", "RFC 1122 3.2.1.3"),
    ("169.254.0.0/16", "link-local; most clouds' metadata", "RFC 3927"),
    ("172.16.0.0/12", "private", "RFC 1918"),
    ("192.0.0.0/24", "protocol assignments: DS-Lite, NAT64 discovery, anycast", "RFC 6890 2.1"),
    ("192.0.2.0/24", "documentation", "RFC 5737"),
    ("192.31.196.0/24", "AS112, which may be next door", "RFC 7535"),
    ("192.52.193.0/24", "multicast tunnels (AMT)", "RFC 7450"),
    ("192.88.99.0/24", "6to4 relays", "RFC 7526, RFC 6751"),
    ("192.168.0.0/16", "private", "RFC 1918"),
    ("192.175.48.0/24", "AS112, which may be next door", "RFC 7534"),
    ("198.18.0.0/15", "benchmarks", "RFC 2544"),
    ("198.51.100.0/24", "documentation", "RFC 5737"),
    ("203.0.113.0/24", "documentation", "RFC 5737"),
    ("224.0.0.0/4", "multicast", "RFC 5771"),
    ("240.0.0.0/4", "reserved", "RFC 1112 4"),
    ("255.255.255.255/32", "broadcast", "RFC 919, RFC 8190"),
)

SPECIAL_V6: Final = _rows(
    # Global unicast is 2000::/3 alone (RFC 4291 2.4). What is before it …
    ("::/128", "unspecified", "RFC 4291 2.5.2"),
    ("::1/128", "loopback", "RFC 4291 2.5.3"),
    ("::/96", "IPv4-compatible: hides an IPv4 address", "RFC 4291 2.5.5.1"),
    ("::ffff:0:0/96", "IPv4-mapped: judged as what it hides", "RFC 4291 2.5.5.2"),
    ("::ffff:0:0:0/96", "IPv4-translated: hides an IPv4 address", "RFC 2765 2.1"),
    ("64:ff9b::/96", "NAT64: judged as what it hides", "RFC 6052 2.1"),
    ("64:ff9b:1::/48", "local NAT64: hides an IPv4 address", "RFC 8215"),
    ("100::/64", "discard", "RFC 6666"),
    ("100:0:0:1::/64", "dummy", "RFC 9780"),
    ("::/3", "reserved, the rows above among it", "RFC 4291 2.4"),
    # … what is within it …
    ("2001::/32", "Teredo: hides an IPv4 address", "RFC 4380"),
    ("2001:2::/48", "benchmarks", "RFC 5180"),
    ("2001:10::/28", "ORCHID: names, not addresses", "RFC 4843"),
    ("2001:20::/28", "ORCHIDv2: names, not addresses", "RFC 7343"),
    ("2001:30::/28", "drones: names, not addresses", "RFC 9374"),
    ("2001::/23", "protocol assignments, the rows above among them", "RFC 2928"),
    ("2001:db8::/32", "documentation", "RFC 3849"),
    ("2002::/16", "6to4: hides an IPv4 address", "RFC 3056"),
    ("2620:4f:8000::/48", "AS112, which may be next door", "RFC 7534"),
    ("3fff::/20", "documentation", "RFC 9637"),
    # … and what is behind it.
    ("5f00::/16", "segment routing", "RFC 9602"),
    ("4000::/2", "reserved, the row above among it", "RFC 4291 2.4"),
    ("fc00::/7", "unique local", "RFC 4193"),
    ("fe80::/10", "link-local", "RFC 4291 2.5.6"),
    ("fec0::/10", "once site-local", "RFC 3879"),
    ("ff00::/8", "multicast", "RFC 4291 2.7"),
    ("8000::/1", "reserved, the rows above among it", "RFC 4291 2.4"),
)

#: What clouds tell their machines: passwords among it. A network that an operator allows does not
#: allow these that lie within it; only naming the one address does.
METADATA: Final = _rows(
    ("100.100.100.200/32", "metadata", "Alibaba Cloud"),
    ("168.63.129.16/32", "the platform's agent; a public address", "Azure"),
    ("169.254.0.23/32", "metadata", "Tencent Cloud"),
    ("169.254.42.42/32", "metadata", "Scaleway"),
    ("169.254.169.254/32", "metadata", "AWS, Azure, Google Cloud, Oracle, OpenStack, …"),
    ("169.254.170.2/32", "credentials of a task", "AWS ECS"),
    ("169.254.170.23/32", "credentials of a pod", "AWS EKS"),
    ("192.0.0.192/32", "metadata", "Oracle Cloud"),
    ("fd00:42::42/128", "metadata", "Scaleway"),
    ("fd00:ec2::23/128", "credentials of a pod", "AWS EKS"),
    ("fd00:ec2::254/128", "metadata", "AWS"),
    ("fd20:ce::254/128", "metadata", "Google Cloud"),
)

_REFUSED: Final = {
    version: tuple(
        row.network
        for row in (*SPECIAL_V4, *SPECIAL_V6, *METADATA)
        if row.network.version == version
    )
    for version in (4, 6)
}
_METADATA: Final = frozenset(row.network.network_address for row in METADATA)
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
#: the upper half of an ISATAP address's interface identifier, and the bit that may be either
_ISATAP: Final = 0x0000_5EFE
_ISATAP_MASK: Final = 0xFDFF_FFFF


def is_public(address: Address) -> bool:
    """Whether anybody on the internet could be there.

    What an IPv4-mapped or NAT64 address hides is judged instead of it. An ISATAP address
    (RFC 5214 6.1) can hide an IPv4 address under any prefix, so that no table has them: none is
    public.
    """
    address = _hidden(address)
    if isinstance(address, ipaddress.IPv6Address) and _is_isatap(address):
        return False
    return not any(address in network for network in _REFUSED[address.version])


def is_metadata(address: Address) -> bool:
    """Whether a cloud tells its machines secrets there."""
    return address in _METADATA


def unmapped(address: Address) -> Address:
    """The IPv4 address that the system dials for an IPv4-mapped one; others as they are."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _hidden(address: Address) -> Address:
    if address.version == 6 and address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return unmapped(address)


def _is_isatap(address: ipaddress.IPv6Address) -> bool:
    return (int(address) >> 32) & _ISATAP_MASK == _ISATAP
