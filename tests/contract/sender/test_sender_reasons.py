"""Everything a receiver can do wrong becomes one word, in bounded time, after one request."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from support.authority import Authority
from support.deadlines import deadlines_for, is_within_bounds
from support.receiver import (
    Behaviour,
    Receiver,
    dribble,
    endless_body,
    gzipped,
    hang,
    huge_headers,
    interim,
    raw,
    reset,
    respond,
    response_bytes,
)

from homing.core.outcome import Outcome, Reason
from homing.core.ports import Request
from homing.dispatch.connection import Bounds
from homing.dispatch.egress import Egress
from homing.dispatch.resolver import Resolver
from homing.dispatch.sender import HttpSender

LOOPBACK = Egress([ipaddress.ip_network("127.0.0.0/8")])
HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"


def request_to(url: str) -> Request:
    return Request(url=url, headers=(), body=b"{}", pool="ep_1")


@asynccontextmanager
async def sending(*reasons: Reason) -> AsyncIterator[HttpSender]:
    """A sender that leaves nothing open.

    Args:
        reasons: what its requests are expected to end with, as far as deadlines go.
    """
    sender = HttpSender(LOOPBACK, deadlines=deadlines_for(*reasons))
    yield sender
    async with asyncio.timeout(60):  # what is closed is gone in one of the loop's next turns
        while sender.open_connections != sender.idle_connections:
            await asyncio.sleep(0.01)
    await sender.close()
    assert sender.open_connections == 0


@pytest.fixture
async def sender() -> AsyncIterator[HttpSender]:
    async with sending() as sender:
        yield sender


@pytest.fixture
def unused_port() -> Iterator[int]:
    """A port on which nobody listens, held so that nobody will."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port whose queue of connections is full: a SYN gets no answer."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        queued = [socket.socket() for _ in range(3)]
        for one in queued:
            one.setblocking(False)
            one.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]
        for one in queued:
            one.close()


