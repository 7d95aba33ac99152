"""The receivers of the lab: how long each takes to answer, what it answers, and its bad hours.

Nothing in here drops anything. Receivers are slow, overloaded or away now and then, as real ones
are, and answer the truth: a status is 2xx only if the webhook was taken.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

import msgspec

from homing.lab.draws import Draws, sums_of

#: what a bad hour is like
OVERLOADED: Final = "overloaded"  #: some requests hang and then fail, some are refused at once
AWAY: Final = "away"  #: nothing is answered: refused by the gateway, or never
LIMITED: Final = "limited"  #: 429 for most

#: a request that is never answered; longer than any sender waits
NEVER_S: Final = 3_600.0


class Temper(msgspec.Struct, frozen=True, kw_only=True):
    """How the receivers of one incident behave."""

    count: int = 24  #: receivers
    median_s: float = 0.14  #: of an answer in good hours
    spread: float = 0.7  #: of its logarithm
    fault_share: float = 0.002  #: answers that are 5xx in good hours
    hang_share: float = 0.0  #: requests that are never answered in good hours
    bad_share: float = 0.02  #: of the time spent in bad hours, on average over receivers
    unevenness: float = 0.75  #: of that share among receivers: 0: all have the same
    bad_mean_s: float = 1_500.0  #: how long they last
    kinds: tuple[str, ...] = (OVERLOADED, AWAY)
    #: overloaded: shares of requests that hang and then fail, and that are refused at once
    hangs: float = 0.25
    refused: float = 0.45
    hang_s: tuple[float, float] = (4.0, 28.0)  #: how long a hanging request takes to fail


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What comes back, and when."""

    status: int
    after_s: float


class Receivers:
    """All receivers of one week.

    Args:
        temper: how they are.
        draws: a stream of their own.
        end_s: how long the week is.
    """

    def __init__(self, temper: Temper, draws: Draws, end_s: float) -> None:
        self.temper = temper
        self.names = [f"ep_{_letters(draws)}" for _ in range(temper.count)]
        #: a few have most of the traffic
        self.weights = sums_of([1 / (rank + 1.5) for rank in range(temper.count)])
        self._draws = draws
        self._medians = {name: draws.skewed(temper.median_s, 0.5) for name in self.names}
        self._bad = {name: self._bad_hours(end_s) for name in self.names}

    def _bad_hours(self, end_s: float) -> tuple[list[float], list[tuple[float, str]]]:
        """Begins, and (end, kind) of each, in order of time; some receivers have far more."""
        temper, draws = self.temper, self._draws
        share = min(0.5, temper.bad_share * draws.skewed(0.75, temper.unevenness))
        begins: list[float] = []
        ends: list[tuple[float, str]] = []
        at = draws.wait(temper.bad_mean_s * (1 - share) / share) if share else end_s
        while at < end_s:
            end = at + draws.wait(temper.bad_mean_s)
            begins.append(at)
            ends.append((end, draws.pick(temper.kinds)))
            at = end + draws.wait(temper.bad_mean_s * (1 - share) / share)
        return begins, ends

    def state_of(self, name: str, at_s: float) -> str | None:
        """What kind of bad hour it is in, or None in a good one."""
        begins, ends = self._bad[name]
        index = bisect_right(begins, at_s) - 1
        if index < 0 or ends[index][0] <= at_s:
            return None
        return ends[index][1]

    def answer(self, name: str, at_s: float) -> Answer:
        """What this receiver does with a request that reaches it at that time."""
        draws, temper = self._draws, self.temper
        usual_s = draws.skewed(self._medians[name], temper.spread)
        state = self.state_of(name, at_s)
        drawn = draws.random()
        if state is None:
            if drawn < temper.hang_share:
                return Answer(0, NEVER_S)
            is_fault = drawn < temper.hang_share + temper.fault_share
            return Answer(draws.pick((500, 502, 503)) if is_fault else 200, usual_s)
        if state == AWAY:
            return Answer(503, usual_s) if drawn < 0.7 else Answer(0, NEVER_S)
        if state == LIMITED:
            return Answer(429 if drawn < 0.8 else 200, usual_s)
        if drawn < temper.hangs:
            return Answer(504, draws.between(*temper.hang_s))
        if drawn < temper.hangs + temper.refused:
            return Answer(503, usual_s)
        return Answer(200, usual_s * 6)


def _letters(draws: Draws) -> str:
    return "".join(draws.pick("abcdefghjkmnpqrstuvwxyz23456789") for _ in range(8))
