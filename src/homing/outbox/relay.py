"""The relay: hands what is in an outbox to Homing, each row accepted exactly once.

A row's id is its message's event id, so Homing knows a repeat. The relay writes down that it is
about to offer a row before it does, and what became of it after Homing has answered. Wherever it
is killed, the row is offered again, and the repeat is the same message. Homing remembers an event
id for a time only; a row that was first offered longer ago is looked up before it is sent.
Any number of relays may work on one outbox.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from homing.client import BATCH_MAX, BatchResult, Client, NewMessage, NoAnswer, Rejected
from homing.outbox.row import Pending, Rows, Settled

#: half of the shortest time that Homing can be told to remember an event id (HOMING_EVENT_ID_H)
_DOUBT_US: Final = 18_000_000
#: statuses of one message that say "later"
_LATER: Final = (408, 425, 429)
_DELAY_FIRST_S: Final = 0.5
_DELAY_MAX_S: Final = 30.0


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What one round came to."""

    accepted: int = 0
    refused: int = 0
    left: int = 0  #: to be offered again, because Homing could not take them now


def judge(row: Pending, result: BatchResult) -> Settled | None:
    """What an answer means for its row; None: it is to be offered again."""
    if result.accepted:
        assert result.id is not None, result
        return Settled(id=row.id, message_id=result.id)
    if result.status >= 500 or result.status in _LATER:
        return None
    problem = f"{result.status} {result.code or ''}: {result.detail}"
    return Settled(id=row.id, problem=problem[:500])


def in_doubt(rows: Sequence[Pending], at_us: int) -> list[Pending]:
    """Rows that may have been accepted so long ago that a repeat would not be known."""
    return [
        row
        for row in rows
        if row.offered_at_us is not None and at_us - row.offered_at_us > _DOUBT_US
    ]


def relay_once(
    rows: Rows, client: Client, app: str, *, at_us: int, limit: int = BATCH_MAX
) -> Round:
    """Offer the oldest rows, at most `limit` (1 to 1,000), and write down what became of them.

    Raises:
        NoAnswer: nothing is known of what became of them; they are offered again.
        Rejected: Homing refuses the caller, or the application, and not the messages.
    """
    waiting = rows.pending(limit)
    known = _look_up(in_doubt(waiting, at_us), client, app)
    rows.settle(known, at_us)
    found = {one.id for one in known}
    offered = [row for row in waiting if row.id not in found]
    settled: list[Settled] = []
    if offered:
        rows.offer([row.id for row in offered], at_us)
        settled = _hand_over(offered, client, app)
        rows.settle(settled, at_us)
    refused = sum(one.problem is not None for one in settled)
    return Round(
        accepted=len(known) + len(settled) - refused,
        refused=refused,
        left=len(offered) - len(settled),
    )


def _look_up(rows: Sequence[Pending], client: Client, app: str) -> list[Settled]:
    found = [(row, client.find_message(app, row.id)) for row in rows]
    return [Settled(id=row.id, message_id=name) for row, name in found if name is not None]


def _hand_over(rows: Sequence[Pending], client: Client, app: str) -> list[Settled]:
    """Offer these in one batch, or in smaller ones where that is too long."""
    try:
        results = client.send_batch(app, [_message(row) for row in rows])
    except Rejected as error:
        if error.status != 413:
            raise
        if len(rows) == 1:
            return [Settled(id=rows[0].id, problem=str(error)[:500])]
        half = len(rows) // 2
        return _hand_over(rows[:half], client, app) + _hand_over(rows[half:], client, app)
    judged = (judge(row, result) for row, result in zip(rows, results, strict=True))
    return [one for one in judged if one is not None]


def _message(row: Pending) -> NewMessage:
    return NewMessage(
        event_type=row.event_type,
        payload=msgspec.Raw(row.payload.encode()),
        event_id=row.id,
        channels=list(row.channels) or None,
    )


def delay_s(failures: int) -> float:
    """How long to wait after so many failures in a row, n >= 1: doubled each time, 30 s at most."""
    return float(min(_DELAY_FIRST_S * 2 ** min(failures - 1, 10), _DELAY_MAX_S))


def relay(
    rows: Rows,
    client: Client,
    app: str,
    *,
    now_us: Callable[[], int],
    every_s: float = 1.0,
    once: bool = False,
    tell: Callable[[Round | Exception], None] = lambda told: None,
    wait: Callable[[float], object] = time.sleep,
    is_over: Callable[[], bool] = lambda: False,
) -> None:
    """Work until `is_over`; with `once`, until there is nothing more to offer.

    Args:
        every_s: how often an empty outbox is looked at, > 0.
        tell: called with each round that did something, and each failure that may pass.

    Raises:
        NoAnswer: with `once`.
        Rejected: it will not pass by itself, or with `once`.
    """
    failures = 0
    while not is_over():
        try:
            done = relay_once(rows, client, app, at_us=now_us())
        except (NoAnswer, Rejected) as error:
            if once or (isinstance(error, Rejected) and not error.may_pass):
                raise
            tell(error)
            failures += 1
            wait(delay_s(failures))
            continue
        if done != Round():
            tell(done)
        if done.left:
            failures += 1
            wait(delay_s(failures))
            continue
        failures = 0
        if done == Round():
            if once:
                return
            wait(every_s)
