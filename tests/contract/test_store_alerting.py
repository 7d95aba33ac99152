"""What whoever watches asks of a store: dead letters by endpoint, and several documents at once."""

from __future__ import annotations

from typing import Any

import pytest
from support.making import (
    SECOND_US,
    START_US,
    aged,
    make_acceptance,
    make_application,
    make_change,
    make_endpoint,
)

from homing.core.errors import Conflict, Stale
from homing.core.lifecycle import State
from homing.core.queries import DeadLetters
from homing.core.resources import Application
from homing.core.store import Aftermath, Store


async def die(store: Store, application: Application, endpoint_id: str, *at_us: int) -> None:
    """Dead letters of an endpoint, died at these times; and one delivered beside them."""
    for when in (*at_us, None):
        item = make_acceptance(application, (endpoint_id,))
        await store.accept([item])
        [before] = item.deliveries
        state = State.DELIVERED if when is None else State.DEAD
        after = aged(
            before,
            state=state,
            ready_at_us=None,
            holder=None,
            unanswered=0,
            finished_at_us=when or START_US,
            reason=None if when is None else "attempts_exhausted",
        )
        assert await store.settle([make_change(before, after)]) == [True]


async def asked(store: Store, **more: Any) -> list[DeadLetters]:
    given = {"after": "", "limit": 10, "most": 100}
    return await store.dead_letters(
        recent_us=START_US + 50, past_us=START_US + 20, **(given | more)
    )


async def test_dead_letters_are_counted_by_endpoint_and_age(
    store: Store, application: Application
) -> None:
    await die(store, application, "ep_b", START_US + 10, START_US + 60, START_US + 30)
    await die(store, application, "ep_a", START_US + 70)
    await die(store, application, "ep_c")
    assert await asked(store) == [
        DeadLetters(
            endpoint_id="ep_a",
            app_id=application.id,
            count=1,
            recent=1,
            past=1,
            oldest_at_us=START_US + 70,
            newest_at_us=START_US + 70,
        ),
        DeadLetters(
            endpoint_id="ep_b",
            app_id=application.id,
            count=3,
            recent=1,
            past=2,
            oldest_at_us=START_US + 10,
            newest_at_us=START_US + 60,
        ),
    ]
    assert [one.endpoint_id for one in await asked(store, limit=1)] == ["ep_a"]
    assert [one.endpoint_id for one in await asked(store, after="ep_a")] == ["ep_b"]
    [_, capped] = await asked(store, most=2)
    assert (capped.count, capped.recent, capped.past) == (2, 1, 2)


async def test_several_documents_are_replaced_together_or_not_at_all(
    store: Store, application: Application
) -> None:
    one, other = make_endpoint(application.id), make_endpoint(application.id)
    await store.settle_with([], lambda _: Aftermath(more=(one, other)))

    def later(endpoint: Any, version: int) -> Any:
        return type(endpoint)(
            **{name: getattr(endpoint, name) for name in endpoint.__struct_fields__}
            | {"version": version, "description": "changed", "updated_at_us": START_US + SECOND_US}
        )

    for wrong, error in ((later(other, 3), Stale), (later(other, 1), Conflict)):
        with pytest.raises(error):
            await store.settle_with(
                [], lambda _, wrong=wrong: Aftermath(more=(later(one, 2), wrong))
            )
        assert {e.description for e in await store.by_ids(type(one), [one.id, other.id])} == {""}
    await store.settle_with(
        [], lambda _: Aftermath(resource=make_application(), more=(later(one, 2), later(other, 2)))
    )
    found = await store.by_ids(type(one), [one.id, other.id])
    assert {e.description for e in found} == {"changed"}
