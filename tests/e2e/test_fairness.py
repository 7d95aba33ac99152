"""Real processes and sockets: hogs leave others unmoved, and limits hold over several processes.

Times are compared within one run, with room for a machine that has other things to do. That the
comparison would notice is shown by running it once with the sharing switched off.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from support.making import make_acceptance
from support.processes import Homing, audit, run, serving
from support.receiver import Exchange, Receiver, response_bytes

from homing.core.lifecycle import State
from homing.core.queries import Page
from homing.core.resources import Application, Endpoint
from homing.service.tokens import DEFAULT_ORG_ID
from homing.store import open_store
from homing.system import SystemClock

#: beside a hog the p99 may be this many times what it is without, and this much more, seconds: a
#: place that has to be waited for costs as long as a hog's request, which is many times that. What
#: else a busy machine does costs less.
TIMES, MORE_S = 2.0, 3.0
#: a hog's request ends after this long, seconds, or with the receiver
HANG_S = 60.0
#: what did not arrive so long after the last was sent did not arrive
ARRIVAL_MAX_S = 6.0
MESSAGES = 100
SETTINGS = {
    "sends_max": 40,
    "first_byte_s": HANG_S,
    "total_s": HANG_S,
    "lease_s": HANG_S + 10,
    "breaker_failures": 0,  # places alone are to protect here
}


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh database that several processes can share."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_empty_url"))
    return f"sqlite:///{tmp_path}/homing.db"


class Arrivals:
    """When each message arrived, by path; and how many requests were under way at once."""

    def __init__(self) -> None:
        self.at_s: dict[str, list[float]] = defaultdict(list)
        self.of_message: dict[str, list[float]] = defaultdict(list)
        self.most_at_once: Counter[str] = Counter()
        self._now: Counter[str] = Counter()

    def answering(self, *statuses: int, delay_s: float = 0.0):  # type: ignore[no-untyped-def]
        """A behaviour: the n-th arrival of a message gets the n-th status, the last one repeats."""

        async def behave(exchange: Exchange) -> bool:
            request = exchange.request
            times = self.of_message[request.headers["webhook-id"]]
            times.append(time.monotonic())
            self.at_s[request.path].append(times[-1])
            self._now[request.path] += 1
            most = max(self.most_at_once[request.path], self._now[request.path])
            self.most_at_once[request.path] = most
            if delay_s:
                await exchange.pause(delay_s)
            self._now[request.path] -= 1
            await exchange.write(response_bytes(statuses[min(len(times), len(statuses)) - 1]))
            return True

        return behave


class Tenant:
    """A publisher with an application of its own."""

    def __init__(self, http: httpx.AsyncClient, name: str) -> None:
        self.http = http
        self.name = name
        self.sent_s: dict[str, float] = {}

    async def make(self, url: str, **endpoint: object) -> None:
        body = {"name": self.name, "uid": self.name}
        (await self.http.post("/app?get_if_exists=true", json=body)).raise_for_status()
        made = await self.http.post(
            f"/app/{self.name}/endpoint", json={"url": url, "uid": self.name} | endpoint
        )
        made.raise_for_status()

    async def send(self, number: int) -> str:
        began_s = time.monotonic()
        body = {"eventType": "payment.captured", "payload": {"number": number}}
        answer = await self.http.post(f"/app/{self.name}/msg", json=body)
        answer.raise_for_status()
        message_id = str(answer.json()["id"])
        self.sent_s[message_id] = began_s
        return message_id

    async def send_evenly(self, count: int, *, every_s: float = 0.03) -> list[str]:
        """One after the other, at a pace that leaves the machine idle."""
        sends = []
        for number in range(count):
            sends.append(asyncio.create_task(self.send(number)))
            await asyncio.sleep(every_s)
        return list(await asyncio.gather(*sends))


@asynccontextmanager
async def publishing(
    homing: Homing, folder: Path, database_url: str
) -> AsyncIterator[httpx.AsyncClient]:
    code, out, err = await run(folder, "token", "--json", database_url=database_url)
    assert code == 0, err
    async with httpx.AsyncClient(
        base_url=f"{homing.url}/api/v1",
        headers={"authorization": f"Bearer {json.loads(out)['token']}"},
        timeout=60,
        trust_env=False,
        limits=httpx.Limits(max_connections=50),
    ) as http:
        yield http


def p99(waits_s: list[float]) -> float:
    return sorted(waits_s)[math.ceil(len(waits_s) * 0.99) - 1]


async def receipts(tenant: Tenant, arrivals: Arrivals, ids: list[str]) -> list[float]:
    """From the request of the publisher to the arrival, of each; infinity when it did not come."""
    deadline_s = time.monotonic() + ARRIVAL_MAX_S
    while any(name not in arrivals.of_message for name in ids) and time.monotonic() < deadline_s:
        await asyncio.sleep(0.05)
    return [
        arrivals.of_message[name][0] - tenant.sent_s[name]
        if arrivals.of_message[name]
        else math.inf
        for name in ids
    ]


async def beside_a_hanging_endpoint(
    folder: Path, database_url: str, **settings: float
) -> tuple[float, float]:
    """p99 of another tenant, without and with an endpoint that hangs and gets many messages."""
    arrivals, stop = Arrivals(), asyncio.Event()

    async def hang(exchange: Exchange) -> bool:
        await exchange.wait_until_gone()
        return False

    async with (
        Receiver() as receiver,
        serving(folder, database_url=database_url, **SETTINGS | settings) as homing,
        publishing(homing, folder, database_url) as http,
    ):
        receiver.script("/victim", arrivals.answering(200))
        receiver.script("/hog", hang)
        victim, hog = Tenant(http, "victim"), Tenant(http, "hog")
        await victim.make(receiver.url("/victim"))
        await hog.make(receiver.url("/hog"))
        await receipts(victim, arrivals, await victim.send_evenly(20))
        quiet = await receipts(victim, arrivals, await victim.send_evenly(MESSAGES))

        async def go_on() -> None:
            for number in range(1_000):
                if stop.is_set():
                    return
                await asyncio.gather(*(hog.send(number) for _ in range(5)))
                await asyncio.sleep(0.05)

        await asyncio.gather(*(hog.send(number) for number in range(200)))
        going = asyncio.create_task(go_on())
        beside = await receipts(victim, arrivals, await victim.send_evenly(MESSAGES))
        stop.set()
        await going
        await receiver.close()  # the hog's requests end, and nobody has to wait for them
    return p99(quiet), p99(beside)


async def test_an_endpoint_that_hangs_leaves_the_p99_of_others_unmoved(
    tmp_path: Path, database_url: str
) -> None:
    quiet, beside = await beside_a_hanging_endpoint(tmp_path, database_url)
    assert beside <= TIMES * quiet + MORE_S, f"{quiet=:.3f} {beside=:.3f}"


async def test_without_shares_the_same_comparison_notices(tmp_path: Path) -> None:
    off = {"endpoint_share": 1_000_000, "application_share": 1_000_000}
    quiet, beside = await beside_a_hanging_endpoint(
        tmp_path, f"sqlite:///{tmp_path}/homing.db", **off
    )
    assert beside > TIMES * quiet + MORE_S, f"{quiet=:.3f} {beside=:.3f}"


async def both_came(arrivals: Arrivals, ids: list[str]) -> None:
    """Until each was tried, and tried again."""
    async with asyncio.timeout(60):
        while any(len(arrivals.of_message[name]) < 2 for name in ids):
            await asyncio.sleep(0.05)


async def fill(database_url: str, org_id: str, uid: str, count: int) -> None:
    """So many deliveries for the application's endpoint, due for a minute and nobody's."""
    store = await open_store(database_url, migrate=False)
    application = await store.get(Application, org_id, uid)
    assert application is not None
    [endpoint] = await store.list(Endpoint, application.id, Page(limit=2))
    at_us = SystemClock().now_us() - 60_000_000
    for _ in range(count // 1_000):
        await store.accept(
            [
                make_acceptance(
                    application, (endpoint.id,), state=State.WAITING, accepted_at_us=at_us
                )
                for _ in range(1_000)
            ]
        )
    await store.close()


async def test_a_large_backlog_of_one_tenant_leaves_others_unmoved(
    tmp_path: Path, database_url: str
) -> None:
    arrivals = Arrivals()
    settings = SETTINGS | {"retry_delays_s": "0.3,0.3", "retry_jitter": 0}
    async with Receiver() as receiver:
        receiver.script("/victim", arrivals.answering(500, 200))
        receiver.script("/hog", arrivals.answering(200, delay_s=1.0))
        async with (
            serving(tmp_path, database_url=database_url, **settings) as homing,
            publishing(homing, tmp_path, database_url) as http,
        ):
            victim, hog = Tenant(http, "victim"), Tenant(http, "hog")
            await victim.make(receiver.url("/victim"))
            await hog.make(receiver.url("/hog"))
            await receipts(victim, arrivals, await victim.send_evenly(20))
            ids = await victim.send_evenly(MESSAGES)
            quiet = await receipts(victim, arrivals, ids)
            await both_came(arrivals, ids)
            retries = [arrivals.of_message[name][1] - arrivals.of_message[name][0] for name in ids]
            await fill(database_url, DEFAULT_ORG_ID, "hog", 100_000)
            async with asyncio.timeout(60):
                while len(arrivals.at_s["/hog"]) < 20:
                    await asyncio.sleep(0.05)
            ids = await victim.send_evenly(MESSAGES)
            beside = await receipts(victim, arrivals, ids)
            await both_came(arrivals, ids)
            retried = [arrivals.of_message[name][1] - arrivals.of_message[name][0] for name in ids]
            assert len(arrivals.at_s["/hog"]) < 10_000, "the backlog was there all the time"
    assert p99(beside) <= TIMES * p99(quiet) + MORE_S, f"{p99(quiet)=:.3f} {p99(beside)=:.3f}"
    assert p99(retried) <= TIMES * p99(retries) + MORE_S, f"{p99(retries)=:.3f} {p99(retried)=:.3f}"


@asynccontextmanager
async def two_processes(
    folder: Path, database_url: str, **settings: float
) -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient]]:
    async with (
        serving(folder, database_url=database_url, **settings) as one,
        serving(folder, database_url=database_url, **settings) as two,
        publishing(one, folder, database_url) as http_one,
        publishing(two, folder, database_url) as http_two,
    ):
        yield http_one, http_two


RATE, BURST = 50, 25


async def test_a_rate_holds_over_two_processes(tmp_path: Path, database_url: str) -> None:
    arrivals = Arrivals()
    async with (
        Receiver() as receiver,
        two_processes(tmp_path, database_url) as clients,
    ):
        receiver.script("/slow", arrivals.answering(200))
        tenants = [Tenant(http, "slow") for http in clients]
        await tenants[0].make(receiver.url("/slow"), throttleRate=RATE)
        began_s = time.monotonic()
        await asyncio.gather(*(tenants[n % 2].send(n) for n in range(300)))
        await receiver.wait_for(300, within_s=60)
        times_s = sorted(arrivals.at_s["/slow"])
        # No request was there before it was allowed. (How many come in one second also tells of how
        # evenly they travel, which is the machine's matter.)
        for number, at_s in enumerate(times_s, 1):
            assert number <= BURST + RATE * (at_s - began_s) + 1, (number, at_s - began_s)
        took_s = times_s[-1] - times_s[0]
        assert took_s <= 5 * 300 / RATE, took_s
        assert not (await audit(tmp_path, database_url=database_url))["unaccounted"]


async def test_a_limit_on_concurrency_holds_over_two_processes(
    tmp_path: Path, database_url: str
) -> None:
    arrivals = Arrivals()
    async with (
        Receiver() as receiver,
        two_processes(tmp_path, database_url) as clients,
    ):
        receiver.script("/narrow", arrivals.answering(200, delay_s=0.1))
        tenants = [Tenant(http, "narrow") for http in clients]
        await tenants[0].make(receiver.url("/narrow"), concurrencyLimit=3)
        await asyncio.gather(*(tenants[n % 2].send(n) for n in range(90)))
        await receiver.wait_for(90, within_s=60)
        assert arrivals.most_at_once["/narrow"] == 3
