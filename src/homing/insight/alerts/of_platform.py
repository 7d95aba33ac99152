"""What is the matter with Homing itself, or with how it is told of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from homing.core.plurals import plural
from homing.insight.alerts.alert import Finding, Kind, Owner, Severity
from homing.insight.alerts.readings import Lane, Missing, Readings
from homing.insight.alerts.thresholds import Thresholds
from homing.insight.alerts.wording import clock_text, rate_text, span_text
from homing.insight.rates import exact

_SECOND_US: Final = 1_000_000


def unaccounted(readings: Readings) -> Iterator[Finding]:
    """Always, and at once: there is no number of them that is all right."""
    for missing in readings.missing:
        rate = exact(min(missing.count, missing.accepted), missing.accepted)
        began = missing.began
        yield Finding(
            kind=Kind.UNACCOUNTED,
            subject=missing.org_id,
            severity=Severity.PAGE,
            owner=Owner.PLATFORM,
            org_id=missing.org_id,
            what=_what_is_missing(missing),
            since_us=began.at_us if began else missing.first_at_us,
            since_low_us=began.low_us if began else None,
            since_high_us=began.high_us if began else None,
            count=missing.count,
            of=missing.accepted,
            rate=rate,
            money=missing.money,
            money_of=missing.money_of if missing.money_of < missing.count else 0,
            examples=missing.examples[:3],
            command=f"homing audit --since {clock_text(missing.since_us)}",
        )


def _what_is_missing(missing: Missing) -> str:
    rate = exact(min(missing.count, missing.accepted), missing.accepted)
    verb = "is" if missing.count == 1 else "are"
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(missing.kinds.items()))
    more = "" if set(missing.kinds) <= {"unaccounted"} else f" ({kinds})"
    return (
        f"{plural(missing.count, 'delivery', 'deliveries')} of {missing.accepted:,} accepted "
        f"since {clock_text(missing.since_us)} {verb} unaccounted for: {rate_text(rate)}{more}"
    )


def audit_missed(readings: Readings, limits: Thresholds) -> Iterator[Finding]:
    since_us = readings.audited_at_us or readings.started_at_us
    age_s = (readings.at_us - since_us) / _SECOND_US
    if age_s <= limits.audit_missed_s:
        return
    yield Finding(
        kind=Kind.AUDIT_MISSED,
        severity=Severity.PAGE,
        owner=Owner.PLATFORM,
        what=f"nobody has balanced the books for {span_text(age_s)}: drops would not be seen",
        since_us=since_us,
        command="homing doctor",
    )


def _held_back_by(lane: Lane) -> Owner | None:
    """Who holds a lane back; None: nobody does, so Homing is late."""
    if lane.is_failing:
        return Owner.RECEIVER
    return Owner.CONFIGURATION if lane.is_limited else None


def late(readings: Readings, limits: Thresholds) -> Iterator[Finding]:
    until_us = readings.at_us - round(limits.late_s * _SECOND_US)
    late = [one for one in readings.lanes if one.due_at_us < until_us and not _held_back_by(one)]
    if not late:
        yield from _late_unseen(readings, until_us)
        return
    oldest = min(late, key=lambda one: one.due_at_us)
    count = sum(one.count for one in late)
    age_s = (readings.at_us - oldest.due_at_us) / _SECOND_US
    yield Finding(
        kind=Kind.DELIVERIES_LATE,
        severity=Severity.PAGE,
        owner=Owner.PLATFORM,
        what=(
            f"{plural(count, 'delivery', 'deliveries')} of "
            f"{plural(len(late), 'endpoint')} {'is' if count == 1 else 'are'} due and not "
            f"sent, the oldest for {span_text(age_s)}; no limit and no failing receiver explains it"
        ),
        since_us=oldest.due_at_us,
        count=count,
        examples=tuple(name for one in late for name in one.examples or (one.endpoint_id,))[:3],
        command="homing doctor",
    )


def _late_unseen(readings: Readings, until_us: int) -> Iterator[Finding]:
    """Due by the table as a whole, and in no lane: the look that finds work does not see it."""
    backlog = readings.backlog
    if readings.lanes or backlog is None or backlog.oldest_due_at_us is None:
        return
    # A count of an earlier moment proves nothing: what a breaker or a limit held back for long may
    # have been sent since.
    if readings.backlog_at_us < readings.at_us or backlog.oldest_due_at_us >= until_us:
        return
    age_s = (readings.at_us - backlog.oldest_due_at_us) / _SECOND_US
    yield Finding(
        kind=Kind.DELIVERIES_LATE,
        severity=Severity.PAGE,
        owner=Owner.PLATFORM,
        what=(
            f"{plural(backlog.due, 'delivery is', 'deliveries are')} due, the oldest for "
            f"{span_text(age_s)}, and the dispatcher does not see them: no endpoint, breaker or "
            "limit holds them; homing doctor looks at the dispatcher and its database"
        ),
        since_us=backlog.oldest_due_at_us,
        count=backlog.due,
        examples=readings.unseen[:3],
        command="homing doctor",
    )


def backlog(readings: Readings, limits: Thresholds) -> Iterator[Finding]:
    backlog = readings.backlog
    if backlog is None or backlog.oldest_due_at_us is None:
        return
    least = max(limits.backlog_least, readings.accepted_per_s * limits.backlog_s)
    lag_s = (readings.at_us - backlog.oldest_due_at_us) / _SECOND_US
    if backlog.due < least or lag_s < limits.late_s:
        return
    owner = _backlog_owner(readings.lanes)
    yield Finding(
        kind=Kind.BACKLOG,
        severity=Severity.TICKET,
        owner=owner,
        what=(
            f"{plural(backlog.due, 'delivery is', 'deliveries are')} due at once, the oldest for "
            f"{span_text(lag_s)}, at {readings.accepted_per_s:.1f} arriving a second"
        ),
        since_us=backlog.oldest_due_at_us,
        count=backlog.due,
        examples=tuple(one.endpoint_id for one in readings.lanes[:3]),
        command="homing doctor",
    )


def _backlog_owner(lanes: Sequence[Lane]) -> Owner:
    """Whoever holds back most of what is due."""
    counts = dict.fromkeys((Owner.PLATFORM, Owner.RECEIVER, Owner.CONFIGURATION), 0)
    for one in lanes:
        counts[_held_back_by(one) or Owner.PLATFORM] += one.count
    return max(counts, key=lambda owner: counts[owner])


def wide_failures(readings: Readings, limits: Thresholds) -> Iterator[Finding]:
    """Unrelated endpoints do not begin to fail in the same minutes by themselves."""
    changes = sorted(readings.failures, key=lambda one: one.change.at_us)
    reach_us = round(limits.wide_s * _SECOND_US)
    together = max(
        (
            [c for c in changes[i:] if c.change.at_us - first.change.at_us <= reach_us]
            for i, first in enumerate(changes)
        ),
        key=len,
        default=[],
    )
    known = len(readings.failures) + readings.steady_endpoints
    if len(together) < limits.wide_least or len(together) < limits.wide_share * known:
        return
    count = sum(one.change.count for one in together)
    of = sum(one.change.of for one in together)
    yield Finding(
        kind=Kind.WIDE_FAILURES,
        severity=Severity.PAGE,
        owner=Owner.PLATFORM,
        what=(
            f"{len(together)} of {plural(known, 'endpoint')} began to fail within "
            f"{span_text(limits.wide_s)} of each other: {rate_text(exact(count, of))} of their "
            "deliveries since; look at what they have in common, such as our own way out"
        ),
        since_us=together[0].change.at_us,
        since_low_us=min(one.change.low_us for one in together),
        since_high_us=max(one.change.high_us for one in together),
        count=count,
        of=of,
        rate=exact(count, of),
        examples=tuple(one.endpoint_id for one in together[:3]),
        command="homing doctor",
    )


def channels(readings: Readings, limits: Thresholds) -> Iterator[Finding]:
    for one in readings.channels:
        age_s = (readings.at_us - one.since_us) / _SECOND_US
        if age_s <= limits.channel_s:
            continue
        yield Finding(
            kind=Kind.CHANNEL_FAILING,
            subject=one.channel,
            severity=Severity.TICKET,
            owner=Owner.CONFIGURATION,
            name=one.channel,
            what=(
                f"the channel {one.channel} has taken no alert for {span_text(age_s)}, "
                f"{one.waiting} wait: {one.error}"
            ),
            since_us=one.since_us,
            count=one.waiting,
            command=f"homing alerts test {one.channel}",
        )


def burns(readings: Readings) -> Iterator[Finding]:
    for one in readings.burns:
        yield Finding(
            kind=Kind.BURN_RATE,
            subject=".".join(filter(None, (one.org_id, one.objective, one.severity))),
            severity=one.severity,
            owner=one.owner,
            org_id=one.org_id,
            name=one.objective,
            what=one.what,
            since_us=one.since_us,
            count=one.bad,
            of=one.total,
            rate=one.rate,
            examples=one.examples,
            command=f"homing slo report {one.objective}",
        )
