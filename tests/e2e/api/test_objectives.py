"""`/objective`: written, listed, and how it stands after real deliveries."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from support.receiver import Receiver
from support.serving import Served, org_token

NAMES = [
    "acceptance",
    "audit",
    "dead-letters",
    "delivered",
    "first-attempt",
    "freshness",
    "retries",
    "unaccounted",
]


async def test_objectives_exist_without_configuration(client: httpx.AsyncClient) -> None:
    found = (await client.get("/api/v1/objective")).json()["data"]
    assert [one["name"] for one in found] == NAMES
    assert all(one["default"] for one in found)
    delivered = next(one for one in found if one["name"] == "delivered")
    assert (delivered["target"], delivered["targetText"]) == ("0.995", "99.5%")
    assert delivered["means"].startswith("deliveries answered 2xx within 1 min of acceptance")


async def test_an_objective_is_written_over_a_default_and_removed_again(
    client: httpx.AsyncClient,
) -> None:
    body = {"sli": "delivered", "target": "99.90%", "period": "28d", "team": "payments"}
    written = await client.put("/api/v1/objective/delivered", json=body)
    assert written.status_code == 200, written.text
    assert (written.json()["target"], written.json()["default"]) == ("0.999", False)
    assert (await client.get("/api/v1/objective/delivered")).json() == written.json()
    assert (await client.delete("/api/v1/objective/delivered")).status_code == 204
    assert (await client.get("/api/v1/objective/delivered")).json()["target"] == "0.995"
    assert (await client.delete("/api/v1/objective/delivered")).status_code == 409
    assert (await client.delete("/api/v1/objective/nothing")).status_code == 404


@pytest.mark.parametrize(
    ("name", "fields", "where"),
    [
        ("Upper", {}, "name"),
        ("x", {"target": "100%"}, "target"),
        ("x", {"target": "0"}, "target"),
        ("x", {"sli": "integrity", "target": "0.999"}, "target"),
        ("x", {"period": "3d"}, "period"),
        ("x", {"period": "month Nowhere/City"}, "period"),
        ("x", {"appId": "nobody"}, "appId"),
        ("x", {"sli": "happiness"}, "sli"),
        ("x", {"owners": []}, "owners"),
    ],
)
async def test_what_is_wrong_is_said_with_its_field(
    client: httpx.AsyncClient, name: str, fields: dict[str, Any], where: str
) -> None:
    body = {"sli": "delivered", "target": "99.9"} | fields
    answered = await client.put(f"/api/v1/objective/{name}", json=body)
    assert answered.status_code == 422, answered.text
    assert where in answered.json()["detail"][0]["loc"]


async def test_objectives_of_others_are_not_seen(quiet: Served) -> None:
    body = {"sli": "delivered", "target": "99.9"}
    async with quiet.client() as mine, quiet.client(org_token("org_other")) as other:
        await mine.put("/api/v1/objective/mine", json=body)
        assert (await other.get("/api/v1/objective/mine")).status_code == 404
        assert "mine" not in [
            o["name"] for o in (await other.get("/api/v1/objective")).json()["data"]
        ]


async def test_a_report_counts_real_deliveries_and_says_whose_the_bad_ones_are(
    served: Served, receiver: Receiver
) -> None:
    async with served.client() as client:
        await client.post("/api/v1/app", json={"name": "Shop", "uid": "shop"})
        for url in (receiver.url(), "http://127.0.0.1:1/nobody"):
            await client.post("/api/v1/app/shop/endpoint", json={"url": url})
        body = {"sli": "first_success", "target": "99", "owners": ["receiver", "platform"]}
        await client.put("/api/v1/objective/answers", json=body)
        for n in range(4):
            message = {"eventType": "paid", "payload": {"n": n}}
            await client.post("/api/v1/app/shop/msg", json=message)
        found = {}
        for _ in range(1_000):
            await served.runtime.measurer.once()
            await served.runtime.auditor.once()
            reports = (await client.get("/api/v1/objective/report")).json()["data"]
            found = {one["objective"]["name"]: one for one in reports}
            delivered = found["delivered"]
            if delivered["good"] == 4 and sum(o["count"] for o in delivered["byOwner"]) == 4:
                break
            await asyncio.sleep(0.05)
        one = (await client.get("/api/v1/objective/answers/report?period=7d")).json()
    answers = found["answers"]
    assert (answers["good"], answers["bad"]) == (4, 4)
    assert [(bad["owner"], bad["rule"]) for bad in answers["byOwner"]] == [
        ("receiver", "connect_refused")
    ]
    assert not answers["met"]
    assert answers["burnRate"] == "50"
    assert answers["arithmetic"][0] == "valid = 4 good + 4 bad = 8 events"
    assert answers["examples"][0]["deliveryId"].startswith("msg_")
    # What receivers did wrong is no matter of the platform's.
    assert found["delivered"]["met"]
    assert found["delivered"]["bad"] == 0
    assert found["delivered"]["byOwner"][0]["counts"] is False
    # How many of them were in time is this machine's matter.
    for name, events in (("acceptance", 4), ("first-attempt", 8)):
        bad = sum(owner["count"] for owner in found[name]["byOwner"])
        assert found[name]["good"] + bad == events
    assert found["unaccounted"]["unaccounted"] == 0
    assert one["periodS"] == 7 * 86_400


async def test_a_period_that_is_none_is_refused(client: httpx.AsyncClient) -> None:
    answered = await client.get("/api/v1/objective/report?period=3d")
    assert answered.status_code == 422
