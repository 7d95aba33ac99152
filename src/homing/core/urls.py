"""URLs read strictly, once: what is checked is what is dialled.

An endpoint's URL is written by a tenant, so it is hostile until proven otherwise: whatever two
readers could take for two different hosts is refused, and nobody reads the text a second time.

Sources: RFC 3986; WHATWG URL Standard, "ends in a number"; OWASP, "Server-Side Request Forgery
Prevention".
"""

from __future__ import annotations

import base64
import ipaddress
import re
from typing import Final, NamedTuple
from urllib.parse import quote, unquote_to_bytes

import idna

URL_CHARACTERS_MAX: Final = 2_048
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

# Scheme, authority, the rest. Split by our own hand: urllib.parse strips tabs and line ends, and
# takes whatever stands after the last @ for the host.
_PARTS: Final = re.compile(
    r"(?P<scheme>[A-Za-z]+)://(?P<authority>[^/?#]*)(?P<target>[^#]*)(?:#.*)?"
)
_AUTHORITY: Final = re.compile(
    r"(?:(?P<userinfo>[^@]*)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^\[\]:@]+)(?::(?P<port>[0-9]{1,5}))?"
)
_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER: Final = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
_FORBIDDEN: Final = re.compile(r"[\x00-\x20\x7f\\]")
_TARGET_SAFE: Final = "!$%&'()*+,-./:;=?@[]_~|{}^`\"<>"


class Url(NamedTuple):
    """A URL that can be dialled."""

    scheme: str  #: "http" or "https"
    host: str  #: lower-case ASCII name, or an address without brackets
    port: int  #: 1 to 65535
    target: str  #: path and query as they go into the request line, ASCII
    authorization: str | None  #: the value of an Authorization header, from user:password@

    @property
    def is_tls(self) -> bool:
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        """The URL without its password."""
        return f"{self.scheme}://{self.authority}{self.target}"


def parse_url(text: str) -> Url:
    """`text` taken apart, or a sentence that says what is wrong with it.

    Raises:
        ValueError: not an absolute http or https URL in which every reader sees the same host.
    """
    if len(text) > URL_CHARACTERS_MAX:
        raise ValueError(f"expected at most {URL_CHARACTERS_MAX} characters, found {len(text)}")
    if _FORBIDDEN.search(text):
        raise ValueError("expected a URL without spaces, control characters and backslashes")
    parts = _PARTS.fullmatch(text)
    if parts is None or parts["scheme"].lower() not in _DEFAULT_PORTS:
        raise ValueError("expected a URL that begins with https:// or http://")
    authority = _AUTHORITY.fullmatch(parts["authority"])
    if authority is None:
        raise ValueError("expected host, host:port or [IPv6]:port after ://")
    scheme = parts["scheme"].lower()
    return Url(
        scheme=scheme,
        host=_parse_host(authority["host"]),
        port=_parse_port(authority["port"], scheme),
        target=_parse_target(parts["target"]),
        authorization=_authorization(authority["userinfo"]),
    )


def _parse_host(text: str) -> str:
    if text.startswith("["):
        try:
            return str(ipaddress.IPv6Address(text[1:-1]))
        except ValueError:
            raise ValueError("expected an IPv6 address between [ and ]") from None
    host = _ascii(text).removesuffix(".")
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        # 127.1, 0x7f.1 and 2130706433 are addresses to some readers; only one spelling is.
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            raise ValueError("expected an IPv4 address of four decimal numbers") from None
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("expected a host name of letters, digits, hyphens and dots")
    return host


def _ascii(host: str) -> str:
    if host.isascii():
        return host.lower()
    try:
        return idna.encode(host, uts46=True).decode().lower()
    except (idna.IDNAError, UnicodeError):
        raise ValueError("expected a host name that IDNA allows") from None


def _parse_port(text: str | None, scheme: str) -> int:
    if text is None:
        return _DEFAULT_PORTS[scheme]
    if not 1 <= int(text) <= 65_535:
        raise ValueError(f"expected a port from 1 to 65535, found {int(text)}")
    return int(text)


def _parse_target(text: str) -> str:
    """The path and query, never empty; other than ASCII percent-encoded as UTF-8."""
    target = text if text.startswith("/") else f"/{text}"
    return target if target.isascii() else quote(target, safe=_TARGET_SAFE)


def _authorization(userinfo: str | None) -> str | None:
    """Basic credentials (RFC 7617) from `user:password`, percent-decoded."""
    if not userinfo:
        return None
    user, _, password = userinfo.partition(":")
    pair = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
    return "Basic " + base64.b64encode(pair).decode()
