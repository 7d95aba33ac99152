"""What storing documents promises."""

from __future__ import annotations

import msgspec
import pytest
from support.making import (
    ORG_ID,
    SECOND_US,
    START_US,
    make_acceptance,
    make_application,
    make_endpoint,
    make_event_type,
    make_key,
)

from homing.core.errors import Conflict, Stale
from homing.core.queries import Page
from homing.core.records import Accepted, Outdated, Reply
from homing.core.resources import Application, Endpoint, EventType, Secret
from homing.core.store import Store
from homing.review.incident import Digest, Found, Incident, Result, add, opened

ALL = Page(limit=100)
CREATED = Reply(status=201, body=b'{"id":"1"}')


async def test_a_resource_is_found_by_its_id_and_by_its_uid(store: Store) -> None:
    application = make_application(uid="shop", metadata={"team": "payments"}, rate_limit=5)
    await store.put(application)
    assert await store.get(Application, ORG_ID, application.id) == application
    assert await store.get(Application, ORG_ID, "shop") == application


async def test_every_field_of_an_endpoint_comes_back(store: Store) -> None:
    endpoint = make_endpoint(
        secrets=(Secret(key="whsec_b25l"), Secret(key="whsec_dHdv", expires_at_us=START_US)),
        event_types=("payment.captured",),
        channels=("eu",),
        headers={"x-shop": "7"},
        disabled=True,
        disabled_reason="by ada",
        disabled_at_us=START_US,
        retry_delays_s=(1.0, 2.5),
    )
    await store.put(endpoint)
    assert await store.get(Endpoint, endpoint.scope, endpoint.id) == endpoint


async def test_a_resource_is_not_found_in_another_scope_or_kind(store: Store) -> None:
    application = make_application(uid="shop")
    await store.put(application)
    for name in (application.id, "shop"):
        assert await store.get(Application, "org_2", name) is None
        assert await store.get(Endpoint, ORG_ID, name) is None


async def test_an_id_is_looked_for_before_a_uid(store: Store) -> None:
    named = make_event_type("payment.captured")
    nicknamed = make_event_type("refund.created", uid="payment.captured")
    await store.put(nicknamed)
    await store.put(named)
    assert await store.get(EventType, ORG_ID, "payment.captured") == named


async def test_an_id_can_be_used_once_in_a_scope(store: Store) -> None:
    await store.put(make_event_type())
    with pytest.raises(Conflict):
        await store.put(make_event_type(description="another"))
    await store.put(make_event_type(scope="org_2"))
    found = await store.get(EventType, ORG_ID, "payment.captured")
    assert found == make_event_type()


async def test_a_uid_can_be_used_once_in_a_scope(store: Store) -> None:
    await store.put(make_application(uid="shop"))
    with pytest.raises(Conflict):
        await store.put(make_application(uid="shop"))
    await store.put(make_application(scope="org_2", uid="shop"))
    await store.put(make_endpoint(ORG_ID, uid="shop"))


async def test_a_uid_taken_by_another_cannot_be_taken_over(store: Store) -> None:
    mine = make_application(uid="mine")
    await store.put(mine)
    await store.put(make_application(uid="theirs"))
    with pytest.raises(Conflict):
        await store.put(msgspec.structs.replace(mine, uid="theirs", version=2))
    assert await store.get(Application, ORG_ID, "mine") == mine


async def test_a_uid_is_free_again_once_its_owner_is_gone_or_renamed(store: Store) -> None:
    first = make_application(uid="shop")
    await store.put(first)
    await store.delete(first)
    second = make_application(uid="shop")
    await store.put(second)
    await store.put(msgspec.structs.replace(second, uid=None, version=2))
    third = make_application(uid="shop")
    await store.put(third)
    assert await store.get(Application, ORG_ID, "shop") == third


async def test_a_write_must_name_the_version_it_was_made_from(store: Store) -> None:
    application = make_application()
    await store.put(application)
    second = msgspec.structs.replace(application, name="Refunds", version=2)
    await store.put(second)
    for version in (2, 4):
        with pytest.raises(Stale):
            await store.put(msgspec.structs.replace(application, version=version))
    assert await store.get(Application, ORG_ID, application.id) == second


