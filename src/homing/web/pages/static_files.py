"""`/static/…`: the stylesheet, the scripts and pictures, kept in memory, named by their content.

A page names each file with a piece of its hash (`/static/homing.css?v=…`), so a browser may keep
it for ever and still never shows an old one.
"""

from __future__ import annotations

import gzip
from functools import cache
from hashlib import sha256
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final, NamedTuple
from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from homing.core.errors import NotFound
from homing.web.problems import Headers, MethodNotAllowed
from homing.web.reading import header

_KINDS: Final = {
    "css": b"text/css; charset=utf-8",
    "js": b"text/javascript; charset=utf-8",
    "svg": b"image/svg+xml",
    "txt": b"text/plain; charset=utf-8",
}
_FOR_EVER: Final = b"public, max-age=31536000, immutable"
_ASK_AGAIN: Final = b"no-cache"


class StaticFile(NamedTuple):
    """One file."""

    body: bytes
    packed: bytes  #: by gzip
    kind: bytes
    version: str  #: 12 hexadecimal digits of its hash


@cache
def static_files() -> dict[str, StaticFile]:
    """Every file by its name below `/static/`."""
    found: dict[str, StaticFile] = {}
    _gather(resources.files("homing.web.pages") / "static", "", found)
    return found


def _gather(folder: Traversable, prefix: str, found: dict[str, StaticFile]) -> None:
    for item in folder.iterdir():
        name = prefix + item.name
        if item.is_dir():
            _gather(item, f"{name}/", found)
        elif (kind := _KINDS.get(item.name.rpartition(".")[2])) is not None:
            body = item.read_bytes()
            packed = gzip.compress(body, 9, mtime=0)
            found[name] = StaticFile(body, packed, kind, sha256(body).hexdigest()[:12])


def static_url(name: str) -> str:
    """Where a page finds a file; it changes with the file."""
    return f"/static/{name}?v={static_files()[name].version}"


class StaticFiles:
    """Answers requests for `/static/{name}`, as an ASGI application."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            raise MethodNotAllowed(["GET", "HEAD"])
        name = scope["path_params"]["name"]
        file = static_files().get(name)
        if file is None:
            raise NotFound(f"there is no file {name!r} here")
        asked = parse_qs(scope["query_string"].decode("latin-1")).get("v", [""])[0]
        tag = f'"{file.version}"'
        headers: Headers = [
            (b"content-type", file.kind),
            (b"cache-control", _FOR_EVER if asked == file.version else _ASK_AGAIN),
            (b"etag", tag.encode()),
            (b"vary", b"Accept-Encoding"),
            (b"x-content-type-options", b"nosniff"),
            (b"cross-origin-resource-policy", b"same-origin"),
            (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"),
        ]
        if header(scope, b"if-none-match") == tag:
            await send({"type": "http.response.start", "status": 304, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        body = file.body
        if "gzip" in (header(scope, b"accept-encoding") or ""):
            body = file.packed
            headers.append((b"content-encoding", b"gzip"))
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send(
            {"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body}
        )
