"""How endpoints are, in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from homing.core.identifiers import first_id
from homing.core.lifecycle import State
from homing.core.outcome import Reason
from homing.core.records import Attempt
from homing.core.watching import Failure, Load, Slice, Tried
from homing.store.memory.tables import Tables
from homing.store.watching import ATTEMPTS_END, in_order


class MemoryWatching(Tables):
    """`core.watching.Watching` in memory."""

    async def loads(
        self,
        endpoints: Sequence[tuple[str, str]],
        *,
        since_us: int,
        accepted_us: int,
        most: int,
    ) -> dict[str, Load]:
        low = first_id("atmpt_", since_us)
        return {
            endpoint_id: self._load(app_id, endpoint_id, low, first_id("msg_", accepted_us), most)
            for app_id, endpoint_id in endpoints
        }

    def _load(self, app_id: str, endpoint_id: str, low: str, accepted: str, most: int) -> Load:
        states: dict[State, list[int]] = {state: [] for state in State}
        for one in self.hot.values():
            if (one.app_id, one.endpoint_id) == (app_id, endpoint_id):
                states[one.state].append(one.ready_at_us or 0)
        dead = [
            one.message_id
            for one in self.history.values()
            if one.endpoint_id == endpoint_id and one.state is State.DEAD
        ]
        newest = self._newest(endpoint_id, low, ATTEMPTS_END, most)
        return Load(
            endpoint_id=endpoint_id,
            attempts=dict(Counter(attempt.reason for attempt in newest)),
            waiting=min(len(states[State.WAITING]), most),
            leased=min(len(states[State.LEASED]), most),
            parked=min(len(states[State.PARKED]), most),
            dead=min(len(dead), most),
            dead_recent=min(sum(message_id >= accepted for message_id in dead), most),
            next_at_us=min(states[State.WAITING], default=None),
        )

    def _newest(self, endpoint_id: str, low: str, high: str, most: int) -> list[Attempt]:
        found = [
            attempt
            for attempt in self.attempted.values()
            if attempt.endpoint_id == endpoint_id and low <= attempt.id < high
        ]
        return sorted(found, key=lambda attempt: attempt.id, reverse=True)[:most]

    async def slices(
        self, endpoint_id: str, edges: Sequence[int], *, counted: int, sampled: int
    ) -> list[Slice]:
        found = []
        for since_us, until_us in pairwise(edges):
            low, high = first_id("atmpt_", since_us), first_id("atmpt_", until_us)
            newest = self._newest(endpoint_id, low, high, max(counted, sampled))
            found.append(
                Slice(
                    since_us=since_us,
                    until_us=until_us,
                    counts=dict(Counter(one.reason for one in newest[:counted])),
                    tried=[Tried(one.reason, one.status, one.total_us) for one in newest[:sampled]],
                )
            )
        return found

    async def failures(self, endpoint_id: str, since_us: int, *, most: int) -> list[Failure]:
        low = first_id("atmpt_", since_us)
        every = self._newest(endpoint_id, low, ATTEMPTS_END, len(self.attempted))
        failed = [one for one in every if one.reason is not Reason.OK][:most]
        counts = Counter((one.reason, one.status) for one in failed)
        return in_order((*how, count) for how, count in counts.items())
