"""`GET /board`: the board as a page for people. It has no script, and nothing from elsewhere.

Whoever looks is asked for a name and a password by the browser: the password is a token of the
organisation (best one that may only read), the name is anything. A token in the URL is not taken,
because URLs are logged, kept and passed on.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from fractions import Fraction
from hashlib import sha256
from html import escape
from typing import Final

from starlette.datastructures import QueryParams
from starlette.types import Receive, Scope, Send

from homing.core.errors import Forbidden, Unauthenticated
from homing.insight.board.standing import How, Promise
from homing.insight.board.view import (
    Light,
    Row,
    age_text,
    count_text,
    gone_text,
    left_text,
    said_text,
    summary,
    target_text,
)
from homing.service.board import board
from homing.service.context import Service
from homing.service.tokens import Caller
from homing.web.problems import Headers, MethodNotAllowed
from homing.web.reading import authenticate, header
from homing.web.wire import rfc3339

#: a shape and a word for each light, so that no colour is needed to read it
_SHAPES: Final = {
    Light.BROKEN: "✖",
    Light.BURNING: "▲",
    Light.UNKNOWN: "?",
    Light.LETTERS: "✉",
    Light.GOOD: "✔",
}
_WORDS: Final = {
    Light.BROKEN: "broken",
    Light.BURNING: "burning",
    Light.UNKNOWN: "unknown",
    Light.LETTERS: "dead letters",
    Light.GOOD: "good",
}
_HOWS: Final = {
    How.SELF: "this instance",
    How.PULL: "asked",
    How.PUSH: "pushes",
    How.PROMETHEUS: "Prometheus",
}
_COLUMNS: Final = (
    "State",
    "Service",
    "Owner",
    "Objective",
    "Budget left",
    "Gone in",
    "Drops",
    "Dead letters",
    "Oldest",
    "At stake",
)
#: the first of the columns of figures
_FIRST_NUMBER: Final = 4
#: how often a page that reloads itself may do so, in seconds
_REFRESH_S: Final = (10, 3_600)
_BAR: Final = 64
_NOTHING: Final = "\u2013"

_STYLE: Final = """
:root{color-scheme:light dark;--back:#fff;--ink:#1b1f24;--soft:#57606a;--line:#d0d7de;
--band:#f6f8fa;--broken:#b3131d;--burning:#8a4b00;--unknown:#6333b0;--letters:#0b57b8;--good:#1a6b34;
--link:#0b57b8}
@media(prefers-color-scheme:dark){:root{--back:#0f1317;--ink:#e8ecf0;--soft:#a3adb8;--line:#323a43;
--band:#171c22;--broken:#ff8a84;--burning:#f3b25c;--unknown:#c3a6ff;--letters:#86bdff;
--good:#73d393;--link:#86bdff}}
*{box-sizing:border-box}
body{margin:0;padding:1.25rem;background:var(--back);color:var(--ink);
font:16px/1.45 system-ui,-apple-system,"Segoe UI",sans-serif}
h1{font-size:1.4rem;margin:0 0 .25rem}
p{margin:0 0 1rem;color:var(--soft)}
a{color:var(--link)}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.6rem .7rem;border-bottom:1px solid var(--line)}
thead th{font-size:.85rem;color:var(--soft);background:var(--band);font-weight:600}
tbody th{font-weight:600;min-width:11rem}
.objective{min-width:10rem}
.money{display:block;white-space:nowrap}
.number{text-align:right;font-variant-numeric:tabular-nums}
small,.why{display:block;font-weight:400;font-size:.85rem;color:var(--soft)}
.why{margin:.25rem 0 0;padding:0;list-style:none;overflow-wrap:anywhere}
.light{white-space:nowrap;font-weight:600;border-left:.35rem solid currentColor;padding-left:.5rem}
.shape{display:inline-block;width:1.3em;text-align:center}
.broken{color:var(--broken)}.burning{color:var(--burning)}.unknown{color:var(--unknown)}
.letters{color:var(--letters)}.good{color:var(--good)}
.then{font-style:italic;color:var(--soft)}
.bad{color:var(--broken);font-weight:700}
details ul{margin:.3rem 0 0;padding-left:1.1rem;font-size:.85rem}
summary{cursor:pointer;color:var(--link);font-size:.85rem}
a:focus-visible,summary:focus-visible{outline:3px solid var(--link);outline-offset:2px}
svg{display:block;margin:.3rem 0 0 auto;fill:currentColor}
svg .rest{fill:var(--line)}
@media(max-width:60rem){
thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
table,tbody,tr,th,td{display:block}
tr{border:1px solid var(--line);border-radius:.4rem;margin:0 0 1rem;padding:.4rem 0}
tbody th,td{border:0;padding:.3rem .8rem;text-align:left}
td{display:grid;grid-template-columns:7.5rem 1fr}
td::before{content:attr(data-label);color:var(--soft);font-size:.85rem;font-style:normal}
.number{text-align:left}
svg{margin-left:0}
}
"""
_STYLE_HASH: Final = base64.b64encode(sha256(_STYLE.encode()).digest()).decode()
_HEADERS: Final[Headers] = [
    (b"content-type", b"text/html; charset=utf-8"),
    (
        b"content-security-policy",
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'".encode(),
    ),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
]
_CHALLENGE: Final = (
    b"www-authenticate",
    b'Basic realm="Homing board: any name, and a token as the password", charset="UTF-8"',
)


class BoardPage:
    """The page, as an ASGI application."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            raise MethodNotAllowed(["GET", "HEAD"])
        headers = list(_HEADERS)
        try:
            caller = _caller(self._service, header(scope, b"authorization"))
        except (Unauthenticated, Forbidden):
            status, text = 401, _refusal()
            headers.append(_CHALLENGE)
        else:
            found = await board(self._service, caller)
            at_us = self._service.clock.now_us()
            status, text = 200, page(found, at_us=at_us, refresh_s=_refresh_s(scope))
        body = text.encode("utf-8", "replace")
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _caller(service: Service, authorization: str | None) -> Caller:
    """Whoever looks: a token as a bearer's, or as the password of Basic (RFC 7617).

    Raises:
        Unauthenticated: neither.
        Forbidden: a token of one application.
    """
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() == "basic":
        try:
            pair = base64.b64decode(encoded.strip(), validate=True).decode()
        except (binascii.Error, ValueError):
            raise Unauthenticated("Invalid token") from None
        authorization = f"Bearer {pair.partition(':')[2]}"
    caller = authenticate(service, authorization)
    caller.must_be_org()
    return caller


def _refresh_s(scope: Scope) -> int | None:
    """How often the page is to reload itself; None: not."""
    text = QueryParams(scope["query_string"]).get("refresh", "")
    low, high = _REFRESH_S
    if len(text) > 4 or not (text.isascii() and text.isdecimal()) or not low <= int(text) <= high:
        return None
    return int(text)


def _document(title: str, body: str, refresh_s: int | None = None) -> str:
    refresh = "" if refresh_s is None else f'<meta http-equiv="refresh" content="{refresh_s}">'
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{refresh}'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )


def _refusal() -> str:
    return _document(
        "Board",
        "<h1>Board</h1><p>This page wants a token as the password, with any name. Make one with "
        "<code>homing token --read-only</code> where Homing runs.</p>",
    )


def page(found: list[Row], *, at_us: int, refresh_s: int | None = None) -> str:
    """The board as HTML. Whatever members say is text, and nothing but text."""
    waiting = sum(row.needs_somebody for row in found)
    if refresh_s is None:
        link = '<a href="?refresh=60">Reload every minute</a>'
    else:
        link = f'Reloads every {refresh_s} s. <a href="?">Stop</a>'
    heads = "".join(map(_head, range(len(_COLUMNS))))
    table = (
        '<table role="table" aria-label="Services, what needs somebody first">'
        f'<thead role="rowgroup"><tr role="row">{heads}</tr></thead>'
        f'<tbody role="rowgroup">{"".join(_row(row, at_us) for row in found)}</tbody></table>'
    )
    body = (
        f"<h1>{escape(summary(found))}</h1><p>As of <time>{rfc3339(at_us)[:19]}Z</time>. "
        f"{link}</p>{table}"
    )
    title = f"{waiting} need somebody · Board" if waiting else "Board: nothing needs anybody"
    return _document(title, body, refresh_s)


def _row(row: Row, at_us: int) -> str:
    worst = row.promises[0] if row.promises else None
    then = " then" if row.is_stale else ""
    oldest = age_text(row, at_us)
    cells = (
        _cell(0, _light(row), "state"),
        f'<th scope="row" role="rowheader">{escape(row.name)}{_under(row, at_us)}</th>',
        _cell(2, escape(row.owner) or _NOTHING),
        _cell(3, _objectives(row), "objective" + then),
        _cell(4, _NOTHING if worst is None else _left(worst), "number" + then),
        _cell(5, _NOTHING if worst is None else escape(gone_text(worst)), "number" + then),
        _cell(6, _drops(row), "number" + then),
        _cell(7, escape(count_text(row.dead)), "number" + then),
        _cell(8, escape(oldest) or _NOTHING, "number" + then),
        _cell(9, _money(row), "number" + then),
    )
    return f'<tr role="row">{"".join(cells)}</tr>'


def _head(column: int) -> str:
    kind = ' class="number"' if column >= _FIRST_NUMBER else ""
    return f'<th scope="col" role="columnheader"{kind}>{_COLUMNS[column]}</th>'


def _cell(column: int, content: str, kind: str = "") -> str:
    kind = f' class="{kind}"' if kind else ""
    return f'<td role="cell" data-label="{_COLUMNS[column]}"{kind}><div>{content}</div></td>'


def _light(row: Row) -> str:
    light = row.light
    was = ""
    if light is Light.UNKNOWN and row.was is not None:
        was = f"<small>it was: {_WORDS[row.was]}</small>"
    return (
        f'<div class="light {light}"><span class="shape" aria-hidden="true">{_SHAPES[light]}</span>'
        f"{_WORDS[light]}</div>{was}"
    )


def _under(row: Row, at_us: int) -> str:
    """How it is known and how old that is; and why it stands as it does."""
    said = said_text(row, at_us)
    how = _HOWS[row.how] + (f", said {said}" if said else "")
    why = "".join(f"<li>{escape(one)}</li>" for one in row.why)
    return f"<small>{escape(how)}</small>" + (f'<ul class="why">{why}</ul>' if why else "")


def _objectives(row: Row) -> str:
    if not row.promises:
        return _NOTHING
    worst, *others = row.promises
    text = f"{escape(worst.name)}<small>{escape(target_text(worst))}</small>"
    if not others:
        return text
    noun = "objective" if len(others) == 1 else "objectives"
    return (
        f"{text}<details><summary>{len(others)} more {noun}</summary>"
        f"<ul>{''.join(_others(others))}</ul></details>"
    )


def _others(promises: Iterable[Promise]) -> Iterable[str]:
    for one in promises:
        words = f"{one.name} ({target_text(one)}): {left_text(one)} left, gone in {gone_text(one)}"
        yield f"<li>{escape(words)}</li>"


def _left(one: Promise) -> str:
    """The share in words, and as a bar for a quick look."""
    text = escape(left_text(one))
    if one.left is None or one.is_few:
        return text
    width = round(min(max(Fraction(one.left), Fraction(0)), Fraction(1)) * _BAR)
    bar = (
        f'<svg width="{_BAR}" height="6" aria-hidden="true"><rect class="rest" width="{_BAR}" '
        f'height="6"/><rect width="{width}" height="6"/></svg>'
    )
    return (f'<span class="bad">{text}</span>' if one.is_broken else text) + bar


def _money(row: Row) -> str:
    """Each currency on its line."""
    lines = [
        f'<span class="money">{escape(f"{amount} {code}")}</span>'
        for code, amount in sorted(row.money.items())
    ]
    return "".join(lines) or _NOTHING


def _drops(row: Row) -> str:
    text = escape(count_text(row.unaccounted))
    return f'<span class="bad">{text}</span>' if row.unaccounted else text
