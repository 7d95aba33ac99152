"""A receiver's books against what was sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from homing.client import Sent
from homing.core.identifiers import first_id
from homing.reconciliation import Comparison, Gap, compare

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
UNTIL = SINCE + timedelta(hours=1)
READ_AT = UNTIL + timedelta(hours=1)


def _id(minutes: int) -> str:
    at = SINCE + timedelta(minutes=minutes)
    return first_id("msg_", round(at.timestamp() * 1_000_000))


def _sent(minutes: int, state: Any = "delivered", **fields: Any) -> Sent:
    at = SINCE + timedelta(minutes=minutes)
    given = {"finished_at": at, "attempts": 1, **fields}
    return Sent(
        id=_id(minutes), event_type="a", event_id=None, accepted_at=at, state=state, **given
    )


def _compare(sent: list[Sent], seen: set[str]) -> Comparison:
    return compare(sent, seen, since=SINCE, until=UNTIL, read_at=READ_AT)


def test_what_is_known_is_not_missing() -> None:
    found = _compare([_sent(1), _sent(2)], {_id(1), _id(2)})
    assert (found.sent, found.known, found.missing, found.findings) == (2, 2, [], 0)


@pytest.mark.parametrize(
    ("state", "gap", "findings"),
    [
        ("delivered", Gap.LOST, 1),
        ("dead", Gap.DEAD, 1),
        ("parked", Gap.PARKED, 1),
        ("cancelled", Gap.CANCELLED, 0),
        ("waiting", Gap.COMING, 0),
        ("leased", Gap.COMING, 0),
    ],
)
def test_each_state_says_why_it_is_missing(state: str, gap: Gap, findings: int) -> None:
    found = _compare([_sent(1, state)], set())
    assert [one.gap for one in found.missing] == [gap]
    assert found.findings == findings


def test_what_came_after_the_books_were_read_is_not_lost() -> None:
    found = _compare([_sent(1, finished_at=READ_AT), _sent(2, "dead", finished_at=READ_AT)], set())
    assert [one.gap for one in found.missing] == [Gap.COMING, Gap.DEAD]


def test_a_dead_letter_that_the_receiver_knows_after_all_is_known() -> None:
    assert _compare([_sent(1, "dead")], {_id(1)}).findings == 0


def test_ids_that_were_never_sent_are_named_when_they_are_of_the_span() -> None:
    others = {_id(-1), _id(60), "msg_nonsense", "anything"}
    assert _compare([_sent(1)], {_id(1), _id(5), *others}).strange == [_id(5)]
