"""Which addresses are public: every edge, every disguise, and where Python disagrees."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.dispatch.ranges import METADATA, SPECIAL_V4, SPECIAL_V6, Range, is_metadata, is_public

#: first and last of each stretch that is refused; what is just beside it is public
STRETCHES = [
    ("0.0.0.0", "0.255.255.255"),
    ("10.0.0.0", "10.255.255.255"),
    ("100.64.0.0", "100.127.255.255"),
    ("127.0.0.0", "127.255.255.255"),
    ("168.63.129.16", "168.63.129.16"),
    ("169.254.0.0", "169.254.255.255"),
    ("172.16.0.0", "172.31.255.255"),
    ("192.0.0.0", "192.0.0.255"),
    ("192.0.2.0", "192.0.2.255"),
    ("192.31.196.0", "192.31.196.255"),
    ("192.52.193.0", "192.52.193.255"),
    ("192.88.99.0", "192.88.99.255"),
    ("192.168.0.0", "192.168.255.255"),
    ("192.175.48.0", "192.175.48.255"),
    ("198.18.0.0", "198.19.255.255"),
    ("198.51.100.0", "198.51.100.255"),
    ("203.0.113.0", "203.0.113.255"),
    ("224.0.0.0", "255.255.255.255"),
    ("::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff"),
    ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
]
ROWS = (*SPECIAL_V4, *SPECIAL_V6, *METADATA)
#: rows whose addresses are judged by what they hide
JUDGED_WITHIN = {"::ffff:0:0/96", "64:ff9b::/96"}


def parse(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(text)


@pytest.mark.parametrize(("first", "last"), STRETCHES)
def test_a_stretch_is_refused_to_its_ends_and_no_further(first: str, last: str) -> None:
    low, high = parse(first), parse(last)
    middle = type(low)((int(low) + int(high)) // 2)
    assert not any(is_public(address) for address in (low, middle, high))
    if int(low) > 0:
        assert is_public(low - 1)
    if int(high) + 1 < 2**low.max_prefixlen:
        assert is_public(high + 1)


def test_the_stretches_are_the_whole_table() -> None:
    stretches = [
        network
        for first, last in STRETCHES
        for network in ipaddress.summarize_address_range(parse(first), parse(last))  # type: ignore[type-var]
    ]
    for version in (4, 6):
        networks = [row.network for row in ROWS if row.network.version == version]
        assert list(ipaddress.collapse_addresses(networks)) == list(  # type: ignore[type-var]
            ipaddress.collapse_addresses(n for n in stretches if n.version == version)  # type: ignore[type-var]
        )


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row.network))
def test_every_row_refuses_its_first_and_last_address_and_says_why(row: Range) -> None:
    assert row.what
    assert row.source
    if str(row.network) in JUDGED_WITHIN:
        row = row._replace(network=ipaddress.ip_network(f"{row.network.network_address}/104"))
    assert not is_public(row.network[0])
    assert not is_public(row.network[-1])


def test_the_metadata_of_clouds_is_known_as_such() -> None:
    assert all(is_metadata(row.network[0]) for row in METADATA)
    assert not is_metadata(parse("169.254.1.1"))


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "93.184.216.34", "1.0.0.1", "2606:4700::1111", "2a00:1450::1", "2001:4860::8888"],
)
def test_what_receivers_have_is_public(address: str) -> None:
    assert is_public(parse(address))


def embeddings(address: ipaddress.IPv4Address) -> dict[str, ipaddress.IPv6Address]:
    """Every form of IPv6 in which a network may find this address again."""
    number = int(address)
    return {
        name: ipaddress.IPv6Address(value)
        for name, value in {
            "IPv4-mapped": 0xFFFF << 32 | number,
            "IPv4-compatible": number,
            "IPv4-translated": 0xFFFF << 48 | number,
            "NAT64": 0x64FF9B << 96 | number,
            "local NAT64": 0x64FF9B0001 << 80 | number,
            "6to4": 0x2002 << 112 | number << 80 | 1,
            "Teredo, client": 0x20010000 << 96 | (number ^ 0xFFFFFFFF),
            "Teredo, server": 0x20010000 << 96 | number << 64 | 0x3FFFFFFF,
            "ISATAP": 0x2A001450 << 96 | 0x5EFE << 32 | number,
            "ISATAP, global": 0x2A001450 << 96 | 0x02005EFE << 32 | number,
        }.items()
    }


#: the forms that reach what they hide, and so are as public as that
TRANSPARENT = {"IPv4-mapped", "NAT64"}

refused_v4 = st.sampled_from([row.network for row in ROWS if row.network.version == 4]).flatmap(
    lambda network: st.ip_addresses(network=network)
)


@given(refused_v4)
def test_a_refused_address_is_refused_in_every_disguise(address: ipaddress.IPv4Address) -> None:
    assert not is_public(address)
    for form, disguised in embeddings(address).items():
        assert not is_public(disguised), form


@given(st.ip_addresses(v=4))
def test_a_disguise_never_makes_an_address_more_public(address: ipaddress.IPv4Address) -> None:
    for form, disguised in embeddings(address).items():
        assert is_public(disguised) == (form in TRANSPARENT and is_public(address)), form


#: where `ipaddress.is_global` of some Python from 3.11 on says otherwise, and why we differ
DIFFERENCES = {
    "168.63.129.16/32": "a public address, but inside Azure it is the platform's agent",
    "192.0.0.0/24": "partly global to Python; a cloud has its metadata there",
    "192.31.196.0/24": "global by the registry, but the nearest AS112 server may be inside",
    "192.52.193.0/24": "global by the registry, but no receiver is there",
    "192.88.99.0/24": "6to4 relays: withdrawn, unknown to Python",
    "192.175.48.0/24": "as 192.31.196.0/24",
    "224.0.0.0/4": "multicast is global to Python",
    "::/96": "hides an IPv4 address; Python knows :: and ::1 alone",
    "::ffff:0:0/96": "newer Pythons judge what it hides, older ones say no to all",
    "::ffff:0:0:0/96": "hides an IPv4 address, unknown to Python",
    "64:ff9b::/96": "global to Python, whatever it hides",
    "64:ff9b:1::/48": "hides an IPv4 address; global to older Pythons",
    "::/3": "reserved: global to Python, though nobody can have it",
    "2001::/23": "partly global to newer Pythons",
    "2002::/16": "hides an IPv4 address; global to older Pythons",
    "2620:4f:8000::/48": "as 192.31.196.0/24",
    "3fff::/20": "documentation since 2024, unknown to older Pythons",
    "4000::/2": "reserved: global to Python, though nobody can have it",
    "8000::/1": "reserved, among it fec0::/10 and multicast: global to Python",
}
#: edges of what Pythons treat apart
PYTHONS_EDGES = [
    *("192.0.0.9", "192.0.0.10", "192.0.0.170", "192.0.0.171", "::ffff:8.8.8.8"),
    *("2001:1::1", "2001:1::2", "2001:3::1", "2001:4:112::1", "2001:20::1", "2001:30::1"),
]


def edges() -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Each row's ends and what is just beside them."""
    found = [parse(text) for text in PYTHONS_EDGES]
    for row in ROWS:
        first, last = row.network[0], row.network[-1]
        found += [first, last]
        if int(first) > 0:
            found.append(first - 1)
        if int(last) + 1 < 2**row.network.max_prefixlen:
            found.append(last + 1)
    return found


@pytest.mark.parametrize("address", edges(), ids=str)
def test_every_difference_to_python_is_explained(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if is_public(address) == address.is_global:
        return
    networks = [ipaddress.ip_network(text) for text in DIFFERENCES]
    assert any(address in network for network in networks)
    assert not is_public(address) or address.is_private, "stricter than Python, but for mapped ones"


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_nothing_is_public_that_python_calls_private_except_by_what_it_hides(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    hidden = getattr(address, "ipv4_mapped", None)
    if is_public(address) and hidden is None:
        assert address.is_global
