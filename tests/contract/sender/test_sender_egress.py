"""The sender dials what was judged, at each new connection, and tells nobody why it did not."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from support.receiver import Receiver, respond

from homing.core.outcome import Outcome, Reason
from homing.core.ports import Request
from homing.dispatch.dialling import is_here
from homing.dispatch.egress import NOT_ALLOWED, Egress
from homing.dispatch.resolver import Resolver
from homing.dispatch.sender import HttpSender

LOOPBACK = ipaddress.ip_network("127.0.0.0/8")
ONE = ipaddress.ip_network("127.0.0.1/32")


def answering(*answers: tuple[str, ...]) -> Resolver:
    """A name server whose answers change; forgotten at once, the last one stays."""
    left = list(answers)

    def ask(host: str) -> tuple[str, ...]:
        return left.pop(0) if len(left) > 1 else left[0]

    return Resolver(ask, kept_s=0)


async def send_once(
    url: str, egress: Egress, *, resolver: Resolver | None = None, app_id: str = "app_1"
) -> Outcome:
    sender = HttpSender(egress, resolver=resolver)
    try:
        return await sender.send(request_to(url, app_id))
    finally:
        await sender.close()


def request_to(url: str, app_id: str = "app_1") -> Request:
    return Request(url=url, headers=(), body=b"{}", pool="ep_1", app_id=app_id)


def is_blocked(outcome: Outcome) -> bool:
    return (outcome.reason, outcome.detail) == (Reason.ADDRESS_BLOCKED, NOT_ALLOWED)


@pytest.mark.parametrize(
    ("url", "answer"),
    [
        ("http://10.0.0.1/", ()),
        ("http://[::1]/", ()),
        ("http://[::ffff:127.0.0.1]/", ()),
        ("http://[64:ff9b::a9fe:a9fe]/", ()),
        ("http://user:password@127.0.0.1/", ()),
        ("http://127.0.0.1./", ()),
        ("http://mixed.example/", ("93.184.216.34", "10.0.0.1")),
        ("http://mixed.example/", ("fe80::1%lo", "93.184.216.34")),
        ("http://inside.example/", ("169.254.169.254",)),
        ("http://inside.example/", ("2002:a9fe:a9fe::1",)),
    ],
)
async def test_an_address_that_is_not_allowed_is_not_dialled(
    url: str, answer: tuple[str, ...]
) -> None:
    assert is_blocked(await send_once(url, Egress(), resolver=answering(answer)))


async def test_the_receiver_sees_nothing_of_a_request_that_is_not_allowed(
    receiver: Receiver,
) -> None:
    assert is_blocked(await send_once(receiver.url(), Egress()))
    assert receiver.connections == 0


async def test_a_name_that_changes_its_answers_is_judged_by_each_of_them(
    receiver: Receiver,
) -> None:
    receiver.otherwise = respond(200, close=True)
    good, bad = "127.0.0.1", "127.0.0.2"
    answers = [(good,), (bad,), (good, bad), (good,), (bad, good), (good,)]
    sender = HttpSender(Egress([ONE]), resolver=answering(*answers))
    url = receiver.url(host="rebinding.example")
    outcomes = [await sender.send(request_to(url)) for _ in answers]
    await sender.close()
    for answer, outcome in zip(answers, outcomes, strict=True):
        assert (outcome.reason is Reason.OK) == (answer == (good,)), answer
        assert is_blocked(outcome) == (bad in answer), answer
    assert receiver.connections == 3


async def test_a_name_is_asked_once_for_each_connection_so_that_nothing_changes_in_between(
    receiver: Receiver,
) -> None:
    asked: list[str] = []

    def ask(host: str) -> tuple[str, ...]:
        asked.append(host)
        return ("127.0.0.1",) if len(asked) == 1 else ("127.0.0.2",)

    outcome = await send_once(
        receiver.url(host="toctou.example"), Egress([ONE]), resolver=Resolver(ask, kept_s=0)
    )
    assert outcome.reason is Reason.OK
    assert asked == ["toctou.example"]


async def test_a_bad_address_does_not_hide_at_the_end_of_a_long_answer(
    receiver: Receiver,
) -> None:
    url = receiver.url(host="long.example")
    loopback = [f"127.0.0.{number}" for number in range(1, 255)]
    last_is_bad = answering((*loopback[:63], "10.0.0.1"))
    assert is_blocked(await send_once(url, Egress([LOOPBACK]), resolver=last_is_bad))
    too_long = answering((*loopback[:64], "10.0.0.1"))
    outcome = await send_once(url, Egress([LOOPBACK]), resolver=too_long)
    assert outcome.reason is Reason.DNS_FAILED
    longest = answering(tuple(loopback[:64]))
    assert (await send_once(url, Egress([LOOPBACK]), resolver=longest)).reason is Reason.OK
    assert receiver.connections == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "0.0.0.0", "[::ffff:127.0.0.1]", "own"])
async def test_our_own_port_is_not_dialled_on_any_address_of_this_machine(
    receiver: Receiver, host: str
) -> None:
    everything = [ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")]
    egress = Egress(everything, own_port=receiver.port, is_here=is_here)
    url = f"http://{host}:{receiver.port}/"
    assert is_blocked(await send_once(url, egress, resolver=answering(("127.0.0.1",))))
    assert receiver.connections == 0


async def test_another_port_of_this_machine_is_dialled_when_allowed(receiver: Receiver) -> None:
    egress = Egress([LOOPBACK], own_port=receiver.port + 1, is_here=is_here)
    assert (await send_once(receiver.url(), egress)).reason is Reason.OK


async def test_a_network_allowed_for_one_application_is_closed_to_the_others(
    receiver: Receiver,
) -> None:
    egress = Egress(allow_for={"app_1": [LOOPBACK]})
    assert (await send_once(receiver.url(), egress)).reason is Reason.OK
    assert is_blocked(await send_once(receiver.url(), egress, app_id="app_2"))
    assert receiver.connections == 1


async def test_this_machine_knows_its_addresses() -> None:
    found = socket.getaddrinfo(socket.gethostname(), None, type=socket.SOCK_STREAM)
    own_addresses = [str(entry[4][0]) for entry in found]
    for address in ["127.0.0.1", "0.0.0.0", *own_addresses]:
        assert is_here(address), address
    for address in ("8.8.8.8", "192.0.2.1", "2606:4700::1111"):
        assert not is_here(address), address
