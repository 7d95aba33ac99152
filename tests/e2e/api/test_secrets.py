"""What is secret stays so: in the database, in the log, and when the key to it is missing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import standardwebhooks
from support.receiver import Receiver, respond
from support.serving import SECRET, Served, serving

from homing.core.queries import Page
from homing.core.resources import Endpoint
from homing.core.signature import generate_private_key
from homing.knobs import SecretText
from homing.service.resealing import reseal, survey
from homing.store import open_store
from homing.system import SystemChance, SystemClock

APP = "/api/v1/app/shop"
ENDPOINT = f"{APP}/endpoint/main"
CREATED = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
ROTATED = "whsec_HUzUqV4PcCoJxlwMw2lRXz8JDPYsZa1r"
PRIVATE = generate_private_key(bytes(range(32)))
HEADERS = {"Authorization": "Bearer sesame-1", "X-Shop": "sesame-2"}
OTHER = "another secret of the tests"
WAIT_S = 60
_ALL = Page(limit=10)


async def make_endpoint(client: httpx.AsyncClient, receiver: Receiver, **more: object) -> None:
    await client.post("/api/v1/app", json={"name": "Shop", "uid": "shop"})
    body = {"url": receiver.url("/hook"), "uid": "main", "secret": CREATED, **more}
    made = await client.post(f"{APP}/endpoint", json=body)
    assert made.status_code == 201, made.text


async def send(client: httpx.AsyncClient) -> str:
    message = {"eventType": "payment.captured", "payload": {"amount": 1250}}
    answer = await client.post(f"{APP}/msg", json=message)
    assert answer.status_code == 202
    return str(answer.json()["id"])


async def until_state(client: httpx.AsyncClient, state: str) -> dict[str, Any]:
    """The one delivery there is, once it is in this state."""
    async with asyncio.timeout(WAIT_S):
        while True:
            (found,) = (await client.get(f"{APP}/delivery")).json()["data"]
            if found["state"] == state:
                return dict(found)
            await asyncio.sleep(0.02)


@asynccontextmanager
async def at(url: str, secret: str, **settings: object) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a Homing over this database that has this secret."""
    store = await open_store(url)
    given = {"retry_delays_s": (0.05,), "retry_jitter": 0.0, **settings}
    async with serving(store, secret=secret, **given) as served, served.client() as client:  # type: ignore[arg-type]
        yield client


async def use_every_secret(client: httpx.AsyncClient, receiver: Receiver) -> list[str]:
    """Do all that brings a secret into the database; all of them, once they are there."""
    await make_endpoint(client, receiver, headers=HEADERS)
    first = {"authorization": "Bearer sesame-3", "x-new": "sesame-4"}
    await client.patch(f"{ENDPOINT}/headers", json={"headers": first})
    rotate = f"{ENDPOINT}/secret/rotate"
    await client.post(rotate, json={"key": ROTATED}, headers={"idempotency-key": "once"})
    made = await client.post(rotate, json={}, headers={"idempotency-key": "twice"})
    await client.post(rotate, json={"key": PRIVATE})
    await client.patch(ENDPOINT, json={"description": "changed"})
    await send(client)
    await until_state(client, "delivered")
    return [CREATED, ROTATED, PRIVATE, made.json()["key"], *(f"sesame-{n}" for n in range(1, 5))]


