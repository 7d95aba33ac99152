"""Which addresses may be dialled."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.dispatch.egress import Egress

#: addresses at which nobody must be called on a tenant's word, with the reason
FORBIDDEN = [
    "0.0.0.0",  # this host
    "10.1.2.3",
    "100.64.0.1",  # carriers' customers
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",  # cloud metadata
    "172.16.0.1",
    "192.0.0.192",  # a cloud's metadata
    "192.0.2.1",  # documentation
    "192.88.99.1",  # 6to4 relays
    "192.168.0.1",
    "198.18.0.1",  # benchmarks
    "224.0.0.1",  # multicast
    "239.255.255.250",
    "240.0.0.1",  # reserved
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",  # NAT64 of the metadata address
    "64:ff9b:1::a9fe:a9fe",
    "100::1",  # discard
    "2001::1",  # Teredo
    "2001:db8::1",
    "2002:a9fe:a9fe::1",  # 6to4 of the metadata address
    "2002:7f00:1::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "not an address",
    "",
]
PUBLIC = ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"]


@pytest.mark.parametrize("address", FORBIDDEN)
def test_what_is_not_public_may_not_be_dialled(address: str) -> None:
    assert not Egress().permits(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public_may_be_dialled(address: str) -> None:
    assert Egress().permits(address)


def test_an_operator_can_allow_networks_and_only_those() -> None:
    egress = Egress([ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd00::/64")])
    assert egress.permits("10.1.255.255")
    assert egress.permits("::ffff:10.1.0.1")
    assert egress.permits("fd00::7")
    assert not egress.permits("10.2.0.1")
    assert not egress.permits("fd00:0:0:1::7")
    assert egress.permits("8.8.8.8")


def test_one_bad_address_spoils_a_whole_answer() -> None:
    egress = Egress()
    assert egress.permits_all(["8.8.8.8", "2606:4700::1111"])
    assert not egress.permits_all(["8.8.8.8", "10.0.0.1"])
    assert not egress.permits_all([])


@given(st.ip_addresses(v=4))
def test_an_address_inside_another_is_judged_as_itself(address: ipaddress.IPv4Address) -> None:
    egress = Egress()
    permitted = egress.permits(str(address))
    assert egress.permits(f"::ffff:{address}") == permitted
    assert egress.permits(str(ipaddress.IPv6Address((0x64FF9B << 96) | int(address)))) == permitted
    assert not egress.permits(str(ipaddress.IPv6Address((0x2002 << 112) | int(address) << 80)))
