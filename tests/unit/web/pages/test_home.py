"""What Home says, given what was counted."""

from __future__ import annotations

import msgspec

from homing.core.queries import LedgerRow
from homing.insight.ledger import imbalance
from homing.review.incident import Incident
from homing.service.day_books import Books
from homing.service.home import Overview, Traffic
from homing.web.pages.home import flow, home_values, matters, sentence


def row(**columns: int) -> LedgerRow:
    accepted = columns.pop("accepted", sum(columns.values()))
    return LedgerRow(endpoint_id="", app_id="", window_at_us=0, accepted=accepted, **columns)


def books(total: LedgerRow, counted: int = 145) -> Books:
    missing = abs(imbalance(total))
    return Books(
        unaccounted=missing,
        total=total,
        since_us=0,
        newest_at_us=1,
        oldest_at_us=1,
        counted=counted,
        slices=145,
    )


def test_it_says_no_more_than_was_counted() -> None:
    assert sentence(books(row(delivered=3))) == "Everything is accounted for"
    assert sentence(books(row(delivered=3), counted=9)) == "Counting the last 24 hours"
    assert sentence(books(row())) == "Nothing was accepted in the last 24 hours"


def test_what_is_missing_is_said_at_once() -> None:
    assert sentence(books(row(accepted=4, delivered=3))) == "1 delivery is unaccounted for"
    missing = books(row(accepted=9, delivered=3), counted=1)
    assert sentence(missing) == "6 deliveries are unaccounted for"


def test_a_delivery_too_many_in_one_column_does_not_hide_one_that_is_missing() -> None:
    """Columns are added up by slice, so that the two cannot cancel each other out."""
    found = msgspec.structs.replace(books(row(delivered=2)), unaccounted=2)
    assert sentence(found) == "2 deliveries are unaccounted for"


def test_one_dead_letter_among_a_million_is_seen_in_the_bar() -> None:
    columns = {one.name: one for one in flow(row(delivered=999_999, dead=1))}
    assert columns["dead"].width >= 3
    assert columns["parked"].width == 0
    assert round(columns["dead"].x + columns["dead"].width) <= 1_000
    assert columns["delivered"].share == 0.999_999


def test_the_bar_of_empty_books_is_empty() -> None:
    assert all(one.width == 0 and one.share is None for one in flow(row()))


def overview(found: Books, *incidents: Incident) -> Overview:
    empty = Traffic(hours_us=[], delivered=[], failed=[], prompt=[], punctual=None)
    return Overview(
        at_us=1,
        is_new=False,
        books=found,
        traffic=empty,
        backlog=None,
        backlog_at_us=None,
        looks=[],
        measured=None,
        issues=[],
        more_issues=False,
        standings=[],
        alerts=[],
        more_alerts=False,
        incidents=list(incidents),
    )


def test_what_is_parked_and_an_open_incident_need_a_person() -> None:
    incident = Incident(
        scope="org_1",
        id="inc_1",
        title="Refunds are lost",
        severity="High",
        created_at_us=1,
        updated_at_us=1,
    )
    told = matters(overview(books(row(delivered=3, parked=2)), incident))
    assert [(one.kind, one.word, one.href) for one in told] == [
        ("bad", "Incident", "/incidents/inc_1"),
        ("warn", "Parked", "/deliveries?status=parked"),
    ]
    assert told[1].text == "2 deliveries wait until their endpoint is enabled"


def test_books_that_balance_know_that_something_needs_a_person() -> None:
    assert home_values(overview(books(row(delivered=3))))["needs"] == 0
    assert home_values(overview(books(row(delivered=3, parked=1))))["needs"] == 1
    # while the books are being counted, it is no more than that
    [parked] = matters(overview(books(row(parked=1), counted=9)))
    assert parked.text == "At least 1 delivery waits until its endpoint is enabled"
