"""Is it fixed? What the deliveries before and after a change prove, and when they prove nothing.

A zero is a statement about a number of deliveries: it excludes a rate, and the excluded rate is
said with it. It says "fixed" only if the run could have shown the fault: enough deliveries, enough
of them where the fault lives, and the same kind of traffic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from homing.insight.rates import (
    Rate,
    chance_of_any,
    deliveries_to_exclude,
    exact,
    excluded_rate,
    fisher,
)

CONFIDENCE: Final = 0.95
STRONG: Final = 0.99
#: traffic whose shares differ by more than this in sum is other traffic
MIX_DISTANCE_MAX: Final = 0.25
#: with a smaller part of the guilty stratum's share left, the fault was hardly given a chance
STRATUM_SHARE_MIN: Final = 0.25


class Verdict(StrEnum):
    """What may be said."""

    FIXED = "fixed"
    BETTER = "better"  #: fewer drops than before, and still some
    SAME = "not fixed"
    WORSE = "worse"
    UNPROVEN = "unproven"  #: no drop was seen, and the run could hardly have shown one


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """Deliveries, and how many of them were dropped."""

    n: int
    k: int


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """The time that a log covers: its first row and its last."""

    first_us: int
    last_us: int


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted before the change, or after it."""

    all: Count  #: deliveries that could be judged
    too_young: int = 0  #: accepted, and still on their way when the log ends: not judged
    strata: Mapping[str, Count] = {}  #: by a feature of deliveries
    #: of the traffic: kind ("endpoint") → value → deliveries
    mix: Mapping[str, Mapping[str, int]] = {}
    window: Window | None = None  #: None: a plain count, or an investigation that does not say it


class Zero(msgspec.Struct, frozen=True, kw_only=True):
    """What stands behind "none was dropped"."""

    deliveries: int
    excludes_95: float  #: a rate of this or more would have shown a drop, at 95%
    excludes_99: float
    needed_95: int  #: deliveries that exclude the rate before, at the low end of its interval
    needed_99: int


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Before and after, of all deliveries or of one stratum."""

    before: Count
    after: Count
    rate_before: Rate
    rate_after: Rate
    p_two_sided: float  #: Fisher's exact test that the two rates are one
    p_fewer: float  #: the same, against "fewer after"
    zero: Zero | None  #: None: something was dropped after


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """What checking a model of the worker found; another kind of proof than counting."""

    states: int
    unit: str = "states"  #: or "schedules", each a world with an order and mishaps of its own
    violations: int
    is_closed: bool  #: every order within its bounds was looked at
    source: str


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict, and everything it rests on."""

    verdict: Verdict
    sentence: str
    all: Comparison
    guilty_name: str | None
    guilty: Comparison | None
    reasons: tuple[str, ...]  #: why not more may be said
    mix_distances: Mapping[str, float]
    model: Model | None = None
    window_before: Window | None = None
    window_after: Window | None = None
    too_young: tuple[int, int] = (0, 0)  #: before and after: still on their way, so not counted

    @property
    def is_fixed(self) -> bool:
        return self.verdict is Verdict.FIXED


def compare(before: Count, after: Count) -> Comparison:
    """Rates with exact intervals, Fisher's test, and what is behind a zero."""
    rate = exact(before.k, before.n)
    pairs = (before.k, before.n), (after.k, after.n)
    return Comparison(
        before=before,
        after=after,
        rate_before=rate,
        rate_after=exact(after.k, after.n),
        p_two_sided=fisher(*pairs),
        p_fewer=fisher(*pairs, "greater"),
        zero=None if after.k else zero(after.n, rate.low),
    )


def zero(n: int, rate: float) -> Zero:
    """What no drop among n deliveries excludes, and what it takes to exclude a rate.

    Args:
        n: deliveries, none dropped.
        rate: to be excluded; 0 takes for ever, which is told as 0 deliveries needed.
    """
    return Zero(
        deliveries=n,
        excludes_95=excluded_rate(n, CONFIDENCE),
        excludes_99=excluded_rate(n, STRONG),
        needed_95=deliveries_to_exclude(rate, CONFIDENCE) if rate > 0 else 0,
        needed_99=deliveries_to_exclude(rate, STRONG) if rate > 0 else 0,
    )


def verify(
    before: Arm, after: Arm, *, guilty: str | None = None, model: Model | None = None
) -> Verification:
    """What may be said about a fix.

    Args:
        before: with the fault.
        after: with the fix.
        guilty: the stratum in which the fault lives, a name of `strata`; None: not known.
        model: what a model checker found, to be told beside.
    """
    whole = compare(before.all, after.all)
    within = None
    if guilty is not None and guilty in before.strata:
        within = compare(before.strata[guilty], after.strata.get(guilty, Count(n=0, k=0)))
    distances = {
        kind: distance(before.mix[kind], after.mix[kind])
        for kind in before.mix
        if kind in after.mix
    }
    reasons = [
        *_too_little(whole, "deliveries"),
        *(_vacuous(before, after, str(guilty), within) if within is not None else ()),
        *_other_mix(distances),
    ]
    if model is not None and model.violations:
        reasons.append(f"the model of the fix still loses a delivery ({model.source})")
    verdict = _verdict(whole, reasons)
    return Verification(
        verdict=verdict,
        sentence=_sentence(verdict, whole, within, str(guilty), reasons),
        all=whole,
        guilty_name=guilty if within is not None else None,
        guilty=within,
        reasons=tuple(reasons) if verdict is Verdict.UNPROVEN else (),
        mix_distances=distances,
        model=model,
        window_before=before.window,
        window_after=after.window,
        too_young=(before.too_young, after.too_young),
    )


