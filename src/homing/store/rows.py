"""How records become rows of a SQL table, and back: the same columns for both SQL stores.

Tuples are in the order of the columns in schema.sql, which is that of the fields unless said.
Enumerations are written as their plain values: drivers bind an exact `str` fastest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from homing.core.issues import Burden, Filed
from homing.core.lifecycle import Delivery, State
from homing.core.money import MICRO
from homing.core.objectives import GRAINS_S, Owner, Seen, Sli, Tally
from homing.core.outcome import Opening, Reason
from homing.core.records import Attempt, LogEntry, Message, Trigger
from homing.core.retention import Standing
from homing.core.searching import Head, Segment

Row = Sequence[Any]

_STATES = {str(state): state for state in State}
_REASONS = {str(reason): reason for reason in Reason}
_encode = msgspec.json.encode
_texts = msgspec.json.Decoder(tuple[str, ...])
_opening = msgspec.json.Decoder(Opening)
_headers = msgspec.json.Decoder(tuple[tuple[str, str], ...])


def message_row(message: Message) -> tuple[Any, ...]:
    """Channels and tags are JSON lists; None when there are none."""
    return (
        message.id,
        message.app_id,
        message.event_type,
        message.payload,
        message.accepted_at_us,
        message.fanout,
        int(message.is_raw),
        message.event_id,
        _encode(message.channels).decode() if message.channels else None,
        _encode(message.tags).decode() if message.tags else None,
        message.deliver_at_us,
        message.traceparent,
    )


def message_of(row: Row) -> Message:
    return Message(
        id=row[0],
        app_id=row[1],
        event_type=row[2],
        payload=row[3],
        accepted_at_us=row[4],
        fanout=row[5],
        is_raw=bool(row[6]),
        event_id=row[7],
        channels=_texts.decode(row[8]) if row[8] else (),
        tags=_texts.decode(row[9]) if row[9] else (),
        deliver_at_us=row[10],
        traceparent=row[11],
    )


def head_of(row: Row) -> Head:
    """From the columns of the statement `sift_messages`."""
    return Head(
        id=row[0],
        app_id=row[1],
        event_type=row[2],
        accepted_at_us=row[3],
        fanout=row[4],
        is_raw=bool(row[5]),
        event_id=row[6],
        channels=_texts.decode(row[7]) if row[7] else (),
        tags=_texts.decode(row[8]) if row[8] else (),
        deliver_at_us=row[9],
        payload_bytes=row[10],
    )


def delivery_row(delivery: Delivery) -> tuple[Any, ...]:
    return (
        delivery.message_id,
        delivery.endpoint_id,
        delivery.app_id,
        delivery.state._value_,
        delivery.accepted_at_us,
        delivery.version,
        delivery.ready_at_us,
        delivery.holder,
        delivery.leases,
        delivery.unanswered,
        delivery.failures,
        int(delivery.manual),
        None if delivery.resume is None else delivery.resume._value_,
        delivery.resume_at_us,
        None if delivery.reason is None else str(delivery.reason),
        delivery.first_error,
        delivery.last_error,
        delivery.finished_at_us,
    )


def delivery_of(row: Row) -> Delivery:
    return Delivery(
        message_id=row[0],
        endpoint_id=row[1],
        app_id=row[2],
        state=_STATES[row[3]],
        accepted_at_us=row[4],
        version=row[5],
        ready_at_us=row[6],
        holder=row[7],
        leases=row[8],
        unanswered=row[9],
        failures=row[10],
        manual=bool(row[11]),
        resume=None if row[12] is None else _STATES[row[12]],
        resume_at_us=row[13],
        reason=row[14],
        first_error=row[15],
        last_error=row[16],
        finished_at_us=row[17],
    )


def attempt_row(attempt: Attempt, *, late: bool = False) -> tuple[Any, ...]:
    """Headers are a JSON list of pairs, the opening is one of times; None when there are none.

    Args:
        attempt: to be written.
        late: whether its delivery had moved on; adds to what the attempt itself says.
    """
    return (
        attempt.id,
        attempt.message_id,
        attempt.endpoint_id,
        attempt.app_id,
        attempt.number,
        attempt.trigger._value_,
        attempt.at_us,
        attempt.url,
        attempt.reason._value_,
        attempt.status,
        attempt.first_byte_us,
        attempt.total_us,
        attempt.request_bytes,
        attempt.detail,
        _encode(attempt.response_headers).decode() if attempt.response_headers else None,
        attempt.response_body,
        int(late or attempt.late),
        None if attempt.opening is None else _encode(attempt.opening).decode(),
        attempt.signed,
    )


def attempt_of(row: Row) -> Attempt:
    return Attempt(
        id=row[0],
        message_id=row[1],
        endpoint_id=row[2],
        app_id=row[3],
        number=row[4],
        trigger=Trigger(row[5]),
        at_us=row[6],
        url=row[7],
        reason=_REASONS[row[8]],
        status=row[9],
        first_byte_us=row[10],
        total_us=row[11],
        request_bytes=row[12],
        detail=row[13],
        response_headers=_headers.decode(row[14]) if row[14] else (),
        response_body=row[15],
        late=bool(row[16]),
        opening=_opening.decode(row[17]) if row[17] else None,
        signed=row[18],
    )


def entry_row(entry: LogEntry, *, rows_written: int) -> tuple[Any, ...]:
    """A line of the log, with what became of the write that it tells of."""
    return (
        entry.at_us,
        entry.mono_us,
        entry.holder,
        entry.sequence,
        entry.op,
        entry.message_id,
        entry.endpoint_id,
        entry.app_id,
        None if entry.from_state is None else entry.from_state._value_,
        entry.to_state._value_,
        entry.version_before,
        entry.version_after,
        rows_written,
        entry.lease_epoch,
        entry.ready_at_us,
        entry.attempt_id,
        entry.attempt_no,
        entry.request_bytes,
        entry.status,
        entry.first_byte_us,
        entry.total_us,
        None if entry.outcome is None else entry.outcome._value_,
        None if entry.reason is None else str(entry.reason),
        entry.actor,
        entry.config_version,
        entry.due_at_us,
    )


def entry_of(row: Row) -> LogEntry:
    return LogEntry(
        at_us=row[0],
        mono_us=row[1],
        holder=row[2],
        sequence=row[3],
        op=row[4],
        message_id=row[5],
        endpoint_id=row[6],
        app_id=row[7],
        from_state=None if row[8] is None else _STATES[row[8]],
        to_state=_STATES[row[9]],
        version_before=row[10],
        version_after=row[11],
        rows_written=row[12],
        lease_epoch=row[13],
        ready_at_us=row[14],
        attempt_id=row[15],
        attempt_no=row[16],
        request_bytes=row[17],
        status=row[18],
        first_byte_us=row[19],
        total_us=row[20],
        outcome=None if row[21] is None else _REASONS[row[21]],
        reason=row[22],
        actor=row[23],
        config_version=row[24],
        due_at_us=row[25],
    )


def standing_of(row: Row) -> Standing:
    """From the columns of the statement `standings`."""
    return Standing(
        message_id=row[0],
        app_id=row[1],
        accepted_at_us=row[2],
        has_payload=bool(row[3]),
        has_attempts=bool(row[4]),
        is_unfinished=bool(row[5]),
        finished=row[6],
        finished_at_us=row[7],
        dead_at_us=row[8],
    )


def plain_seen_of(row: Row) -> Seen:
    """A row of the statement `seen_plain`."""
    return Seen(
        minute_us=row[0],
        app_id=row[1],
        op="succeeded",
        from_state=State.LEASED._value_,
        to_state=State.DELIVERED._value_,
        written=True,
        outcome=Reason.OK,
        is_first=True,
        late_start=False,
        late_done=False,
        again=False,
        count=row[2],
    )


def filed_row(filed: Filed) -> tuple[Any, ...]:
    return (
        filed.message_id,
        filed.endpoint_id,
        filed.app_id,
        filed.issue_id,
        filed.died_at_us,
        filed.currency,
        filed.micro,
        filed.discarded_at_us,
    )


def filed_of(row: Row) -> Filed:
    return Filed(
        message_id=row[0],
        endpoint_id=row[1],
        app_id=row[2],
        issue_id=row[3],
        died_at_us=row[4],
        currency=row[5],
        micro=row[6],
        discarded_at_us=row[7],
    )


def burdens_of(rows: Iterable[Row]) -> dict[str, Burden]:
    """By issue id, from the rows of the statement `burdens`."""
    found: dict[str, Burden] = {}
    for issue_id, currency, count, oldest_us, newest_us, millions, rest in rows:
        part = Burden(
            count=count,
            oldest_at_us=oldest_us,
            newest_at_us=newest_us,
            micro={} if currency is None else {currency: millions * MICRO + rest},
        )
        found[issue_id] = found[issue_id] + part if issue_id in found else part
    return found


def seen_of(row: Row) -> Seen:
    """A row of the statement `seen`."""
    return Seen(
        minute_us=row[0],
        app_id=row[1],
        op=row[2],
        from_state=row[3],
        to_state=row[4],
        written=bool(row[5]),
        outcome=_REASONS[row[6]] if row[6] else None,
        is_first=bool(row[7]),
        late_start=bool(row[8]),
        late_done=bool(row[9]),
        again=bool(row[10]),
        count=row[11],
        status=row[12],
        reason=row[13],
        born=row[14],
        error=row[15],
        failed_before=bool(row[16]),
        lapsed=bool(row[17]),
        accepted_minute_us=row[18],
        endpoint_id=row[19],
        holder=row[20],
        message_id=row[21],
    )


def segment_row(segment: Segment) -> dict[str, Any]:
    """The parameters of the statement `put_segment` by name, in the order of the columns."""
    return {
        "number": segment.number,
        "after": segment.after,
        "last": segment.last,
        "pieces": _encode(segment.pieces).decode(),
        "messages": segment.messages,
        "text_bytes": segment.text_bytes,
    }


def segment_of(row: Row) -> Segment:
    return Segment(
        number=row[0],
        after=row[1],
        last=row[2],
        pieces=_texts.decode(row[3]),
        messages=row[4],
        text_bytes=row[5],
        stale=bool(row[6]),
    )


def tally_rows(tallies: Sequence[Tally]) -> list[tuple[Any, ...]]:
    """What is to be added: (scope, grain, beginning, SLI, owner, rule, count), each place once."""
    counts: Counter[tuple[Any, ...]] = Counter()
    for one in tallies:
        owner = "" if one.owner is None else str(one.owner)
        for grain_s in GRAINS_S:
            at_us = one.at_us - one.at_us % (grain_s * 1_000_000)
            counts[one.scope, grain_s, at_us, str(one.sli), owner, one.rule] += one.count
    return [(*place, count) for place, count in sorted(counts.items()) if count]


def tally_of(row: Row, *, scope: str, at_us: int) -> Tally:
    """A row of the statement `tallied`."""
    sli, owner, rule, count = row
    return Tally(
        scope=scope,
        at_us=at_us,
        sli=Sli(sli),
        owner=Owner(owner) if owner else None,
        rule=rule,
        count=count,
    )


def point_of(row: Row, *, scope: str, sli: Sli) -> Tally:
    """A row of the statement `tally_series`."""
    at_us, owner, count = row
    return Tally(
        scope=scope, at_us=at_us, sli=sli, owner=Owner(owner) if owner else None, count=count
    )
