"""What the drops have that the deliveries which came through lack, and so tells why they are drops: alone
each of them looks like more than one mechanism. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import takewhile
from math import sqrt
from typing import Final

from homing.forensics.association import Q_MAX, Suspect
from homing.forensics.catalogue import Match
from homing.forensics.facts import LogFacts, has_field, twins_of
from homing.forensics.judging import Why
from homing.forensics.operations import Op
from homing.forensics.traces import Step, Trace
from homing.forensics.turns import is_done_idle, is_take, plans_retry
from homing.forensics.untried import without

_RACES: Final = frozenset(
    {"foreign_write", "old_epoch", "late_attempt", "lost_update", "two_holders", "second_result"}
)
#: fewer drops than these show no habit
_COUNT_MIN: Final = 3


def beside_others(
    matches: list[tuple[Trace, Match]],
    fine: Sequence[Trace],
    suspects: Sequence[Suspect],
    log: LogFacts,
) -> list[tuple[Trace, Match]]:
    """What each drop looks like once all of them are seen beside those that came through.

    Args:
        matches: drops, with what each looks like alone.
        fine: deliveries that came through although something went wrong on their way.
    """
    matches = _by_endpoint(_by_kind(matches, fine), suspects)
    matches = _by_age(_by_holders(matches, fine), fine, log)
    matches = _by_rows(_by_unknown_word(_by_haste(matches, fine, log), fine))
    return _by_note(matches, fine)


def without_innocent_crossings(dropped: Sequence[Trace], fine: Sequence[Trace]) -> list[Trace]:
    """Leave out crossings that deliveries which came through have about as often."""
    innocent = set()
    for crossing in _RACES:
        among_drops = sum(crossing in t.crossings for t in dropped) / len(dropped)
        among_fine = sum(crossing in t.crossings for t in fine) / len(fine) if fine else 0.0
        if among_drops < 1.6 * among_fine or among_fine > 0.5:
            innocent.add(crossing)
    return [t._replace(crossings=t.crossings - innocent) for t in dropped]


def _by_kind(
    matches: list[tuple[Trace, Match]], fine: Sequence[Trace]
) -> list[tuple[Trace, Match]]:
    """A query that leaves out a state, or a number of attempts, leaves out all that have it; so if
    nothing else went on from there, it is D1 and no marker that some met."""
    of_it = [t for t, m in matches if m.mechanism == "D1" and "D8" in m.twins]
    if not of_it:
        return matches
    went_on = [
        s for t in fine for s, after in zip(t.steps, t.steps[1:], strict=False) if s.result < 0
    ]
    states = {s.state for s in went_on if s.state}
    made = max((s.attempt or 0 for s in went_on), default=0)
    ends = [t.steps[-1] for t in of_it]
    is_kind = bool(went_on) and (
        all(s.state and s.state not in states for s in ends)
        or all((s.attempt or 0) > made for s in ends)
    )
    return [(t, m._replace(twins=())) if is_kind else (t, m) for t, m in matches]


#: of the drops, that two workers held; and of those that came through after trouble, at most
_HELD_BY_TWO: Final = 0.8
_FINE_HELD_MAX: Final = 0.3


def _by_holders(
    matches: list[tuple[Trace, Match]], fine: Sequence[Trace]
) -> list[tuple[Trace, Match]]:
    """A retry that nobody makes hits any delivery: where nearly all that it hit, and few others, had
    been held by two workers, one of them has written over the other, whatever shows of it."""
    alike = [t for t, m in matches if m.mechanism in ("D1", "D2")]
    held = sum(map(_changed_hands, alike))
    others = sum(map(_changed_hands, fine))
    if (
        held < max(_COUNT_MIN, _HELD_BY_TWO * len(alike))
        or not fine
        or others > _FINE_HELD_MAX * len(fine)
    ):
        return matches
    because = Match(
        "D6", 0.7, "silent since a second worker took it from a first, as few others were"
    )
    return [(t, because if m.mechanism in ("D1", "D2") else m) for t, m in matches]


#: of the drops that D1 or D11 explains, those due beyond any age that was kept: more, and all are D11
_AGED_MIN: Final = 0.5
#: the chance that a drop is older than one that went on, from which on its age may be why
_OLDER_MIN: Final = 0.8
#: nothing is deleted for its age that is younger
_KEPT_MIN_US: Final = 3_600_000_000


def _by_age(
    matches: list[tuple[Trace, Match]], fine: Sequence[Trace], log: LogFacts
) -> list[tuple[Trace, Match]]:
    """What deletes by age, seldom or with some play, leaves a few that are no older than others: they
    are of it where most are older. Where no due time tells, the age of the last line may."""
    alike = [(t, m) for t, m in matches if m.mechanism in ("D1", "D11")]
    aged = sum(m.mechanism == "D11" for _, m in alike)
    if aged > _AGED_MIN * len(alike) and not has_field(log, "purged"):
        because = next(m for _, m in alike if m.mechanism == "D11")
        return [(t, because if m.mechanism == "D1" else m) for t, m in matches]
    planned = [t for t, m in alike if m.mechanism == "D1" and not m.twins]
    if not planned or not _is_told_by_age(planned, fine):
        return matches
    # that deletions have lines, and these none, does not tell where some are due beyond all that was kept
    twins = ("D11",) if aged else twins_of("D1", log, ("D11",))
    names = {t.name for t in planned}
    return [(t, m._replace(twins=twins) if t.name in names else m) for t, m in matches]


def _is_told_by_age(dropped: Sequence[Trace], fine: Sequence[Trace]) -> bool:
    """Whether the drops are older than what went on after a failure, and rather that than that they
    had more attempts."""
    began = min(t.steps[-1].at_us for t in dropped)
    kept = [
        (s.at_us - t.accepted_us, i)
        for t in fine
        for i, s in enumerate([s for s in t.steps if s.result < 0])
        if s.at_us >= began
    ]
    lost = [
        (t.steps[-1].at_us - t.accepted_us, sum(s.result < 0 for s in t.steps) - 1) for t in dropped
    ]
    if len(kept) < _COUNT_MIN or len(lost) < _COUNT_MIN:
        return False
    by_age, by_number = (
        _share_above(ours, theirs)
        for ours, theirs in zip(zip(*lost, strict=True), zip(*kept, strict=True), strict=True)
    )
    # where each attempt is as far from the first as the others of its number, the two say the same
    is_kept_so_long = all(_due_us(t) - t.accepted_us >= _KEPT_MIN_US for t in dropped)
    return by_age >= _OLDER_MIN and (by_age > by_number or is_kept_so_long)


def _due_us(trace: Trace) -> int:
    """When a delivery was due at last; 0 if that is not told."""
    return max(step.due_us or 0 for step in trace.steps)


#: of the drops that waited for a retry, so many were written to meanwhile; and of those that went on, no more
_NOTED_MIN: Final = 0.8
_NOTED_FINE_MAX: Final = 0.3


def _by_note(
    matches: list[tuple[Trace, Match]], fine: Sequence[Trace]
) -> list[tuple[Trace, Match]]:
    """What somebody else did to the drops while they waited for a retry, and hardly to any that went on,
    may have put back what they waited for."""
    alike = [t for t, m in matches if m.mechanism == "D1" and not m.twins]
    notes = Counter(word for t in alike for word in _noted_at_last(t))
    word, count = notes.most_common(1)[0] if notes else ("", 0)
    plans = [
        _noted_while_waiting(t, i)
        for t in fine
        for i, s in enumerate(t.steps)
        if _is_followed_by_wait(s)
    ]
    survived = sum(word in noted for noted in plans)
    if count < max(_COUNT_MIN, _NOTED_MIN * len(alike)) or len(plans) < _COUNT_MIN:
        return matches
    if survived > _NOTED_FINE_MAX * len(plans):
        return matches
    because = Match(
        "D6", 0.6, f"waited for a retry, and nothing came after a line {word!r}", ("D1",)
    )
    names = {t.name for t in alike}
    return [(t, because if t.name in names else m) for t, m in matches]


def _is_followed_by_wait(step: Step) -> bool:
    """Whether a delivery waits for a retry from a line on: also where that is the failure itself."""
    return plans_retry(step) or (step.act is Op.FAILED and step.due_us is not None)


def _noted_while_waiting(trace: Trace, plan: int) -> set[str]:
    """What was noted of a delivery between the plan of a retry and the next turn."""
    rest = trace.steps[plan + 1 :]
    turn = next((i for i, s in enumerate(rest) if is_take(s) or s.act is Op.SENT), len(rest))
    return {s.word for s in rest[:turn] if s.word and s.act in (Op.NOTED, Op.WRITTEN)}


def _noted_at_last(trace: Trace) -> set[str]:
    """What was noted of a delivery after the last plan of a retry."""
    plans = [i for i, s in enumerate(trace.steps) if _is_followed_by_wait(s)]
    return _noted_while_waiting(trace, plans[-1]) if plans else set()


#: the chance that a drop's last attempt took longer than another's, up to which it was in haste; and so
#: many standard errors below a half (Mann and Whitney's test) are no chance
_HASTE_MAX: Final = 0.35
_HASTE_ERRORS: Final = 4


def _by_haste(
    matches: list[tuple[Trace, Match]], fine: Sequence[Trace], log: LogFacts
) -> list[tuple[Trace, Match]]:
    """A retry that nobody makes has no reason to hit what failed sooner after it was handed over than
    others did; whoever had handed it over, and saved it as that only then, has."""
    alike = [t for t, m in matches if m.mechanism == "D1" and not m.twins]
    others = defaultdict(list)
    for status, took in (one for t in fine for one in _until_failed(t)):
        others[status].append(took)
    # what fails at once may be lost for how it failed: beside what failed in the same way
    ends = [one for t in alike for one in _until_failed(t)[-1:] if others[one[0]]]
    n, m = len(ends), sum(len(others[status]) for status in {status for status, _ in ends})
    are_versions_told = has_field(log, "version_before") or has_field(log, "version_after")
    if min(n, m) < _COUNT_MIN or are_versions_told:
        return matches
    error = sqrt((n + m + 1) / (12 * n * m))
    above = sum(_share_above([took], others[status]) for status, took in ends) / n
    if above > min(_HASTE_MAX, 0.5 - _HASTE_ERRORS * error):
        return matches
    names = {t.name for t in alike}
    return [(t, m._replace(twins=("D6",)) if t.name in names else m) for t, m in matches]


def _until_failed(trace: Trace) -> list[tuple[int | None, int]]:
    """The status of each attempt that failed, and how long after its hand-over to the queue, in us."""
    found, queued = [], None
    for step in trace.steps:
        if step.act is Op.QUEUED:
            queued = step.at_us
        elif step.result < 0 and queued is not None:
            found.append((step.status, step.at_us - queued))
            queued = None
    return found


#: of the drops, so many must end with one word that none of the others has
_LAST_WORD_MIN: Final = 0.5


def _by_unknown_word(
    matches: list[tuple[Trace, Match]], fine: Sequence[Trace]
) -> list[tuple[Trace, Match]]:
    """Whatever a word means that nobody understands: it ends most of the drops, and no other has it."""
    last = {t.name: _last_words(t) for t, _ in matches}
    ends = Counter(word for words in last.values() for word in words)
    word, count = ends.most_common(1)[0] if ends else ("", 0)
    is_theirs = not any(
        (s.word or "") == word and s.act is Op.UNKNOWN for t in fine for s in t.steps
    )
    if count < max(_COUNT_MIN, _LAST_WORD_MIN * len(matches)) or not is_theirs:
        return matches
    line = f"{word!r}, which is not understood" if word else "that does not say what happened"
    what = f"nothing after a line {line}"
    may_be = ("D1", "D2", "D6", "D7", "D8", "D9", "D10", "D11")
    return [
        (t, Match(m.mechanism, min(m.strength, 0.5), what, without(may_be, m.mechanism)))
        if word in last[t.name] and m.mechanism
        else (t, m)
        for t, m in matches
    ]


def _last_words(trace: Trace) -> set[str]:
    """The words of its last lines, as far as nobody understands them."""
    unknown = takewhile(lambda step: step.act is Op.UNKNOWN, reversed(trace.steps))
    return {step.word or "" for step in unknown}


def _by_rows(matches: list[tuple[Trace, Match]]) -> list[tuple[Trace, Match]]:
    """What a worker left with no row in the table ended as those did that are still in it, where these
    were all ended alike."""
    told = [m for t, m in matches if any(s.is_row for s in t.steps)]
    ended = [m for m in told if m.mechanism == "D7" and not m.twins]
    if len(ended) < _COUNT_MIN or any(m.mechanism == "D4" for m in told):
        return matches
    return [(t, ended[0] if m.mechanism == "D4" and "D7" in m.twins else m) for t, m in matches]


def _share_above(ours: Sequence[int], theirs: Sequence[int]) -> float:
    """The chance that one of ours is above one of theirs, ties counted as halves."""
    order = sorted(theirs)
    below = sum(bisect_left(order, one) + bisect_right(order, one) for one in ours)
    return below / (2 * len(ours) * len(order))


def _changed_hands(trace: Trace) -> bool:
    """Whether a worker took it from another, who may still have been at it."""
    if "two_holders" in trace.crossings:
        return True
    lapse = next((i for i, s in enumerate(trace.steps) if s.act is Op.LAPSED), None)
    return lapse is not None and any(map(is_take, trace.steps[lapse:]))


#: share of the drops that endpoints which are hit more than others must have between them
_OF_ENDPOINTS: Final = 0.8


def _by_endpoint(
    matches: list[tuple[Trace, Match]], suspects: Sequence[Suspect]
) -> list[tuple[Trace, Match]]:
    """What was passed over, mostly of a few endpoints, was so because of them; and what was passed over
    of all endpoints alike was not."""
    named = [s for s in suspects if s.name.startswith("endpoint ") and ", and " not in s.name]
    of_it = [s for s in named if s.q <= Q_MAX and s.lift >= 2]
    over = (Why.SKIPPED, Why.PURGED)
    if sum(s.coverage for s in of_it) >= _OF_ENDPOINTS:
        because = Match("D9", 0.7, "passed over, and nearly all are of a few endpoints")
        return [
            (t, because if "D9" in m.twins and (t.why in over or is_done_idle(t.steps)) else m)
            for t, m in matches
        ]
    return [
        (t, m._replace(twins=without(m.twins, "D9")) if is_done_idle(t.steps) else m)
        for t, m in matches
    ]
