"""Several nodes on one PostgreSQL database, at the same moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import asyncpg
import pytest
from support.claiming import claim_due
from support.making import (
    LEASE_US,
    START_US,
    aged,
    make_acceptance,
    make_application,
    make_change,
    make_endpoint,
    make_entry,
    make_key,
)

from homing.core.lifecycle import Delivery, State
from homing.core.limits import Limits, Quota
from homing.core.queries import LogCursor, Page, Span
from homing.core.records import Accepted, Change, Outdated, Repeated
from homing.core.resources import Application, Endpoint
from homing.core.store import Store
from homing.store.postgres import open_postgres

pytestmark = pytest.mark.postgres


@pytest.fixture
async def nodes(postgres_url: str) -> AsyncIterator[tuple[Store, Store]]:
    """Two stores on one database, as two processes have them."""
    first = await open_postgres(postgres_url, migrate=False)
    second = await open_postgres(postgres_url, migrate=False)
    yield first, second
    await first.close()
    await second.close()


@pytest.fixture
async def application(nodes: tuple[Store, Store]) -> Application:
    made = make_application()
    await nodes[0].put(made)
    return made


def lease_to(holder: str) -> Callable[[Delivery], Change]:
    def decide(before: Delivery) -> Change:
        after = aged(
            before,
            state=State.LEASED,
            holder=holder,
            ready_at_us=START_US + LEASE_US,
            leases=before.leases + 1,
            unanswered=before.unanswered + 1,
        )
        return make_change(before, after, op="leased")

    return decide


async def test_nodes_that_claim_side_by_side_share_the_work(
    nodes: tuple[Store, Store], application: Application
) -> None:
    batch = [make_acceptance(application, ("ep_1",), state=State.WAITING) for _ in range(300)]
    await nodes[0].accept(batch)

    async def drain(node: Store, holder: str) -> list[str]:
        taken: list[str] = []
        while claimed := await claim_due(node, lease_to(holder), at_us=START_US, count=7):
            taken += [str(item.delivery.id) for item in claimed]
        return taken

    shares = await asyncio.gather(*(drain(node, f"{k}") for k in range(4) for node in nodes))

    taken = [name for share in shares for name in share]
    assert len(taken) == len(set(taken)) == 300
    assert sum(bool(share) for share in shares) > 1, "only one of them ever worked"
    assert await nodes[0].misfits(Span(), limit=10) == []


async def test_of_two_requests_with_one_key_exactly_one_is_stored(
    nodes: tuple[Store, Store], application: Application
) -> None:
    for round_ in range(30):
        # The second key of each is its own: nothing of the loser may stay behind.
        pair = [
            make_acceptance(application, keys=(make_key(f"{round_}"), make_key(f"{round_}{node}")))
            for node in "ab"
        ]
        results = [
            result
            for (result,) in await asyncio.gather(
                *(node.accept([item]) for node, item in zip(nodes, pair, strict=True))
            )
        ]
        winner = results.index(Accepted())
        assert results[1 - winner] == Repeated(pair[winner].message.id)
        lost_key = pair[1 - winner].keys[1]
        assert await nodes[0].recall(lost_key, at_us=START_US) is None
    assert await nodes[0].misfits(Span(), limit=10) == []


async def test_batches_with_the_same_keys_in_any_order_end(
    nodes: tuple[Store, Store], application: Application
) -> None:
    keys = [make_key(f"{number}") for number in range(40)]
    one = [make_acceptance(application, keys=(key,)) for key in keys]
    other = [make_acceptance(application, keys=(key,)) for key in reversed(keys)]

    results = await asyncio.gather(nodes[0].accept(one), nodes[1].accept(other))

    for first, second in zip(results[0], reversed(results[1]), strict=True):
        assert [first, second].count(Accepted()) == 1


async def test_an_endpoint_made_after_the_fan_out_makes_it_outdated(
    nodes: tuple[Store, Store], application: Application
) -> None:
    here, there = nodes
    item = make_acceptance(application, ())
    endpoint = make_endpoint(application.id)
    await there.put(endpoint, touch=application.id)

    assert await here.accept([item]) == [Outdated()]

    assert await here.message(application.id, item.message.id) is None


async def test_every_message_accepted_after_an_endpoint_was_made_knows_of_it(
    nodes: tuple[Store, Store], application: Application
) -> None:
    """Messages and endpoints race; each message's fan-out is checked against what was there."""
    here, there = nodes
    made: list[str] = []

    async def make_endpoints() -> None:
        for _ in range(20):
            endpoint = make_endpoint(application.id)
            await there.put(endpoint, touch=application.id)
            made.append(endpoint.id)

    async def publish() -> int:
        outdated = 0
        while len(made) < 20:
            present = await here.get(Application, application.scope, application.id)
            assert present is not None
            endpoints = await here.list(Endpoint, application.id, Page(limit=100))
            certain = set(made)  # they exist now, before the message is accepted
            item = make_acceptance(present, tuple(endpoint.id for endpoint in endpoints))
            (result,) = await here.accept([item])
            outdated += result == Outdated()
            assert result == Outdated() or certain <= {e.id for e in endpoints}
        return outdated

    await asyncio.gather(make_endpoints(), publish())


