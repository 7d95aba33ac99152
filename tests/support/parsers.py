"""Every parser that reads strangers' bytes, each with what it must do with any bytes at all.

A target's `feed` returns if the parser kept its promise: it raised nothing but what it documents,
it took little time and space, and what it understood it can print and read again. Hypothesis feeds
them in `tests/unit/test_fuzz.py`, atheris in `scripts/fuzz`.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import importlib
import importlib.util
import socket
import tomllib
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import msgspec
from starlette.datastructures import QueryParams

from homing.cli.configuration import read_settings
from homing.core.errors import ConfigError, HomingError, Invalid, RequestError, Unauthenticated
from homing.core.identifiers import first_id, made_at_us, parse_delivery_id
from homing.core.queries import LogCursor
from homing.core.retry import parse_retry_after
from homing.core.signature import generate_private_key, parse_secret, public_key, sign
from homing.core.urls import parse_url
from homing.dispatch.connection import HEADERS_KEPT_MAX, Bounds, Connection, Deadlines, Ending
from homing.dispatch.egress import Egress
from homing.dispatch.envelope import is_header_name, is_header_value
from homing.insight.board.prometheus import ASKED, parse_queries, read_answer, standing_of
from homing.insight.board.standing import (
    Envelope,
    NotBelieved,
    Queries,
    believed,
    enclose,
    one_line,
    read_envelope,
)
from homing.insight.burn import parse_rate, parse_target
from homing.insight.figures import exact
from homing.insight.openslo.bundle import read_bundle, write_bundle
from homing.insight.period import parse_period
from homing.service.context import Service
from homing.service.headers import check_headers
from homing.service.listing import _read_iterator, is_delivery_id, is_id, is_plain_name
from homing.service.log_export import cursor_text, parse_cursor
from homing.service.querying import WORDS_MAX, parse_query
from homing.service.tokens import Tokens, sign_org_token
from homing.web.app import route_table
from homing.web.problems import describe
from homing.web.reading import authenticate, decode_body, decode_query

NOW_US = 1_800_000_000_000_000
SECRET = "a secret for parsers, long enough"
_TOKENS = Tokens(SECRET, svix_secret="another secret, of a Svix server")
TOKEN = sign_org_token(SECRET, at_us=NOW_US)


class Target(NamedTuple):
    """A parser and pieces of what it expects, from which input is made."""

    feed: Callable[[bytes], object]
    pieces: tuple[bytes, ...]


def feed_url(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    try:
        url = parse_url(text)
    except ValueError:
        return
    assert url.scheme in ("http", "https")
    assert 1 <= url.port <= 65_535
    for part in (url.host, url.target, url.authority, url.authorization or ""):
        assert part.isascii()
        assert not set(part) & set("\r\n\0\t\\")
    assert " " not in url.target + url.host
    assert parse_url(str(url)) == url._replace(authorization=None)
    Egress().permits_url(url, "app_1")


def feed_search(data: bytes) -> None:
    """What is typed into the search of a page."""
    found = parse_query(data.decode("utf-8", "replace"), now_us=NOW_US)
    assert all(found.problems)
    assert len(found.query.words) <= WORDS_MAX
    for at_us in (found.query.after_us, found.query.before_us):
        assert at_us is None or 0 <= at_us < 1 << 62


def feed_retry_after(data: bytes) -> None:
    seconds = parse_retry_after(data.decode("latin-1"), NOW_US)
    assert seconds is None or 0 <= seconds < 10**12


def feed_secret(data: bytes) -> None:
    try:
        key = parse_secret(data.decode("utf-8", "replace"))
    except ValueError:
        return
    assert sign("msg_1", 1, b"{}", [key])


def feed_token(data: bytes) -> None:
    text = data.decode("latin-1")
    service = cast(
        Service,
        SimpleNamespace(tokens=_TOKENS, clock=SimpleNamespace(now_us=lambda: NOW_US)),
    )
    for header in (text, f"Bearer {text}"):
        try:
            caller = authenticate(service, header)
        except Unauthenticated:
            continue
        # Base64 has several ways to write the last digit of a signature; none is another's.
        given = header.removeprefix("Bearer ").strip().rstrip("=")
        assert (len(given), given[:-1]) == (len(TOKEN), TOKEN[:-1]), header
        assert caller.org_id.startswith("org_")


def feed_iterator(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    for is_name in (is_id("msg_"), is_plain_name, is_delivery_id):
        with contextlib.suppress(Invalid):
            _, name = _read_iterator(text, is_name)
            assert name is not None
            assert is_name(name)


def feed_identifier(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    with contextlib.suppress(ValueError):
        at_us = made_at_us(text)
        prefix = text[: text.rindex("_") + 1]
        assert first_id(prefix, at_us)[:-24] <= text
    with contextlib.suppress(ValueError):
        assert str(parse_delivery_id(text)) == text


def feed_cursor(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        cursor = parse_cursor(data.decode("utf-8", "replace"))
        assert isinstance(cursor, LogCursor)
        assert parse_cursor(cursor_text(cursor)) == cursor


def feed_settings(data: bytes) -> None:
    try:
        table = tomllib.loads(data.decode("utf-8", "replace"))
    except (tomllib.TOMLDecodeError, RecursionError):
        return
    with contextlib.suppress(ConfigError):
        read_settings({}, table, file_name="homing.toml")


def feed_setting(data: bytes) -> None:
    name, _, value = data.decode("utf-8", "replace").partition("=")
    with contextlib.suppress(ConfigError):
        read_settings({f"HOMING_{name.upper()}": value})


def feed_header(data: bytes) -> None:
    name, _, value = data.decode("latin-1").partition(":")
    if is_header_name(name) and is_header_value(value):
        line = f"{name}: {value}\r\n"
        assert line.count("\r") == line.count("\n") == 1
        assert "\0" not in line
    with contextlib.suppress(RequestError):
        check_headers({name: value}, where=("body", "headers"))
        assert is_header_name(name)
        assert is_header_value(value)


@cache
def operations() -> tuple[Any, ...]:
    """The whole route table."""
    return tuple(route_table(cast(Service, SimpleNamespace())))


def feed_query(data: bytes) -> None:
    pairs = QueryParams(data).multi_items()
    for kind in {operation.query for operation in operations()}:
        try:
            decode_query(kind, pairs)
        except HomingError as error:
            _check_told(error)


def feed_body(data: bytes) -> None:
    for kind in {one.body for one in operations() if one.body is not None}:
        try:
            decode_body(kind, data)
        except HomingError as error:
            _check_told(error)


def feed_spec(data: bytes) -> None:
    """`parse_spec`: an OpenAPI document that an organisation sends."""
    spec = importlib.import_module("homing.service.openapi_import")
    try:
        spec.parse_spec(data.decode("utf-8", "replace"))
    except HomingError as error:
        _check_told(error)


def feed_promise(data: bytes) -> None:
    """`parse_target`, `parse_rate` and `parse_period`: what an objective promises."""
    text = data.decode("utf-8", "replace")
    with contextlib.suppress(ValueError):
        target = parse_target(text)
        assert 0 < target < 1
        assert parse_target(exact(target, digits=18)) == target
    with contextlib.suppress(ValueError):
        assert 0 <= parse_rate(text) <= 1
    with contextlib.suppress(ValueError):
        period = parse_period(text)
        assert parse_period(str(period)) == period
        assert period.length_s(NOW_US) >= 6 * 86_400
        assert period.start_us(NOW_US) <= NOW_US


def feed_member(data: bytes) -> None:
    """`read_envelope`, `believed`, `read_answer`, `parse_queries`: what is on a board, and says."""
    secret = generate_private_key(b"k" * 32)
    key, text = public_key(secret), data.decode("utf-8", "replace")
    signature = sign("board-standing", 0, text.encode(), [parse_secret(secret)])
    envelopes = [Envelope(payload=text, signature=signature, key=key)]
    with contextlib.suppress(NotBelieved):
        envelopes.append(read_envelope(data))
    for envelope in envelopes:
        with contextlib.suppress(NotBelieved):
            said = believed(envelope, name="a", key=key, after_us=0, now_us=NOW_US)
            assert said.name == "a"
            assert one_line(said.owner) == said.owner
    queries = Queries(dead="d", money="m", target="t", budget_left="b", exhausted_in_s="e")
    with contextlib.suppress(NotBelieved):
        samples = read_answer(data)
        told = standing_of("a", queries, dict.fromkeys(ASKED, samples), at_us=NOW_US)
        assert read_envelope(msgspec.json.encode(enclose(told, [secret]))).key == key
    with contextlib.suppress(ValueError):
        queries, _ = parse_queries(text)
        assert any(getattr(queries, name) for name in ASKED)


def feed_openslo(data: bytes) -> None:
    """`read_bundle`: a file of another tool. Every complaint has a line; what is good is kept."""
    bundle = read_bundle([("f", data.decode("utf-8", "replace"))])
    assert all(problem.line >= 1 for problem in bundle.problems)
    written = write_bundle([one.data for one in bundle.documents])
    again = read_bundle([("again", written)])
    assert [one.data for one in again.documents] == [one.data for one in bundle.documents]


def _check_told(error: HomingError) -> None:
    status, _, body = describe(error)
    assert 400 <= status < 500
    assert msgspec.json.decode(body)["detail"]


class _Wire(asyncio.Transport):
    """Takes everything, and remembers that it was closed."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__({"socket": sock})
        self.closed = False

    def write(self, data: object) -> None:
        pass

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return 0


