"""From what single dropped deliveries look like to one sentence, its evidence and its rivals. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from homing.forensics import evidence
from homing.forensics.association import Suspect
from homing.forensics.beside import beside_others, without_innocent_crossings
from homing.forensics.catalogue import MECHANISMS, Match
from homing.forensics.facts import LogFacts, has_field, number_of, telling
from homing.forensics.lives import without_lengths_of_takes
from homing.forensics.mechanisms import recognise
from homing.forensics.neighbours import Neighbours
from homing.forensics.outages import in_vain
from homing.forensics.overwriting import with_lost_update
from homing.forensics.traces import Trace
from homing.forensics.untried import by_company, by_neighbours

#: a mechanism with a smaller share of the drops is mentioned only if it has this many
_SHARE_MIN: Final = 0.05
_COUNT_MIN: Final = 3
#: or lines of its own that tell it
_OWN_STRENGTH: Final = 0.8
_FIELD_WORDS: Final = {
    "accepted": "line for the acceptance",
    "queued": "line for the hand-over to the queue",
    "claimed": "line for a worker's turn",
    "sent": "line for the start of a request",
    "lapsed": "line for a lease that ran out",
    "purged": "line for a deletion",
    "exhausted": "line for the end of the retries",
    "epoch": "lease epoch",
    "worker": "worker",
    "version_before": "row version",
    "version_after": "row version",
    "status": "response status",
    "to_state": "state",
    "due": "due time",
    "lease_until": "end of the lease",
    "commit_lag_ms": "commit time",
    "committed_at": "commit time",
    "max_attempts": "limit of attempts",
    "attempt": "attempt number",
    "endpoint": "endpoint",
    "reason": "reason",
    "outcome": "outcome of an attempt",
    "attempts": "line for an attempt",
    "said": "line that calls it delivered",
}


_NOTHING_NEAR: Final = Neighbours()


class Share(NamedTuple):
    """A mechanism, and how many of the dropped deliveries that were read look like it."""

    mechanism: str
    drops: int
    share: float
    strength: float
    what: str
    #: other mechanisms that leave the same lines in this log, of most of these drops
    twins: tuple[str, ...] = ()


class Candidate(NamedTuple):
    """One of several mechanisms between which the log cannot decide."""

    mechanism: str
    lacking: str  #: what the log would need to tell it from the first; empty for the first


@dataclass(slots=True)
class Hypothesis:
    """What most likely loses deliveries here."""

    mechanism: str | None  #: None: it is unlike all that are known, or the log cannot decide
    sentence: str
    evidence: list[str] = field(default_factory=list)
    rivals: list[dict[str, str]] = field(default_factory=list)
    cannot_tell: list[str] = field(default_factory=list)
    shares: list[Share] = field(default_factory=list)
    confidence: float = 0.0
    crossing: str | None = None  #: the crossing that the drops have and the others have not
    #: where the log cannot decide: those that leave the same lines, the likeliest first
    candidates: list[Candidate] = field(default_factory=list)


def form(
    dropped: Sequence[Trace],
    fine: Sequence[Trace],
    suspects: Sequence[Suspect],
    log: LogFacts,
    *,
    busiest_share: float,
    near: Neighbours = _NOTHING_NEAR,
) -> Hypothesis:
    """The hypothesis that fits the dropped deliveries best.

    Args:
        dropped: dropped deliveries, all or a sample spread over the log.
        fine: deliveries that came through although something went wrong on their way.
        busiest_share: of the drops, in the busiest twentieth of the windows.
        near: what is next to them.
    """
    if not dropped:
        return Hypothesis(None, "no delivery was dropped")
    dropped, fine = without_lengths_of_takes(dropped, fine)
    dropped, fine = (list(map(with_lost_update, some)) for some in (dropped, fine))
    dropped = without_innocent_crossings(dropped, fine)
    matches = [(trace, recognise(trace, log)) for trace in dropped]
    matches = by_neighbours(matches, near, suspects)
    matches = by_company(matches, suspects, log, busiest_share)
    matches = beside_others(matches, fine, suspects, log)
    matches = in_vain(matches, fine, log.cut_off)
    shares = _explained(_shares(matches))
    top = shares[0]
    if not top.mechanism:
        return Hypothesis(
            None, "the dropped deliveries look like no mechanism that is known", shares=shares
        )
    about = MECHANISMS[top.mechanism]
    found = Hypothesis(top.mechanism, about.sentence, shares=shares, confidence=top.strength)
    found.evidence = _evidence(matches, top, fine, suspects)
    found.rivals, found.cannot_tell = _rivals(top, log)
    crossings = Counter(c for t, m in matches if m.mechanism == top.mechanism for c in t.crossings)
    found.crossing = crossings.most_common(1)[0][0] if crossings else None
    if top.twins:
        found.candidates = _candidates(top, log)
        found.mechanism, found.sentence = None, _undecided(found.candidates)
    if len(_notable(shares)) > 1:
        parts = ", ".join(f"{s.mechanism} ({s.share:.0%})" for s in _notable(shares))
        found.evidence.append(f"more than one mechanism is at work: {parts}")
    if not shares[-1].mechanism:
        found.evidence.append(f"{shares[-1].drops} of {len(matches)} are not explained by it")
    return found


def _candidates(top: Share, log: LogFacts) -> list[Candidate]:
    lacking = {
        code: " or ".join(
            dict.fromkeys(_FIELD_WORDS.get(f, f) for f in telling(top.mechanism, code))
        )
        for code in top.twins
    }
    return [
        Candidate(top.mechanism, ""),
        *(Candidate(code, f"the log has no {words}") for code, words in lacking.items()),
    ]


def _undecided(candidates: Sequence[Candidate]) -> str:
    first, *others = (f"{c.mechanism} ({MECHANISMS[c.mechanism].name})" for c in candidates)
    by_lack: dict[str, list[str]] = {}
    for other, candidate in zip(others, candidates[1:], strict=True):
        by_lack.setdefault(candidate.lacking, []).append(other)
    which = "; from ".join(f"{', '.join(alike)}: {lack}" for lack, alike in by_lack.items())
    return f"cannot tell {first} from {which}"


#: of the drops that look like one mechanism, so many must look like no other
_PLAIN_MIN: Final = 0.2


def _shares(matches: Sequence[tuple[Trace, Match]]) -> list[Share]:
    counts = Counter(m.mechanism for _, m in matches)
    shares = []
    for mechanism, count in counts.most_common():
        of_it = [m for _, m in matches if m.mechanism == mechanism]
        what = Counter(m.what for m in of_it).most_common(1)[0][0]
        strength = sum(m.strength for m in of_it) / count
        alike = Counter(code for m in of_it for code in m.twins)
        # where some show it plainly, it is what the others look like as well
        plain = sum(not m.twins for m in of_it)
        is_plain = plain >= max(_COUNT_MIN, _PLAIN_MIN * count)
        most = sorted((c for c, n in alike.items() if n > count / 2), key=number_of)
        twins = () if is_plain else tuple(most)
        shares.append(Share(mechanism, count, count / len(matches), strength, what, twins))
    return sorted(shares, key=lambda s: (s.mechanism == "", -s.drops, -s.strength))


def _explained(shares: Sequence[Share]) -> list[Share]:
    """Without mechanisms that only one or two drops look like, and without evidence of their own:
    the last one then is those that nothing explains."""
    left = [
        s
        for s in shares[1:]
        if not s.mechanism or (s.drops < _COUNT_MIN and s.strength < _OWN_STRENGTH)
    ]
    if not left:
        return [*shares]
    drops, share = sum(s.drops for s in left), sum(s.share for s in left)
    return [s for s in shares if s not in left] + [Share("", drops, share, 0.0, "not explained")]


def _notable(shares: Sequence[Share]) -> list[Share]:
    return [s for s in shares if s.mechanism and s.share >= _SHARE_MIN and s.drops >= _COUNT_MIN]


def _evidence(
    matches: Sequence[tuple[Trace, Match]],
    top: Share,
    fine: Sequence[Trace],
    suspects: Sequence[Suspect],
) -> list[str]:
    total = len(matches)
    lines = [f"{top.drops} of {total} dropped deliveries that were read: {top.what}"]
    crossed = Counter(c for t, m in matches if m.mechanism == top.mechanism for c in t.crossings)
    groups = evidence.of_features(suspects).values()
    told = frozenset(one.name for alike in groups for one in alike)
    lines += evidence.of_crossings(crossed, top.drops, fine, told)
    return lines + [evidence.sentence_of(alike) for alike in groups]


def _rivals(top: Share, log: LogFacts) -> tuple[list[dict[str, str]], list[str]]:
    """The mechanisms that leave much the same, and whether the log has what tells them apart."""
    rivals, cannot = [], []
    for code, (fields, question) in MECHANISMS[top.mechanism].rivals.items():
        rival = MECHANISMS[code]
        there = [f for f in fields if has_field(log, f)]
        if there:
            why = f"told apart by {' and '.join(_FIELD_WORDS.get(f, f) for f in there[:2])}: {question}"
            rivals.append({"mechanism": code, "name": rival.name, "why": why, "excluded": "yes"})
        else:
            lacking = " or ".join(dict.fromkeys(_FIELD_WORDS.get(f, f) for f in fields))
            text = (
                f"cannot tell {top.mechanism} from {code} ({rival.name}): the log has no {lacking}"
            )
            rivals.append({"mechanism": code, "name": rival.name, "why": text, "excluded": "no"})
            cannot.append(text)
    return rivals, cannot


def schedule_of(mechanism: str, settings: dict[str, Any]) -> dict[str, Any]:
    """The schedule to replay: who does what in which order, with the times seen in the log."""
    about = MECHANISMS[mechanism]
    return {
        "steps": [{"who": who, "op": op, "note": note} for who, op, note in about.skeleton],
        "settings": {**about.settings, **settings},
    }
