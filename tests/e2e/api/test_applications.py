"""Applications over HTTP."""

from __future__ import annotations

import httpx
import pytest

APPS = "/api/v1/app"


async def test_what_is_created_is_found_by_id_and_by_uid(client: httpx.AsyncClient) -> None:
    made = await client.post(
        APPS, json={"name": "Shop", "uid": "shop", "throttleRate": 5, "metadata": {"a": "b"}}
    )
    assert made.status_code == 201
    body = made.json()
    assert body["throttleRate"] == body["rateLimit"] == 5
    for name in (body["id"], "shop"):
        found = await client.get(f"{APPS}/{name}")
        assert found.json() == body


async def test_a_uid_is_unique_until_it_is_freed(client: httpx.AsyncClient) -> None:
    await client.post(APPS, json={"name": "One", "uid": "u"})
    again = await client.post(APPS, json={"name": "Two", "uid": "u"})
    assert again.status_code == 409
    assert again.json()["code"] == "conflict"
    found = await client.post(f"{APPS}?get_if_exists=true", json={"name": "Two", "uid": "u"})
    assert (found.status_code, found.json()["name"]) == (200, "One")
    assert (await client.delete(f"{APPS}/u")).status_code == 204
    assert (await client.get(f"{APPS}/u")).status_code == 404
    assert (await client.post(APPS, json={"name": "Two", "uid": "u"})).status_code == 201


async def test_put_replaces_or_creates(client: httpx.AsyncClient) -> None:
    made = await client.put(f"{APPS}/nowhere", json={"name": "One", "uid": "u"})
    assert made.status_code == 201
    assert (await client.get(f"{APPS}/nowhere")).status_code == 404, "the uid is the body's"
    after = await client.put(f"{APPS}/u", json={"name": "Two"})
    assert after.status_code == 200
    assert (after.json()["id"], after.json()["uid"]) == (made.json()["id"], None)


async def test_patch_keeps_what_is_absent_and_clears_what_is_null(
    client: httpx.AsyncClient,
) -> None:
    made = (await client.post(APPS, json={"name": "One", "uid": "u", "rateLimit": 3})).json()
    path = f"{APPS}/{made['id']}"
    renamed = (await client.patch(path, json={"name": "Two"})).json()
    assert (renamed["name"], renamed["uid"], renamed["throttleRate"]) == ("Two", "u", 3)
    cleared = (await client.patch(path, json={"uid": None, "throttleRate": None})).json()
    assert (cleared["name"], cleared["uid"], cleared["rateLimit"]) == ("Two", None, None)
    assert (await client.patch(path, json={"name": None})).status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        {"name": ""},
        {"name": "x", "uid": ""},
        {"name": "x", "uid": "a b"},
        {"name": "x", "uid": "a\n"},
        {"name": "x", "uid": "app_mine"},
        {"name": "x", "uid": "a" * 257},
        {"name": "x", "throttleRate": 0},
        {"name": "x", "throttleRate": 65_536},
        {"name": "x", "metadata": []},
        {"name": "\u0000"},
        [],
    ],
)
async def test_what_an_application_cannot_be_is_a_422(
    client: httpx.AsyncClient, body: object
) -> None:
    response = await client.post(APPS, json=body)
    assert response.status_code == 422
    assert set(response.json()["detail"][0]) == {"loc", "msg", "type"}


async def test_a_slash_at_the_end_of_a_path_is_taken(client: httpx.AsyncClient) -> None:
    assert (await client.post(f"{APPS}/", json={"name": "x", "uid": "u"})).status_code == 201
    assert (await client.get(f"{APPS}/u/")).status_code == 200
    sent = await client.post(f"{APPS}/u/msg/", json={"eventType": "x", "payload": {}})
    assert sent.status_code == 202


async def test_moments_are_rfc_3339_in_utc(client: httpx.AsyncClient) -> None:
    made = (await client.post(APPS, json={"name": "x"})).json()
    assert made["createdAt"].endswith("Z")
    assert "." in made["createdAt"]
    assert made["updatedAt"] >= made["createdAt"]


async def test_limits_and_weight_are_kept_when_an_sdk_does_not_know_them(
    client: httpx.AsyncClient,
) -> None:
    body = {"name": "One", "uid": "u", "throttleRate": 9, "concurrencyLimit": 4, "weight": 3}
    made = (await client.post(APPS, json=body)).json()
    assert (made["throttleRate"], made["concurrencyLimit"], made["weight"]) == (9, 4, 3)
    kept = (await client.put(f"{APPS}/u", json={"name": "Two", "uid": "u"})).json()
    assert (kept["throttleRate"], kept["concurrencyLimit"], kept["weight"]) == (None, 4, 3)
    patched = (await client.patch(f"{APPS}/u", json={"concurrencyLimit": None, "weight": 1})).json()
    assert (patched["concurrencyLimit"], patched["weight"]) == (None, 1)
    plain = (await client.post(APPS, json={"name": "Plain"})).json()
    assert (plain["concurrencyLimit"], plain["weight"]) == (None, 1)


@pytest.mark.parametrize(
    "limits",
    [{"concurrencyLimit": 0}, {"concurrencyLimit": 1.5}, {"weight": 0}, {"weight": 101}],
)
async def test_limits_out_of_bounds_are_refused(
    client: httpx.AsyncClient, limits: dict[str, object]
) -> None:
    assert (await client.post(APPS, json={"name": "One"} | limits)).status_code == 422