async def test_endpoints_made_at_once_all_raise_the_version(
    nodes: tuple[Store, Store], application: Application
) -> None:
    await asyncio.gather(
        *(
            nodes[number % 2].put(make_endpoint(application.id), touch=application.id)
            for number in range(24)
        )
    )

    present = await nodes[0].get(Application, application.scope, application.id)
    assert present is not None
    assert present.version == application.version + 24


async def test_the_log_never_passes_a_line_that_is_not_committed_yet(
    nodes: tuple[Store, Store], application: Application, postgres_url: str
) -> None:
    slow = await asyncpg.connect(postgres_url)
    transaction = slow.transaction()
    await transaction.start()
    await slow.execute("SELECT pg_current_xact_id()")
    line = make_entry()
    await nodes[0].accept([make_acceptance(application)])
    assert await nodes[0].log(LogCursor(), limit=10) == []

    await slow.execute(
        "INSERT INTO delivery_log (at_us, mono_us, holder, sequence, op, message_id, endpoint_id,"
        " app_id, to_state, version_before, version_after, rows_written, lease_epoch)"
        " VALUES (1, 1, 'slow', 1, 'accepted', $1, $2, $3, 'waiting', 0, 1, 1, 0)",
        line.message_id,
        line.endpoint_id,
        line.app_id,
    )
    await transaction.commit()
    await slow.close()

    shown = await nodes[0].log(LogCursor(), limit=10)
    assert [logged.entry.holder for logged in shown] == ["slow", "test:1:a"]
    assert await nodes[0].log(shown[0].cursor, limit=10) == shown[1:]


async def test_a_claim_that_stands_still_holds_up_nothing_but_what_it_has_in_hand(
    nodes: tuple[Store, Store], application: Application, postgres_url: str
) -> None:
    for name in ("ep_held", "ep_free"):
        await nodes[0].accept([make_acceptance(application, (name,), state=State.WAITING)])
    limits = {name: ((name, Limits(rate=9, concurrency=9)),) for name in ("ep_held", "ep_free")}
    quotas = [
        Quota(app_id=application.id, endpoint_id=name, count=1, limits=limits[name])
        for name in ("ep_held", "ep_free")
    ]
    stopped = await asyncpg.connect(postgres_url)
    await stopped.execute("INSERT INTO allowances VALUES ('ep_held', 0)")
    await stopped.execute("BEGIN; SELECT FROM allowances WHERE id = 'ep_held' FOR UPDATE")
    async with asyncio.timeout(60):
        claimed = await nodes[0].claim(lease_to("1"), at_us=START_US, quotas=quotas)
    assert [one.delivery.endpoint_id for one in claimed] == ["ep_free"]
    await stopped.execute("ROLLBACK")
    await stopped.close()
    [one] = await nodes[1].claim(lease_to("2"), at_us=START_US, quotas=quotas)
    assert one.delivery.endpoint_id == "ep_held"