def feed_response(data: bytes) -> None:
    """As a whole, in single bytes and in halves: the same is understood."""
    whole = read_response([data])
    pieces = [data[n : n + 1] for n in range(len(data))]
    middle = len(data) // 2
    for split in (pieces, [data[:middle], data[middle:]]):
        assert read_response(split) == whole, (split, whole)


def read_response(pieces: list[bytes]) -> tuple[object, ...]:
    """What the connection makes of a response that comes in these pieces and then ends."""
    loop, sock = _loop()
    return loop.run_until_complete(_read(sock, pieces))


async def _read(sock: socket.socket, pieces: list[bytes]) -> tuple[object, ...]:
    bounds = Bounds()
    connection = Connection(Deadlines(), bounds, ("p", "o"), lambda _: None, sock.fileno())
    wire = _Wire(sock)
    connection.connection_made(wire)
    ending = connection.exchange(b"POST / HTTP/1.1\r\n\r\n", float("inf"))
    for piece in pieces:
        if not ending.done():
            connection.data_received(piece)
            assert len(connection.body) <= bounds.body_bytes_max
            assert len(connection.headers) <= bounds.headers_max + 1
    if not ending.done():
        connection.eof_received()
        connection.connection_lost(None)
    told = await ending
    assert isinstance(told, Ending)
    assert len(told.detail) <= 200
    if told.reason is None:
        assert connection.status is not None
        assert connection.status >= 100
    known = connection.headers[:HEADERS_KEPT_MAX]
    if told.reason is not None:
        return (told.reason,)
    return told.reason, connection.status, known, bytes(connection.body)


