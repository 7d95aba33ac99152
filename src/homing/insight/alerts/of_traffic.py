"""What is the matter with receivers and publishers: dead letters, endpoints, silence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from homing.core.plurals import plural
from homing.insight.alerts.alert import Finding, Kind, Owner, Severity
from homing.insight.alerts.readings import Readings
from homing.insight.alerts.surprise import is_surprising
from homing.insight.alerts.thresholds import Thresholds
from homing.insight.alerts.wording import clock_text, money_text, percent_text, rate_text, span_text

_SECOND_US: Final = 1_000_000


def dead_letters(readings: Readings, limits: Thresholds) -> Iterator[Finding]:
    for pile in readings.dead:
        letters = pile.letters
        common: dict[str, Any] = {
            "severity": Severity.TICKET,
            "owner": Owner.RECEIVER,
            "org_id": pile.org_id,
            "app_id": letters.app_id,
            "endpoint_id": letters.endpoint_id,
            "name": pile.name,
            "subject": letters.endpoint_id,
            "money": pile.money,
            "examples": pile.examples[:3],
            "command": f"homing dlq list {letters.app_id} --endpoint {letters.endpoint_id}",
        }
        last = f"; the first one's last error: {pile.reason}" if pile.reason else ""
        yield Finding(
            kind=Kind.FIRST_DEAD_LETTER,
            what=f"{pile.name} has {plural(letters.count, 'dead letter')}, where it had none"
            + last,
            since_us=letters.oldest_at_us,
            count=letters.count,
            **common,
        )
        usual = (letters.past - letters.recent) * limits.recent_s / limits.past_s
        if letters.recent >= limits.growth_least and is_surprising(letters.recent, usual):
            yield Finding(
                kind=Kind.DEAD_LETTERS_GROWING,
                what=(
                    f"{plural(letters.recent, 'delivery')} to {pile.name} died within "
                    f"{span_text(limits.recent_s)}; the day before that it was {usual:.1f}" + last
                ),
                since_us=readings.at_us - round(limits.recent_s * _SECOND_US),
                count=letters.recent,
                **common,
            )
        age_s = (readings.at_us - letters.oldest_at_us) / _SECOND_US
        if age_s > limits.old_s:
            yield Finding(
                kind=Kind.DEAD_LETTER_OLD,
                what=(
                    f"the oldest of {plural(letters.count, 'dead letter')} of {pile.name} has "
                    f"waited for {span_text(age_s)}; {span_text(limits.old_s)} are allowed"
                ),
                since_us=letters.oldest_at_us + round(limits.old_s * _SECOND_US),
                count=letters.count,
                **common,
            )


def money(readings: Readings) -> Iterator[Finding]:
    for one in readings.money:
        money = {one.currency: one.amount}
        yield Finding(
            kind=Kind.MONEY_AT_RISK,
            subject=".".join(filter(None, (one.org_id, one.currency))),
            app_id=one.app_id,
            severity=Severity.TICKET,
            owner=Owner.RECEIVER,
            org_id=one.org_id,
            what=(
                f"{plural(one.count, 'dead letter')} that nobody has handled "
                f"{'is' if one.count == 1 else 'are'} worth {money_text(money)}"
            ),
            since_us=one.since_us,
            count=one.count,
            money=money,
            command=f"homing dlq issues {one.app_id}",
        )


def failures(readings: Readings) -> Iterator[Finding]:
    for one in readings.failures:
        change = one.change
        yield Finding(
            kind=Kind.FAILURE_RATE_CHANGED,
            subject=one.endpoint_id,
            severity=Severity.TICKET,
            owner=Owner.RECEIVER,
            org_id=one.org_id,
            app_id=one.app_id,
            endpoint_id=one.endpoint_id,
            name=one.name,
            what=(
                f"since {clock_text(change.at_us)} (between {clock_text(change.low_us)} and "
                f"{clock_text(change.high_us)}) {one.name} has not taken {rate_text(change.after)} "
                f"of its deliveries at once; before that it was {percent_text(change.before.value)}"
            ),
            since_us=change.at_us,
            since_low_us=change.low_us,
            since_high_us=change.high_us,
            count=change.count,
            of=change.of,
            rate=change.after,
            examples=one.examples[:3],
            command=f"homing attempt list {one.app_id} --endpoint {one.endpoint_id}",
        )


def endpoints(readings: Readings) -> Iterator[Finding]:
    for one in readings.endpoints:
        common: dict[str, Any] = {
            "subject": one.id,
            "owner": Owner.RECEIVER,
            "org_id": one.org_id,
            "app_id": one.app_id,
            "endpoint_id": one.id,
            "name": one.name,
            "count": one.parked,
            "examples": one.examples[:3],
            "command": f"homing endpoint get {one.app_id} {one.id}",
        }
        if one.disabled_at_us is not None:
            yield Finding(
                kind=Kind.ENDPOINT_DISABLED,
                severity=Severity.PAGE,
                what=(
                    f"{one.name} was disabled: {one.disabled_reason}; "
                    f"{plural(one.parked, 'delivery is', 'deliveries are')} kept for it"
                ),
                since_us=one.disabled_at_us,
                **common,
            )
        elif one.disable_at_us is not None and one.failing_since_us is not None:
            left_s = (one.disable_at_us - readings.at_us) / _SECOND_US
            yield Finding(
                kind=Kind.ENDPOINT_FAILING,
                severity=Severity.TICKET,
                what=(
                    f"{one.name} has done nothing but fail since "
                    f"{clock_text(one.failing_since_us)} and is disabled in "
                    f"{span_text(max(left_s, 0.0))} if that goes on"
                ),
                since_us=one.failing_since_us,
                **common,
            )


def silences(readings: Readings) -> Iterator[Finding]:
    for one in readings.silences:
        gap_s = (readings.at_us - one.last_at_us) / _SECOND_US
        yield Finding(
            kind=Kind.NO_TRAFFIC,
            subject=one.app_id,
            severity=Severity.TICKET,
            owner=Owner.PUBLISHER,
            org_id=one.org_id,
            app_id=one.app_id,
            name=one.name,
            what=(
                f"{one.name} has sent nothing for {span_text(gap_s)}; by its own past about "
                f"{one.expected:,.0f} deliveries were due, and its longest pause at this time was "
                f"{span_text(one.gap_past_s)}"
            ),
            since_us=one.last_at_us,
            examples=(one.last_message_id,) if one.last_message_id else (),
            command=f"homing message list {one.app_id}",
        )
