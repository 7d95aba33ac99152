"""Many features tested at once: Fisher's test of each, and the correction for having looked."""

from __future__ import annotations

import math
from collections.abc import Sequence


def fisher_greater(k: int, group: int, dropped: int, total: int) -> float:
    """The chance of k or more drops among `group` when `dropped` of `total` fall anywhere.

    What `insight.rates.fisher` finds by weighing every table, this finds by the few that count:
    it is asked about hundreds of features.

    Args:
        k: drops in the group, at most min(group, dropped).

    Source:
        Fisher's exact test, one-sided: the upper tail of the hypergeometric distribution.
    """
    top = min(group, dropped)
    if k <= max(0, group + dropped - total):
        return 1.0
    first = _log_hypergeometric(k, group, dropped, total)
    term, sum_ = 1.0, 1.0
    for i in range(k, top):  # the ratio of neighbours, so that no factorial is formed
        term *= (group - i) * (dropped - i) / ((i + 1) * (total - group - dropped + i + 1))
        sum_ += term
        if term < 1e-17 * sum_:
            break
    return min(1.0, math.exp(min(0.0, first + math.log(sum_))))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _log_hypergeometric(k: int, group: int, dropped: int, total: int) -> float:
    return (
        _log_choose(group, k)
        + _log_choose(total - group, dropped - k)
        - _log_choose(total, dropped)
    )


def corrected(p_values: Sequence[float]) -> list[float]:
    """The same p-values adjusted for how many were looked at, in the order given.

    Source:
        Benjamini and Hochberg, Journal of the Royal Statistical Society B 57 (1995).
    """
    count = len(p_values)
    order = sorted(range(count), key=lambda i: p_values[i], reverse=True)
    adjusted, least = [1.0] * count, 1.0
    for rank, i in enumerate(order):
        least = min(least, p_values[i] * count / (count - rank))
        adjusted[i] = least
    return adjusted


def p_text(p: float) -> str:
    """`p` and its sign for a reader: `= 0.03`, `= 4e-12`, `< 10^-300` where a double holds no less."""
    return "< 10^-300" if p < 1e-300 else f"= {p:.1g}"
