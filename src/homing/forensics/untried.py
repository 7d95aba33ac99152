"""What dropped deliveries that nobody had tried have in common: alone they all look alike. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from homing.forensics.association import Q_MAX, Suspect
from homing.forensics.catalogue import Match
from homing.forensics.facts import LogFacts, twins_of
from homing.forensics.neighbours import Block, Neighbours
from homing.forensics.operations import Op
from homing.forensics.traces import Trace
from homing.forensics.turns import is_begun, is_put_off
from homing.forensics.vocabulary import normal

#: share of the drops in the busiest twentieth of the log: as at a deployment or an outage
_ONE_STRETCH: Final = 0.6
#: so much of the drops, at so many times the rate of all, of one endpoint with most of the traffic
_OF_ONE: Final = 0.9
_OF_ONE_LIFT: Final = 1.3
#: columns that tell how long a transaction stayed open
_LONG_COMMIT: Final = re.compile(
    r"uncommitted|(commit|(^|_)(tx|txn|transaction)|ingest)\w*_"
    r"(ms|us|s|seconds|time|lag|delay|age|duration|length|open)$"
)
#: of the drops that were never tried, those next to another of their endpoint: more, and it is the
#: endpoint; and those next to one of another: more, and it is the time
_OWN_MIN: Final = 0.8
_OTHERS_MAX: Final = 0.4
#: of the drops that were never tried, those accepted after one of a higher number; and at most so
#: many of them where it is not for that; of those that came through, so many show that there are such
_OVERTAKEN_MIN: Final = 0.8
_OVERTAKEN_MAX: Final = 0.2
_OVERTAKEN_SHOWN: Final = 0.002


def by_neighbours(
    matches: list[tuple[Trace, Match]], near: Neighbours, suspects: Sequence[Suspect]
) -> list[tuple[Trace, Match]]:
    """What was never tried: with all others of its endpoint for a while, or after it was overtaken."""
    # what came in one transaction was lost with it, whatever its endpoint, and so was what came in a row
    blocks = [b for b in near.blocks if b.until_us - b.since_us > _OF_ONE_WRITE_US and b.passed]
    if near.own >= _OWN_MIN and near.others <= _OTHERS_MAX and blocks:
        return [(t, _of_block(t, m, blocks)) for t, m in matches]
    if near.overtaken is None:
        return matches
    if near.overtaken >= _OVERTAKEN_MIN and near.overtaken_fine < near.overtaken / 3:
        what = (
            f"never listed, and {near.overtaken:.0%} of them were committed after a higher number"
        )
        late = Match("D12", 0.85, what)
        return [(t, late if _is_untried(m) else m) for t, m in matches]
    if near.behind >= _OVERTAKEN_MIN and near.behind_fine < near.behind / 3:
        what = (
            f"never listed, and {near.behind:.0%} of them were created, by the clock of who did it, "
            "before others of a lower number"
        )
        behind = Match("D12", 0.85, what)
        return [(t, behind if _is_untried(m) else m) for t, m in matches]
    # a poller may go by the time of creation rather than by the number
    is_late = any(_is_of_commit(s) and s.q <= Q_MAX for s in suspects)
    is_shown = near.is_counted and near.overtaken_fine_long >= _OVERTAKEN_SHOWN
    if near.overtaken <= _OVERTAKEN_MAX and is_shown and not is_late:
        return [(t, m._replace(twins=without(m.twins, "D12"))) for t, m in matches]
    return matches


def _is_untried(match: Match) -> bool:
    return match.mechanism in ("D3", "D9", "D12") and match.strength <= 0.8


def _of_block(trace: Trace, match: Match, blocks: Sequence[Block]) -> Match:
    """The match of a delivery, or that it was left out as all of its endpoint were then."""
    mine = [one for one in blocks if one.endpoint == trace.endpoint]
    is_untried = _is_untried(match) and not any(s.attempt for s in trace.steps)
    if is_untried and any(b.since_us <= trace.accepted_us <= b.until_us for b in mine):
        return Match("D9", 0.85, "never tried, as all others of its endpoint at that time")
    due = max((s.due_us for s in trace.steps if s.due_us), default=0)
    last = trace.steps[-1]
    if last.act in (Op.QUEUED, Op.POSTPONED) and is_put_off(last):
        return match  # it was put off by whoever took it up: not left out, and due again by a plan
    if match.mechanism in ("D1", "D11") and any(
        2 * b.since_us - b.until_us <= due <= 2 * b.until_us - b.since_us for b in mine
    ):
        return Match("D9", 0.8, "due again while its endpoint was left out, and never tried")
    return match


#: of the drops, so many were accepted at the very time of another: in one transaction, perhaps
_AT_ONCE: Final = 0.5


def by_company(
    matches: list[tuple[Trace, Match]],
    suspects: Sequence[Suspect],
    log: LogFacts,
    busiest_share: float,
) -> list[tuple[Trace, Match]]:
    """Deliveries that were never tried all look alike: what they have in common decides."""
    if not log.tells_attempts:
        return matches
    untried = [
        m for _, m in matches if m.mechanism in ("D3", "D4", "D9", "D12") and m.strength <= 0.8
    ]
    if len(untried) < 0.3 * len(matches):
        return matches
    # what is of one transaction was accepted at one time, perhaps
    at_once = _at_once([t for t, _ in matches])
    decided = _company(suspects, 0.0 if at_once >= _AT_ONCE else busiest_share, log)
    if decided is None:
        return matches
    # what names no endpoint may have been left out because of it, in one stretch too
    kept = ("D9",) if decided.mechanism == "D3" else ()
    return [
        (
            t,
            decided._replace(twins=(*decided.twins, *(c for c in m.twins if c in kept)))
            if (m.mechanism in ("D3", "D9", "D12") and m.strength <= 0.8)
            or (m.mechanism == "D4" and m.strength < 0.6 and not is_begun(t.steps))
            else m,
        )
        for t, m in matches
    ]


#: the rows of one transaction are written so soon after each other
_OF_ONE_WRITE_US: Final = 200_000


def _at_once(traces: Sequence[Trace]) -> float:
    """The share of deliveries that were accepted together with the one before."""
    times = sorted(t.accepted_us for t in traces)
    return sum(b - a <= _OF_ONE_WRITE_US for a, b in pairwise(times)) / len(times)


def without(twins: tuple[str, ...], code: str) -> tuple[str, ...]:
    return tuple(one for one in twins if one != code)


def _is_of_commit(suspect: Suspect) -> bool:
    """Whether a feature tells of a transaction that stayed open: by the name of its column."""
    if suspect.kind == "number":
        return suspect.name.startswith("committed later")
    return suspect.kind == "column" and bool(
        _LONG_COMMIT.search(normal(suspect.name.split(" ")[0]))
    )


#: so many times as often as what committed late, another feature's are dropped that tells more
_TOLD_BETTER: Final = 1.5
#: what committed late is dropped so many times as often as others, where that is why
_LATE_LIFT: Final = 3


def _company(suspects: Sequence[Suspect], busiest_share: float, log: LogFacts) -> Match | None:
    strong = [s for s in suspects if s.q <= Q_MAX and s.lift >= 2]
    late = [s for s in strong if _is_of_commit(s) and s.coverage > 0.5 and s.lift >= _LATE_LIFT]
    if late:
        # where no column says when it was committed, whoever accepts slowly may as well die of it
        is_told = late[0].kind == "column" or log.fields & {"commit_lag_ms", "committed_at"}
        # and so may whoever accepts much at once, where the time of a commit tells less than what it was
        is_less = any(
            s.kind == "who"
            and not s.name.startswith("worker ")
            and s.coverage >= late[0].coverage
            and s.lift > _TOLD_BETTER * late[0].lift
            for s in strong
        )
        twins: tuple[str, ...] = () if is_told and not is_less else ("D3",)
        what = f"never listed, and {late[0].coverage:.0%} of them committed late"
        return Match("D12", 0.85, what, twins)
    if busiest_share > _ONE_STRETCH and not log.shows(Op.QUEUED):
        # in an hour of clocks that disagree pollers pass over all that comes; and a full queue forgets
        # it, where no table says that it is still there
        gone = () if log.has_table else ("D11",)
        twins = twins_of("D3", log, ("D4", "D12", *gone))
        return Match("D3", 0.6, "never queued, in one stretch of time, as at a deployment", twins)
    endpoint = [
        s
        for s in suspects
        if s.name.startswith("endpoint ") and s.q <= Q_MAX and s.coverage > 0.6
        # one with most of the traffic cannot be hit twice as often as all
        if s.lift >= 2 or (s.coverage > _OF_ONE and s.lift > _OF_ONE_LIFT)
    ]
    if endpoint and not log.shows(Op.QUEUED):
        return Match(
            "D9", 0.6, f"never tried, {endpoint[0].coverage:.0%} of them for {endpoint[0].name}"
        )
    return None
