"""What came and what was not delivered, minute by minute, as the audits counted it.

Each process keeps this from its own audits, so whoever takes over the watch has it already.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from homing.core.queries import LedgerRow
from homing.insight.alerts.change import Change, Window, find_rise

MINUTE_US: Final = 60_000_000
#: a minute is counted when it is so old: an attempt and its first retry are over by then
_SETTLED_US: Final = 2 * MINUTE_US
#: minutes that are kept: three hours
KEPT: Final = 180
#: endpoints that are kept, the ones with the latest traffic
_ENDPOINTS_MAX: Final = 2_000
#: minutes that say how it is now
_NOW: Final = 10
#: fewer failures than this are no change worth a person's time
_BAD_LEAST: Final = 10


class Minutes:
    """The last three hours of every endpoint and application."""

    def __init__(self) -> None:
        self._upto_us: int | None = None  #: minutes before this one were taken
        self._endpoints: dict[str, deque[Window]] = {}
        self._apps_of: dict[str, str] = {}
        self._risen: dict[str, Change] = {}
        #: minutes that were counted, whether or not anything came
        self.observed: deque[int] = deque(maxlen=KEPT)
        self._traffic: dict[str, dict[int, int]] = defaultdict(dict)

    def add(self, rows: Sequence[LedgerRow], since_us: int, until_us: int) -> list[int]:
        """What an audit counted in windows of a minute.

        Args:
            rows: of the deliveries accepted within the span.
            since_us, until_us: the span; minutes that it cuts are left out.

        Returns:
            The minutes that were counted now for the first time.
        """
        first_us = -(-since_us // MINUTE_US) * MINUTE_US
        if self._upto_us is not None:
            first_us = max(first_us, self._upto_us)
        last_us = (until_us - _SETTLED_US) // MINUTE_US * MINUTE_US
        fresh = list(range(first_us, last_us, MINUTE_US))
        if not fresh:
            return fresh
        self._upto_us = last_us
        wanted = set(fresh)
        for row in rows:
            if row.window_at_us in wanted:
                self._take(row)
        self.observed.extend(fresh)
        self._forget()
        return fresh

    def _take(self, row: LedgerRow) -> None:
        bad = row.accepted - row.delivered - row.cancelled - row.parked
        window = Window(row.window_at_us, min(max(bad, 0), row.accepted), row.accepted)
        self._apps_of[row.endpoint_id] = row.app_id
        series = self._endpoints.pop(row.endpoint_id, None) or deque(maxlen=KEPT)
        series.append(window)
        self._endpoints[row.endpoint_id] = series  # to the end: the latest
        of_app = self._traffic[row.app_id]
        of_app[row.window_at_us] = of_app.get(row.window_at_us, 0) + row.accepted

    def _forget(self) -> None:
        for endpoint_id in list(self._endpoints)[: max(len(self._endpoints) - _ENDPOINTS_MAX, 0)]:
            del self._endpoints[endpoint_id], self._apps_of[endpoint_id]
        oldest_us = self.observed[0]
        for app_id, minutes in list(self._traffic.items()):
            for at_us in [at_us for at_us in minutes if at_us < oldest_us]:
                del minutes[at_us]
            if not minutes:
                del self._traffic[app_id]

    @property
    def endpoints(self) -> int:
        """How many have had traffic of late."""
        return len(self._endpoints)

    def traffic(self) -> Mapping[str, Mapping[int, int]]:
        """Deliveries accepted by application and minute; minutes without any are not named."""
        return self._traffic

    def accepted_per_s(self) -> float:
        """Deliveries a second over the last ten minutes that were counted; 0.0 for none."""
        lately = set(list(self.observed)[-_NOW:])
        count = sum(n for of in self._traffic.values() for at, n in of.items() if at in lately)
        return count / (len(lately) * 60) if lately else 0.0

    def rises(self) -> Iterable[tuple[str, str, Change]]:
        """(application, endpoint, change) of those that fail far more now than before.

        What goes on for longer than is kept has no "before" any more: it is remembered.
        """
        lately = set(list(self.observed)[-_NOW:])
        for endpoint_id, series in list(self._endpoints.items()):
            now = [one for one in series if one.at_us in lately]
            change = rise_of(list(series), now)
            known = self._risen.pop(endpoint_id, None)
            if change is None and known is not None and is_still(known, now):
                change = known
            if change is not None:
                self._risen[endpoint_id] = change
                yield self._apps_of[endpoint_id], endpoint_id, change


def rise_of(series: Sequence[Window], now: Sequence[Window]) -> Change | None:
    """Since when an endpoint fails far more, if it still does.

    Args:
        series: by time.
        now: the windows of it that say how it is now.
    """
    if not any(one.bad for one in now) or sum(one.bad for one in series) < _BAD_LEAST:
        return None
    change = find_rise(series)
    if change is None or change.count < _BAD_LEAST:
        return None
    is_worse = change.after.low > 2 * change.before.value
    return change if is_worse and is_still(change, now) else None


def is_still(change: Change, now: Sequence[Window]) -> bool:
    """Whether it is now as it was after the change, rather than as before; without traffic, no."""
    bad, total = sum(one.bad for one in now), sum(one.total for one in now)
    return bad > max(change.before.high, change.after.low / 2) * total
