"""Whether an event was good and, if not, whose it is: the indicators, as functions over rows.

Rules of evidence, the first that fits:

| evidence | owner | rule |
|---|---|---|
| the endpoint was disabled when it was accepted | configuration | `disabled` |
| the endpoint or application has a rate or concurrency limit | configuration | `limited` |
| the endpoint gave some attempt no answer meanwhile | receiver | `not_answering` |
| more endpoints were late than are looked at | unattributed | `not_examined` |
| it was attempted late with none of these | platform | `started_late` |
| its first lease ran out, or was given back, without an attempt | platform | `lease_lapsed` |
| a status, a time-out, a reset, or TLS that failed | receiver | the outcome |
| no connection or no name, at few hosts from this process in this minute | receiver | the outcome |
| the same, at many hosts | platform | `broad` |
| the address is blocked or the URL is none | configuration | the outcome |
| no key to sign with, or no outcome recorded | platform | the outcome |
| nothing of all this | unattributed | `no_evidence` |
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from homing.core.lifecycle import DeadReason, State
from homing.core.objectives import MINUTE_US, Example, Narrow, Owner, Seen, Sli, Tally
from homing.core.outcome import Reason

#: distinct hosts that one process cannot reach in one minute, from which on it is our own side.
#: Five unrelated receivers do not vanish within a minute; our network, proxy or resolver does.
BREADTH: Final = 5

#: how long a minute's failures may still turn out to be everybody's: lines come a little late
_OPEN_US: Final = 5 * MINUTE_US
#: how long it is remembered that they were, for deliveries that end later
_REMEMBERED_US: Final = 86_400_000_000

#: deliveries kept as examples: of one kind, and of all
_EXAMPLES_OF_A_KIND: Final = 3
_EXAMPLES_MAX: Final = 300

_BY_BREADTH: Final = frozenset({Reason.CONNECT_TIMEOUT, Reason.CONNECT_FAILED, Reason.DNS_FAILED})
_OWNERS: Final[Mapping[Reason, Owner]] = {
    **dict.fromkeys(Reason, Owner.RECEIVER),
    Reason.ADDRESS_BLOCKED: Owner.CONFIGURATION,
    Reason.URL_INVALID: Owner.CONFIGURATION,
    Reason.SIGN_FAILED: Owner.PLATFORM,
    Reason.NO_OUTCOME: Owner.PLATFORM,
}


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an endpoint beside the log."""

    host: str = ""
    is_limited: bool = False  #: it or its application has a limit
    gave_no_answer: bool = False  #: to some attempt while what was late had to wait
    is_unknown: bool = False  #: too many were late to look at this one
    is_disabled: bool = False


class Blame(NamedTuple):
    """Whose it is, and by which rule."""

    owner: Owner
    rule: str


class Event(NamedTuple):
    """One indicator's view of one line. `blame` None: it was good."""

    sli: Sli
    blame: Blame | None
    by_breadth: bool = False  #: blamed on the receiver unless many others fail as well


def events_of(seen: Seen, about: About, *, was_broad: bool = False) -> list[Event]:
    """What a line means to each indicator.

    Args:
        about: the endpoint; that of nothing when the line does not name one.
        was_broad: many could not be reached when the delivery was accepted.
    """
    events = []
    if seen.outcome is not None:
        events += _attempt_events(seen, about)
    if seen.written:
        events += _end_events(seen, about, was_broad)
    return events


def _attempt_events(seen: Seen, about: About) -> list[Event]:
    is_ok = seen.outcome is Reason.OK
    events = []
    if is_ok:
        # A 2xx that came after the lease was another's: another attempt was, or will be, made.
        doubled = None if seen.written else Blame(Owner.PLATFORM, "second_success")
        events.append(Event(Sli.DUPLICATES, doubled))
    if seen.is_first and seen.written:
        late = _blame_for_start(seen, about) if seen.late_start else None
        events.append(Event(Sli.FIRST_ATTEMPT, late))
        events.append(Event(Sli.FIRST_SUCCESS, None) if is_ok else _failure(seen))
    return events


def _failure(seen: Seen) -> Event:
    reason = seen.outcome
    assert reason is not None
    return Event(Sli.FIRST_SUCCESS, Blame(_OWNERS[reason], str(reason)), reason in _BY_BREADTH)


def _end_events(seen: Seen, about: About, was_broad: bool) -> list[Event]:
    events = []
    if seen.to_state == State.LEASED:  # a retry was taken
        events.append(Event(Sli.RETRY, _blame_for_start(seen, about) if seen.late_start else None))
    if seen.from_state == State.DEAD and seen.op in ("redriven", "cancelled"):
        events.append(Event(Sli.HYGIENE, None))
    if seen.again:  # one verdict for each delivery: what a person does later changes nothing
        return events
    if seen.op == "succeeded":
        if not seen.late_done:
            events.append(Event(Sli.DELIVERED, None))
        elif not _was_kept(seen):
            events.append(Event(Sli.DELIVERED, _blame_for_delay(seen, about, was_broad)))
    elif seen.to_state == State.DEAD and seen.from_state != State.DEAD:
        events.append(Event(Sli.DELIVERED, _blame_for_death(seen, was_broad)))
    return events


