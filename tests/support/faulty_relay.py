"""`homing outbox relay` with a bug planted in it: `python faulty_relay.py BUG ARGUMENTS`.

Each bug is one that a person might write; the crash test has to see it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from homing.cli.main import main
from homing.outbox import relay
from homing.outbox.row import Pending, Settled

#: how long it stays in the window that the bug opens: whoever kills it finds it there
_WINDOW_S = 120.0


def marks_first() -> None:
    """Writes down that rows are accepted before they are offered, and offers the first of them."""

    def hand_over(rows: Sequence[Pending], client: Any, app: str) -> list[Settled]:
        return original(rows, client, app)

    original = relay._hand_over

    def relay_once(rows: Any, client: Any, app: str, *, at_us: int) -> relay.Round:
        waiting = rows.pending(20)
        rows.settle([Settled(id=row.id, message_id="msg_soon") for row in waiting], at_us)
        first, rest = waiting[:1], waiting[1:]
        done = len(hand_over(first, client, app)) if first else 0
        if rest:
            time.sleep(_WINDOW_S)
        return relay.Round(accepted=done + (len(hand_over(rest, client, app)) if rest else 0))

    relay.relay_once = relay_once  # type: ignore[assignment]


def forgets_the_id() -> None:
    """Offers each row under a new event id whenever it is offered."""
    original = relay._message

    def message(row: Pending) -> Any:
        made = original(row)
        return type(made)(made.event_type, made.payload, event_id=f"{row.id}.{time.time_ns()}")

    def hand_over(rows: Sequence[Pending], client: Any, app: str) -> list[Settled]:
        found = sent(rows, client, app)
        time.sleep(_WINDOW_S)  # the window between Homing's commit and ours
        return found

    sent = relay._hand_over
    relay._message = message
    relay._hand_over = hand_over


if __name__ == "__main__":
    bug = sys.argv.pop(1)
    {"marks_first": marks_first, "forgets_the_id": forgets_the_id}[bug]()
    main()
