"""When a failed delivery is tried again."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec

#: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h: eight attempts over about 27.6 hours.
#: Source: the schedule that Svix documents and its server has by default.
DEFAULT_DELAYS_S: Final = (5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0, 36_000.0)

#: the longest that a receiver may put us off: a day, so that no header hides a delivery for ever
RETRY_AFTER_MAX_S: Final = 86_400.0

#: statuses on which Retry-After has a meaning we follow (RFC 9110 10.2.3, RFC 6585 4)
RETRY_AFTER_STATUSES: Final = frozenset({429, 503})


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """A retry schedule; one attempt more than it has delays."""

    delays_s: tuple[float, ...] = DEFAULT_DELAYS_S  #: n >= 0, each in [0, 604800]
    jitter: float = 0.2  #: each delay is drawn from ± this share of it, in [0, 1)
    retry_after_max_s: float = RETRY_AFTER_MAX_S


def next_attempt_at_us(
    policy: RetryPolicy,
    failures: int,
    at_us: int,
    chance: float,
    retry_after_s: float | None,
) -> int | None:
    """When to try again after one more failure; None when the schedule is at its end.

    Args:
        failures: failed attempts of this schedule before this one, >= 0.
        at_us: when the attempt failed.
        chance: in [0, 1).
        retry_after_s: what the receiver asked for; it can lengthen the delay, up to the policy's
            cap, never shorten it and never end the schedule.
    """
    if failures >= len(policy.delays_s):
        return None
    delay_s = policy.delays_s[failures] * (1 + policy.jitter * (2 * chance - 1))
    if retry_after_s is not None:
        delay_s = max(delay_s, min(retry_after_s, policy.retry_after_max_s))
    return at_us + round(delay_s * 1_000_000)


def parse_retry_after(value: str, at_us: int) -> float | None:
    """The seconds that a Retry-After header asks for.

    Args:
        value: the header's text: whole seconds, or an HTTP date (RFC 9110 10.2.3).
        at_us: when the response came, microseconds UTC; a date is relative to it.

    Returns:
        Seconds >= 0; None when the value says nothing usable.
    """
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:12]), 10**9))
    try:
        when = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    try:
        return max(when.timestamp() - at_us / 1_000_000, 0.0)
    except (OverflowError, ValueError):
        return None
