"""Simulated receivers: what they answer, by their mood."""

from __future__ import annotations

from typing import Final

import msgspec

from homing.core.identifiers import DeliveryId
from homing.core.ports import Request, Work
from homing.sim.draws import cumulative


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """How one request goes."""

    name: str
    status: int | None = 200  #: None: hangs, or hangs up
    after_s: float = 0.05  #: when the answer is complete
    is_reset: bool = False  #: it processes the request, and the connection breaks
    headers: tuple[tuple[str, str], ...] = ()
    crash: str = ""  #: the sender crashes "before" or "after" the request is made


#: the first is the calm one
ANSWERS: Final = (
    Answer(name="200"),
    Answer(name="200, slowly", after_s=2.5),
    Answer(name="500", status=500),
    Answer(name="500, slowly", status=500, after_s=3.0),
    Answer(name="200, and the connection breaks", is_reset=True),
    Answer(name="hangs", status=None, after_s=60.0),
    Answer(name="200, after the deadline", after_s=60.0),
    Answer(name="429, come back in 3 s", status=429, headers=(("Retry-After", "3"),)),
    Answer(name="503, come back in 9 years", status=503, headers=(("Retry-After", "300000000"),)),
    Answer(name="410", status=410),
    Answer(name="the sender crashes first", crash="before"),
    Answer(name="200, and the sender crashes", crash="after"),
)

#: how likely each answer is, by the receiver's mood; the first is the calm one
MOODS: Final = ("well", "flaky", "slow", "down", "limited", "gone", "deadly")
WEIGHTS: Final = {
    "well": cumulative(95, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0.1, 0.1),
    "flaky": cumulative(50, 5, 25, 5, 10, 2, 2, 2, 0, 0, 0.3, 0.4),
    "slow": cumulative(20, 40, 5, 15, 5, 5, 8, 0, 0, 0, 0.3, 0.4),
    "down": cumulative(10, 0, 60, 10, 5, 10, 0, 0, 0, 0, 0.3, 0.4),
    "limited": cumulative(40, 0, 5, 0, 0, 0, 0, 45, 5, 0, 0.3, 0.4),
    "gone": cumulative(40, 10, 20, 0, 0, 0, 0, 0, 0, 25, 0.3, 0.4),
    "deadly": cumulative(45, 0, 5, 0, 0, 0, 0, 0, 0, 0, 10, 30),
}
MOOD_WEIGHTS: Final = cumulative(25, 27, 15, 14, 9, 7, 3)


class Labelled(Request, frozen=True, kw_only=True):
    """An unsigned request that says which attempt it is."""

    which: DeliveryId
    epoch: int  #: the number of the lease that it is sent under


def label_of(work: Work, _at_us: int) -> Labelled:
    """The port `Envelope`."""
    delivery = work.delivery
    return Labelled(
        url="https://receiver.example/hook",
        headers=(),
        body=b"",
        pool=delivery.endpoint_id,
        which=delivery.id,
        epoch=delivery.leases,
    )
