# ruff: noqa: RUF001 (characters that look like others are what this is about)
"""Every known way to write an address inside so that it looks like something else.

Each URL is refused by the reader, or judged by the address that would really be dialled.

Sources: RFC 3986 7.4; WHATWG URL Standard, "IPv4 parser"; inet_aton(3); OWASP, "Server-Side Request
Forgery Prevention"; Orange Tsai, "A New Era of SSRF" (Black Hat 2017).
"""

from __future__ import annotations

import pytest

from homing.core.urls import parse_url
from homing.dispatch.egress import Egress

REFUSED_BY_THE_READER = [
    # 127.0.0.1, 169.254.169.254 and 0.0.0.0 as inet_aton reads them
    "http://2130706433/",
    "http://2130706433./",
    "http://2852039166/latest/meta-data",
    "http://4294967296/",
    "http://017700000001/",
    "http://0177.0.0.1/",
    "http://0177.0000.0000.0001/",
    "http://00000177.0.0.1/",
    "http://127.0.0.01/",
    "http://0x7f000001/",
    "http://0X7F000001/",
    "http://0x7f.0x0.0x0.0x1/",
    "http://0x7f.0.0.1/",
    "http://0xA9.0xFE.0xA9.0xFE/",
    "http://0x00000000a9fea9fe/",
    "http://127.1/",
    "http://127.0.1/",
    "http://169.254.43518/",
    "http://10.1/",
    "http://0/",
    "http://0.0/",
    "http://0x0/",
    "http://127.0.0.1../",
    "http://.127.0.0.1/",
    "http://127..0.0.1/",
    "http://127.0.0.256/",
    "http://127.0.0.1.0/",
    "http://1.127.0.0.1/",
    "http://example.com.127/",
    "http://example.0x7f/",
    "http://127.0.0.-1/",
    "http://127.0.0.+1/",
    "http://127%2e0%2e0%2e1/",
    "http://%31%32%37.0.0.1/",
    "http://127.0.0.1%00.example.com/",
    # disguised digits and dots that come out as one of the above
    "http://⓪x7f.①/",
    "http://２１３０７０６４３３/",
    "http://０１７７.0.0.1/",
    "http://127｡1/",
    "http://①②⑦.①/",
    "http://١٢٧.٠.٠.١/",
    # who is the host?
    "http://example.com:80@127.0.0.1:80@example.org/",
    "http://127.1.1.1:80\\@example.com/",
    "http://example.com\\@127.0.0.1/",
    "http://example.com\\.127.0.0.1/",
    "http:\\\\127.0.0.1/",
    "http:///127.0.0.1/",
    "http:/\\127.0.0.1/",
    "http:127.0.0.1/",
    "//127.0.0.1/",
    "http://127.0.0.1:80:80/",
    "http://example.com\t@127.0.0.1/",
    "http://example.com\r\nHost: 127.0.0.1/",
    "http://example.com\x00@127.0.0.1/",
    "http://exa\u2100mple.com/",
    "http://example.com\uff0f.127.0.0.1/",
    "http://127.0.0.1\uff20example.com/",
    "http://127.0.0.1\uff1a80/",
    "http://127.0.0.1\u2044x/",
    "http://127.0.0.1\uff03.example.com/",
    # IPv6
    "http://::1/",
    "http://[::1",
    "http://::1]/",
    "http://[[::1]]/",
    "http://[::1%25lo]/",
    "http://[::1%lo]/",
    "http://[fe80::1%25eth0]/",
    "http://[127.0.0.1]/",
    "http://[::127.1]/",
    "http://[::ffff:0x7f.0.0.1]/",
    "http://[::ffff:127.0.0.1.]/",
    "http://[::ffff:2130706433]/",
    "http://[v1.::1]/",
    "http://[::1]example.com/",
    "http://[0:0:0:0:0:0:0:0:1]/",
    "http://[00000::1]/",
    # other ways than HTTP
    "gopher://127.0.0.1:25/_HELO",
    "file:///etc/passwd",
    "unix:///run/docker.sock",
    "http+unix://%2frun%2fdocker.sock/",
    "jar:http://127.0.0.1/!/",
    "data:text/plain,x",
]
JUDGED_BY_THE_ADDRESS = [
    ("http://127.0.0.1", "127.0.0.1"),
    ("HTTP://127.0.0.1./", "127.0.0.1"),
    ("http://127.0.0.1:65535/?@example.com", "127.0.0.1"),
    ("http://example.com@127.0.0.1/", "127.0.0.1"),
    ("http://example.com:443@127.0.0.1/", "127.0.0.1"),
    ("http://example.com%2f@127.0.0.1/", "127.0.0.1"),
    ("http://example.com%00@127.0.0.1/", "127.0.0.1"),
    ("http://@127.0.0.1/", "127.0.0.1"),
    ("http://:@127.0.0.1/", "127.0.0.1"),
    ("http://127.0.0.1#@example.com/", "127.0.0.1"),
    ("http://127.0.0.1:80#@example.com:x/", "127.0.0.1"),
    ("http://example.com\uff0f@127.0.0.1/", "127.0.0.1"),
    ("http://127.0.0.1?@example.com/", "127.0.0.1"),
    ("http://127.0.0.1/@example.com/", "127.0.0.1"),
    ("http://127。0。0。1/", "127.0.0.1"),
    ("http://127｡0｡0｡1/", "127.0.0.1"),
    ("http://１２７．０．０．１/", "127.0.0.1"),
    ("http://①②⑦.⓪.⓪.①/", "127.0.0.1"),
    ("http://𝟏𝟐𝟕.𝟎.𝟎.𝟏/", "127.0.0.1"),
    ("http://1\u00ad27.0.0.1/", "127.0.0.1"),  # a soft hyphen
    ("http://1\u200b27.0.0.1/", "127.0.0.1"),  # a space of no width
    ("http://169.254.169.254。/", "169.254.169.254"),
    ("http://[::1]/", "::1"),
    ("http://[0:0:0:0:0:0:0:1]/", "::1"),
    ("http://[::]/", "::"),
    ("http://[::0.0.0.1]/", "::1"),
    ("http://[::127.0.0.1]/", "::7f00:1"),
    ("http://[::ffff:127.0.0.1]/", "::ffff:7f00:1"),
    ("http://[::FFFF:7F00:1]/", "::ffff:7f00:1"),
    ("http://[0:0:0:0:0:ffff:127.0.0.1]/", "::ffff:7f00:1"),
    ("http://[::ffff:0:127.0.0.1]/", "::ffff:0:7f00:1"),
    ("http://[64:ff9b::127.0.0.1]/", "64:ff9b::7f00:1"),
    ("http://[64:ff9b:1::10.0.0.1]/", "64:ff9b:1::a00:1"),
    ("http://[2002:7f00:1::]/", "2002:7f00:1::"),
    ("http://[2001:0:7f00:1::]/", "2001:0:7f00:1::"),
    ("http://[2a00:1450::5efe:127.0.0.1]/", "2a00:1450::5efe:7f00:1"),
    ("http://[fd00:ec2::254]/", "fd00:ec2::254"),
    ("http://100.100.100.200/", "100.100.100.200"),
    ("http://168.63.129.16/", "168.63.129.16"),
    ("http://255.255.255.255/", "255.255.255.255"),
]
#: what only looks like the inside: the host is the name, whatever stands around it
JUDGED_BY_THE_NAME = [
    ("http://127.0.0.1@example.com/", "example.com"),
    ("http://127.0.0.1:80@example.com/", "example.com"),
    ("http://127.0.0.1%2f@example.com/", "example.com"),
    ("http://example.com/@127.0.0.1", "example.com"),
    ("http://example.com?http://127.0.0.1/", "example.com"),
    ("http://example.com#@127.0.0.1/", "example.com"),
    ("http://127.0.0.1.example.com/", "127.0.0.1.example.com"),
    ("http://127.0.0.1e0/", "127.0.0.1e0"),
    ("http://127.0.0.1.nip.io/", "127.0.0.1.nip.io"),  # and by what it resolves to
    ("http://ｌｏｃａｌｈｏｓｔ/", "localhost"),
    ("http://LOCALHOST./", "localhost"),
    ("http://metadata.google.internal./", "metadata.google.internal"),
]


@pytest.mark.parametrize("text", REFUSED_BY_THE_READER, ids=ascii)
def test_a_url_that_only_some_readers_understand_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_url(text)


@pytest.mark.parametrize(("text", "address"), JUDGED_BY_THE_ADDRESS, ids=ascii)
def test_an_address_in_disguise_is_judged_as_what_is_dialled(text: str, address: str) -> None:
    url = parse_url(text)
    assert url.host == address
    assert not Egress().permits_url(url, "app_1")


@pytest.mark.parametrize(("text", "name"), JUDGED_BY_THE_NAME, ids=ascii)
def test_what_stands_around_a_name_changes_nothing(text: str, name: str) -> None:
    assert parse_url(text).host == name
