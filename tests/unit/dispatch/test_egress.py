"""Which addresses may be dialled."""

from __future__ import annotations

import ipaddress

import pytest

from homing.core.urls import parse_url
from homing.dispatch.egress import Egress
from homing.dispatch.ranges import METADATA


def networks(*texts: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return [ipaddress.ip_network(text) for text in texts]


def test_public_addresses_are_permitted_and_no_others() -> None:
    egress = Egress()
    for address in ("8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"):
        assert egress.permits(address), address
    for address in ("127.0.0.1", "::1", "::ffff:10.0.0.1", "64:ff9b::a9fe:a9fe", "100.64.0.1"):
        assert not egress.permits(address), address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "not an address",
        "8.8.8",
        "134744072",
        "0x8080808",
        "8.8.8.8 ",
        "\uff18.8.8.8",
        "8.8.8.8/32",
    ],
)
def test_what_is_no_plain_address_is_refused(address: str) -> None:
    assert not Egress(networks("0.0.0.0/0", "::/0")).permits(address)


def test_an_address_with_a_zone_is_refused_even_where_its_network_is_allowed() -> None:
    egress = Egress(networks("::/0"))
    assert egress.permits("fe80::1")
    assert not egress.permits("fe80::1%eth0")
    assert not egress.permits("2606:4700::1111%1")


def test_an_operator_can_allow_networks_and_only_those() -> None:
    egress = Egress(networks("10.1.0.0/16", "fd00::/64"))
    assert egress.permits("10.1.255.255")
    assert egress.permits("::ffff:10.1.0.1")
    assert egress.permits("fd00::7")
    assert not egress.permits("10.2.0.1")
    assert not egress.permits("fd00:0:0:1::7")
    assert egress.permits("8.8.8.8")


def test_an_allowed_network_is_not_allowed_from_behind_a_translator() -> None:
    # 10.1.0.1 as a NAT64 sees it is another machine than 10.1.0.1 as we see it.
    assert not Egress(networks("10.1.0.0/16")).permits("64:ff9b::10.1.0.1")
    assert Egress(networks("64:ff9b::10.1.0.0/112")).permits("64:ff9b::10.1.0.1")


@pytest.mark.parametrize("address", [str(row.network[0]) for row in METADATA])
def test_a_clouds_metadata_is_allowed_by_its_own_address_only(address: str) -> None:
    assert not Egress(networks("0.0.0.0/0", "::/0")).permits(address)
    assert Egress(networks(address)).permits(address)


def test_a_network_can_be_allowed_for_one_application() -> None:
    egress = Egress(networks("10.1.0.0/16"), allow_for={"app_a": networks("10.2.0.0/16")})
    assert egress.permits("10.2.0.1", app_id="app_a")
    assert egress.permits("10.1.0.1", app_id="app_a")
    assert not egress.permits("10.2.0.1", app_id="app_b")
    assert not egress.permits("10.2.0.1")
    assert egress.permits_all(["10.1.0.1", "10.2.0.1"], app_id="app_a")


def test_the_port_of_our_own_api_is_refused_on_this_machine_and_nowhere_else() -> None:
    here = {"127.0.0.1", "8.8.4.4", "::1"}
    egress = Egress(networks("127.0.0.0/8", "::1"), own_port=8000, is_here=here.__contains__)
    for address in ("127.0.0.1", "8.8.4.4", "::1", "::ffff:127.0.0.1"):
        assert not egress.permits(address, port=8000), address
        assert egress.permits(address, port=8001), address
    assert egress.permits("8.8.8.8", port=8000)


def test_one_bad_address_spoils_a_whole_answer() -> None:
    egress = Egress()
    assert egress.permits_all(["8.8.8.8", "2606:4700::1111"])
    assert not egress.permits_all(["8.8.8.8", "10.0.0.1"])
    assert not egress.permits_all(["10.0.0.1", "8.8.8.8"])
    assert not egress.permits_all([])


@pytest.mark.parametrize(
    ("url", "has_hope"),
    [
        ("https://example.com/", True),
        ("https://localhost/", True),  # a name: judged when it is dialled
        ("https://8.8.8.8/", True),
        ("https://10.1.0.1/", True),
        ("https://10.2.0.1/", False),
        ("https://[::ffff:10.2.0.1]/", False),
        ("https://[::1]/", False),
    ],
)
def test_a_literal_address_is_judged_before_it_is_dialled(url: str, has_hope: bool) -> None:
    egress = Egress(allow_for={"app_a": networks("10.1.0.0/16")})
    assert egress.permits_url(parse_url(url), "app_a") == has_hope
