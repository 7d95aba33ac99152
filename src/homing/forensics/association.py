"""What the dropped deliveries have that the others have not: coverage, lift, intervals, p-values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import ibis

from homing.forensics import cases as by_case
from homing.forensics.judging import Verdict
from homing.forensics.operations import Op
from homing.forensics.rows import row, rows
from homing.forensics.statistics import corrected, fisher_greater
from homing.insight.rates import wilson

#: a suspect is one whose corrected p-value is at most this
Q_MAX: Final = 0.01
_VALUES_MAX: Final = 40
_PAIRS_OF: Final = 10
#: a feature with this share of the drops explains them; below, it is one of several causes at most
COVERAGE_WANTED: Final = 0.8
#: columns of numbers that are scanned for a cut, with what they are called
_NUMBERS: Final = {
    "total_us": "slowest response at least",
    "bytes": "request of at least",
    "commit_lag_us": "committed later by at least",
}
_CUTS: Final = (0.5, 0.75, 0.9, 0.95, 0.99, 0.999)


class Suspect(NamedTuple):
    """One feature: how many deliveries have it, and how many of them were dropped."""

    name: str
    kind: str  #: "crossing", "life", "who", "number", "column" or "pair"
    having: int
    dropped: int
    coverage: float  #: share of the drops that have it
    risk: float  #: drop rate among those that have it
    low: float  #: Wilson's 95% interval of the risk
    high: float
    lift: float  #: risk over the rate of all
    p: float  #: Fisher, one-sided
    q: float  #: corrected for all features looked at


class Feature(NamedTuple):
    """Something that deliveries have, and the expression that says which."""

    name: str
    kind: str
    having: int
    dropped: int
    test: Any


def rank(judged: Any, names: dict[str, dict[int, str]], extras: Sequence[str]) -> list[Suspect]:
    """All features, those that explain most drops at the highest risk first.

    Args:
        judged: the table of deliveries with their verdict.
        names: field → code → text.
        extras: what x0, x1, … are called.
    """
    settled = settled_of(judged)
    total, dropped = _totals(settled)
    if not dropped:
        return []
    return _scored(features(settled, names, extras), total, dropped)


def settled_of(judged: Any) -> Any:
    """The deliveries that could be judged, with whether they were lost."""
    settled = judged.filter(~judged.verdict.isin([int(Verdict.OPEN), int(Verdict.LATER)]))
    return settled.mutate(lost=settled.verdict == int(Verdict.DROPPED))


def features(
    settled: Any, names: dict[str, dict[int, str]], extras: Sequence[str]
) -> list[Feature]:
    """Everything that deliveries are compared by; see `rank`."""
    counts = [
        *_flags(settled),
        *_values(settled, names, extras),
        *_numbers(settled),
    ]
    return [*counts, *_pairs(settled, counts, *_totals(settled))]


def _totals(settled: Any) -> tuple[int, int]:
    found = row(settled.aggregate(n=settled.count(), k=settled.lost.cast("int64").sum()))
    return int(found["n"]), int(found["k"] or 0)


def _tests(s: Any) -> dict[tuple[str, str], Any]:
    has = by_case.has
    tests = {("crossing", text): s[name] for name, text in by_case.CROSSINGS.items()}
    tests |= {
        ("life", "an attempt failed"): s.bad > 0,
        ("life", "two or more attempts failed"): s.bad > 1,
        ("life", "it was taken more than once"): s.takes > 1,
        ("life", "it was never taken"): (s.takes == 0) & (s.bad == 0),
        ("life", "a write was refused"): s.refused > 0,
        ("life", "a lease ran out"): has(s.mask, Op.LAPSED),
        ("life", "it was passed over as a duplicate"): has(s.mask, Op.SKIPPED),
        ("life", "it was brought back by hand"): has(s.mask, Op.RESUMED),
        ("life", "it was parked"): has(s.mask, Op.PARKED),
        ("life", "several workers touched it"): s.two_workers,
    }
    hour = (s.accepted_at // 3_600_000_000) % 24
    tests |= {
        ("column", f"accepted from {h:02}:00 to {h + 6:02}:00 UTC"): (hour >= h) & (hour < h + 6)
        for h in (0, 6, 12, 18)
    }
    return tests


def _flags(settled: Any) -> list[Feature]:
    tests = _tests(settled)
    wanted = {}
    for i, test in enumerate(tests.values()):
        flag = test.fill_null(False)
        wanted[f"n{i}"] = flag.cast("int64").sum()
        wanted[f"k{i}"] = (flag & settled.lost).cast("int64").sum()
    sums = row(settled.aggregate(**wanted))
    return [
        Feature(name, kind, int(sums[f"n{i}"] or 0), int(sums[f"k{i}"] or 0), test)
        for i, ((kind, name), test) in enumerate(tests.items())
    ]


def _values(settled: Any, names: dict[str, dict[int, str]], extras: Sequence[str]) -> list[Feature]:
    columns = {
        name: name.replace("_", " ")
        for name in ("endpoint", "app", "event_type", "worker", "build", "config")
    }
    columns |= {f"x{i}": text for i, text in enumerate(extras)}
    found = []
    for column, title in columns.items():
        if not names.get(column):
            continue
        grouped = settled.group_by(column).aggregate(
            n=settled.count(), k=settled.lost.cast("int64").sum()
        )
        top = grouped.filter(grouped[column].notnull()).order_by(
            ibis.desc("k"), ibis.desc("n"), ibis.asc(column)
        )
        most = rows(top.limit(_VALUES_MAX))
        if len(most) < 2:
            continue  # all have the same: it tells nothing
        kind = "who" if column in ("endpoint", "app", "event_type", "worker") else "column"
        for one in most:
            code = int(one[column])
            text = names[column].get(code, "?")
            found.append(
                Feature(f"{title} {text}", kind, int(one.n), int(one.k), settled[column] == code)
            )
    return found


#: so many deliveries take 40 MB to find a quantile exactly; beyond, it is an estimate that depends
#: on the order in which threads come by
_EXACT_MAX: Final = 5_000_000


def _numbers(settled: Any) -> list[Feature]:
    found = []
    is_small = int(row(settled.aggregate(n=settled.count())).n) <= _EXACT_MAX
    for column, title in _NUMBERS.items():
        value = settled[column]
        plain = value.cast("float64")
        cut_at = plain.quantile if is_small else plain.approx_quantile
        marks = row(settled.aggregate(**{f"q{i}": cut_at(q) for i, q in enumerate(_CUTS)}))
        cuts = sorted({float(m) for m in marks.values() if m is not None and m == m})
        wanted = {}
        for i, cut in enumerate(cuts):
            flag = (value >= cut).fill_null(False)
            wanted[f"n{i}"] = flag.cast("int64").sum()
            wanted[f"k{i}"] = (flag & settled.lost).cast("int64").sum()
        if not cuts:
            continue
        sums = row(settled.aggregate(**wanted))
        for i, cut in enumerate(cuts):
            text = f"{cut:,.0f} bytes" if column == "bytes" else f"{cut / 1e6:.3g} s"
            found.append(
                Feature(
                    f"{title} {text}",
                    "number",
                    int(sums[f"n{i}"] or 0),
                    int(sums[f"k{i}"] or 0),
                    value >= cut,
                )
            )
    return found


def _pairs(settled: Any, counts: list[Feature], total: int, dropped: int) -> list[Feature]:
    """Conjunctions of two of the strongest features, where both together say more than each."""
    strong = sorted(
        (
            c
            for c in counts
            if c.dropped and c.having < total and c.dropped * total > 1.3 * c.having * dropped
        ),
        key=lambda c: fisher_greater(c.dropped, c.having, dropped, total),
    )[:_PAIRS_OF]
    pairs = [(a, b) for i, a in enumerate(strong) for b in strong[i + 1 :]]
    if not pairs:
        return []
    wanted = {}
    for i, (a, b) in enumerate(pairs):
        flag = (a.test & b.test).fill_null(False)
        wanted[f"n{i}"] = flag.cast("int64").sum()
        wanted[f"k{i}"] = (flag & settled.lost).cast("int64").sum()
    sums = row(settled.aggregate(**wanted))
    found = []
    for i, (a, b) in enumerate(pairs):
        n, k = int(sums[f"n{i}"] or 0), int(sums[f"k{i}"] or 0)
        best = max(a.dropped / a.having, b.dropped / b.having)
        if k >= 3 and k / n > 1.5 * best:
            found.append(Feature(f"{a.name}, and {b.name}", "pair", n, k, a.test & b.test))
    return found


def _scored(counts: list[Feature], total: int, dropped: int) -> list[Suspect]:
    tested = [c for c in counts if 0 < c.having < total]
    p_values = [fisher_greater(c.dropped, c.having, dropped, total) for c in tested]
    rate = dropped / total
    suspects = []
    for c, p, q in zip(tested, p_values, corrected(p_values), strict=True):
        risk = c.dropped / c.having
        shown = wilson(c.dropped, c.having)
        suspects.append(
            Suspect(
                c.name,
                c.kind,
                c.having,
                c.dropped,
                c.dropped / dropped,
                risk,
                shown.low,
                shown.high,
                risk / rate,
                p,
                q,
            )
        )
    return sorted(
        suspects,
        key=lambda s: (s.q > Q_MAX, s.coverage < COVERAGE_WANTED, -s.risk if s.q <= Q_MAX else s.q),
    )