TOO_LONG = b"x" * 40_000
MISDEEDS: dict[str, tuple[Behaviour, Reason, int | None, str]] = {
    "resets instead of answering": (reset(), Reason.RESET, None, "before a response"),
    "closes instead of answering": (raw(b""), Reason.RESET, None, "before a response"),
    "resets within the head": (reset(b"HTTP/1.1 200 OK\r\nx: "), Reason.RESET, None, "within"),
    "closes within the body": (raw(HEAD + b"abc"), Reason.RESET, 200, "within the response"),
    "resets within the body": (reset(HEAD + b"abc"), Reason.RESET, 200, "within the response"),
    "closes within a chunk": (
        raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab"),
        Reason.RESET,
        200,
        "within",
    ),
    "speaks another protocol": (raw(b"220 smtp ready\r\n"), Reason.GARBAGE, None, "Expected HTTP"),
    "speaks binary": (raw(b"\x00\x01\x16\x03\x03" * 9), Reason.GARBAGE, None, "Expected HTTP"),
    "gives a status that is none": (raw(b"HTTP/1.1 abc\r\n\r\n"), Reason.GARBAGE, None, "tatus"),
    "contradicts itself about the length": (
        raw(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello"),
        Reason.GARBAGE,
        None,
        "ength",
    ),
    "sends a thousand headers": (huge_headers(1_000, b"x"), Reason.GARBAGE, None, "128 headers"),
    "sends headers too large": (
        huge_headers(3, TOO_LONG),
        Reason.GARBAGE,
        None,
        "",
    ),
    "sends a header without end": (
        raw(b"HTTP/1.1 200 OK\r\nx: " + TOO_LONG, then=hang()),
        Reason.GARBAGE,
        None,
        "",
    ),
    "sends a status line without end": (
        raw(b"HTTP/1.1 200 " + TOO_LONG, then=hang()),
        Reason.GARBAGE,
        None,
        "",
    ),
    "sends interim responses for ever": (
        interim(1_000, respond()),
        Reason.GARBAGE,
        None,
        "interim",
    ),
    "hides endless bytes beside the body": (
        raw(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;" + b"x" * 400_000, then=hang()
        ),
        Reason.GARBAGE,
        200,
        "",
    ),
    "says nothing": (hang(), Reason.FIRST_BYTE_TIMEOUT, None, "no response"),
    "stalls within the head": (hang(b"HTTP/1.1 200 OK\r\nx"), Reason.IDLE_TIMEOUT, None, "stalled"),
    "stalls after the head": (hang(HEAD), Reason.IDLE_TIMEOUT, 200, "stalled"),
    "stalls within the body": (hang(HEAD + b"abc"), Reason.IDLE_TIMEOUT, 200, "stalled"),
    "dribbles for ever": (
        dribble(response_bytes(200, b"x" * 500), every_s=0.05, size=20),
        Reason.TOTAL_TIMEOUT,
        200,
        "in all",
    ),
    "dribbles interim responses": (
        dribble(b"HTTP/1.1 103 E\r\n\r\n" * 100, every_s=0.1, size=20),
        Reason.TOTAL_TIMEOUT,
        None,
        "in all",
    ),
}


@pytest.mark.parametrize("name", MISDEEDS)
async def test_a_receiver_that(receiver: Receiver, name: str) -> None:
    behaviour, reason, status, detail = MISDEEDS[name]
    receiver.script("/", behaviour)
    async with sending(reason) as sender:
        began = time.monotonic()
        outcome = await sender.send(request_to(receiver.url()))
        took_s = time.monotonic() - began
    assert (outcome.reason, outcome.status) == (reason, status), outcome
    assert detail in outcome.detail
    assert len(outcome.detail) <= 200
    assert len(outcome.headers) <= 64
    assert is_within_bounds(took_s, {reason})
    assert (len(receiver.requests), receiver.connections) == (1, 1)  # never sent twice
    await receiver.wait_until_closed()


async def test_a_reset_of_a_kept_connection_is_an_outcome_and_not_a_resend(
    sender: HttpSender, receiver: Receiver
) -> None:
    receiver.script("/", respond(), reset(), respond())
    reasons = [(await sender.send(request_to(receiver.url()))).reason for _ in range(3)]
    assert reasons == [Reason.OK, Reason.RESET, Reason.OK]
    assert len(receiver.requests) == 3


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (200, Reason.OK),
        (204, Reason.OK),
        (299, Reason.OK),
        (300, Reason.STATUS),
        (304, Reason.STATUS),
        (410, Reason.STATUS),
        (429, Reason.STATUS),
        (503, Reason.STATUS),
        (599, Reason.STATUS),
    ],
)
async def test_only_2xx_is_ok(
    sender: HttpSender, receiver: Receiver, status: int, reason: Reason
) -> None:
    receiver.script("/", raw(b"HTTP/1.1 %d X\r\ncontent-length: 0\r\n\r\n" % status))
    outcome = await sender.send(request_to(receiver.url()))
    assert (outcome.reason, outcome.status) == (reason, status)


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        # Apache offers HTTP/2 in ordinary answers.
        (
            b"HTTP/1.1 200 OK\r\nUpgrade: h2,h2c\r\nConnection: Upgrade, Keep-Alive\r\n"
            b"Content-Length: 2\r\n\r\nok",
            200,
            b"ok",
        ),
        (b"HTTP/1.1 204\r\n\r\n", 204, b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 20\r\n\r\n", 304, b""),
        (
            b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok",
            200,
            b"ok",
        ),
        (b"\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", 200, b"ok"),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
            b"2;x=y\r\nok\r\n0\r\ntrailer: 1\r\n\r\n",
            200,
            b"ok",
        ),
    ],
)
async def test_an_unusual_answer_is_understood_and_its_connection_kept(
    sender: HttpSender, receiver: Receiver, answer: bytes, status: int, body: bytes
) -> None:
    receiver.script("/", raw(answer, then=hang()))
    outcome = await sender.send(request_to(receiver.url()))
    assert (outcome.status, outcome.body) == (status, body)
    assert sender.idle_connections == 1


async def test_a_few_interim_responses_are_passed_over(
    sender: HttpSender, receiver: Receiver
) -> None:
    receiver.script("/", interim(3, respond(202, b"later")))
    outcome = await sender.send(request_to(receiver.url()))
    assert (outcome.status, outcome.body) == (202, b"later")
    assert outcome.headers == (("content-length", "5"),)


