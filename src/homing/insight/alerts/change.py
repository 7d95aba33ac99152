"""Since when has it been worse? A scan for the one moment at which a share rose.

Every split of a series into before and after is tried; the likeliest is the one whose two shares
explain the counts best. How much better than a single share, as a log-likelihood ratio, says
whether there was a change at all; the splits that are nearly as likely are the interval.

Source: the likelihood-ratio scan for one change point in a binomial share (Hinkley and Hinkley,
Biometrika 57, 1970); the interval are the splits within half of chi-square's 95% point.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import msgspec

from homing.insight.rates import Rate, exact

#: half of the 95% point of chi-square with one degree of freedom
_NEARLY: Final = 1.92
#: log-likelihood ratio above which it is a change: a chance of about e^-15 for each split, so of
#: one in 50,000 for a series of a hundred. A series is looked at every minute, by the hundred
LEAST: Final = 15.0


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A share rose. Times are microseconds since 1970, UTC."""

    at_us: int  #: the likeliest beginning
    low_us: int  #: with 95% confidence not before this
    high_us: int  #: nor after this
    before: Rate
    after: Rate
    count: int  #: bad ones since then
    of: int  #: all since then
    ratio: float  #: log-likelihood ratio against "nothing changed"


class Window(msgspec.Struct, frozen=True):
    """One piece of the series."""

    at_us: int
    bad: int  #: 0 <= bad <= total
    total: int


def find_rise(windows: Sequence[Window], *, least: float = LEAST) -> Change | None:
    """The moment from which on the share of bad ones is higher; None: nothing changed.

    Args:
        windows: by time. Those that are empty add nothing.
        least: log-likelihood ratio that is asked for, > 0.
    """
    windows = [one for one in windows if one.total]
    bad_all, all_all = sum(one.bad for one in windows), sum(one.total for one in windows)
    flat = _likelihood(bad_all, all_all)
    ratios: list[float] = []
    bad = total = 0
    for one in windows[:-1]:
        bad, total = bad + one.bad, total + one.total
        rose = (bad_all - bad) * total > bad * (all_all - total)
        split = _likelihood(bad, total) + _likelihood(bad_all - bad, all_all - total)
        ratios.append(split - flat if rose else 0.0)
    best = max(ratios, default=0.0)
    if best < least:
        return None
    near = [place for place, ratio in enumerate(ratios) if ratio >= best - _NEARLY]
    place = ratios.index(best) + 1
    before, after = windows[:place], windows[place:]
    count, of = sum(one.bad for one in after), sum(one.total for one in after)
    return Change(
        at_us=after[0].at_us,
        low_us=windows[near[0] + 1].at_us,
        high_us=windows[near[-1] + 1].at_us,
        before=exact(sum(one.bad for one in before), sum(one.total for one in before)),
        after=exact(count, of),
        count=count,
        of=of,
        ratio=best,
    )


def _likelihood(bad: int, total: int) -> float:
    """The largest log-likelihood that one share can give these counts."""
    good = total - bad
    if bad == 0 or good == 0:
        return 0.0
    return bad * math.log(bad / total) + good * math.log(good / total)
