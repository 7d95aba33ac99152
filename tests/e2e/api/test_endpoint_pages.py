"""Pages of endpoints on each kind of store, without a browser."""

from __future__ import annotations

import asyncio
import csv
import io

import httpx
from support.receiver import Receiver, respond
from support.serving import Served

HTML = {"accept": "text/html"}


async def test_an_endpoints_page_says_the_same_on_every_store(
    served: Served, receiver: Receiver
) -> None:
    receiver.script("/fails", respond(503))
    async with served.client() as backend:
        shop = {"name": "Shop", "uid": "shop"}
        app = (await backend.post("/api/v1/app", json=shop)).json()["id"]
        body = {"url": receiver.url("/fails"), "description": "Warehouse", "uid": "warehouse"}
        id = (await backend.post("/api/v1/app/shop/endpoint", json=body)).json()["id"]
        for number in range(3):
            body = {"eventType": "paid", "payload": {"number": number}}
            await backend.post("/api/v1/app/shop/msg", json=body)
        async with asyncio.timeout(60):
            while await dead(backend) != 3:
                await asyncio.sleep(0.05)
    async with httpx.AsyncClient(
        base_url=served.url, headers=HTML, timeout=60, trust_env=False
    ) as person:
        await person.post("/sign-in", data={"token": served.token})
        listed = (await person.get("/endpoints", params={"find": "wareh"})).text
        assert "Failing" in listed
        assert "of 6 attempts" in listed
        page = (await person.get("/endpoints/shop/warehouse", params={"range": "1h"})).text
        assert "of 6 attempts" in page
        assert "It is not available" in page
        assert "Nothing does by itself. A redrive sends a few first" in page
        assert f"/dead-letters/many?app={app}&amp;endpoint={id}" in page
        sent = await person.get(f"/endpoints/shop/{id}/sent", params={"hours": "1"})
        assert sent.headers["content-disposition"] == f'attachment; filename="sent-{id}.csv"'
        rows = list(csv.DictReader(io.StringIO(sent.text)))
        assert [row["state"] for row in rows] == ["dead"] * 3
        for wrong in ({"hours": "0"}, {"hours": "x"}, {"hours": "1", "as": "xml"}):
            answer = await person.get(f"/endpoints/shop/{id}/sent", params=wrong)
            assert answer.status_code == 422


async def dead(backend: httpx.AsyncClient) -> int:
    found = await backend.get("/api/v1/app/shop/dead-letter")
    return len(found.json()["data"])