def _was_kept(seen: Seen) -> bool:
    """It failed, was parked, and began its schedule anew when its endpoint was enabled again."""
    return seen.error is not None and not seen.failed_before and not seen.is_first


def _blame_for_start(seen: Seen, about: About) -> Blame:
    if seen.born == State.PARKED or about.is_disabled:
        return Blame(Owner.CONFIGURATION, "disabled")
    if about.is_limited:
        return Blame(Owner.CONFIGURATION, "limited")
    if about.gave_no_answer:
        return Blame(Owner.RECEIVER, "not_answering")
    if about.is_unknown:
        return Blame(Owner.UNATTRIBUTED, "not_examined")
    return Blame(Owner.PLATFORM, "lease_lapsed" if seen.lapsed else "started_late")


def _blame_for_delay(seen: Seen, about: About, was_broad: bool) -> Blame:
    if seen.error is not None:
        return _blame_for_error(seen.error, was_broad)
    if seen.late_start:
        return _blame_for_start(seen, about)
    if seen.is_first:
        return Blame(Owner.RECEIVER, "slow_answer")
    return Blame(Owner.UNATTRIBUTED, "no_evidence")


def _blame_for_death(seen: Seen, was_broad: bool) -> Blame:
    if seen.reason == DeadReason.POISON_WORKER_CRASH:
        return Blame(Owner.PLATFORM, str(DeadReason.POISON_WORKER_CRASH))
    if seen.reason == DeadReason.PAYLOAD_GONE:
        return Blame(Owner.CONFIGURATION, str(DeadReason.PAYLOAD_GONE))
    if seen.error is None:
        return Blame(Owner.UNATTRIBUTED, "no_evidence")
    return _blame_for_error(seen.error, was_broad)


