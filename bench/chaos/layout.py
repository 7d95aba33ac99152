"""Which message goes to which endpoints, and how each endpoint behaves: arithmetic, so that a
million deliveries are counted in arrays. Pure.

Endpoints are numbered from 0 and messages too. There are as many groups, each an event type, as
`fanout` goes into the endpoints; message n is of group n mod groups, and goes to the endpoints e
with e mod groups the same. Its k-th delivery is number n * fanout + k.
"""

from __future__ import annotations

import random

import msgspec

#: requests for one delivery that a failing endpoint refuses before it takes it
REFUSALS = 2


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """Endpoints, and how they behave."""

    endpoints: int
    fanout: int  #: endpoints a message goes to
    #: these refuse each delivery twice
    failing: frozenset[int] = frozenset()
    #: these never answer
    hanging: frozenset[int] = frozenset()

    @property
    def groups(self) -> int:
        return self.endpoints // self.fanout

    def group_of(self, message: int) -> int:
        return message % self.groups

    def deliveries_of(self, message: int) -> range:
        return range(message * self.fanout, (message + 1) * self.fanout)

    def delivery(self, message: int, endpoint: int) -> int | None:
        """The number of the delivery; None: this message does not go there."""
        if endpoint >= self.endpoints or endpoint % self.groups != message % self.groups:
            return None
        return message * self.fanout + endpoint // self.groups

    def endpoint_of(self, delivery: int) -> int:
        message, place = divmod(delivery, self.fanout)
        return place * self.groups + self.group_of(message)


def make_layout(
    *, endpoints: int, fanout: int, failing: float, hanging: float, seed: int
) -> Layout:
    """Draw which endpoints misbehave.

    Args:
        failing: their share, in [0, 1]; rounded to whole endpoints, but not down to none.
        hanging: the same; no endpoint is both.

    Raises:
        ValueError: `fanout` does not divide `endpoints`, or all of them would hang.
    """
    if fanout < 1 or endpoints % fanout:
        raise ValueError(f"{endpoints} endpoints cannot be divided among {fanout} per message")
    order = list(range(endpoints))
    random.Random(f"layout {seed}").shuffle(order)
    hang = max(1, round(endpoints * hanging)) if hanging else 0
    fail = max(1, round(endpoints * failing)) if failing else 0
    if hang >= endpoints:
        raise ValueError("every endpoint would hang: nothing could be received")
    return Layout(
        endpoints=endpoints,
        fanout=fanout,
        hanging=frozenset(order[:hang]),
        failing=frozenset(order[hang : hang + fail]),
    )
