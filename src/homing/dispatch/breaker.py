"""A circuit breaker for each endpoint of one process: it delays, and never drops.

While one is open nothing of its endpoint is taken except one attempt for each cool-down, the probe.
The deliveries stay due: no attempt is spent on them. What opens it are attempts that got no answer
in a row: they hold a place for as long as a request may take, and learn nothing. An answer, also a
5xx, costs little, and the retry schedule of its delivery is the right thing for it.
"""

from __future__ import annotations

from typing import Final

import msgspec

from homing.core.outcome import UNANSWERED, Reason

#: the first cool-down; each probe that fails doubles it
FIRST_US: Final = 1_000_000
#: what is known of an endpoint is forgotten so long after its cool-down, if nobody asks for it
_FORGET_US: Final = 600_000_000

#: these do not come from the receiver
_TELLS_NOTHING: Final = frozenset(
    {Reason.SIGN_FAILED, Reason.URL_INVALID, Reason.ADDRESS_BLOCKED, Reason.NO_OUTCOME}
)


class BreakerRules(msgspec.Struct, frozen=True, kw_only=True):
    """When a breaker opens and for how long."""

    failures: int = 5  #: attempts in a row without an answer; 0: never
    cool_down_max_s: float = 60.0


class _Breaker(msgspec.Struct):
    failures: int = 0  #: in a row
    open_until_us: int | None = None  #: None: closed
    cool_down_us: int = FIRST_US
    probing: bool = False  #: the one attempt of this cool-down is under way


class Breakers:
    """Those of one process. Pure: monotonic time (µs) and chance are arguments."""

    def __init__(self, rules: BreakerRules) -> None:
        self._rules = rules
        self.known: dict[str, _Breaker] = {}  #: endpoints that gave no answer lately, by id
        self.open = 0  #: how many are open

    def allows(self, endpoint_id: str, now_us: int) -> int | None:
        """How many attempts may be begun now: None as many as one likes, otherwise 0 or 1."""
        breaker = self.known.get(endpoint_id)
        if breaker is None or breaker.open_until_us is None:
            return None
        return 0 if breaker.probing or now_us < breaker.open_until_us else 1

    def is_open(self, endpoint_id: str) -> bool:
        """Whether an endpoint is only probed."""
        breaker = self.known.get(endpoint_id)
        return breaker is not None and breaker.open_until_us is not None

    def wait_us(self, endpoint_id: str, now_us: int) -> int:
        """How long until its next probe; 0 while one is under way."""
        breaker = self.known.get(endpoint_id)
        if breaker is None or breaker.open_until_us is None:
            return 0
        return max(breaker.open_until_us - now_us, 0)

    def begin(self, endpoint_id: str) -> None:
        """An attempt is begun; when the breaker is open, it is the probe."""
        breaker = self.known.get(endpoint_id)
        if breaker is not None and breaker.open_until_us is not None:
            breaker.probing = True

    def give_up(self, endpoint_id: str) -> None:
        """Nothing is under way any more: if there was to be a probe, it told nothing."""
        breaker = self.known.get(endpoint_id)
        if breaker is not None:
            breaker.probing = False

    def observe(self, endpoint_id: str, reason: Reason, now_us: int, chance: float) -> str | None:
        """What came of an attempt; "opened" or "closed" when it changed something.

        Args:
            chance: in [0, 1), spreads the probes of many processes.
        """
        if reason not in UNANSWERED:
            return None if reason in _TELLS_NOTHING else self.forget(endpoint_id)
        if not self._rules.failures:
            return None
        breaker = self.known.setdefault(endpoint_id, _Breaker())
        breaker.failures += 1
        if breaker.open_until_us is None:
            if breaker.failures < self._rules.failures:
                return None
            self.open += 1
            self._cool_down(breaker, now_us, chance)
            return "opened"
        if breaker.probing:
            breaker.cool_down_us *= 2
            self._cool_down(breaker, now_us, chance)
        return None  # one that was begun before it opened tells nothing new

    def _cool_down(self, breaker: _Breaker, now_us: int, chance: float) -> None:
        most_us = round(self._rules.cool_down_max_s * 1_000_000)
        breaker.cool_down_us = min(breaker.cool_down_us, most_us)
        breaker.open_until_us = now_us + round(breaker.cool_down_us * (0.75 + 0.25 * chance))
        breaker.probing = False

    def forget(self, endpoint_id: str) -> str | None:
        """It answered, or is gone or disabled; "closed" when it was open."""
        breaker = self.known.pop(endpoint_id, None)
        if breaker is None or breaker.open_until_us is None:
            return None
        self.open -= 1
        return "closed"

    def forget_old(self, now_us: int) -> int:
        """Drop what nobody has asked for in ten minutes beyond its cool-down; how many were."""
        old = [
            endpoint_id
            for endpoint_id, breaker in self.known.items()
            if breaker.open_until_us is not None and breaker.open_until_us + _FORGET_US < now_us
        ]
        for endpoint_id in old:
            self.forget(endpoint_id)
        return len(old)