def _blame_for_error(error: str, was_broad: bool) -> Blame:
    """By the first word of an error: "status 503", "connect_timeout: ..."."""
    try:
        reason = Reason(error.replace(":", " ").split(" ", 1)[0])
    except ValueError:
        return Blame(Owner.UNATTRIBUTED, "no_evidence")
    if was_broad and reason in _BY_BREADTH:
        return Blame(Owner.PLATFORM, "broad")
    return Blame(_OWNERS[reason], str(reason))


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What a piece of the log came to, and what is to be remembered of it."""

    tallies: tuple[Tally, ...]
    narrow: tuple[Narrow, ...]
    broad_us: tuple[int, ...]
    examples: tuple[Example, ...] = ()


def judge(
    rows: Iterable[Seen],
    *,
    scopes: Mapping[str, Sequence[str]],
    about: Mapping[str, About],
    narrow: Sequence[Narrow] = (),
    broad_us: Sequence[int] = (),
) -> Judged:
    """Count the events of a piece of the log, each in every scope it belongs to.

    Failures to reach an endpoint are the receiver's until, in the same minute and from the same
    process, `BREADTH` hosts are found to fail. From then on they are the platform's, and those
    already counted are moved: a tally with a negative count takes them back.

    Args:
        scopes: by application id: the organisation, and the application if it has objectives of
            its own. What is not named is not counted.
        about: by endpoint id, as far as known.
        narrow, broad_us: as returned for the piece before.
    """
    counts: Counter[tuple[str, int, Sli, Owner | None, str]] = Counter()
    breadth = _Breadth(narrow, broad_us)
    examples: dict[tuple[str, Sli, Blame], Example] = {}
    latest_us = 0
    for seen in rows:
        latest_us = max(latest_us, seen.minute_us)
        endpoint = about.get(seen.endpoint_id or "", About())
        was_broad = breadth.was_broad(seen.accepted_minute_us)
        for event in events_of(seen, endpoint, was_broad=was_broad):
            for scope in scopes.get(seen.app_id, ()):
                blame = event.blame
                if event.by_breadth and blame is not None:
                    host = endpoint.host or seen.endpoint_id or ""
                    blame = breadth.blame(seen, host, scope, event.sli, blame, counts)
                owner, rule = (None, "") if blame is None else blame
                counts[scope, seen.minute_us, event.sli, owner, rule] += seen.count
                if blame is not None and seen.message_id is not None:
                    example = Example(
                        scope=scope,
                        sli=event.sli,
                        owner=blame.owner,
                        rule=blame.rule,
                        delivery=f"{seen.message_id}.{seen.endpoint_id}",
                        minute_us=seen.minute_us,
                    )
                    examples[scope, event.sli, blame] = example
    return Judged(
        tallies=tuple(
            Tally(scope=scope, at_us=at_us, sli=sli, owner=owner, rule=rule, count=count)
            for (scope, at_us, sli, owner, rule), count in counts.items()
            if count
        ),
        narrow=breadth.still_open(latest_us),
        broad_us=breadth.remembered(latest_us),
        examples=tuple(examples.values()),
    )


def newest_examples(known: Sequence[Example], more: Sequence[Example]) -> tuple[Example, ...]:
    """The newest few of each scope, indicator and owner, the newest first."""
    kept: list[Example] = []
    seen: Counter[tuple[str, Sli, Owner]] = Counter()
    for one in sorted({*known, *more}, key=lambda one: (-one.minute_us, one.delivery)):
        kind = (one.scope, one.sli, one.owner)
        if seen[kind] < _EXAMPLES_OF_A_KIND and len(kept) < _EXAMPLES_MAX:
            seen[kind] += 1
            kept.append(one)
    return tuple(kept)


class _Breadth:
    """Who could not be reached, by minute and process."""

    def __init__(self, narrow: Sequence[Narrow], broad_us: Sequence[int]) -> None:
        self._hosts = {(one.minute_us, one.holder): set(one.hosts) for one in narrow}
        self._booked: dict[tuple[int, str], Counter[tuple[str, Sli, str]]] = {}
        for one in narrow:
            booked = self._booked[one.minute_us, one.holder] = Counter()
            for scope, sli, rule, count in one.booked:
                booked[scope, sli, rule] += count
        self._broad_us = set(broad_us)

    def was_broad(self, minute_us: int | None) -> bool:
        """In this minute, or the next: the first attempt follows acceptance."""
        return minute_us is not None and (
            minute_us in self._broad_us or minute_us + MINUTE_US in self._broad_us
        )

    def blame(
        self,
        seen: Seen,
        host: str,
        scope: str,
        sli: Sli,
        blame: Blame,
        counts: Counter[tuple[str, int, Sli, Owner | None, str]],
    ) -> Blame:
        place = (seen.minute_us, seen.holder or "")
        hosts = self._hosts.setdefault(place, set())
        booked = self._booked.setdefault(place, Counter())
        if len(hosts) < BREADTH:
            hosts.add(host)
        if len(hosts) < BREADTH:
            booked[scope, sli, blame.rule] += seen.count
            return blame
        for (its_scope, its_sli, rule), count in booked.items():
            counts[its_scope, seen.minute_us, its_sli, Owner.RECEIVER, rule] -= count
            counts[its_scope, seen.minute_us, its_sli, Owner.PLATFORM, "broad"] += count
        booked.clear()
        self._broad_us.add(seen.minute_us)
        return Blame(Owner.PLATFORM, "broad")

    def still_open(self, latest_us: int) -> tuple[Narrow, ...]:
        return tuple(
            Narrow(
                minute_us=place[0],
                holder=place[1],
                hosts=tuple(sorted(hosts)),
                booked=tuple(
                    (scope, sli, rule, count)
                    for (scope, sli, rule), count in self._booked[place].items()
                ),
            )
            for place, hosts in sorted(self._hosts.items())
            if place[0] > latest_us - _OPEN_US
        )

    def remembered(self, latest_us: int) -> tuple[int, ...]:
        return tuple(sorted(us for us in self._broad_us if us > latest_us - _REMEMBERED_US))


# --- Which counts make up a stretch of time ---


class Piece(NamedTuple):
    """Counts of one grain, from `since_us` to before `until_us`."""

    grain_s: int
    since_us: int
    until_us: int


def pieces(
    since_us: int, until_us: int, *, minutes_since_us: int = 0, hours_since_us: int = 0
) -> list[Piece]:
    """The fewest counts that make up a stretch: days in the middle, hours and minutes at its ends.

    Both ends are taken down to the minute; where minutes (or hours) are no longer kept, down to the
    next larger grain.

    Returns:
        In order of time, without gap or overlap; empty for an empty stretch.
    """
    since_us = _down(since_us, _grain_kept(since_us, minutes_since_us, hours_since_us))
    until_us = _down(until_us, _grain_kept(until_us, minutes_since_us, hours_since_us))
    found: list[Piece] = []
    at_us = since_us
    while at_us < until_us:
        for grain_s in (86_400, 3_600, 60):
            size_us = grain_s * 1_000_000
            if at_us % size_us == 0 and at_us + size_us <= until_us:
                break
        end_us = at_us + size_us
        larger_us = {60: 3_600, 3_600: 86_400, 86_400: 0}[grain_s] * 1_000_000
        while end_us + size_us <= until_us and (not larger_us or end_us % larger_us):
            end_us += size_us
        found.append(Piece(grain_s, at_us, end_us))
        at_us = end_us
    return found


def _grain_kept(at_us: int, minutes_since_us: int, hours_since_us: int) -> int:
    if at_us >= minutes_since_us:
        return 60
    return 3_600 if at_us >= hours_since_us else 86_400


def _down(at_us: int, grain_s: int) -> int:
    return at_us - at_us % (grain_s * 1_000_000)