async def test_what_does_not_exist_cannot_be_replaced(store: Store) -> None:
    with pytest.raises(Stale):
        await store.put(make_application(version=2))


async def test_touching_raises_the_version_of_the_application(store: Store) -> None:
    application = make_application()
    await store.put(application)
    endpoint = make_endpoint(application.id)
    await store.put(endpoint, touch=application.id)
    await store.delete(endpoint, touch=application.id)
    found = await store.get(Application, ORG_ID, application.id)
    assert found == msgspec.structs.replace(application, version=3)
    assert await store.list(Application, ORG_ID, ALL) == [found]
    assert await store.by_ids(Application, [application.id]) == [found]


async def test_a_touched_application_refuses_the_fan_out_of_before(store: Store) -> None:
    application = make_application()
    await store.put(application)
    before, after = make_acceptance(application), None
    await store.put(make_endpoint(application.id), touch=application.id)
    assert await store.accept([before]) == [Outdated()]
    after = make_acceptance(msgspec.structs.replace(application, version=2))
    assert await store.accept([after]) == [Accepted()]


async def test_nothing_is_written_for_an_application_that_is_gone(store: Store) -> None:
    endpoint = make_endpoint()
    with pytest.raises(Stale):
        await store.put(endpoint, touch=endpoint.scope)
    assert await store.get(Endpoint, endpoint.scope, endpoint.id) is None


async def test_a_write_that_fails_touches_nothing(store: Store) -> None:
    application = make_application()
    await store.put(application)
    with pytest.raises(Stale):
        await store.put(make_endpoint(application.id, version=2), touch=application.id)
    assert await store.get(Application, ORG_ID, application.id) == application


async def test_a_deleted_application_takes_its_endpoints_with_it(store: Store) -> None:
    application, other = make_application(), make_application()
    for kept in (application, other):
        await store.put(kept)
        await store.put(make_endpoint(kept.id))
    await store.delete(application)
    assert await store.get(Application, ORG_ID, application.id) is None
    assert await store.list(Endpoint, application.id, ALL) == []
    assert len(await store.list(Endpoint, other.id, ALL)) == 1


async def test_deleting_what_is_gone_does_nothing(store: Store) -> None:
    application = make_application()
    await store.put(application)
    await store.delete(make_endpoint(application.id), touch=application.id)
    assert await store.get(Application, ORG_ID, application.id) == application


async def test_resources_are_found_by_their_ids_in_any_scope(store: Store) -> None:
    one, other, third = make_endpoint(), make_endpoint(), make_endpoint()
    for endpoint in (one, other, third):
        await store.put(endpoint)
    found = await store.by_ids(Endpoint, [other.id, "ep_unknown", one.id])
    assert sorted(found, key=lambda endpoint: endpoint.id) == [one, other]
    assert await store.by_ids(Endpoint, []) == []


async def test_a_listing_is_paged_by_id_in_both_directions(store: Store) -> None:
    names = [f"type.{number}" for number in range(7)]
    for name in reversed(names):
        await store.put(make_event_type(name))
    await store.put(make_event_type("type.9", scope="org_2"))

    async def page(limit: int, after: str | None, descending: bool) -> list[str]:
        wanted = Page(limit=limit, after=after, descending=descending)
        return [found.id for found in await store.list(EventType, ORG_ID, wanted)]

    assert await page(3, None, False) == names[:3]
    assert await page(3, names[2], False) == names[3:6]
    assert await page(3, names[5], False) == names[6:]
    assert await page(3, names[6], False) == []
    assert await page(3, None, True) == names[:3:-1]
    assert await page(3, names[2], True) == [names[1], names[0]]


async def test_names_that_begin_alike_are_paged_without_a_gap(store: Store) -> None:
    names = ["a", "a-b", "a.b", "a_b", "aB", "ab"]
    for name in names:
        await store.put(make_event_type(name))
    for descending in (False, True):
        seen: list[str] = []
        while len(seen) < 10:
            after = seen[-1] if seen else None
            page = Page(limit=1, after=after, descending=descending)
            found = await store.list(EventType, ORG_ID, page)
            if not found:
                break
            seen.append(found[0].id)
        assert seen == sorted(names, reverse=descending)


