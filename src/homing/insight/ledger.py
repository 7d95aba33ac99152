"""Does it balance? accepted = delivered + dead + cancelled + parked + leased + waiting."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from homing.core.queries import LedgerRow, Misfit
from homing.core.retention import Purged

#: the columns that together must equal `accepted`
COLUMNS = ("delivered", "dead", "cancelled", "parked", "leased", "waiting")


def accounted(row: LedgerRow) -> int:
    """Deliveries of the row that stand in some column."""
    return sum(getattr(row, column) for column in COLUMNS)


def imbalance(row: LedgerRow) -> int:
    """Accepted less accounted for: 0 when the row balances, > 0 when deliveries are missing."""
    return row.accepted - accounted(row)


def total(rows: Iterable[LedgerRow]) -> LedgerRow:
    """All rows added up; the endpoint and application are empty, the window is the earliest.

    Returns:
        For no rows, zeros and window 0.
    """
    rows = list(rows)
    sums = {name: sum(getattr(row, name) for row in rows) for name in ("accepted", *COLUMNS)}
    return LedgerRow(
        endpoint_id="",
        app_id="",
        window_at_us=min((row.window_at_us for row in rows), default=0),
        **sums,
    )


class AuditReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one audit found. It is good news only if `is_balanced`."""

    at_us: int  #: when it began
    since_us: int | None  #: of the messages audited; None: from the beginning
    until_us: int  #: exclusive; of an audit without end, when it began
    total: LedgerRow
    rows: tuple[LedgerRow, ...]  #: per endpoint and window
    #: deliveries that the books cannot place, at most as many as were asked for
    misfits: tuple[Misfit, ...]
    #: what was beyond its retention and so is on neither side of the books, of all times
    purged: Purged = Purged()
    purged_at_us: int | None = None  #: when something last was; None: never

    @property
    def is_balanced(self) -> bool:
        return not self.misfits and all(imbalance(row) == 0 for row in self.rows)

    @property
    def unaccounted(self) -> int:
        """How many deliveries are in no column, or in one where they should not be."""
        return max(
            sum(abs(imbalance(row)) for row in self.rows),
            len(self.misfits),
        )


def report(
    rows: Sequence[LedgerRow],
    misfits: Sequence[Misfit],
    *,
    at_us: int,
    since_us: int | None,
    until_us: int,
    purged: Purged = Purged(),  # noqa: B008 (frozen)
    purged_at_us: int | None = None,
) -> AuditReport:
    """Puts the findings of an audit together."""
    return AuditReport(
        at_us=at_us,
        since_us=since_us,
        until_us=until_us,
        total=total(rows),
        rows=tuple(rows),
        misfits=tuple(misfits),
        purged=purged,
        purged_at_us=purged_at_us,
    )
