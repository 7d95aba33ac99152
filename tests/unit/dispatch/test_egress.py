"""Which URLs can be dialled, and which addresses may be."""

from __future__ import annotations

import ipaddress
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.dispatch.egress import Egress, Url, parse_url

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


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("http://example.com", "http://example.com/"),
        ("HTTPS://Example.COM:443/A?b=C#d", "https://example.com/A?b=C"),
        ("https://example.com:8443/x", "https://example.com:8443/x"),
        ("http://example.com?q=1", "http://example.com/?q=1"),
        ("http://example.com./", "http://example.com/"),
        ("http://[2606:4700::0:1111]:81/", "http://[2606:4700::1111]:81/"),
        ("http://8.8.8.8/", "http://8.8.8.8/"),
        ("http://my_service.local/", "http://my_service.local/"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://e.example/café?n=ü", "https://e.example/caf%C3%A9?n=%C3%BC"),
        ("https://e.example/a%20b//c/../d", "https://e.example/a%20b//c/../d"),
    ],
)
def test_a_url_is_read_in_one_way_only(text: str, read: str) -> None:
    assert str(parse_url(text)) == read


def test_a_url_is_taken_apart() -> None:
    assert parse_url("https://Example.com/hook?a=b") == Url(
        scheme="https", host="example.com", port=443, target="/hook?a=b", authorization=None
    )
    assert parse_url("http://[::1]:81").authority == "[::1]:81"


def test_credentials_become_a_header_and_leave_the_url() -> None:
    url = parse_url("https://us%20er:p%40ss:word@example.com/x")
    assert url.authorization == "Basic dXMgZXI6cEBzczp3b3Jk"
    assert str(url) == "https://example.com/x"
    assert parse_url("https://@example.com/").authorization is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com",
        "//example.com/",
        "ftp://example.com/",
        "javascript:alert(1)",
        "http:/example.com",
        "http:///x",
        "http://",
        "http://:80/",
        "http://example.com:0/",
        "http://example.com:65536/",
        "http://example.com:99999999/",
        "http://example.com:/",
        "http://example.com:8o/",
        "http://exa mple.com/",
        " http://example.com/",
        "http://example.com/\r\nX-Injected: 1",
        "http://example.com\r\nX: y/",
        "http://example.com/\x00",
        "http://example.com\t/",
        "http://127.1.1.1:80\\@127.2.2.2:80/",
        "http://a@b@c/",
        "http://[::1/",
        "http://[::1]x/",
        "http://[fe80::1%25eth0]/",
        "http://[1.2.3.4]/",
        "http://ex..ample.com/",
        "http://-example.com/",
        "http://example-.com/",
        "http://" + "a" * 64 + ".com/",
        "http://" + "a." * 127 + "com/",
        "http://exa%6dple.com/",
        "http://example.com/" + "x" * 2_048,
        # addresses that only some readers take for addresses
        "http://2852039166/",
        "http://0xa9fea9fe/",
        "http://0251.0376.0251.0376/",
        "http://169.254.43518/",
        "http://127.1/",
        "http://0/",
        "http://0x7f.1/",
        "http://1.2.3.4.5/",
        "http://256.1.1.1/",
        "http://example.0x/",
    ],
)
def test_a_url_that_readers_could_disagree_about_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_url(text)


@pytest.mark.parametrize(
    "text",
    [
        "http://①②⑦.⓪.⓪.①/",
        "http://127。0。0。1/",
        "http://\uff11\uff12\uff17\uff0e\uff10\uff0e\uff10\uff0e\uff11/",  # full width
    ],
)
def test_digits_in_disguise_are_read_as_the_address_they_reach(text: str) -> None:
    assert not Egress().permits(parse_url(text).host)


def test_an_error_never_shows_the_password() -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        parse_url("http://user:hunter2@exa mple.com/")
    assert "hunter2" not in str(caught.value)


@given(st.text(alphabet=string.printable + "é。①\u2028", max_size=60))
def test_any_text_is_either_a_url_that_survives_being_read_again_or_refused(text: str) -> None:
    for prefix in ("", "http://", "https://a.example/"):
        try:
            url = parse_url(prefix + text)
        except ValueError:
            continue
        assert parse_url(str(url)) == Url(
            url.scheme, url.host, url.port, url.target, authorization=None
        )
        assert str(url).isascii()
        assert not any(character.isspace() for character in str(url))
