"""What speaks for a mechanism, a sentence for each fact: features with the same figures are one. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from homing.forensics.association import COVERAGE_WANTED, Q_MAX, Suspect
from homing.forensics.cases import CROSSINGS
from homing.forensics.statistics import p_text
from homing.forensics.traces import Trace

#: groups of features that may be spoken of, and features of each that are named
_GROUPS_MAX: Final = 2
_NAMES_MAX: Final = 3
#: a lift that is worth a sentence, and the share of the drops from which on one of a part of them is
_LIFT_MIN: Final = 1.5
_PART_MIN: Final = 0.3


def of_features(suspects: Sequence[Suspect]) -> dict[tuple[int, int], list[Suspect]]:
    """The strongest features, those with the same figures together: (having, dropped) → features."""
    groups: dict[tuple[int, int], list[Suspect]] = {}
    for one in suspects:
        if one.q <= Q_MAX and one.lift > _LIFT_MIN:
            groups.setdefault((one.having, one.dropped), []).append(one)
    first = list(groups.items())[:_GROUPS_MAX]
    return {figures: alike for figures, alike in first if _tells(alike)}


def _tells(alike: Sequence[Suspect]) -> bool:
    return alike[0].coverage >= COVERAGE_WANTED or (
        alike[0].coverage >= _PART_MIN and any(one.kind in ("who", "pair") for one in alike)
    )


def sentence_of(alike: Sequence[Suspect]) -> str:
    """What features with the same figures have in common with the drops."""
    one = alike[0]
    have, each = ("it", "it") if len(alike) == 1 else ("each of these", "them")
    return (
        f"{named(s.name for s in alike)}: {one.coverage:.0%} of the drops have {have}; of the {one.having:,} deliveries with {each} "
        f"{one.risk:.2%} were dropped, {one.lift:.1f} times the rate of all ({chance(one.q)})"
    )


def chance(q: float) -> str:
    """The p-value after the correction, as a reader takes it."""
    text = f"q {p_text(q)}"
    return f"not by chance: {text}" if q < 1e-300 else text


def named(names: Iterable[str]) -> str:
    """Names one after the other, some of many."""
    found = list(names)
    more = f"; and {len(found) - _NAMES_MAX} more alike" if len(found) > _NAMES_MAX else ""
    return "; ".join(found[:_NAMES_MAX]) + more


def of_crossings(
    crossed: Counter[str], drops: int, fine: Sequence[Trace], told: frozenset[str]
) -> list[str]:
    """How often turns crossed among the drops, and among those that came through after trouble.

    Args:
        crossed: crossing → drops that have it.
        drops: those that the mechanism explains.
        told: what is said of them elsewhere.
    """
    groups: dict[tuple[int, int], list[str]] = {}
    # Of equally frequent ones the order is that of the names: the same log, the same sentences.
    for name, count in sorted(crossed.items(), key=lambda pair: (-pair[1], pair[0])):
        others = sum(name in t.crossings for t in fine)
        groups.setdefault((count, others), []).append(CROSSINGS[name])
    return [
        f"{count:,} of these {drops:,}: {named(texts)}; of {len(fine):,} deliveries that had trouble "
        f"and came through: {others:,}"
        for (count, others), texts in list(groups.items())[:2]
        if told.isdisjoint(texts)
    ]
