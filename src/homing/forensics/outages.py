"""Whether what was lost was handed over to its queue while there was no connection to that: it never got
there, whatever its row says. Ibis for what is read, else pure."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, Final

import ibis

from homing.forensics.catalogue import Match
from homing.forensics.judging import Why
from homing.forensics.operations import Op
from homing.forensics.rows import rows
from homing.forensics.traces import Trace
from homing.forensics.vocabulary import normal

#: from when until when
Span = tuple[int, int]

_OF_QUEUE: Final = re.compile(
    r"amqp|rabbit|broker|queue|kafka|redis|valkey|sqs|nats|stomp|pub_?sub|jetstream|beanstalk"
)
_LOST: Final = re.compile(
    r"(connection|channel|link|session)_(is_|was_)?(closed|lost|reset|dropped|broken|down|gone)|"
    r"lost_(the_)?(connection|link|session)|(^|_)(disconnected|unreachable)"
)
_AGAIN: Final = re.compile(
    r"(^|_)(re_?connected|connected|connection_(is_|was_)?(re_?)?(established|opened|restored|up|back))"
)
#: of lines that name no delivery, so many kinds are looked at, and so many of those that tell
_KINDS_MAX: Final = 500
_LINES_MAX: Final = 50_000
#: the loss of a connection is seen so much later at most
_SEEN_US: Final = 2_000_000
#: after so long without a word of it a queue is not still out of reach
_LONGEST_US: Final = 3_600_000_000
#: of what was lost in the queue, so many were handed over in such a time; and at least
_IN_VAIN_MIN: Final = 0.8
_FEWEST: Final = 3
#: and so many times as often as what came through
_LIFT: Final = 3


def outages(table: Any) -> tuple[Span, ...]:
    """The times for which the log says that there was no connection to a queue, in their order.

    Args:
        table: the raw rows.
    """
    about = table.filter(table.delivery.isnull() & table.message.isnull())
    word = ibis.coalesce(about.op_raw, about.to_raw)
    lines = about.select(word=word, at=ibis.coalesce(about.changed_us, about.at_us))
    lines = lines.filter(lines.word.notnull() & lines["at"].notnull())
    kinds = lines.group_by("word").aggregate(n=lines.count())
    words = [one.word for one in rows(kinds.order_by(ibis.desc("n"), "word").limit(_KINDS_MAX))]
    ours = {w: _LOST.search(normal(w)) is not None for w in words if _tells(normal(w))}
    if set(ours.values()) != {True, False}:
        return ()
    told = lines.filter(lines.word.isin(list(ours))).order_by("at", "word").limit(_LINES_MAX)
    return spans([(int(one["at"]), ours[one["word"]]) for one in rows(told)])


def _tells(word: str) -> bool:
    is_told = _LOST.search(word) is not None or _AGAIN.search(word) is not None
    return is_told and _OF_QUEUE.search(word) is not None


def spans(told: Sequence[tuple[int, bool]]) -> tuple[Span, ...]:
    """From each loss of the connection until it is there again.

    Args:
        told: when, and whether it was lost then, in order.
    """
    found: list[Span] = []
    since: int | None = None
    for at_us, is_lost in told:
        if is_lost:
            since = at_us if since is None else since
        elif since is not None:
            if at_us - since <= _LONGEST_US:
                found.append((since, at_us))
            since = None
    return tuple(found)


def in_vain(
    matches: list[tuple[Trace, Match]], fine: Sequence[Trace], cut_off: Sequence[Span]
) -> list[tuple[Trace, Match]]:
    """What was handed over and never taken: where nearly all of it was while there was no connection, and
    hardly anything that came through, it was lost on the way to the queue and not by who took it.

    Args:
        cut_off: when there was none, as `outages` finds it.
    """
    handed = {t.name: t.steps[-1].at_us for t, _ in matches if _is_handed_last(t)}
    lost = {name for name, at_us in handed.items() if _is_within(cut_off, at_us)}
    others = [s.at_us for t in fine for s in t.steps if s.act is Op.QUEUED]
    kept = sum(_is_within(cut_off, at_us) for at_us in others)
    if len(lost) < max(_FEWEST, _IN_VAIN_MIN * len(handed)):
        return matches
    if _LIFT * kept * len(handed) > len(lost) * len(others):
        return matches
    because = Match("D3", 0.9, "handed over while there was no connection to the queue")
    return [(t, because if t.name in lost else m) for t, m in matches]


def _is_handed_last(trace: Trace) -> bool:
    return trace.why is Why.SILENT and trace.steps[-1].act is Op.QUEUED


def _is_within(cut_off: Sequence[Span], at_us: int) -> bool:
    place = bisect_right(cut_off, at_us + _SEEN_US, key=lambda span: span[0])
    return place > 0 and at_us <= cut_off[place - 1][1]
