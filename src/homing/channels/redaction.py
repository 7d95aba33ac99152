"""What of a channel's URL may be shown: never what opens anything."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote, urlsplit

#: schemes whose host is a name of a machine; of the others even the host may be a token
_HOST_IS_PUBLIC: Final = frozenset(
    {"mailto", "mailtos", "json", "jsons", "xml", "xmls", "form", "forms"}
    | {"alertmanager", "alertmanagers", "syslog"}
)
#: shorter pieces of a URL are words, not secrets, and are all over a text
_SECRET_LEAST: Final = 4


def shown(url: str) -> str:
    """The URL with everything left out that could be a credential."""
    scheme, _, _ = url.partition("://")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return f"{scheme}://…"
    if scheme.lower() not in _HOST_IS_PUBLIC or not host:
        return f"{scheme}://…"
    place = f"{host}:{port}" if port else host
    return f"{scheme}://…@{place}/…" if "@" in parts.netloc else f"{scheme}://{place}/…"


def scrubbed(text: str, url: str) -> str:
    """A library's words about a URL, without any piece of it that is not public."""
    public = shown(url)
    scheme, _, rest = url.partition("://")
    pieces = [rest]
    for mark in "/?&=@:,#":
        pieces = [part for piece in pieces for part in piece.split(mark)]
    secrets = {form for piece in pieces for form in (piece, unquote(piece))}
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SECRET_LEAST and secret not in public and secret != scheme:
            text = text.replace(secret, "…")
    return text
