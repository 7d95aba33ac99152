"""What the sender puts on the wire, and how often: counted at the receiver."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import AsyncIterator

import pytest
from support.receiver import Receiver, hang, raw, respond, response_bytes

from homing.core.outcome import Reason
from homing.core.ports import Request
from homing.dispatch.connection import Deadlines
from homing.dispatch.egress import Egress
from homing.dispatch.pool import Idle
from homing.dispatch.sender import HttpSender

LOOPBACK = Egress([ipaddress.ip_network("127.0.0.0/8")])


def request_to(url: str, *, pool: str = "ep_1", body: bytes = b"{}") -> Request:
    return Request(url=url, headers=(("content-type", "application/json"),), body=body, pool=pool)


@pytest.fixture
async def sender() -> AsyncIterator[HttpSender]:
    sender = HttpSender(LOOPBACK, idle=Idle(kept_s=30))
    yield sender
    await sender.close()


async def test_a_request_is_on_the_wire_exactly_as_it_was_made(
    sender: HttpSender, receiver: Receiver
) -> None:
    body = b'{"b": 1,\n "a": "\xc3\xa9"}'
    request = Request(
        url=receiver.url("/hook?x=%20y"),
        headers=(("content-type", "application/json"), ("X-Case-Kept", "1"), ("webhook-id", "m")),
        body=body,
        pool="ep_1",
    )
    outcome = await sender.send(request)
    received = receiver.requests[0]
    assert received.raw_head == (
        b"POST /hook?x=%20y HTTP/1.1\r\n"
        b"host: 127.0.0.1:" + str(receiver.port).encode() + b"\r\n"
        b"content-type: application/json\r\n"
        b"X-Case-Kept: 1\r\n"
        b"webhook-id: m\r\n"
        b"content-length: " + str(len(body)).encode() + b"\r\n"
        b"\r\n"
    )
    assert received.body == body
    assert outcome.request_bytes == len(received.raw_head) + len(body)


async def test_a_body_of_many_megabytes_arrives_whole(
    sender: HttpSender, receiver: Receiver
) -> None:
    body = bytes(range(256)) * 16_384
    outcome = await sender.send(request_to(receiver.url(), body=body))
    assert outcome.reason is Reason.OK
    assert receiver.requests[0].body == body


async def test_the_outcome_tells_what_came_back(sender: HttpSender, receiver: Receiver) -> None:
    receiver.script("/", respond(201, b"thanks", [("X-One", "1"), ("retry-after", "7")]))
    outcome = await sender.send(request_to(receiver.url()))
    assert outcome.reason is Reason.OK
    assert (outcome.status, outcome.body, outcome.body_truncated) == (201, b"thanks", False)
    assert outcome.headers == (("content-length", "6"), ("X-One", "1"), ("retry-after", "7"))
    assert outcome.first_byte_us is not None
    assert 0 < outcome.first_byte_us <= outcome.total_us


async def test_the_first_request_tells_how_its_connection_was_opened(
    sender: HttpSender, receiver: Receiver
) -> None:
    first = await sender.send(request_to(receiver.url()))
    second = await sender.send(request_to(receiver.url()))
    assert first.opening is not None
    looked_up_us, connected_us, secured_us = first.opening
    assert first.first_byte_us is not None
    assert connected_us is not None
    assert 0 <= looked_up_us <= connected_us <= first.first_byte_us
    assert secured_us is None
    assert second.opening is None


async def test_requests_to_one_endpoint_share_a_connection(
    sender: HttpSender, receiver: Receiver
) -> None:
    for _ in range(20):
        assert (await sender.send(request_to(receiver.url()))).reason is Reason.OK
    assert (len(receiver.requests), receiver.connections) == (20, 1)


async def test_two_endpoints_never_share_a_connection(
    sender: HttpSender, receiver: Receiver
) -> None:
    for pool in ("ep_1", "ep_2", "ep_1", "ep_2"):
        await sender.send(request_to(receiver.url(), pool=pool))
    assert receiver.connections == 2
    by_connection = [request.connection for request in receiver.requests]
    assert by_connection[0] == by_connection[2] != by_connection[1] == by_connection[3]


async def test_an_endpoint_that_moved_gets_a_new_connection(sender: HttpSender) -> None:
    async with Receiver() as before, Receiver() as after:
        await sender.send(request_to(before.url()))
        await sender.send(request_to(after.url()))
        assert (len(before.requests), len(after.requests)) == (1, 1)


async def test_requests_at_once_each_have_their_own_connection_and_answer(
    sender: HttpSender, receiver: Receiver
) -> None:
    for number in range(50):
        receiver.script(f"/{number}", respond(200, b"%d" % number, delay_s=0.02))
    outcomes = await asyncio.gather(
        *(sender.send(request_to(receiver.url(f"/{number}"))) for number in range(50))
    )
    assert [outcome.body for outcome in outcomes] == [b"%d" % number for number in range(50)]
    assert receiver.connections == 50


async def test_an_answer_that_says_close_is_believed(
    sender: HttpSender, receiver: Receiver
) -> None:
    receiver.script("/", respond(200, b"bye", close=True))
    for _ in range(3):
        assert (await sender.send(request_to(receiver.url()))).body == b"bye"
    assert receiver.connections == 3


async def test_an_idle_connection_that_the_receiver_closed_is_not_used_again(
    sender: HttpSender, receiver: Receiver
) -> None:
    receiver.script("/", raw(response_bytes(200, b"x")), respond())
    assert (await sender.send(request_to(receiver.url()))).body == b"x"
    await receiver.wait_until_closed()
    assert (await sender.send(request_to(receiver.url()))).reason is Reason.OK
    assert (len(receiver.requests), receiver.connections) == (2, 2)


async def test_idle_connections_are_closed_after_a_while(receiver: Receiver) -> None:
    sender = HttpSender(LOOPBACK, idle=Idle(kept_s=0.1))
    await sender.send(request_to(receiver.url()))
    assert receiver.open_connections == 1
    await receiver.wait_until_closed()
    await sender.close()


@pytest.mark.parametrize("idle", [Idle(kept_s=30, per_pool_max=2), Idle(kept_s=30, total_max=2)])
async def test_idle_connections_are_bounded(receiver: Receiver, idle: Idle) -> None:
    sender = HttpSender(LOOPBACK, idle=idle)
    receiver.otherwise = respond(200, delay_s=0.02)
    await asyncio.gather(*(sender.send(request_to(receiver.url())) for _ in range(6)))
    receiver.otherwise = respond(200)
    assert receiver.connections == 6
    await asyncio.gather(*(sender.send(request_to(receiver.url())) for _ in range(6)))
    assert receiver.connections == 10
    await sender.close()
    await receiver.wait_until_closed()


async def test_a_redirect_is_an_answer_and_is_not_followed(
    sender: HttpSender, receiver: Receiver
) -> None:
    receiver.script("/", respond(307, headers=[("location", receiver.url("/elsewhere"))]))
    outcome = await sender.send(request_to(receiver.url()))
    assert (outcome.reason, outcome.status) == (Reason.STATUS, 307)
    assert [request.path for request in receiver.requests] == ["/"]


async def test_a_second_answer_to_one_request_never_answers_the_next(
    sender: HttpSender, receiver: Receiver
) -> None:
    two = response_bytes(200, b"first") + response_bytes(500, b"surplus")
    receiver.script("/", raw(two, then=hang()), respond(200, b"second"))
    assert (await sender.send(request_to(receiver.url()))).body == b"first"
    assert (await sender.send(request_to(receiver.url()))).body == b"second"
    assert receiver.connections == 2


async def test_a_late_surplus_answer_never_answers_the_next(
    sender: HttpSender, receiver: Receiver
) -> None:
    async def twice(exchange) -> bool:  # type: ignore[no-untyped-def]
        await exchange.write(response_bytes(200, b"first"))
        await exchange.pause(0.05)
        await exchange.write(response_bytes(500, b"surplus"))
        return True

    receiver.script("/", twice, respond(200, b"second"))
    assert (await sender.send(request_to(receiver.url()))).body == b"first"
    await receiver.wait_until_closed()
    assert (await sender.send(request_to(receiver.url()))).body == b"second"


async def test_an_answer_before_the_request_was_read_ends_the_connection(
    sender: HttpSender,
) -> None:
    refused = asyncio.Event()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(response_bytes(413, b"too much"))
        await writer.drain()
        with contextlib.suppress(ConnectionError):  # what was not taken is thrown away
            await reader.read()
        writer.transport.abort()
        refused.set()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0, limit=2**10)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    outcome = await sender.send(request_to(url, body=bytes(32 * 2**20)))
    assert (outcome.status, outcome.body) == (413, b"too much")
    assert sender.idle_connections == 0
    async with asyncio.timeout(60):
        await refused.wait()
    server.close()


async def test_a_receiver_that_speaks_first_gets_no_second_chance(sender: HttpSender) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ready\r\n")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    outcome = await sender.send(request_to(url))
    # Before or after our request was written: the network decides.
    assert outcome.reason in (Reason.GARBAGE, Reason.RESET)
    assert sender.idle_connections == 0
    server.close()


async def test_a_cancelled_request_closes_its_connection(
    sender: HttpSender, receiver: Receiver
) -> None:
    receiver.script("/", hang(), respond())
    task = asyncio.create_task(sender.send(request_to(receiver.url())))
    await receiver.wait_for(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await receiver.wait_until_closed()
    assert (await sender.send(request_to(receiver.url()))).reason is Reason.OK
    assert len(receiver.requests) == 2


async def test_closing_ends_requests_under_way_as_reset(receiver: Receiver) -> None:
    sender = HttpSender(LOOPBACK, deadlines=Deadlines())
    receiver.script("/", hang())
    task = asyncio.create_task(sender.send(request_to(receiver.url())))
    await receiver.wait_for(1)
    await sender.close()
    assert (await task).reason is Reason.RESET
    await receiver.wait_until_closed()
