"""From what single dropped deliveries look like to one sentence, its evidence and its rivals. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from homing.forensics.association import COVERAGE_WANTED, Q_MAX, Suspect
from homing.forensics.cases import CROSSINGS as _CROSSING_TEXT
from homing.forensics.mechanisms import MECHANISMS, LogFacts, Match, recognise
from homing.forensics.statistics import p_text
from homing.forensics.traces import Trace
from homing.forensics.vocabulary import Op

_RACES: Final = frozenset(
    {"foreign_write", "old_epoch", "late_attempt", "lost_update", "two_holders", "second_result"}
)
#: a mechanism with a smaller share of the drops is mentioned only if it has this many
_SHARE_MIN: Final = 0.05
_COUNT_MIN: Final = 3
#: features that speak of a transaction which stayed open
_LONG_COMMIT: Final = re.compile(
    r"committed later|commit|(^|[^a-z])(tx|txn|transaction|ingest)|uncommitted"
)
#: lines that a log may have, as needed to tell mechanisms apart
_OPS: Final = {
    "accepted": Op.ACCEPTED,
    "queued": Op.QUEUED,
    "claimed": Op.CLAIMED,
    "sent": Op.SENT,
    "lapsed": Op.LAPSED,
    "purged": Op.PURGED,
    "exhausted": Op.EXHAUSTED,
}
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
}


class Share(NamedTuple):
    """A mechanism, and how many of the dropped deliveries that were read look like it."""

    mechanism: str
    drops: int
    share: float
    strength: float
    what: str


@dataclass(slots=True)
class Hypothesis:
    """What most likely loses deliveries here."""

    mechanism: str | None
    sentence: str
    evidence: list[str] = field(default_factory=list)
    rivals: list[dict[str, str]] = field(default_factory=list)
    cannot_tell: list[str] = field(default_factory=list)
    shares: list[Share] = field(default_factory=list)
    confidence: float = 0.0
    crossing: str | None = None  #: the crossing that the drops have and the others have not


def form(
    dropped: Sequence[Trace],
    fine: Sequence[Trace],
    suspects: Sequence[Suspect],
    log: LogFacts,
    *,
    busiest_share: float,
) -> Hypothesis:
    """The hypothesis that fits the dropped deliveries best.

    Args:
        dropped: dropped deliveries, all or a sample spread over the log.
        fine: deliveries that came through although something went wrong on their way.
        busiest_share: of the drops, in the busiest twentieth of the windows.
    """
    if not dropped:
        return Hypothesis(None, "no delivery was dropped")
    dropped = _without_innocent_crossings(dropped, fine)
    matches = [(trace, recognise(trace, log)) for trace in dropped]
    matches = _by_company(matches, suspects, log, busiest_share)
    shares = _shares(matches)
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
    if len(_notable(shares)) > 1:
        parts = ", ".join(f"{s.mechanism} ({s.share:.0%})" for s in _notable(shares))
        found.evidence.append(f"more than one mechanism is at work: {parts}")
    return found


def _without_innocent_crossings(dropped: Sequence[Trace], fine: Sequence[Trace]) -> list[Trace]:
    """Leave out crossings that deliveries which came through have about as often."""
    innocent = set()
    for crossing in _RACES:
        among_drops = sum(crossing in t.crossings for t in dropped) / len(dropped)
        among_fine = sum(crossing in t.crossings for t in fine) / len(fine) if fine else 0.0
        if among_drops < 1.6 * among_fine or among_fine > 0.5:
            innocent.add(crossing)
    return [t._replace(crossings=t.crossings - innocent) for t in dropped]


def _by_company(
    matches: list[tuple[Trace, Match]],
    suspects: Sequence[Suspect],
    log: LogFacts,
    busiest_share: float,
) -> list[tuple[Trace, Match]]:
    """Deliveries that were never tried all look alike: what they have in common decides."""
    untried = [
        m for _, m in matches if m.mechanism in ("D3", "D4", "D9", "D12") and m.strength <= 0.8
    ]
    if len(untried) < 0.3 * len(matches):
        return matches
    decided = _company(suspects, busiest_share, log)
    if decided is None:
        return matches
    return [
        (
            t,
            decided
            if (m.mechanism in ("D3", "D9", "D12") and m.strength <= 0.8)
            or (m.mechanism == "D4" and m.strength < 0.6)
            else m,
        )
        for t, m in matches
    ]


def _company(suspects: Sequence[Suspect], busiest_share: float, log: LogFacts) -> Match | None:
    strong = [s for s in suspects if s.q <= Q_MAX and s.lift >= 2]
    late = [s for s in strong if _LONG_COMMIT.search(s.name.lower()) and s.coverage > 0.5]
    if late:
        return Match(
            "D12", 0.85, f"never listed, and {late[0].coverage:.0%} of them committed late"
        )
    if busiest_share > 0.6 and not log.shows(Op.QUEUED):
        return Match("D3", 0.6, "never queued, in one stretch of time, as at a deployment")
    endpoint = [s for s in strong if s.name.startswith("endpoint ") and s.coverage > 0.6]
    if endpoint and not log.shows(Op.QUEUED):
        return Match(
            "D9", 0.6, f"never tried, {endpoint[0].coverage:.0%} of them for {endpoint[0].name}"
        )
    return None


def _shares(matches: Sequence[tuple[Trace, Match]]) -> list[Share]:
    counts = Counter(m.mechanism for _, m in matches)
    shares = []
    for mechanism, count in counts.most_common():
        of_it = [m for _, m in matches if m.mechanism == mechanism]
        what = Counter(m.what for m in of_it).most_common(1)[0][0]
        strength = sum(m.strength for m in of_it) / count
        shares.append(Share(mechanism, count, count / len(matches), strength, what))
    return sorted(shares, key=lambda s: (s.mechanism == "", -s.drops, -s.strength))


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
    crossing = Counter(c for t, m in matches if m.mechanism == top.mechanism for c in t.crossings)
    # Of equally frequent ones the order is that of the names: the same log, the same sentences.
    for name, count in sorted(crossing.items(), key=lambda pair: (-pair[1], pair[0]))[:2]:
        others = sum(name in t.crossings for t in fine)
        text = _CROSSING_TEXT[name]
        lines.append(
            f"{count} of these {top.drops}: {text}; of {len(fine)} deliveries that had trouble and came through: {others}"
        )
    for suspect in [s for s in suspects if s.q <= Q_MAX and s.lift > 1.5][:3]:
        if suspect.coverage >= COVERAGE_WANTED or (
            suspect.coverage >= 0.3 and suspect.kind in ("who", "pair")
        ):
            lines.append(
                f"{suspect.name}: {suspect.coverage:.0%} of the drops have it; of the {suspect.having} deliveries with it "
                f"{suspect.risk:.2%} were dropped, {suspect.lift:.1f} times the rate of all (q {p_text(suspect.q)})"
            )
    return lines


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


def has_field(log: LogFacts, name: str) -> bool:
    """Whether the log has a field, or lines of a kind."""
    if name in _OPS:
        return _OPS[name] in log.ops
    if name == "due" and "ready_at" in log.fields:
        return True
    return name in log.fields


def skeleton(hypothesis: Hypothesis, settings: dict[str, Any]) -> dict[str, Any] | None:
    """The schedule to replay: who does what in which order, with the times seen in the log."""
    if hypothesis.mechanism is None:
        return None
    about = MECHANISMS[hypothesis.mechanism]
    return {
        "steps": [{"who": who, "op": op, "note": note} for who, op, note in about.skeleton],
        "settings": {**about.settings, **settings},
    }
