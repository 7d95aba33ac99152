"""What is written along with its cause, for the watch: an endpoint was warned or disabled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from homing.core.operational import Event, is_hidden
from homing.core.ports import Clock
from homing.core.resources import Endpoint, Resource
from homing.insight.alerts.alert import SCOPE
from homing.service.operational import Herald

_NOTABLE: Final = frozenset({Event.ENDPOINT_FAILING, Event.ENDPOINT_DISABLED})


class Signal(Resource, frozen=True, kw_only=True):
    """An endpoint that the watch should look at. Scope: "alerts"; id: the endpoint's."""

    kind = "alert_signal"


def with_signals(herald: Herald, clock: Clock) -> Herald:
    """As `herald`, and for the watch besides.

    It is stored in the transaction of the change, so no crash comes between the two.
    """

    async def tell(
        event: Event, endpoint: Endpoint, mark: int | None, more: Mapping[str, Any]
    ) -> Sequence[Resource]:
        told = await herald(event, endpoint, mark, more)
        if event not in _NOTABLE or is_hidden(endpoint.org_id):
            return told
        at_us = clock.now_us()
        signal = Signal(scope=SCOPE, id=endpoint.id, created_at_us=at_us, updated_at_us=at_us)
        return (*told, signal)

    return tell
