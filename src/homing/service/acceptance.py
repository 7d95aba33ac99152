"""How the publishers of one process are answered: the one indicator that leaves no row behind."""

from __future__ import annotations

from collections.abc import Sequence

from homing.core.objectives import Limits, Owner, Sli, Tally


class AcceptanceCounts:
    """How a process's publishers were answered, since that was last written down."""

    def __init__(self, limits: Limits) -> None:
        self._in_time_us = limits.accept_us
        self._counts = {"": 0, "slow": 0, "refused": 0}

    def answered(self, count: int, waited_us: int) -> None:
        """So many requests were answered, the first of them after this long."""
        self._counts["" if waited_us <= self._in_time_us else "slow"] += count

    def refused(self, count: int) -> None:
        """So many valid requests got no 2xx, for a reason of ours."""
        self._counts["refused"] += count

    def take(self, minute_us: int) -> list[Tally]:
        """The counts, which begin again at 0."""
        found = [
            service_tally(minute_us, Sli.ACCEPTANCE, rule or None, count)
            for rule, count in self._counts.items()
            if count
        ]
        self._counts = dict.fromkeys(self._counts, 0)
        return found

    def put_back(self, tallies: Sequence[Tally]) -> None:
        """They could not be written."""
        for one in tallies:
            self._counts[one.rule] += one.count


def service_tally(minute_us: int, sli: Sli, rule: str | None, count: int) -> Tally:
    """Events of the service as a whole; bad ones, with a rule, are the platform's."""
    owner = None if rule is None else Owner.PLATFORM
    return Tally(scope="", at_us=minute_us, sli=sli, owner=owner, rule=rule or "", count=count)