@cache
def _loop() -> tuple[asyncio.AbstractEventLoop, socket.socket]:
    """An event loop and a socket of which nothing comes, for all responses of this process."""
    loop = asyncio.new_event_loop()
    sock, peer = socket.socketpair()
    for one in (sock, peer, loop):
        atexit.register(one.close)
    return loop, sock


TARGETS: dict[str, Target] = {
    "search": Target(
        feed_search,
        (
            *(b"type:", b"payment.*", b"status:", b"dead", b"app:", b"endpoint:", b"tag:", b'"'),
            *(b"after:", b"before:", b"2h", b"999999w", b"2026-11-26", b"0000-00-00", b" ", b":"),
            *(b"msg_3Mcq9ZOAXBj2D3rJbQM4so4bdbA", b".ep_", b"event:", b"channel:", b"\0", b"\xff"),
            *(b"after:2026-11-26T00:00:00Z", b"before:9999-12-31", b'"a phrase', "٣h".encode()),
        ),
    ),
    "member": Target(
        feed_member,
        (
            *(b"{", b"}", b"[", b"]", b",", b":", b'"', b"0", b"-1", b"1e400", b"null", b"\\ud800"),
            *(
                b'{"name":"a","at_us":0}',
                b'"name":"a"',
                b'"at_us":0',
                b'"promises":[]',
                b'"owner":',
            ),
            *(b'"payload":', b'"signature":"v1a,AA=="', b'"key":"whpk_"', b"\xff", b"\0", b"\x1b"),
            b'{"status":"success","data":{"resultType":"vector","result":[]}}',
            b'{"status":"success","data":{"resultType":"scalar","result":[1,"1e14"]}}',
            *(b'{"metric":{"slo":"x"},"value":[1,"', b'NaN"]}', b'sNaN"]}', b'"status":"success",'),
            *(b"dead = ", b'"sum(x)"', b"\n", b"owner = ", b"[a]"),
        ),
    ),
    "promise": Target(
        feed_promise,
        (
            *(b"99.9", b"%", b"0.", b"9", b"0", b"1", b"100", b".", b"-", b"e", b"nan", b" "),
            *(b"7d", b"30d", b"366d", b"4w", b"week", b"month", b"quarter", b"year", b" UTC"),
            *(
                b" Europe/Berlin",
                b" ../etc/passwd",
                b" /etc/passwd",
                b"\0",
                b"9" * 30,
                "٣".encode(),
            ),
        ),
    ),
    "openslo": Target(
        feed_openslo,
        (
            *(
                b"apiVersion: openslo/v1\n",
                b"kind: Service\n",
                b"metadata: {name: a}\n",
                b"spec: {}\n",
            ),
            *(b"kind: SLO\n", b"---\n", b"{", b"}", b"[", b"]", b": ", b", ", b"- ", b"\n", b"  "),
            *(b"&a ", b"*a", b"<<: ", b"!!python/object/apply:os.system ", b"null", b"true", b"~"),
            *(
                b"0.999",
                b"1e3",
                b"0x10",
                b".inf",
                b"'",
                b'"',
                b"|",
                b"\xff",
                b"\0",
                b"\x1f",
                b"[" * 90,
            ),
        ),
    ),
    "url": Target(
        feed_url,
        (
            b"http://",
            b"https://",
            b"//",
            b"/",
            b"@",
            b":",
            b":80",
            b":0",
            b"\\",
            b"#",
            b"?",
            b"[::1]",
            b"[",
            b"]",
            b"127.0.0.1",
            b"0x7f.1",
            b"2130706433",
            b"example.com",
            b".",
            b"%00",
            b"%0d%0a",
            b"\r\n",
            b"\t",
            b"\0",
            "\u2460\u2461\u2466\uff0e".encode(),
            "ß".encode(),
            b"xn--",
            b"user:pass@",
            b"a" * 64,
            b"..",
            b"-",
            b"_",
            "\u202e".encode(),
            "\ud7ff".encode(),
        ),
    ),
    "retry-after": Target(
        feed_retry_after,
        (
            b"120",
            b"-1",
            b"1e9",
            b"9" * 400,
            b"Wed, ",
            b"21 Oct 2015",
            b" 07:28:00",
            b" GMT",
            b"31 Feb 99999",
            b" -9999",
            b" +2359",
            b"Jan",
            b",",
            b" ",
            b":",
            b"\xb2",
        ),
    ),
    "secret": Target(
        feed_secret,
        (
            b"whsec_",
            b"whsk_",
            b"whpk_",
            b"A" * 32,
            b"A" * 43 + b"=",
            b"=",
            b"-",
            b"/",
            b"\xff",
            b"A" * 86 + b"==",
            b"!",
        ),
    ),
    "token": Target(
        feed_token,
        (
            TOKEN.encode(),
            *(part.encode() for part in TOKEN.split(".")),
            b".",
            b"Bearer ",
            b"eyJhbGciOiJub25lIn0",
            b"eyJhbGciOiJSUzI1NiJ9",
            b"e30",
            b"bnVsbA",
            b"W10",
            b"=",
            b" ",
            b"eyJhbGciOiJIUzI1NiIsImNyaXQiOlsieCJdfQ",
            b"\xff",
            b"\0",
        ),
    ),
    "iterator": Target(
        feed_iterator,
        (b"-", b"~", b"msg_", b"ep_", b".", b"2Zx" + b"0" * 24, b"0" * 27, b"z" * 27, b"\0", b"\n"),
    ),
    "identifier": Target(
        feed_identifier,
        (b"msg_", b"ep_", b"_", b".", b"0" * 27, b"z" * 27, b"Z", "é".encode(), b"\n"),
    ),
    "cursor": Target(feed_cursor, (b"18.3021", b".", b"0", b"9" * 18, b"-", "٣".encode(), b" ")),
    "settings file": Target(
        feed_settings,
        (
            b"sends_max",
            b"lease_s",
            b"egress_allow",
            b"egress_allow_for",
            b"database_url",
            b"log",
            b"retry_delays_s",
            b"secret",
            b"listen",
            b" = ",
            b"1",
            b"-1",
            b"1e999",
            b"nan",
            b"inf",
            b'"x"',
            b"[",
            b"]",
            b"\n",
            b"true",
            b"1979-05-27",
            b'{a="10.0.0.0/8"}',
            b'"10.0.0.0/8"',
            b"[a.b]",
            b"[[a]]",
            b"'",
            b'"127.0.0.1:99999"',
            b'"::1:1"',
        ),
    ),
    "setting": Target(
        feed_setting,
        (
            b"sends_max=",
            b"lease_s=",
            b"retry_delays_s=",
            b"egress_allow=",
            b"listen=",
            b"nan",
            b"egress_allow_for=",
            b"secret=",
            b"database_url=",
            b"1",
            b",",
            b"-",
            b"inf",
            b"\0",
            b"postgresql://",
            b"sqlite:///",
            b"[::1]",
            b":",
            b"9" * 5_000,
            b"1e308",
            b"/8",
            b"_",
            b"secret_previous=",
            b"header_style=",
            b"disable_after_s=",
        ),
    ),
    "header": Target(
        feed_header,
        (
            b"x",
            b":",
            b"\r\n",
            b"\n",
            b"\0",
            b"host",
            b"webhook-id",
            b"Authorization",
            b" ",
            b"\t",
            b"\xff",
            b"x" * 9_000,
        ),
    ),
    "query": Target(
        feed_query,
        (
            b"limit=",
            b"iterator=",
            b"before=",
            b"after=",
            b"event_types=",
            b"[]",
            b"&",
            b"=",
            b"with_content=",
            b"true",
            b"1",
            b"-",
            b"9" * 30,
            b"%00",
            b"%",
            b"%zz",
            b"%ff",
            b"2026-01-01T00:00:00Z",
            b"+",
            b";",
            b"status=",
            b"channel=",
            b"\xff",
            b"a,b,,",
            b"9999-12-31T23:59:59-23:59",
            b"0001-01-01T00:00:00+23:59",
            b"order=",
            b"tag=",
        ),
    ),
    "body": Target(
        feed_body,
        (
            b"{",
            b"}",
            b"[",
            b"]",
            b'"',
            b":",
            b",",
            b"null",
            b"true",
            b"1",
            b"-0",
            b"1e999",
            b'"name":',
            b'"uid":',
            b'"url":',
            b'"eventType":',
            b'"payload":',
            b'"channels":',
            b'"metadata":',
            b'"since":',
            b'"2026-01-01T00:00:00Z"',
            b'"x"',
            b'"\\ud800"',
            b'"\\u0000"',
            b"\xff",
            b"\xef\xbb\xbf",
            b"[" * 3_000,
            b'{"a":' * 3_000,
            b"9" * 400,
            b" ",
            b'{"eventType":"x","payload":{}}',
            b'{"name":"x"}',
            b'"9999-12-31T23:59:59-23:59"',
            b'{"url":"https://example.com"}',
            b'"secret":',
            b'"whsec_',
            b'"headers":',
            b'"schemas":',
        ),
    ),
    "response": Target(
        feed_response,
        (
            b"HTTP/1.1 ",
            b"HTTP/1.0 ",
            b"200 OK",
            b"204",
            b"304",
            b"100",
            b"101",
            b"103",
            b"999",
            b"000",
            b"\r\n",
            b"\r",
            b"\n",
            b"\r\n\r\n",
            b"content-length: ",
            b"2",
            b"0",
            b"-1",
            b"99999999999999999999",
            b"transfer-encoding: chunked",
            b"transfer-encoding: gzip",
            b"connection: close",
            b"connection: upgrade",
            b"upgrade: x",
            b": ",
            b";",
            b"x: y",
            b"2\r\nok\r\n",
            b"0\r\n\r\n",
            b"ok",
            b"\0",
            b"\xff",
            b"\t ",
            b"trailer: z",
            b"x" * 300,
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            b"HTTP/1.1 103 E\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n",
        ),
    ),
}

if importlib.util.find_spec("homing.service.openapi_import") is not None:
    TARGETS["openapi document"] = Target(
        feed_spec,
        (
            *(b"{", b"}", b"[", b"]", b'"openapi":', b'"3.1.0"', b'"webhooks":', b'"paths":', b","),
            *(b"openapi: 3.1.0", b"\n", b"  ", b"- ", b"&a", b"*a", b"!!python/object:os.system "),
            *(b"<<: ", b"[" * 2_000, b'{"a":' * 2_000, b"\xff", b"\0", b"---", b"9" * 5_000),
        ),
    )