def needed(before: Count, confidence: float = CONFIDENCE) -> int:
    """Deliveries without a drop that exclude the rate before, at the low end of its interval.

    Raises:
        ValueError: nothing was dropped before.
    """
    return deliveries_to_exclude(exact(before.k, before.n).low, confidence)


def distance(before: Mapping[str, int], after: Mapping[str, int]) -> float:
    """Half the sum by which the shares of two mixes differ: 0 the same, 1 nothing in common."""
    total_before, total_after = sum(before.values()), sum(after.values())
    if not total_before or not total_after:
        return 0.0
    return (
        sum(
            abs(before.get(name, 0) / total_before - after.get(name, 0) / total_after)
            for name in before.keys() | after.keys()
        )
        / 2
    )


def percent(rate: float) -> str:
    """A rate with two digits that count: 0.15%, 0.0015%."""
    return f"{100 * rate:.2g}%"


def _share(chance: float) -> str:
    """A chance in whole per cent; one that is not certain is not called so."""
    return "more than 99%" if 0.99 < chance < 1 else f"{chance:.0%}"


def _too_little(one: Comparison, what: str) -> list[str]:
    if one.before.k == 0:
        return ["nothing was dropped before, so there is nothing to compare with"]
    if one.zero is None or one.zero.deliveries >= one.zero.needed_95:
        return []
    seen = chance_of_any(one.rate_before.value, one.after.n)
    return [
        f"too few {what}: {one.after.n:,} without a drop, and it takes {one.zero.needed_95:,} to "
        f"exclude a rate of {one.rate_before.low:.3%}; at the rate before, {_share(seen)} of runs "
        "as long would show a drop"
    ]


def _vacuous(before: Arm, after: Arm, name: str, one: Comparison) -> list[str]:
    """Why the stratum where the fault lives says nothing, if it does not."""
    if one.after.k or not one.before.k:
        return []
    if not after.strata:
        return [f"what is counted after does not say how many had “{name}”; give the log itself"]
    if one.after.n == 0:
        return [
            f"vacuous: after the change no delivery had “{name}”, which is where "
            f"{one.before.k:,} of {before.all.k:,} drops were; the fault was given no chance"
        ]
    found = _too_little(one, f"deliveries with “{name}”")
    share_before, share_after = one.before.n / before.all.n, one.after.n / max(1, after.all.n)
    if not found and share_after < STRATUM_SHARE_MIN * share_before:
        found.append(
            f"other traffic: “{name}” was {share_before:.3%} of deliveries before and is "
            f"{share_after:.3%} after"
        )
    return found


def _other_mix(distances: Mapping[str, float]) -> list[str]:
    return [
        f"other traffic: the mix by {kind} differs by {value:.0%} (at most {MIX_DISTANCE_MAX:.0%})"
        for kind, value in distances.items()
        if value > MIX_DISTANCE_MAX
    ]


def _verdict(whole: Comparison, reasons: Sequence[str]) -> Verdict:
    if whole.after.k == 0:
        return Verdict.UNPROVEN if reasons or whole.after.n == 0 else Verdict.FIXED
    doubt = 1 - CONFIDENCE
    if whole.p_two_sided > doubt:
        return Verdict.SAME
    return Verdict.BETTER if whole.rate_after.value < whole.rate_before.value else Verdict.WORSE


def _sentence(
    verdict: Verdict,
    whole: Comparison,
    within: Comparison | None,
    guilty: str,
    reasons: Sequence[str],
) -> str:
    before = f"{whole.before.k:,} of {whole.before.n:,} before"
    if whole.zero is not None:
        said = (
            f"none of {whole.after.n:,} dropped, {before}; that excludes a rate of "
            f"{percent(whole.zero.excludes_95)} or more at 95%, "
            f"{percent(whole.zero.excludes_99)} at 99%"
        )
        if verdict is Verdict.FIXED and within is not None and within.zero is not None:
            said += (
                f"; and none of the {within.after.n:,} with “{guilty}”, "
                f"of which {within.rate_before.value:.0%} were dropped before"
            )
        if verdict is Verdict.UNPROVEN:
            return f"not proven: {reasons[0] if reasons else 'no deliveries'}"
        return said
    words = {
        Verdict.SAME: "no fewer than chance would leave",
        Verdict.BETTER: "fewer, and not none",
        Verdict.WORSE: "more than before",
    }
    return f"{whole.after.k:,} of {whole.after.n:,} dropped, {before}: {words[verdict]}"
