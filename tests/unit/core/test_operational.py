"""Which lines of the delivery log are news to an organisation, and what they are called."""

from __future__ import annotations

import json

import msgspec
import pytest
from support.making import START_US, make_delivery, make_endpoint, make_entry, make_message

from homing.core.lifecycle import State
from homing.core.operational import (
    Event,
    about_delivery,
    about_endpoint,
    announcement,
    changes_of,
    is_hidden,
    news_of,
    payload_of,
    scope_of,
)
from homing.core.outcome import Reason
from homing.core.records import LogEntry


def line(to_state: State, op: str, **fields: object) -> LogEntry:
    before = make_delivery(state=State.LEASED, version=3)
    after = msgspec.structs.replace(before, state=to_state, version=4)
    return make_entry(after, before, op=op, **fields)


def failed(number: int, to_state: State = State.WAITING, **fields: object) -> LogEntry:
    given = {"attempt_no": number, "attempt_id": "atmpt_1", "outcome": Reason.STATUS} | fields
    return line(to_state, "failed", **given)


@pytest.mark.parametrize(
    ("number", "in_trouble", "expected"),
    [
        (3, False, None),
        (4, False, Event.MESSAGE_FAILING),
        (5, False, Event.MESSAGE_FAILING),  # the fourth was never answered for
        (5, True, None),
    ],
)
def test_the_fourth_failure_is_told_once(
    number: int, in_trouble: bool, expected: Event | None
) -> None:
    assert news_of(failed(number), in_trouble=in_trouble, manual=False) is expected


def test_a_lease_that_nobody_answered_for_is_no_failure_of_the_receiver() -> None:
    lapsed = line(State.LEASED, "leased", attempt_no=4, outcome=Reason.NO_OUTCOME)
    assert news_of(lapsed, in_trouble=False, manual=False) is None


def test_a_failed_resend_of_what_was_delivered_is_no_news() -> None:
    assert news_of(failed(6, State.DELIVERED), in_trouble=False, manual=True) is None


@pytest.mark.parametrize("in_trouble", [False, True])
@pytest.mark.parametrize(
    "entry",
    [
        failed(8, State.DEAD, reason="attempts_exhausted"),
        failed(1, State.DEAD, reason="attempts_exhausted"),  # no retries were wanted
        line(State.DEAD, "leased", attempt_no=5, outcome=Reason.NO_OUTCOME, reason="poison"),
        line(State.DEAD, "lost", reason="payload_gone"),
    ],
    ids=lambda entry: f"{entry.op} {entry.attempt_no}",
)
def test_every_way_to_die_is_told(entry: LogEntry, in_trouble: bool) -> None:
    assert news_of(entry, in_trouble=in_trouble, manual=False) is Event.MESSAGE_EXHAUSTED


@pytest.mark.parametrize(
    "entry",
    [
        failed(9, State.DEAD, reason="attempts_exhausted"),
        line(State.DEAD, "lost", reason="attempts_exhausted"),
        line(State.DEAD, "parked", reason="attempts_exhausted"),
        line(State.DEAD, "cancelled", reason="attempts_exhausted"),
    ],
    ids=lambda entry: entry.op,
)
def test_a_dead_letter_that_was_resent_in_vain_does_not_die_again(entry: LogEntry) -> None:
    assert news_of(entry, in_trouble=True, manual=True) is None


@pytest.mark.parametrize(
    ("in_trouble", "expected"), [(True, Event.MESSAGE_RECOVERED), (False, None)]
)
def test_a_success_is_news_where_trouble_was_told(in_trouble: bool, expected: Event | None) -> None:
    entry = line(State.DELIVERED, "succeeded", attempt_no=5, outcome=Reason.OK)
    assert news_of(entry, in_trouble=in_trouble, manual=False) is expected


def test_a_line_says_the_same_whenever_it_is_read() -> None:
    entry = failed(8, State.DEAD, reason="attempts_exhausted", status=503)
    message = make_message(id=entry.message_id, event_id="order-1")
    told = [
        about_delivery(
            Event.MESSAGE_EXHAUSTED,
            entry,
            "org_1",
            message,
            app_uid="shop",
            endpoint_uid=None,
            attempt_at="2026-01-01T00:00:00.000000Z",
        )
        for _ in range(2)
    ]
    assert told[0] == told[1]
    assert told[0].id == f"message.attempt.exhausted.{entry.message_id}.{entry.endpoint_id}.4"
    assert json.loads(payload_of(told[0])) == {
        "id": told[0].id,
        "type": "message.attempt.exhausted",
        "data": {
            "appId": entry.app_id,
            "appUid": "shop",
            "endpointId": entry.endpoint_id,
            "endpointUid": None,
            "msgId": entry.message_id,
            "msgEventId": "order-1",
            "lastAttempt": {
                "id": "atmpt_1",
                "responseStatusCode": 503,
                "timestamp": "2026-01-01T00:00:00.000000Z",
            },
            "reason": "attempts_exhausted",
        },
    }


def test_an_announcement_of_an_endpoint_names_it_and_says_what_is_more() -> None:
    endpoint = make_endpoint("app_1", uid="main")
    told = about_endpoint(
        Event.ENDPOINT_DISABLED,
        endpoint,
        "shop",
        at_us=START_US,
        mark=3,
        more={"trigger": "manual"},
    )
    assert (told.scope, told.id) == ("org_1", f"endpoint.disabled.{endpoint.id}.3")
    assert told.data == {
        "appId": "app_1",
        "appUid": "shop",
        "endpointId": endpoint.id,
        "endpointUid": "main",
        "trigger": "manual",
    }


def test_a_change_has_its_name_and_disabling_and_enabling_theirs_too() -> None:
    on = make_endpoint()
    off = msgspec.structs.replace(on, disabled=True)
    assert changes_of(on, on) == [Event.ENDPOINT_UPDATED]
    assert changes_of(on, off) == [Event.ENDPOINT_UPDATED, Event.ENDPOINT_DISABLED]
    assert changes_of(off, on) == [Event.ENDPOINT_UPDATED, Event.ENDPOINT_ENABLED]


def test_no_token_can_name_the_scope_of_a_hidden_application() -> None:
    assert is_hidden(scope_of("org_1"))
    assert not is_hidden("org_1")
    assert not scope_of("org_1").startswith("org_")


def test_an_announcement_keeps_what_it_was_given() -> None:
    told = announcement("org_1", "background_task.finished", {"n": 1}, event_id="x", at_us=7)
    assert (told.scope, told.id, told.version, told.created_at_us) == ("org_1", "x", 1, 7)
