"""Listings: forwards, backwards, and what the ends say."""

from __future__ import annotations

from typing import Any

import httpx
import pytest


async def _names(client: httpx.AsyncClient, **params: Any) -> tuple[list[str], dict[str, Any]]:
    response = await client.get("/api/v1/event-type", params=params)
    assert response.status_code == 200, response.text
    page = response.json()
    return [row["name"] for row in page["data"]], page


@pytest.fixture
async def types(client: httpx.AsyncClient) -> list[str]:
    names = ["-first", "a", "b", "c", "d"]
    for name in names:
        await client.post("/api/v1/event-type", json={"name": name, "description": ""})
    return names


async def test_pages_follow_one_another_to_the_end(
    client: httpx.AsyncClient, types: list[str]
) -> None:
    seen: list[str] = []
    iterator = None
    for expected_done in (False, False, True):
        names, page = await _names(
            client, limit=2, **({} if iterator is None else {"iterator": iterator})
        )
        assert page["done"] is expected_done
        seen += names
        iterator = page["iterator"]
    assert seen == types


async def test_pages_lead_back_the_same_way(client: httpx.AsyncClient, types: list[str]) -> None:
    names, page = await _names(client, limit=2, iterator="-d")
    assert (names, page["done"]) == (["b", "c"], False)
    names, page = await _names(client, limit=2, iterator=page["prevIterator"])
    assert (names, page["done"]) == (["-first", "a"], True)
    names, page = await _names(client, limit=2, iterator=page["iterator"])
    assert names == ["b", "c"]
    names, _ = await _names(
        client, limit=1, iterator=(await _names(client, limit=1))[1]["iterator"]
    )
    assert names == ["a"], "a name that begins with a dash is not taken for a way back"


async def test_an_empty_page_has_null_iterators(client: httpx.AsyncClient) -> None:
    names, page = await _names(client)
    assert names == []
    assert page == {"data": [], "iterator": None, "prevIterator": None, "done": True}


async def test_a_page_that_ends_exactly_at_the_end_says_so(
    client: httpx.AsyncClient, types: list[str]
) -> None:
    names, page = await _names(client, limit=5)
    assert len(names) == 5
    assert page["done"] is True


@pytest.mark.parametrize("order", ["ascending", "descending", None])
async def test_applications_come_oldest_first_and_endpoints_newest_first_unless_told(
    client: httpx.AsyncClient, order: str | None
) -> None:
    params = {} if order is None else {"order": order}
    made = [(await client.post("/api/v1/app", json={"name": "x"})).json()["id"] for _ in range(3)]
    got = [row["id"] for row in (await client.get("/api/v1/app", params=params)).json()["data"]]
    assert got == sorted(made, reverse=order == "descending")
    path = f"/api/v1/app/{made[0]}/endpoint"
    for _ in range(3):
        await client.post(path, json={"url": "https://example.com/"})
    got = [row["id"] for row in (await client.get(path, params=params)).json()["data"]]
    assert got == sorted(got, reverse=order != "ascending")


@pytest.mark.parametrize(
    "iterator",
    ["x", "app_", "app_!!!", "app_" + "z" * 27, "--", "msg_" + "0" * 27, "%00", "-app_x"],
)
async def test_an_iterator_that_is_not_ours_is_a_422_and_never_more(
    client: httpx.AsyncClient, iterator: str
) -> None:
    response = await client.get(f"/api/v1/app?iterator={iterator}")
    assert response.status_code in (200, 422)
    if iterator != "app_" + "z" * 27:
        assert response.json()["detail"][0]["loc"] == ["query", "iterator"]


@pytest.mark.parametrize("limit", ["0", "251", "-1", "x", "1.5", "", "9" * 30])
async def test_a_limit_outside_of_1_to_250_is_a_422(client: httpx.AsyncClient, limit: str) -> None:
    response = await client.get("/api/v1/app", params={"limit": limit})
    assert response.status_code == 422


async def _messages(client: httpx.AsyncClient, app: str, **params: Any) -> list[str]:
    response = await client.get(f"{app}/msg", params=params)
    assert response.status_code == 200, response.text
    return [row["eventId"] for row in response.json()["data"]]


async def test_messages_come_newest_first_and_are_narrowed_by_type_channel_tag_and_time(
    client: httpx.AsyncClient, app: str
) -> None:
    moments = []
    for number, event_type in enumerate(["a", "b", "a", "c"]):
        sent = {
            "eventType": event_type,
            "eventId": f"m{number}",
            "payload": {},
            "channels": [f"ch{number}"],
            "tags": ["even" if number % 2 == 0 else "odd"],
        }
        response = await client.post(f"{app}/msg", json=sent)
        moments.append(response.json()["timestamp"])
        await client.get("/ready")  # ids are ordered in steps of 4 ms
        await _four_milliseconds()
    assert await _messages(client, app) == ["m3", "m2", "m1", "m0"]
    assert await _messages(client, app, event_types="a,c") == ["m3", "m2", "m0"]
    assert await _messages(client, app, **{"event_types[]": "b"}) == ["m1"]
    assert await _messages(client, app, event_types=["a", "b"]) == ["m2", "m1", "m0"]
    assert await _messages(client, app, channel="ch1") == ["m1"]
    assert await _messages(client, app, tag="odd") == ["m3", "m1"]
    assert await _messages(client, app, before=moments[2]) == ["m1", "m0"]
    # Only `after`: the oldest of those that came next.
    assert await _messages(client, app, after=moments[1], limit=1) in (["m1"], ["m2"])


async def _four_milliseconds() -> None:
    """Until the next step of the ids' clock."""
    import asyncio

    await asyncio.sleep(0.005)