async def test_switching_protocols_is_a_status_like_any_other(
    sender: HttpSender, receiver: Receiver
) -> None:
    receiver.script(
        "/", raw(b"HTTP/1.1 101 S\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nhello", then=hang())
    )
    outcome = await sender.send(request_to(receiver.url()))
    assert (outcome.reason, outcome.status, outcome.body) == (Reason.STATUS, 101, b"")
    await receiver.wait_until_closed()


async def test_a_body_that_ends_with_the_connection_is_whole(
    sender: HttpSender, receiver: Receiver
) -> None:
    receiver.script("/", raw(b"HTTP/1.1 200 OK\r\n\r\nhello"))
    outcome = await sender.send(request_to(receiver.url()))
    assert (outcome.reason, outcome.body) == (Reason.OK, b"hello")


async def test_a_compressed_answer_is_kept_as_it_came(
    sender: HttpSender, receiver: Receiver
) -> None:
    receiver.script("/", gzipped(b"x" * 1_000_000))
    outcome = await sender.send(request_to(receiver.url()))
    assert outcome.body.startswith(b"\x1f\x8b")
    assert len(outcome.body) < 2_000


@pytest.mark.parametrize("behaviour", [endless_body(), respond(200, b"x" * 2_000_000)])
async def test_of_a_long_body_the_beginning_is_kept_and_the_rest_is_not_read(
    sender: HttpSender, receiver: Receiver, behaviour: Behaviour
) -> None:
    receiver.script("/", behaviour)
    outcome = await sender.send(request_to(receiver.url()))
    assert (outcome.reason, outcome.body_truncated) == (Reason.OK, True)
    assert outcome.body == b"x" * Bounds().body_bytes_max
    await receiver.wait_until_closed()


@pytest.mark.parametrize("size", [0, 1, 99, 100])
async def test_a_body_within_the_bound_is_kept_whole(receiver: Receiver, size: int) -> None:
    sender = HttpSender(LOOPBACK, bounds=Bounds(body_bytes_max=100))
    receiver.script("/", respond(200, b"x" * size))
    outcome = await sender.send(request_to(receiver.url()))
    assert (outcome.body, outcome.body_truncated) == (b"x" * size, False)
    await sender.close()


async def test_a_body_in_one_byte_chunks_is_read(sender: HttpSender, receiver: Receiver) -> None:
    chunks = b"1\r\nx\r\n" * Bounds().body_bytes_max + b"0\r\n\r\n"
    receiver.script("/", raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunks))
    outcome = await sender.send(request_to(receiver.url()))
    assert (outcome.reason, len(outcome.body)) == (Reason.OK, Bounds().body_bytes_max)


async def send_once(
    url: str, egress: Egress = LOOPBACK, *, ends_by: Reason | None = None, **options: object
) -> Outcome:
    deadlines = deadlines_for(*filter(None, [ends_by]))
    sender = HttpSender(egress, deadlines=deadlines, **options)  # type: ignore[arg-type]
    try:
        return await sender.send(request_to(url))
    finally:
        await sender.close()


async def test_nobody_listening_is_a_refused_connection(unused_port: int) -> None:
    outcome = await send_once(f"http://127.0.0.1:{unused_port}/")
    assert outcome.reason is Reason.CONNECT_REFUSED
    assert "127.0.0.1" not in outcome.detail


async def test_a_connection_that_is_not_answered_times_out(deaf_port: int) -> None:
    url = f"http://127.0.0.1:{deaf_port}/"
    outcome = await send_once(url, ends_by=Reason.CONNECT_TIMEOUT)
    assert outcome.reason is Reason.CONNECT_TIMEOUT
    assert is_within_bounds(outcome.total_us / 1e6, {outcome.reason})


async def test_connecting_counts_towards_the_total(deaf_port: int) -> None:
    sender = HttpSender(LOOPBACK, deadlines=deadlines_for(Reason.TOTAL_TIMEOUT))
    outcome = await sender.send(request_to(f"http://127.0.0.1:{deaf_port}/"))
    assert outcome.reason is Reason.TOTAL_TIMEOUT
    await sender.close()


async def test_a_network_that_cannot_be_reached_is_a_failed_connection() -> None:
    # A multicast address: the system refuses to open a TCP connection to one.
    egress = Egress([ipaddress.ip_network("224.0.0.0/4")])
    outcome = await send_once("http://224.0.0.1/", egress)
    assert outcome.reason is Reason.CONNECT_FAILED
    assert outcome.detail == "network is unreachable"


