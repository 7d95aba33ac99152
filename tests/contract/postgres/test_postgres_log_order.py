"""What the order of the log is, and what it is not: the order of one delivery's versions."""

from __future__ import annotations

from typing import Any

import pytest
from support.making import (
    HOLDER,
    LEASE_US,
    SECOND_US,
    START_US,
    make_acceptance,
    make_application,
    make_change,
)

from homing.core.lifecycle import Delivery, Leased, State, step
from homing.core.limits import Limits, Quota
from homing.core.queries import LogCursor
from homing.core.records import Change
from homing.core.retry import RetryPolicy
from homing.service.log_check import check_log
from homing.store import open_store
from homing.store.postgres.claiming import PostgresClaiming

pytestmark = pytest.mark.postgres

LATER_US = START_US + 60 * SECOND_US


def lease(delivery: Delivery) -> Change:
    fact = Leased(at_us=LATER_US, holder=HOLDER, until_us=LATER_US + LEASE_US)
    return make_change(delivery, step(delivery, fact, RetryPolicy()), op="leased")


async def test_a_claim_that_began_before_what_it_takes_was_accepted_is_no_breach(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim within limits locks them first, and is the older transaction from then on."""
    one, other = await open_store(postgres_url), await open_store(postgres_url)
    application = make_application()
    await one.put(application)
    locked = PostgresClaiming._known

    async def accepted_meanwhile(self: Any, *given: Any) -> Any:
        known = await locked(self, *given)
        item = make_acceptance(application, ("ep_a",), state=State.WAITING)
        await other.accept([item])
        return known

    monkeypatch.setattr(PostgresClaiming, "_known", accepted_meanwhile)
    limits = (("ep_a", Limits(rate=50)),)
    quota = Quota(app_id=application.id, endpoint_id="ep_a", count=10, limits=limits)
    assert len(await one.claim(lease, at_us=LATER_US, quotas=[quota])) == 1

    assert [line.entry.op for line in await one.log(LogCursor(), limit=10)] == [
        "leased",
        "accepted",
    ]
    found = await check_log(one, look_every_s=0.0)
    assert (found.deliveries, found.lines, found.count) == (1, 2, 0), found.breaches
    await one.close()
    await other.close()
