"""`/incident`: opened, added to, carried in from a file, and whose it is."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec
import pytest
from support.serving import Served, org_token

from homing.review.incident import Incident, Said, add, opened

PATH = "/api/v1/incident"
START_US = 1_762_000_000_000_000


async def make(client: httpx.AsyncClient, **more: Any) -> dict[str, Any]:
    body = {"title": "webhooks are missing", "severity": "major", "actor": "ana", **more}
    answer = await client.post(PATH, json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_an_incident_is_opened_and_added_to(client: httpx.AsyncClient) -> None:
    made = await make(client)
    assert (made["status"], made["owner"], made["version"]) == ("open", "ana", 1)
    changes = [
        ("said", {"text": "tests run one worker", "aspect": "tests"}),
        ("deployed", {"deployment": {"at_us": START_US, "by": "payments", "commit": "4f2a"}}),
        ("planned", {"text": "an alert", "owner": "bo", "due": "2026-12-01", "kind": "detect"}),
    ]
    for kind, fields in changes:
        body = {"type": kind, "fields": fields, "actor": "cy"}
        answer = await client.post(f"{PATH}/{made['id']}/change", json=body)
        assert answer.status_code == 200, answer.text
    one = (await client.get(f"{PATH}/{made['id']}")).json()
    assert (one["status"], one["version"]) == ("mitigated", 4)
    assert [entry["actor"] for entry in one["record"]["timeline"]] == [
        "ana",
        "cy",
        "payments",
        "cy",
    ]
    listed = (await client.get(PATH)).json()["data"]
    assert [found["id"] for found in listed] == [made["id"]]
    assert "record" not in listed[0]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"type": "nonsense"}, 422),
        ({"type": "said", "fields": {}}, 422),
        ({"type": "said", "fields": {"text": " "}}, 422),
        ({"type": "said", "fields": {"text": "a\x00b"}}, 422),
        ({"type": "done", "fields": {"name": "a9"}}, 422),
        ({"type": "planned", "fields": {"text": "x", "owner": "y", "due": "soon"}}, 422),
    ],
)
async def test_a_change_that_is_none_is_refused(
    client: httpx.AsyncClient, body: dict[str, Any], status: int
) -> None:
    made = await make(client)
    answer = await client.post(f"{PATH}/{made['id']}/change", json=body)
    assert answer.status_code == status, answer.text
    assert (await client.get(f"{PATH}/{made['id']}")).json()["version"] == 1


async def test_a_closed_incident_is_a_conflict(client: httpx.AsyncClient) -> None:
    made = await make(client)
    path = f"{PATH}/{made['id']}/change"
    assert (await client.post(path, json={"type": "closed"})).json()["status"] == "closed"
    more = await client.post(path, json={"type": "said", "fields": {"text": "more"}})
    assert more.status_code == 409


async def test_a_file_is_brought_in_and_only_what_continues_it(client: httpx.AsyncClient) -> None:
    made = (await make(client))["record"]

    file = msgspec.convert(made, Incident)
    longer = add(file, Said(text="in the file"), at_us=START_US, actor="ana")
    path = f"{PATH}/{file.id}"

    def record(one: Incident) -> dict[str, Any]:
        return {"record": msgspec.to_builtins(one)}

    assert (await client.put(path, json=record(longer))).json()["version"] == 2
    other = add(file, Said(text="elsewhere"), at_us=START_US, actor="bo")
    assert (await client.put(path, json=record(other))).status_code == 409
    carried = opened(scope="", id=file.id[:-1] + "7", title="b", at_us=START_US, actor="ana")
    new = await client.put(f"{PATH}/{carried.id}", json=record(carried))
    assert new.status_code == 200, new.text
    assert (await client.put(f"{PATH}/{carried.id}x", json=record(carried))).status_code == 422
    assert (await client.put(path, json={"record": {}})).status_code == 422


async def test_another_organisation_sees_none_of_it(
    client: httpx.AsyncClient, served: Served
) -> None:
    made = await make(client)
    other = {"authorization": f"Bearer {org_token('org_other')}"}
    assert (await client.get(f"{PATH}/{made['id']}", headers=other)).status_code == 404
    assert (await client.get(PATH, headers=other)).json()["data"] == []


async def test_the_rows_behind_a_count_are_brought_and_turned_page_by_page(
    client: httpx.AsyncClient,
) -> None:
    made = await make(client)
    rows = f"{PATH}/{made['id']}/rows"
    assert (await client.get(rows)).json() == {"lists": []}
    line = {"file": "log.jsonl", "line": 7, "text": "<b>accepted</b>"}
    deliveries = [{"id": f"d{at}", "is_lost": True, "rows": [line]} for at in range(20)]
    for page, some in (("1", deliveries), ("2", deliveries[:3]), ("2", deliveries[:2])):
        answer = await client.put(f"{rows}/lost/{page}", json={"deliveries": some})
        assert answer.status_code == 204, answer.text
    kept = {"name": "lost", "title": "lost deliveries", "total": 22, "lost": 22, "kept": 22}
    answer = await client.put(rows, json={"logs": [], "lists": [kept]})
    assert answer.json()["lists"] == [{**kept, "pages": 2}]
    found = (await client.get(f"{rows}/lost/2")).json()
    assert (found["number"], found["of"]["total"]) == (2, 22)
    assert found["deliveries"] == deliveries[:2]
    for missing in ("lost/3", "lost/0", "lost/x", "judged/1"):
        assert (await client.get(f"{rows}/{missing}")).status_code == 404
    too_many = {"deliveries": [*deliveries, *deliveries]}
    for path, body in (
        ("lost/1", too_many),
        ("lost/1", {"deliveries": [{"id": 7}]}),
        ("lost/1", {"deliveries": [deliveries[0] | {"id": "a\x00b"}]}),
        ("LOST/1", {"deliveries": []}),
        ("lost/0", {"deliveries": []}),
        ("", {"logs": ["00"], "lists": []}),
        ("", {"logs": [], "lists": [kept | {"lost": 23}]}),
    ):
        answer = await client.put(f"{rows}/{path}".rstrip("/"), json=body)
        assert answer.status_code == 422, (path, body)