async def test_a_silent_tls_handshake_times_out() -> None:
    async with Receiver(is_silent=True) as receiver:
        url = receiver.url().replace("http:", "https:")
        outcome = await send_once(url, ends_by=Reason.TLS_TIMEOUT)
        assert outcome.reason is Reason.TLS_TIMEOUT
        await receiver.wait_until_closed()


async def test_a_url_that_cannot_be_dialled_is_an_outcome() -> None:
    outcome = await send_once("ftp://example.com/")
    assert outcome.reason is Reason.URL_INVALID
    assert outcome.detail == "expected a URL that begins with https:// or http://"


def knowing(names: dict[str, tuple[str, ...]]) -> Resolver:
    """Resolves these names and no others."""

    def ask(host: str) -> tuple[str, ...]:
        if host not in names:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return names[host]

    return Resolver(ask)


@pytest.fixture
def hanging() -> Iterator[Resolver]:
    """Asks a name server that never answers."""
    end = threading.Event()

    def ask(host: str) -> tuple[str, ...]:
        end.wait(600)
        return ("127.0.0.1",)

    yield Resolver(ask)
    end.set()


async def test_a_name_that_does_not_exist_is_a_dns_failure() -> None:
    outcome = await send_once("http://gone.example/", resolver=knowing({}))
    assert outcome.reason is Reason.DNS_FAILED
    outcome = await send_once(  # asks the system
        "http://nowhere.invalid/", ends_by=Reason.CONNECT_TIMEOUT
    )
    assert outcome.reason is Reason.DNS_FAILED


async def test_a_name_server_that_does_not_answer_is_a_dns_failure_in_time(
    hanging: Resolver,
) -> None:
    url = "http://slow.example/"
    outcome = await send_once(url, ends_by=Reason.CONNECT_TIMEOUT, resolver=hanging)
    assert outcome.reason is Reason.DNS_FAILED
    assert is_within_bounds(outcome.total_us / 1e6, {Reason.CONNECT_TIMEOUT})


async def test_closing_ends_a_look_up_under_way_as_failed(hanging: Resolver) -> None:
    sender = HttpSender(LOOPBACK, resolver=hanging)
    task = asyncio.create_task(sender.send(request_to("http://slow.example/")))
    await asyncio.sleep(0)  # it has begun to ask
    await sender.close()
    assert (await task).reason is Reason.DNS_FAILED


