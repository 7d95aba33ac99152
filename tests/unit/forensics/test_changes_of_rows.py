"""Changes of database rows, as change data capture writes them, and what is said of a queue."""

from __future__ import annotations

from typing import Any

from homing.forensics.habits import Kind
from homing.forensics.operations import Op
from homing.forensics.reading.changes import changed, envelope
from homing.forensics.reading.lines import attributes, unfolded
from homing.forensics.vocabulary import meaning
from homing.forensics.words import is_in_progress, line_of

_SENDING = {
    "id": 7,
    "status": "sending",
    "attempts": 1,
    "locked_by": "sender-1",
    "last_status": None,
    "lock_version": 3,
}


def _change(op: str, before: Any, after: Any, table: str = "webhook_deliveries") -> dict[str, Any]:
    return {"op": op, "before": before, "after": after, "source": {"table": table, "ts_ms": 0}}


def test_a_change_becomes_the_row_with_what_it_was_before() -> None:
    after = {**_SENDING, "status": "retry", "locked_by": None, "last_status": 500}
    row = changed(_change("u", _SENDING, after))
    assert (row["op"], row["from_state"], row["to_state"]) == ("update", "sending", "retry")
    assert (row["webhook_delivery_id"], row["last_status"], row["version_before"]) == (7, 500, 3)


def test_what_stays_in_a_row_from_an_earlier_attempt_is_not_told_again() -> None:
    retry = {**_SENDING, "status": "retry", "last_status": 500}
    assert changed(_change("u", retry, {**retry, "status": "queued"}))["last_status"] is None


def test_a_row_left_in_progress_that_nobody_holds_is_released() -> None:
    row = changed(_change("u", _SENDING, {**_SENDING, "locked_by": None}))
    assert row["op"] == "release"
    renewed = changed(_change("u", _SENDING, {**_SENDING, "locked_by": "sender-2"}))
    assert renewed["op"] == "update"


def test_a_deleted_row_stands_nowhere() -> None:
    row = changed(_change("d", _SENDING, None))
    assert (row["op"], row["to_state"], row["from_state"]) == ("delete", None, "sending")
    assert meaning(row["op"]).op is Op.PURGED


def test_a_row_of_another_table_is_what_the_table_holds() -> None:
    row = changed(_change("c", None, {"id": 1, "delivery_id": 7}, "dead_letters"))
    assert meaning(row["op"]).op is Op.DEAD
    assert (row["delivery_id"], row["dead_letter_id"]) == (7, 1)


def test_what_only_looks_like_a_change_stays_as_it_is() -> None:
    row = {"op": "create", "before": None, "after": {"id": 1}}
    assert envelope(row) is None
    assert changed(row) is row


def test_a_change_from_waiting_to_in_progress_is_a_turn() -> None:
    taken = Kind("events", "update", "queued", "sending", None, None, "none")
    assert line_of(taken, {}, {}).op is Op.CLAIMED
    begun = Kind("events", "sending", None, None, None, None, "none")
    assert line_of(begun, {}, {}).op is Op.SENT


def test_a_list_of_one_object_is_unfolded_and_of_two_is_not() -> None:
    assert unfolded([{"status": 1}]) == {"status": 1}
    assert unfolded([{"status": 1}, {"status": 2}]) is None
    assert attributes([{"status": 1}]) is None


def test_what_a_queue_says_of_its_entries() -> None:
    assert meaning("dispatch marker present, not sending again").op is Op.SKIPPED
    assert is_in_progress("dispatch marker present, not sending again")
    assert meaning("resend requested").op is Op.RESUMED
    assert meaning("pending task idle past limit, claiming").op is Op.LAPSED
    assert meaning("message stored in dead-letter stream").op is Op.DEAD
