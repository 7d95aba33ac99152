"""Claims whatever is due, as a dispatcher without any other work would."""

from __future__ import annotations

from collections.abc import Callable

from homing.core.lifecycle import Delivery
from homing.core.limits import Quota
from homing.core.records import Change, Claimed
from homing.core.store import Store


async def claim_due(
    store: Store, decide: Callable[[Delivery], Change], *, at_us: int, count: int
) -> list[Claimed]:
    """Up to `count` of what is due: as many of each lane as are among the oldest."""
    lanes = await store.due_lanes(at_us, limit=count)
    quotas = [
        Quota(app_id=lane.app_id, endpoint_id=lane.endpoint_id, count=lane.count) for lane in lanes
    ]
    return await store.claim(decide, at_us=at_us, quotas=quotas)