async def test_cancelling_one_request_leaves_the_look_up_to_the_others(
    receiver: Receiver,
) -> None:
    go = threading.Event()

    def ask(host: str) -> tuple[str, ...]:
        go.wait(600)
        return ("127.0.0.1",)

    sender = HttpSender(LOOPBACK, resolver=Resolver(ask))
    url = receiver.url(host="one.example")
    first, second = (asyncio.create_task(sender.send(request_to(url))) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert (await second).reason is Reason.OK
    await sender.close()


async def test_the_next_address_of_a_name_is_dialled_when_the_first_refuses(
    receiver: Receiver,
) -> None:
    # Nobody listens on 127.0.0.2; the request itself is written once.
    names = knowing({"two.example": ("127.0.0.2", "127.0.0.1")})
    outcome = await send_once(receiver.url(host="two.example"), resolver=names)
    assert outcome.reason is Reason.OK
    assert receiver.requests[0].headers["host"] == f"two.example:{receiver.port}"
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    "addresses",
    [
        # Nothing listens on ::1 there, and nothing on 127.0.0.2.
        ("::1", "::1", "::1", "::1", "127.0.0.1"),
        ("127.0.0.2", "::1", "127.0.0.1"),
    ],
)
async def test_a_family_of_addresses_that_leads_nowhere_does_not_hide_the_other(
    receiver: Receiver, addresses: tuple[str, ...]
) -> None:
    egress = Egress([ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")])
    names = knowing({"six.example": addresses})
    outcome = await send_once(receiver.url(host="six.example"), egress, resolver=names)
    assert outcome.reason is Reason.OK
    assert len(receiver.requests) == 1


async def test_many_requests_to_one_name_ask_once(receiver: Receiver) -> None:
    asked: list[str] = []

    def ask(host: str) -> tuple[str, ...]:
        asked.append(host)
        return ("127.0.0.1",)

    sender = HttpSender(LOOPBACK, resolver=Resolver(ask))
    url = receiver.url(host="one.example")
    for _ in range(2):
        outcomes = await asyncio.gather(*(sender.send(request_to(url)) for _ in range(10)))
        assert {outcome.reason for outcome in outcomes} == {Reason.OK}
    assert asked == ["one.example"]
    await sender.close()


async def test_an_answer_about_a_name_is_not_believed_for_long(receiver: Receiver) -> None:
    asked: list[str] = []

    def ask(host: str) -> tuple[str, ...]:
        asked.append(host)
        return ("127.0.0.1",)

    receiver.otherwise = respond(close=True)
    sender = HttpSender(LOOPBACK, resolver=Resolver(ask, kept_s=0))
    for _ in range(3):
        await sender.send(request_to(receiver.url(host="one.example")))
    assert len(asked) == 3
    await sender.close()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


async def send_over_tls(authority: Authority, receiver: Receiver, host: str) -> Outcome:
    names = knowing({"good.example": ("127.0.0.1",)})
    return await send_once(receiver.url(host=host), tls=authority.client_context(), resolver=names)


@pytest.mark.parametrize("host", ["good.example", "127.0.0.1"])
async def test_a_certificate_of_a_trusted_authority_is_taken(
    authority: Authority, host: str
) -> None:
    async with Receiver(tls=authority.server_context(host)) as receiver:
        outcome = await send_over_tls(authority, receiver, host)
        assert outcome.reason is Reason.OK, outcome
        assert len(receiver.requests) == 1


async def test_tls_connections_are_kept_too(authority: Authority) -> None:
    async with Receiver(tls=authority.server_context("127.0.0.1")) as receiver:
        sender = HttpSender(LOOPBACK, tls=authority.client_context())
        for _ in range(5):
            assert (await sender.send(request_to(receiver.url()))).reason is Reason.OK
        assert (len(receiver.requests), receiver.connections) == (5, 1)
        await sender.close()


async def test_a_certificate_that_vouches_for_itself_is_refused(authority: Authority) -> None:
    context = authority.server_context("good.example", is_self_signed=True)
    async with Receiver(tls=context) as receiver:
        outcome = await send_over_tls(authority, receiver, "good.example")
        assert outcome.reason is Reason.TLS_FAILED
        assert "self-signed certificate" in outcome.detail
        assert receiver.requests == []


async def test_a_certificate_for_another_host_is_refused(authority: Authority) -> None:
    async with Receiver(tls=authority.server_context("other.example")) as receiver:
        outcome = await send_over_tls(authority, receiver, "good.example")
        assert outcome.reason is Reason.TLS_FAILED
        assert "not valid for 'good.example'" in outcome.detail
        assert receiver.requests == []


async def test_an_authority_that_nobody_knows_is_refused(authority: Authority) -> None:
    async with Receiver(tls=authority.server_context("127.0.0.1")) as receiver:
        outcome = await send_once(receiver.url())  # the system's authorities
        assert outcome.reason is Reason.TLS_FAILED
        assert "certificate" in outcome.detail


async def test_a_receiver_without_tls_is_a_tls_failure(receiver: Receiver) -> None:
    receiver.otherwise = raw(b"HTTP/1.1 400 Bad\r\n\r\n")
    plain = await asyncio.start_server(_speak_plainly, "127.0.0.1", 0)
    port = plain.sockets[0].getsockname()[1]
    outcome = await send_once(f"https://127.0.0.1:{port}/")
    assert outcome.reason is Reason.TLS_FAILED, outcome
    plain.close()


async def _speak_plainly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(b"HTTP/1.1 400 Bad\r\n\r\n")
    writer.close()


async def test_an_opening_is_told_as_far_as_it_came(sender: HttpSender, unused_port: int) -> None:
    refused = await sender.send(request_to(f"http://127.0.0.1:{unused_port}/"))
    assert refused.opening is not None
    assert refused.opening.connected_us is None
    nameless = await sender.send(request_to("http://no-such-name.invalid/"))
    assert nameless.opening is None
