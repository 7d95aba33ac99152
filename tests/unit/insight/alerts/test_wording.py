"""How numbers are said, and that every alert says all that it has to say."""

from __future__ import annotations

import pytest
from support.alerting import make_finding
from support.making import START_US

from homing.insight.alerts.alert import Severity, Status, Told
from homing.insight.alerts.wording import body, document, percent_text, span_text, title
from homing.insight.rates import exact

MINUTE_US = 60_000_000


def told(status: Status = Status.FIRING, **fields: object) -> Told:
    finding = make_finding(
        count=3, of=1_000, rate=exact(3, 1_000), examples=("msg_1.ep_1",), money={"EUR": "9.50"}
    )
    return Told(
        alert_id=finding.id,
        status=status,
        finding=finding,
        fired_at_us=START_US,
        **fields,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0%"),
        (0.00002, "0.0020%"),
        (0.0029, "0.29%"),
        (0.0501, "5.0%"),
        (0.314, "31%"),
        (1.0, "100%"),
    ],
)
def test_a_share_has_two_digits_that_mean_something(share: float, text: str) -> None:
    assert percent_text(share) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7_199, "120 min"),
        (7_200, "2 h"),
        (260_000, "3 d"),
    ],
)
def test_a_length_of_time_is_in_the_largest_unit_that_fits_twice(seconds: float, text: str) -> None:
    assert span_text(seconds) == text


def test_every_alert_says_what_since_when_how_many_whose_how_much_examples_and_a_command() -> None:
    lines = body([told()]).splitlines()
    assert lines == [
        "TICKET something is the matter",
        "since: 2026-01-01T00:00:00Z",
        "how many: 3 of 1,000, 0.30% (exact 95% interval 0.062% to 0.87%)",
        "whose: the receiver's to mend",
        "money: 9.50 EUR",
        "first examples: msg_1.ep_1",
        "look closer: homing doctor",
        "alert: homing alerts show first_dead_letter.ep_1",
    ]


def test_an_end_and_a_reminder_are_told_from_a_beginning() -> None:
    over = told(Status.RESOLVED, resolved_at_us=START_US + MINUTE_US)
    assert title([over]) == "[Homing] resolved: something is the matter"
    assert "resolved: 2026-01-01T00:01:00Z" in body([over])
    assert body([told(is_reminder=True)]).startswith("TICKET (still) something")


def test_many_are_one_message_that_describes_ten_and_counts_the_rest() -> None:
    many = [told()] * 14
    assert title(many) == "[Homing] ticket: something is the matter (and 13 more)"
    assert body(many).count("look closer") == 10
    assert "And 4 more; `homing alerts list` shows all." in body(many)


def test_machines_are_told_the_same() -> None:
    said = document(told())
    assert said["severity"] == Severity.TICKET
    assert said["rate"]["low"] < said["rate"]["value"] < said["rate"]["high"]
    assert said["money"] == {"EUR": "9.50"}
