"""The books of the last day, in slices."""

from __future__ import annotations

from homing.core.queries import LedgerRow
from homing.service.day_books import (
    DAY_US,
    SLICE_US,
    Slice,
    books_of,
    by_organisation,
    next_slices,
    next_stride,
    starts,
)

NOW = 1_700_000_000_000_000


def row(app: str = "app_1", accepted: int = 1, **columns: int) -> LedgerRow:
    return LedgerRow(endpoint_id="ep_1", app_id=app, window_at_us=0, accepted=accepted, **columns)


def counted(at_us: int = NOW, rows: dict[int, LedgerRow] | None = None) -> dict[int, Slice]:
    """Every slice, counted at a time."""
    return {
        one: Slice(
            since_us=one,
            at_us=max(at_us, one),
            by_org={"org_1": rows[one]} if rows and one in rows else {},
        )
        for one in starts(NOW)
    }


def test_the_slices_cover_a_day_and_the_present() -> None:
    found = starts(NOW)
    assert found[0] <= NOW < found[0] + SLICE_US
    assert found[-1] <= NOW - DAY_US
    assert len(found) == 145


def test_what_was_never_counted_comes_first_the_newest_before_the_rest() -> None:
    known: dict[int, Slice] = {}
    order = []
    while due := next_slices(known, NOW, 4):
        assert due[0] - due[-1] == (len(due) - 1) * SLICE_US
        order += due
        known |= {one: Slice(since_us=one, at_us=NOW, by_org={}) for one in due}
    assert order == starts(NOW)


def test_the_present_slice_is_counted_anew_every_few_seconds() -> None:
    known = counted()
    assert next_slices(known, NOW + 1_000_000, 4) == []
    assert next_slices(known, NOW + 3_000_000, 4) == starts(NOW)[:1]


def test_the_present_is_kept_fresh_while_the_past_is_counted() -> None:
    known = {starts(NOW)[0]: counted()[starts(NOW)[0]]}
    assert next_slices(known, NOW + 1_000_000, 4) == starts(NOW)[1:5]
    assert next_slices(known, NOW + 3_000_000, 4) == starts(NOW)[:1]


def test_quick_steps_grow_and_slow_ones_shrink() -> None:
    assert next_stride(1, 0.001) == 2
    assert next_stride(16, 0.001) == 24
    assert next_stride(8, 0.05) == 8
    assert next_stride(8, 0.5) == 4
    assert next_stride(1, 9.0) == 1


def test_a_slice_with_unfinished_deliveries_is_counted_more_often_than_a_finished_one() -> None:
    open_one, closed = starts(NOW)[70], starts(NOW)[80]
    known = counted(rows={open_one: row(waiting=1), closed: row(delivered=1)})
    present = starts(NOW)[0]
    known[present] = Slice(since_us=present, at_us=NOW + 20_000_000, by_org={})
    assert next_slices(known, NOW + 20_000_000, 4) == [open_one]


def test_books_are_of_one_organisation_and_say_from_when_they_are() -> None:
    first, second = starts(NOW)[0], starts(NOW)[5]
    known = {
        first: Slice(
            since_us=first,
            at_us=NOW,
            by_org={"org_1": row(accepted=3, delivered=3), "org_2": row(accepted=9)},
        ),
        second: Slice(since_us=second, at_us=NOW - 60, by_org={"org_1": row(accepted=2, dead=2)}),
    }
    found = books_of(known, "org_1", NOW)
    assert (found.total.accepted, found.total.delivered, found.total.dead) == (5, 3, 2)
    assert (found.newest_at_us, found.oldest_at_us) == (NOW, NOW - 60)
    assert (found.counted, found.is_whole, found.unaccounted) == (2, False, 0)
    assert books_of(known, "org_2", NOW).unaccounted == 9


def test_one_too_many_does_not_hide_one_that_is_missing() -> None:
    first, second = starts(NOW)[:2]
    known = counted(rows={first: row(accepted=2, delivered=1), second: row(delivered=2)})
    assert books_of(known, "org_1", NOW).unaccounted == 2


def test_rows_of_endpoints_are_added_up_by_organisation() -> None:
    rows = [row("app_1", delivered=1), row("app_1", dead=1), row("app_2", waiting=1)]
    found = by_organisation(rows, {"app_1": "org_1", "app_2": "org_2"})
    assert (found["org_1"].accepted, found["org_1"].dead) == (2, 1)
    assert found["org_2"].waiting == 1