def pieces(secret: str) -> list[bytes]:
    """A secret as it could be stored, and its middle alone."""
    bare = secret.partition("_")[2] or secret
    return [secret.encode(), bare.encode(), bare[: len(bare) // 2 + 1].encode()]


async def test_no_secret_is_in_the_database_file_nor_in_its_log_nor_in_ours(
    tmp_path: Path, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with at(f"sqlite:///{tmp_path}/homing.db", SECRET) as client:
        secrets = await use_every_secret(client, receiver)
        files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        assert {"homing.db", "homing.db-wal"} <= files.keys()
        assert b"payment.captured" in b"".join(files.values()), "the search finds what is there"
        logged = "\n".join(record.getMessage() for record in caplog.records).encode()
        assert logged
        for secret in (*secrets, SECRET):
            for piece in pieces(secret):
                assert piece not in logged
                for name, content in files.items():
                    assert piece not in content, f"{secret} is in {name}"
    (request,) = receiver.requests
    assert request.headers["authorization"] == "Bearer sesame-3"
    assert request.headers["x-new"] == "sesame-4"
    assert len(request.headers["webhook-signature"].split(" ")) == 4
    standardwebhooks.Webhook(CREATED).verify(request.body, request.headers)


async def test_no_store_is_given_a_secret_in_the_clear(served: Served, receiver: Receiver) -> None:
    async with served.client() as client:
        secrets = await use_every_secret(client, receiver)
        found = await served.runtime.store.list(Endpoint, None, _ALL)
        assert len(found) == 1
        for secret in secrets:
            assert not any(piece.decode() in repr(found) for piece in pieces(secret))


async def test_a_rotation_that_is_asked_for_again_gets_its_first_reply(
    served: Served, receiver: Receiver
) -> None:
    async with served.client() as client:
        await make_endpoint(client, receiver)
        once = {"headers": {"idempotency-key": "once"}, "json": {}}
        first = await client.post(f"{ENDPOINT}/secret/rotate", **once)  # type: ignore[arg-type]
        again = await client.post(f"{ENDPOINT}/secret/rotate", **once)  # type: ignore[arg-type]
        assert first.json() == again.json() == (await client.get(f"{ENDPOINT}/secret")).json()


async def test_with_another_secret_nothing_is_signed_nothing_is_lost_and_all_comes_back(
    tmp_path: Path, receiver: Receiver
) -> None:
    url = f"sqlite:///{tmp_path}/homing.db"
    receiver.script("/hook", respond(200))
    async with at(url, SECRET) as client:
        await make_endpoint(client, receiver, headers=HEADERS)

    async with at(url, OTHER) as client:
        message = await send(client)
        dead = await until_state(client, "dead")
        (attempt, *_) = (await client.get(f"{APP}/attempt/msg/{message}")).json()["data"]
        delivery = (await client.get(f"{APP}/delivery/{dead['id']}")).json()
        assert "sign_failed" in delivery["lastError"]
        assert "cannot be opened" in delivery["lastError"]
        assert "HOMING_SECRET_PREVIOUS" in delivery["lastError"]
        assert attempt["status"] == 2
        for path in ("secret", "headers"):
            answer = await client.get(f"{ENDPOINT}/{path}")
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            assert "HOMING_SECRET_PREVIOUS" in answer.json()["detail"]
        assert (await client.get("/api/v1/ledger")).json()["balanced"]
    assert not receiver.requests

    async with at(url, OTHER, secret_previous=(SecretText(SECRET),)) as client:
        assert (await client.get(f"{ENDPOINT}/secret")).json() == {"key": CREATED}
        resent = await client.post(f"{APP}/msg/{message}/endpoint/main/resend")
        assert resent.status_code == 202, resent.text
        await until_state(client, "delivered")
    (request,) = receiver.requests
    standardwebhooks.Webhook(CREATED).verify(request.body, request.headers)


async def test_a_secret_that_is_lost_is_replaced_by_rotating_it(
    tmp_path: Path, receiver: Receiver
) -> None:
    url = f"sqlite:///{tmp_path}/homing.db"
    async with at(url, SECRET) as client:
        await make_endpoint(client, receiver, headers=HEADERS)
    async with at(url, OTHER) as client:
        await client.put(f"{ENDPOINT}/headers", json={"headers": {"x-shop": "7"}})
        made = await client.post(f"{ENDPOINT}/secret/rotate", json={})
        assert made.status_code == 200
        await send(client)
        await until_state(client, "delivered")
    (request,) = receiver.requests
    standardwebhooks.Webhook(made.json()["key"]).verify(request.body, request.headers)


async def test_after_resealing_the_former_secret_is_not_needed(
    served: Served, receiver: Receiver
) -> None:
    store, seals = served.runtime.store, served.runtime.service.seals
    next_ones = type(seals)(OTHER, [SECRET])
    async with served.client() as client:
        await make_endpoint(client, receiver, headers=HEADERS)
        await client.post(f"{ENDPOINT}/secret/rotate", json={"key": PRIVATE})
    (before,) = await store.list(Endpoint, None, _ALL)
    assert (await survey(store, next_ones)).previous == [before.id]
    for expected in ([before.id], []):
        found = await reseal(store, SystemClock(), SystemChance(), next_ones)
        assert (found.previous, found.lost) == (expected, [])
    (after,) = await store.list(Endpoint, None, _ALL)
    assert after.version == before.version + 1
    assert (await survey(store, type(seals)(OTHER))).present == 1
    assert (await survey(store, seals)).lost == [before.id]
    assert [one.expires_at_us for one in after.secrets] == [
        one.expires_at_us for one in before.secrets
    ]
