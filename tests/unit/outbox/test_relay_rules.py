"""What the relay decides, without an outbox and without Homing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from homing.client import BatchResult
from homing.core.errors import Invalid
from homing.outbox.relay import delay_s, in_doubt, judge
from homing.outbox.row import Pending, Settled, new_row, read_channels

ROW = Pending(id="out_1", event_type="a", payload="{}")


def test_only_an_acceptance_settles_a_row_as_accepted() -> None:
    accepted = BatchResult(status=202, id="msg_1")
    assert judge(ROW, accepted) == Settled(id="out_1", message_id="msg_1")


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
def test_what_may_pass_is_offered_again(status: int) -> None:
    assert judge(ROW, BatchResult(status=status, code="unavailable")) is None


@pytest.mark.parametrize("status", [400, 409, 413, 422])
def test_what_is_refused_for_good_is_left_for_a_person(status: int) -> None:
    settled = judge(ROW, BatchResult(status=status, code="validation", detail="too long"))
    assert settled is not None
    assert settled.message_id is None
    assert settled.problem == f"{status} validation: too long"


def test_a_row_is_in_doubt_once_its_id_may_be_forgotten() -> None:
    def offered(at_us: int | None) -> Pending:
        return Pending(id=str(at_us), event_type="a", payload="{}", offered_at_us=at_us)

    rows = [offered(None), offered(0), offered(15_000_000)]
    assert [row.id for row in in_doubt(rows, 20_000_000)] == ["0"]


def test_the_wait_doubles_up_to_half_a_minute() -> None:
    assert [delay_s(n) for n in (1, 2, 3, 7, 100_000)] == [0.5, 1, 2, 30, 30]


def test_a_row_says_what_will_be_sent() -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    row = new_row("a.b", {"at": at}, entropy=b"\x01" * 16, at_us=5, channels=["x"])
    assert row["id"] == "out_" + "01" * 16
    assert row["payload"] == '{"at":"2026-01-02T00:00:00Z"}'
    assert read_channels(row["channels"]) == ("x",)


@pytest.mark.parametrize(
    ("event_type", "payload", "place"),
    [("not a name", {}, "event_type"), ("a", [1], "payload"), ("a", {"x": object()}, "payload")],
)
def test_what_homing_would_refuse_fails_in_the_business_transaction(
    event_type: str, payload: object, place: str
) -> None:
    with pytest.raises(Invalid, match=place):
        new_row(event_type, payload, entropy=bytes(16), at_us=0)  # type: ignore[arg-type]
