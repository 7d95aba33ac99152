"""Which URLs can be dialled, and that each is read in one way only."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.core.urls import Url, parse_url
from homing.dispatch.egress import Egress


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