# --- keys -------------------------------------------------------------------------------------


async def test_the_reply_to_a_creating_request_is_kept_with_its_key(store: Store) -> None:
    await store.put(make_application(), key=make_key(), reply=CREATED)
    assert await store.recall(make_key(), at_us=START_US) == CREATED


async def test_a_key_nobody_used_recalls_nothing(store: Store) -> None:
    assert await store.recall(make_key(), at_us=START_US) is None


async def test_a_key_with_another_body_is_a_conflict(store: Store) -> None:
    await store.remember(make_key(body="one"), CREATED, at_us=START_US)
    with pytest.raises(Conflict):
        await store.recall(make_key(body="two"), at_us=START_US)


async def test_a_key_used_before_creates_nothing(store: Store) -> None:
    await store.put(make_application(), key=make_key(), reply=CREATED)
    again = make_application()
    with pytest.raises(Conflict):
        await store.put(again, key=make_key(), reply=CREATED)
    assert await store.get(Application, ORG_ID, again.id) is None


async def test_a_request_that_failed_burns_no_key(store: Store) -> None:
    with pytest.raises(Stale):
        await store.put(make_application(version=2), key=make_key(), reply=CREATED)
    assert await store.recall(make_key(), at_us=START_US) is None


async def test_an_expired_key_is_unknown(store: Store) -> None:
    brief = make_key(expires_at_us=START_US + SECOND_US)
    await store.put(make_application(), key=brief, reply=CREATED)
    assert await store.recall(brief, at_us=START_US + SECOND_US - 1) == CREATED
    assert await store.recall(brief, at_us=START_US + SECOND_US) is None
    later = make_application(updated_at_us=START_US + SECOND_US)
    other = Reply(status=201, body=b"other")
    await store.put(later, key=make_key(body="new"), reply=other)
    assert await store.recall(make_key(body="new"), at_us=START_US + SECOND_US) == other


async def test_the_first_reply_is_the_one_remembered(store: Store) -> None:
    brief = make_key(expires_at_us=START_US + SECOND_US)
    await store.remember(brief, CREATED, at_us=START_US)
    other = Reply(status=200, body=b"")
    await store.remember(make_key(), other, at_us=START_US)
    assert await store.recall(make_key(), at_us=START_US) == CREATED
    await store.remember(make_key(), other, at_us=START_US + SECOND_US)
    assert await store.recall(make_key(), at_us=START_US + SECOND_US) == other


async def test_the_key_of_a_message_recalls_the_message(store: Store) -> None:
    application = make_application()
    await store.put(application)
    item = make_acceptance(application, keys=(make_key(),))
    await store.accept([item])
    assert await store.recall(make_key(), at_us=START_US) == item.message


async def test_a_listing_without_a_scope_has_everybody_s(store: Store) -> None:
    endpoints = [make_endpoint() for _ in range(5)]
    for endpoint in reversed(endpoints):
        await store.put(endpoint)
    await store.put(make_application())
    first = await store.list(Endpoint, None, Page(limit=3))
    rest = await store.list(Endpoint, None, Page(limit=3, after=first[-1].id))
    assert first + rest == endpoints
    assert await store.list(Endpoint, None, Page(limit=9, descending=True)) == endpoints[::-1]


async def test_an_incident_comes_back_with_its_results_and_its_timeline(store: Store) -> None:
    made = opened(scope=ORG_ID, id="inc_1", title="missing", at_us=START_US, actor="ana")
    await store.put(made)
    result = Result(
        step="investigate",
        command="homing investigate log",
        at_us=START_US,
        by="ana",
        inputs=(Digest(name="log", sha256="ab", size_bytes=3),),
        values={"rate": {"value": 0.003, "low": 1e-9}, "windows": [{"dropped": 1}], "since": None},
    )
    found = Found(name="investigate", result=result, text="found", kept={"ab": "x"})
    after = add(made, found, at_us=START_US + SECOND_US, actor="bo")
    await store.put(after)
    assert await store.get(Incident, ORG_ID, "inc_1") == after
    assert await store.list(Incident, ORG_ID, ALL) == [after]
    with pytest.raises(Stale):
        await store.put(after)
