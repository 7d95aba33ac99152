"""Endpoints over HTTP: the URLs, their secrets, headers and figures."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from homing.core.signature import generate_private_key

URL = "https://example.com/hook"
WHSEC = "whsec_" + "A" * 32


@pytest.fixture
async def path(client: httpx.AsyncClient, app: str) -> str:
    """Of an endpoint whose uid is "main"."""
    made = await client.post(f"{app}/endpoint", json={"url": URL, "uid": "main", "secret": WHSEC})
    assert made.status_code == 201, made.text
    return f"{app}/endpoint/main"


async def test_an_endpoint_carries_the_fields_of_both_generations_of_sdks(
    client: httpx.AsyncClient, app: str
) -> None:
    await client.post("/api/v1/event-type", json={"name": "a", "description": ""})
    for body in (
        {"url": URL, "eventTypes": ["a", "a"], "throttleRate": 3, "channels": ["c"]},
        {"url": URL, "filterTypes": ["a"], "rateLimit": 3, "version": 7, "channels": ["c"]},
    ):
        made = (await client.post(f"{app}/endpoint", json=body)).json()
        assert made["eventTypes"] == made["filterTypes"] == ["a"]
        assert made["throttleRate"] == made["rateLimit"] == 3
        assert isinstance(made["version"], int)
        assert made["channels"] == ["c"]
        assert made["disabled"] is False


async def test_an_empty_list_of_event_types_means_all(client: httpx.AsyncClient, app: str) -> None:
    made = await client.post(f"{app}/endpoint", json={"url": URL, "filterTypes": []})
    assert (made.status_code, made.json()["eventTypes"]) == (201, None)


async def test_an_event_type_that_does_not_exist_is_a_422(
    client: httpx.AsyncClient, app: str, path: str
) -> None:
    made = await client.post(f"{app}/endpoint", json={"url": URL, "eventTypes": ["typo"]})
    assert made.status_code == 422
    assert "typo" in made.json()["detail"][0]["msg"]
    assert (await client.patch(path, json={"eventTypes": ["typo"]})).status_code == 422


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "ftp://example.com",
        "https://",
        "http://:80",
        "http://[::1",
        "http://a:99999/",
        "http://a:0/",
        "http://exa mple.com/",
        "http://example.com/\n",
        "http://user@host@example.com/",
        "http://0x7f.1/",
        "javascript:alert(1)",
        "https://example.com/" + "a" * 5_000,
    ],
)
async def test_what_cannot_be_an_endpoint_s_url_is_a_422(
    client: httpx.AsyncClient, app: str, url: str
) -> None:
    made = await client.post(f"{app}/endpoint", json={"url": url})
    assert made.status_code == 422, made.text
    assert made.json()["detail"][0]["loc"] == ["body", "url"]


@pytest.mark.parametrize(
    "fields",
    [
        {"uid": "ep_mine"},
        {"uid": "a b"},
        {"channels": ["c"] * 11},
        {"channels": ["a b"]},
        {"throttleRate": 0},
        {"secret": "short"},
        {"secret": "whsec_"},
        {"secret": "whpk_" + "A" * 43 + "="},
        {"secret": ""},
        {"headers": {"Content-Type": "text/plain"}},
        {"headers": {"svix-id": "1"}},
        {"headers": {"a": "b\r\nc: d"}},
        {"headers": {"a b": "c"}},
        {"headers": {"a": "b", "A": "c"}},
        {"description": 1},
    ],
)
async def test_what_an_endpoint_cannot_be_is_a_422(
    client: httpx.AsyncClient, app: str, fields: dict[str, Any]
) -> None:
    made = await client.post(f"{app}/endpoint", json={"url": URL, **fields})
    assert made.status_code == 422, made.text


async def test_put_keeps_secret_and_headers(client: httpx.AsyncClient, path: str) -> None:
    await client.put(f"{path}/headers", json={"headers": {"x-a": "1"}})
    after = await client.put(path, json={"url": URL + "2", "uid": "main"})
    assert (after.status_code, after.json()["url"]) == (200, URL + "2")
    assert (await client.get(f"{path}/secret")).json() == {"key": WHSEC}
    assert (await client.get(f"{path}/headers")).json()["headers"] == {"x-a": "1"}


async def test_put_creates_where_there_is_none(client: httpx.AsyncClient, app: str) -> None:
    made = await client.put(f"{app}/endpoint/new", json={"url": URL, "uid": "new"})
    assert made.status_code == 201
    assert (await client.get(f"{app}/endpoint/new")).status_code == 200


async def test_patch_keeps_what_is_absent_and_clears_what_is_null(
    client: httpx.AsyncClient, path: str
) -> None:
    await client.post("/api/v1/event-type", json={"name": "a", "description": ""})
    before = (
        await client.patch(path, json={"eventTypes": ["a"], "channels": ["c"], "throttleRate": 4})
    ).json()
    assert (before["uid"], before["url"]) == ("main", URL)
    cleared = (
        await client.patch(
            f"{path.rpartition('/')[0]}/{before['id']}",
            json={"eventTypes": None, "channels": None, "throttleRate": None, "uid": None},
        )
    ).json()
    for name in ("eventTypes", "filterTypes", "channels", "throttleRate", "rateLimit", "uid"):
        assert cleared[name] is None
    assert cleared["url"] == URL


async def test_an_endpoint_may_have_a_retry_schedule_of_its_own(
    client: httpx.AsyncClient, app: str
) -> None:
    path = f"{app}/endpoint"
    made = await client.post(path, json={"url": URL, "uid": "own", "retryDelaysSeconds": [1, 2.5]})
    assert made.json()["retryDelaysSeconds"] == [1, 2.5]
    kept = await client.put(f"{path}/own", json={"url": URL, "uid": "own"})
    assert kept.json()["retryDelaysSeconds"] == [1, 2.5], "what an SDK does not know stays"
    none = await client.patch(f"{path}/own", json={"retryDelaysSeconds": []})
    assert none.json()["retryDelaysSeconds"] == []
    cleared = await client.patch(f"{path}/own", json={"retryDelaysSeconds": None})
    assert cleared.json()["retryDelaysSeconds"] is None
    for wrong in ([-1], [604_801], [1] * 51, "1"):
        refused = await client.patch(f"{path}/own", json={"retryDelaysSeconds": wrong})
        assert refused.status_code == 422


async def test_a_disabled_endpoint_says_who_disabled_it(
    client: httpx.AsyncClient, path: str
) -> None:
    disabled = (await client.patch(path, json={"disabled": True})).json()
    assert disabled["disabledReason"].startswith("disabled by org_")
    enabled = (await client.patch(path, json={"disabled": False})).json()
    assert enabled["disabledReason"] is None


async def test_the_older_names_are_taken_in_a_patch(client: httpx.AsyncClient, path: str) -> None:
    await client.post("/api/v1/event-type", json={"name": "a", "description": ""})
    patched = (await client.patch(path, json={"filterTypes": ["a"], "rateLimit": 2})).json()
    assert (patched["eventTypes"], patched["throttleRate"]) == (["a"], 2)


async def test_rotation_keeps_the_old_secret_for_a_while(
    client: httpx.AsyncClient, path: str
) -> None:
    old = (await client.get(f"{path}/secret")).json()["key"]
    rotated = await client.post(f"{path}/secret/rotate", json={})
    new = (await client.get(f"{path}/secret")).json()["key"]
    assert (rotated.status_code, rotated.json()) == (200, {"key": new})
    assert new != old
    assert new.startswith("whsec_")
    given = {"key": WHSEC, "gracePeriodSeconds": 0}
    assert (await client.post(f"{path}/secret/rotate", json=given)).status_code == 200
    assert (await client.get(f"{path}/secret")).json()["key"] == WHSEC
    for wrong in ({"gracePeriodSeconds": 604_801}, {"gracePeriodSeconds": -1}, {"key": "x"}):
        assert (await client.post(f"{path}/secret/rotate", json=wrong)).status_code == 422


async def test_more_than_ten_old_secrets_at_once_are_refused(
    client: httpx.AsyncClient, path: str
) -> None:
    for _ in range(10):
        assert (await client.post(f"{path}/secret/rotate", json={})).status_code == 200
    refused = await client.post(f"{path}/secret/rotate", json={})
    assert (refused.status_code, refused.json()["code"]) == (400, "limit_reached")


async def test_of_an_ed25519_pair_only_the_public_key_is_shown(
    client: httpx.AsyncClient, app: str
) -> None:
    secret = generate_private_key(bytes(range(32)))
    await client.post(f"{app}/endpoint", json={"url": URL, "uid": "ed", "secret": secret})
    path = f"{app}/endpoint/ed/secret"
    first = (await client.get(path)).json()["key"]
    assert first.startswith("whpk_")
    await client.post(f"{path}/rotate", json={})
    second = (await client.get(path)).json()["key"]
    assert second.startswith("whpk_"), "a rotated pair stays a pair"
    assert second != first


async def test_headers_are_replaced_patched_and_sensitive_ones_are_not_shown(
    client: httpx.AsyncClient, path: str
) -> None:
    headers = {"X-Shop": "1", "Authorization": "secret", "X-Old": "2"}
    assert (await client.put(f"{path}/headers", json={"headers": headers})).status_code == 204
    shown = (await client.get(f"{path}/headers")).json()
    assert shown == {"headers": {"X-Shop": "1", "X-Old": "2"}, "sensitive": ["Authorization"]}
    change = {"headers": {"x-shop": "3", "X-New": "4"}, "deleteHeaders": ["x-old"]}
    assert (await client.patch(f"{path}/headers", json=change)).status_code == 204
    shown = (await client.get(f"{path}/headers")).json()
    assert shown["headers"] == {"x-shop": "3", "X-New": "4"}
    await client.patch(f"{path}/headers", json={"headers": {"authorization": None}})
    assert (await client.get(f"{path}/headers")).json()["sensitive"] == []


async def test_stats_are_counted_within_a_range(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(f"{path}/stats")).json() == {
        "success": 0,
        "fail": 0,
        "pending": 0,
        "sending": 0,
        "canceled": 0,
    }
    for since, until in (
        ("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"),
    ):
        refused = await client.get(f"{path}/stats", params={"since": since, "until": until})
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_range")
    refused = await client.get(f"{path}/stats", params={"since": "2026-01-02"})
    assert refused.status_code == 422


async def test_recover_reaches_back_fourteen_days_at_most(
    client: httpx.AsyncClient, path: str
) -> None:
    refused = await client.post(f"{path}/recover", json={"since": "2020-01-01T00:00:00Z"})
    assert refused.status_code == 422


async def test_an_endpoint_that_is_deleted_is_gone(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.delete(path)).status_code == 204
    assert (await client.get(path)).status_code == 404
    assert (await client.delete(path)).status_code == 404


async def test_a_limit_on_concurrency_is_kept_when_an_sdk_does_not_know_it(
    client: httpx.AsyncClient, app: str
) -> None:
    path = f"{app}/endpoint"
    made = await client.post(path, json={"url": URL, "uid": "own", "concurrencyLimit": 7})
    assert made.json()["concurrencyLimit"] == 7
    kept = await client.put(f"{path}/own", json={"url": URL, "uid": "own"})
    assert kept.json()["concurrencyLimit"] == 7
    cleared = await client.patch(f"{path}/own", json={"concurrencyLimit": None})
    assert cleared.json()["concurrencyLimit"] is None
    refused = await client.patch(f"{path}/own", json={"concurrencyLimit": 0})
    assert refused.status_code == 422
