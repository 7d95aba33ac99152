"""Event types over HTTP."""

from __future__ import annotations

import json

import httpx
from support.serving import Served, org_token

TYPES = "/api/v1/event-type"
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


async def test_an_event_type_is_created_once(client: httpx.AsyncClient) -> None:
    body = {"name": "a.b", "description": "d", "schemas": {"1": SCHEMA}}
    made = await client.post(TYPES, json=body)
    assert made.status_code == 201
    assert made.json()["schemas"] == {"1": SCHEMA}
    again = await client.post(TYPES, json=body)
    assert (again.status_code, again.json()["code"]) == (409, "event_type_exists")


async def test_archived_types_come_back_when_they_are_created_again(
    client: httpx.AsyncClient,
) -> None:
    await client.post(TYPES, json={"name": "a", "description": "old"})
    assert (await client.delete(f"{TYPES}/a")).status_code == 204
    assert (await client.get(f"{TYPES}/a")).json()["archived"] is True
    assert (await client.get(TYPES)).json()["data"] == []
    shown = (await client.get(TYPES, params={"include_archived": "true"})).json()["data"]
    assert [row["name"] for row in shown] == ["a"]
    back = await client.post(TYPES, json={"name": "a", "description": "new"})
    assert (back.status_code, back.json()["archived"]) == (201, False)
    assert back.json()["description"] == "new"


async def test_expunging_forgets_it(client: httpx.AsyncClient) -> None:
    await client.post(TYPES, json={"name": "a", "description": ""})
    assert (await client.delete(f"{TYPES}/a", params={"expunge": "true"})).status_code == 204
    assert (await client.get(f"{TYPES}/a")).status_code == 404


async def test_a_listing_shows_schemas_only_when_asked(client: httpx.AsyncClient) -> None:
    await client.post(TYPES, json={"name": "a", "description": "", "schemas": {"1": SCHEMA}})
    assert (await client.get(TYPES)).json()["data"][0]["schemas"] is None
    full = (await client.get(TYPES, params={"with_content": "true"})).json()["data"]
    assert full[0]["schemas"] == {"1": SCHEMA}


async def test_a_schema_must_be_a_json_schema_of_draft_7(client: httpx.AsyncClient) -> None:
    for schema in ({"type": "thing"}, {"properties": []}, {"$ref": 1}):
        refused = await client.post(
            TYPES, json={"name": "a", "description": "", "schemas": {"1": schema}}
        )
        assert refused.status_code == 422, schema
        assert refused.json()["detail"][0]["loc"] == ["body", "schemas", "1"]


async def test_put_and_patch_change_it(client: httpx.AsyncClient) -> None:
    made = await client.put(f"{TYPES}/a", json={"description": "one", "featureFlag": "f"})
    assert (made.status_code, made.json()["featureFlags"]) == (201, ["f"])
    after = await client.put(f"{TYPES}/a", json={"description": "two", "featureFlags": ["g"]})
    assert (after.status_code, after.json()["featureFlag"]) == (200, "g")
    patched = (await client.patch(f"{TYPES}/a", json={"deprecated": True})).json()
    assert (patched["description"], patched["deprecated"]) == ("two", True)
    cleared = (await client.patch(f"{TYPES}/a", json={"featureFlag": None})).json()
    assert cleared["featureFlags"] is None
    assert (await client.patch(f"{TYPES}/none", json={})).status_code == 404


async def test_two_organisations_may_have_the_same_names(
    client: httpx.AsyncClient, quiet: Served
) -> None:
    await client.post(TYPES, json={"name": "a", "description": "ours"})
    async with quiet.client(org_token("org_other")) as other:
        assert (await other.get(f"{TYPES}/a")).status_code == 404
        made = await other.post(TYPES, json={"name": "a", "description": "theirs"})
        assert made.status_code == 201
    assert (await client.get(f"{TYPES}/a")).json()["description"] == "ours"


async def test_event_types_are_imported_from_openapi(client: httpx.AsyncClient) -> None:
    path = "/api/v1/event-type/import/openapi"
    await client.post("/api/v1/event-type", json={"name": "order.paid", "description": "Paid"})
    schema = {"type": "object", "properties": {"id": {"type": "integer"}}}
    body = {"content": {"application/json": {"schema": schema}}}
    spec = {"webhooks": {"pet.new": {"post": {"description": "New", "requestBody": body}}}}
    asked = {"spec": spec, "replaceAll": True}

    dry = (await client.post(path, json=asked | {"dryRun": True})).json()["data"]
    assert dry["modified"] == ["pet.new", "order.paid"]
    assert dry["to_modify"][0]["schemas"] == {"1": schema}
    assert (await client.get("/api/v1/event-type/pet.new")).status_code == 404

    done = (await client.post(path, json=asked)).json()["data"]
    assert done == {"modified": ["pet.new", "order.paid"], "to_modify": None}
    assert (await client.get("/api/v1/event-type/pet.new")).json()["schemas"] == {"1": schema}
    assert (await client.get("/api/v1/event-type/order.paid")).json()["archived"]
    again = (await client.post(path, json=asked)).json()["data"]
    assert again["modified"] == [], "it is so already"
    raw = await client.post(path, json={"specRaw": json.dumps(spec), "dryRun": True})
    assert raw.json()["data"]["modified"] == []

    for wrong in ({}, asked | {"specRaw": "{}"}, {"specRaw": "a: 1"}):
        assert (await client.post(path, json=wrong)).status_code == 400
    bad = {"spec": {"webhooks": {"pet.new": {"post": {"requestBody": {"content": {
        "application/json": {"schema": {"type": "no"}}}}}}}}}  # fmt: skip
    assert (await client.post(path, json=bad)).status_code == 422
