"""The rule of what may be forgotten: every case by name, and what must hold of all cases."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.core.retention import (
    DAY_US,
    NOTHING,
    Part,
    Purged,
    Retention,
    Standing,
    dead_letter_goes_at_us,
    may_go,
)

START_US = 1_767_225_600_000_000
KEPT = Retention(payload_d=30, attempts_d=60, log_d=90, dead_d=180)
WHOLE = frozenset(Part)


def standing(**fields: object) -> Standing:
    known: dict[str, object] = {
        "message_id": "msg_1",
        "app_id": "app_1",
        "accepted_at_us": START_US,
        "has_payload": True,
        "has_attempts": True,
        "is_unfinished": False,
    }
    return Standing(**(known | fields))  # type: ignore[arg-type]


def after(days: float) -> int:
    return START_US + round(days * DAY_US)


@pytest.mark.parametrize(
    ("days", "parts"),
    [
        (29.99, NOTHING),
        (30, {Part.PAYLOAD}),
        (59.99, {Part.PAYLOAD}),
        (60, {Part.PAYLOAD, Part.ATTEMPTS}),
        (89.99, {Part.PAYLOAD, Part.ATTEMPTS}),
        (90, WHOLE),
    ],
)
def test_each_part_goes_when_its_time_has_passed(days: float, parts: set[Part]) -> None:
    assert may_go(standing(), KEPT, after(days)) == parts


def test_the_time_begins_again_when_a_delivery_finishes() -> None:
    resent = standing(finished=1, finished_at_us=after(80))
    assert may_go(resent, KEPT, after(90)) == NOTHING
    assert may_go(resent, KEPT, after(80 + 30)) == {Part.PAYLOAD}
    assert may_go(resent, KEPT, after(80 + 90)) == WHOLE


def test_nothing_of_an_unfinished_delivery_ever_goes() -> None:
    assert may_go(standing(is_unfinished=True), KEPT, after(100_000)) == NOTHING


def test_a_dead_letter_keeps_all_of_its_message_for_a_time_of_its_own() -> None:
    dead = standing(finished=2, finished_at_us=after(5), dead_at_us=after(3))
    assert may_go(dead, KEPT, after(3 + 179.99)) == NOTHING
    assert may_go(dead, KEPT, after(3 + 180)) == WHOLE
    for_ever = msgspec.structs.replace(KEPT, dead_d=0)
    assert may_go(dead, for_ever, after(100_000)) == NOTHING
    brief = msgspec.structs.replace(KEPT, dead_d=1)  # no shorter than for what was delivered
    assert may_go(dead, brief, after(5 + 29.99)) == NOTHING
    assert may_go(dead, brief, after(5 + 30)) == {Part.PAYLOAD}


@pytest.mark.parametrize(
    ("kept", "parts"),
    [
        (Retention(payload_d=0, attempts_d=0, log_d=0, dead_d=0), NOTHING),
        (Retention(payload_d=0, attempts_d=0, log_d=90, dead_d=0), WHOLE),
        (Retention(payload_d=1, attempts_d=0, log_d=0, dead_d=0), {Part.PAYLOAD}),
        (Retention(payload_d=9_000, attempts_d=9_000, log_d=1, dead_d=0), WHOLE),
    ],
)
def test_no_time_is_for_ever_but_nothing_outlives_its_message(
    kept: Retention, parts: set[Part]
) -> None:
    assert may_go(standing(), kept, after(1_000)) == parts


def test_an_application_overrides_what_it_names_and_no_more() -> None:
    own = Retention(payload_d=7, dead_d=0)
    assert own.over(KEPT) == Retention(payload_d=7, attempts_d=60, log_d=90, dead_d=0)
    assert Retention().over(KEPT) == KEPT


def test_a_cutoff_is_where_the_time_began() -> None:
    assert KEPT.cutoff_us(Part.PAYLOAD, after(100)) == after(70)
    assert Retention(log_d=0).cutoff_us(Part.MESSAGE, after(100)) is None


def test_the_end_of_a_dead_letter_is_foreseen() -> None:
    assert dead_letter_goes_at_us(START_US, KEPT) == after(180)
    late = msgspec.structs.replace(KEPT, dead_d=1)
    assert dead_letter_goes_at_us(START_US, late) == after(30)
    never = msgspec.structs.replace(KEPT, dead_d=0)
    assert dead_letter_goes_at_us(START_US, never) is None
    nothing = Retention(payload_d=0, attempts_d=0, log_d=0, dead_d=5)
    assert dead_letter_goes_at_us(START_US, nothing) is None


def test_what_was_purged_adds_up() -> None:
    one, other = Purged(payloads=1, lines=2), Purged(payloads=3, messages=4)
    assert one + other == Purged(payloads=4, lines=2, messages=4)


_days = st.integers(0, 400)
_retentions = st.builds(Retention, payload_d=_days, attempts_d=_days, log_d=_days, dead_d=_days)
_offsets = st.none() | st.integers(0, 800 * DAY_US).map(lambda us: START_US + us)


@st.composite
def _standings(draw: st.DrawFn) -> Standing:
    finished_at_us = draw(_offsets)
    dead_at_us = None
    if finished_at_us is not None and draw(st.booleans()):
        dead_at_us = draw(st.integers(START_US, finished_at_us))
    return standing(
        is_unfinished=draw(st.booleans()),
        finished=0 if finished_at_us is None else 1,
        finished_at_us=finished_at_us,
        dead_at_us=dead_at_us,
    )


@given(_standings(), _retentions, st.integers(0, 1_600 * DAY_US))
def test_what_must_hold_of_every_message(message: Standing, kept: Retention, later_us: int) -> None:
    at_us = START_US + later_us
    parts = may_go(message, kept, at_us)
    last_us = max(message.accepted_at_us, message.finished_at_us or 0)
    if message.is_unfinished:
        assert not parts
    if message.dead_at_us is not None and parts:
        assert kept.dead_d
        assert at_us >= message.dead_at_us + kept.dead_d * DAY_US
    for part in parts:
        length_us = kept.length_us(part)
        if Part.MESSAGE not in parts:
            assert length_us is not None
        if length_us is not None:
            assert at_us - last_us >= length_us
    if Part.MESSAGE in parts:
        assert parts == WHOLE
    # what may go once may go ever after, as long as nothing happens to it
    assert parts <= may_go(message, kept, at_us + DAY_US)
    # what was accepted since the cutoff keeps its part: so a walk may end there
    for part in Part:
        cutoff_us = kept.cutoff_us(part, at_us)
        if cutoff_us is None or message.accepted_at_us > cutoff_us:
            assert part not in parts


@given(st.integers(0, 800 * DAY_US), _retentions)
def test_a_dead_letter_goes_no_earlier_and_no_later_than_foreseen(
    died_us: int, kept: Retention
) -> None:
    dead_at_us = START_US + died_us
    message = standing(finished=1, finished_at_us=dead_at_us, dead_at_us=dead_at_us)
    goes_at_us = dead_letter_goes_at_us(dead_at_us, kept)
    if goes_at_us is None:
        assert not may_go(message, kept, dead_at_us + 100_000 * DAY_US)
    else:
        assert not may_go(message, kept, goes_at_us - 1)
        assert may_go(message, kept, goes_at_us)
