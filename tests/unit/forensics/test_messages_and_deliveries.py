"""Messages and the deliveries that are made of them: which is meant where a row names one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from support.whole_log import found

from homing.forensics.judging import Verdict

Row = dict[str, Any]
COUNT = 200
BEGIN_S = 1_780_000_000


# --- a bus that carries more than deliveries


def of_bus(number: int) -> Iterator[Row]:
    """A delivery and the message that carries it; and a message of another kind."""
    at, name, message = BEGIN_S + 30.0 * number, f"dlv_{number:08x}", 70_000 + 3 * number
    both = {"delivery_id": name, "message_id": message}
    yield {"time": at, "event": "delivery registered", "delivery_id": name, "endpoint": "ep_1"}
    yield {"time": at + 1, "event": "message sent to bus", **both}
    yield {"time": at + 2, "event": "message received", "message_id": message, "worker": "w1"}
    yield {"time": at + 3, "event": "attempt started", **both, "attempt": 1, "worker": "w1"}
    yield {"time": at + 4, "event": "delivered", **both, "attempt": 1, "status": 200}
    yield {"time": at + 5, "event": "message received", "message_id": message + 1, "worker": "w2"}


def test_a_message_that_carries_no_delivery_is_not_counted(tmp_path: Path) -> None:
    findings = found(tmp_path, (row for n in range(COUNT) for row in of_bus(n)))
    assert findings.books == {Verdict.DELIVERED: COUNT}


def of_fan_out(number: int) -> Iterator[Row]:
    """A message first, and the delivery that is made of it; of every twentieth none is."""
    at, message = BEGIN_S + 30.0 * number, f"msg_{number:08x}"
    both = {"delivery_id": f"dlv_{number:08x}", "message_id": message}
    yield {"time": at, "event": "message accepted", "message_id": message}
    if number % 20 == 7:
        return
    yield {"time": at + 1, "event": "delivery queued", **both}
    yield {"time": at + 2, "event": "claimed", **both, "worker": "w1"}
    yield {"time": at + 3, "event": "delivered", **both, "attempt": 1, "status": 200}


def test_a_message_of_which_no_delivery_was_made_is_lost(tmp_path: Path) -> None:
    findings = found(tmp_path, (row for n in range(COUNT) for row in of_fan_out(n)))
    assert findings.books[Verdict.DROPPED] == COUNT // 20


# --- sentences of which some name the message alone


def said(number: int) -> Iterator[Row]:
    """A message and its one or two deliveries; every tenth is posted twice, by its own name."""
    at, event = BEGIN_S + 60.0 * number, f"evt_{number:06x}aQ7"
    for which in range(1 + number % 2):
        name = f"K7mQ{number:04d}{'xY'[which]}pT"
        yield {"time": at, "msg": f"Event {event} accepted, delivery {name} created"}
        if number % 20 != 7:
            yield {"time": at + 1, "msg": f"Sending delivery {name} (attempt 1 of 7)"}
            yield {"time": at + 2, "msg": f"Endpoint 7-iy4 answered 200 to delivery {name}"}
    if number % 10 == 0:
        told = f"Event {event} was already accepted, answering 200 with the earlier deliveries"
        yield {"time": at + 5, "msg": told}


def test_what_is_told_of_a_message_alone_is_no_delivery_of_its_name(tmp_path: Path) -> None:
    findings = found(tmp_path, (row for n in range(COUNT) for row in said(n)))
    assert findings.books == {
        Verdict.DELIVERED: COUNT * 3 // 2 - 2 * COUNT // 20,
        Verdict.DROPPED: 2 * COUNT // 20,
    }
