"""Whether a log's "acked" is said of a delivery, or of the entry of a queue that led to it. Ibis."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import ibis

from homing.forensics.behaviours import name_of
from homing.forensics.operations import Op
from homing.forensics.rows import row, rows
from homing.forensics.vocabulary import meaning, normal

#: of the deliveries that failed and have such a line, so many have several: then each turn ends with one
_TURNS_MIN: Final = 0.3
#: more words than these that sound like a success are none of a log's own making
_WORDS_MAX: Final = 8
#: a word most of whose lines show 2xx is what it says
_SHOWN_MAX: Final = 0.1


def acked_anyway(table: Any, texts: Sequence[str]) -> list[str]:
    """Of the words of success, those by which a turn ends, or a queue is told that an entry is done
    with, whatever came of it (`task acked`, `job performed`): a delivery that failed has one for each
    turn, and others say 2xx.
    """
    done = [t for t in texts if meaning(t).op is Op.SUCCEEDED][:_WORDS_MAX]
    failures = [t for t in texts if meaning(t).op in (Op.FAILED, Op.RETRY)]
    return [text for text in done if ends_turns(table, text, failures)]


def ends_turns(table: Any, text: str, failures: Sequence[str] = ()) -> bool:
    """Whether lines with the word end turns rather than deliveries.

    Args:
        failures: words that say that a turn failed, where no status does.
    """
    is_it = (table.op_raw == text).fill_null(False)
    is_good = table.status.between(200, 299)
    lines = table.select(
        k=name_of(table),
        ack=is_it.cast("int64"),
        shown=(is_it & is_good.fill_null(False)).cast("int64"),
        failed=table.op_raw.isin(failures).fill_null(False) | (~is_good).fill_null(False),
        ok=is_good.fill_null(False) & ~is_it,
    )
    by_delivery = lines.group_by("k").aggregate(
        acks=lines.ack.sum(), shown=lines.shown.sum(), failed=lines.failed.max(), ok=lines.ok.max()
    )
    acked = by_delivery.filter(by_delivery.acks > 0)
    counted = row(
        acked.aggregate(
            acks=acked.acks.sum(),
            shown=acked.shown.sum(),
            ok=acked.ok.cast("int64").sum(),
            failed=acked.failed.cast("int64").sum(),
            many=(acked.failed & (acked.acks > 1)).cast("int64").sum(),
        )
    )
    if int(counted.shown or 0) > _SHOWN_MAX * int(counted.acks or 0) or not counted.ok:
        return False
    return int(counted.many or 0) > _TURNS_MIN * max(1, int(counted.failed or 0))


#: what a queue or a worker is done with
_OF_QUEUE: Final = re.compile(
    r"^(task|job|message|entry|item|turn|run|work|handler)_(is_|was_)?"
    r"(done|finished|completed?|ended|processed)(_(row|entry|record)_(is_|was_)?(destroy|delet|remov)ed)?$|"
    r"\w*handled_successfully(_acknowledging_to_transport)?$"  # as Symfony's says it
)
#: what queues say of any entry, and beside which a bare `completed` is said of one
_STREAM: Final = frozenset({"active", "waiting", "added"})
#: of what is called done by any word, so much has one that says delivered
_TOLD_MIN: Final = 0.9


def of_queue(table: Any, texts: Sequence[str], states: Sequence[str]) -> list[str]:
    """Of the words of success, those of a queue (`task done`), where nearly all that is delivered is
    called so by another word, or by its state.

    Args:
        states: the states of the log that say delivered.
    """
    done = [t for t in texts if meaning(t).op is Op.SUCCEEDED]
    queues = [t for t in done if _OF_QUEUE.match(normal(t))]
    if len(_STREAM & set(map(normal, texts))) > 1:
        queues += [t for t in done if normal(t) == "completed"]
    firm = [t for t in done if t not in queues]
    return queues if are_told_apart(table, queues, firm, states) else []


def are_told_apart(
    table: Any, words: Sequence[str], firm: Sequence[str], states: Sequence[str]
) -> bool:
    """Whether nearly all that some words call done is called delivered by others, or by a state.

    Args:
        firm: the other words.
    """
    if not words or not (firm or states):
        return False
    is_it = table.op_raw.isin(words).fill_null(False)
    is_firm = table.op_raw.isin(firm).fill_null(False) if firm else ibis.literal(False)
    is_firm = (is_firm | table.to_raw.isin(states).fill_null(False)) if states else is_firm
    lines = table.select("delivery", "message", k=name_of(table), it=is_it, firm=is_firm & ~is_it)
    # an entry of the queue is named by itself where it is done with, and by its delivery where it begins
    both = lines.filter(lines.delivery.notnull() & lines.message.notnull())
    entries = both.group_by(entry=both.message).aggregate(of=both.delivery.min())
    lines = lines.left_join(entries, lines.delivery.isnull() & (lines.message == entries.entry))
    lines = lines.mutate(k=ibis.coalesce(lines["of"], lines.k))
    by_delivery = lines.group_by("k").aggregate(it=lines.it.max(), firm=lines.firm.max())
    ended = by_delivery.filter(by_delivery.it | by_delivery.firm)
    counted = row(ended.aggregate(n=ended.count(), firm=ended.firm.cast("int64").sum()))
    return int(counted.firm or 0) > _TOLD_MIN * int(counted.n or 0)


#: what may end a request as well as a delivery
_NEUTRAL: Final = re.compile(
    r"(^|_)(finish(ed)?|complet(ed?|ion)|done|ended|processed|handled|closed)$"
)
#: of its lines, so many have a status; and of those with a bad one, so many are followed by another
_ANSWERS_MIN: Final = 0.5
_FOLLOWED_MIN: Final = 0.5


def of_requests(table: Any, texts: Sequence[str]) -> list[str]:
    """Of the words of success, those (`dispatch finished`) by which a request ends, however it was
    answered: beside them stands a status, and after a bad one the delivery goes on."""
    neutral = [t for t in texts if meaning(t).op is Op.SUCCEEDED and _NEUTRAL.search(normal(t))][
        :_WORDS_MAX
    ]
    if not neutral:
        return []
    at = ibis.coalesce(table.changed_us, table.at_us, 0)
    lines = table.filter(table.op_raw.notnull())
    lines = lines.select(
        k=name_of(lines), word=lines.op_raw, status=lines.status, at=at, row=lines["rowid"]
    )
    window = ibis.window(group_by="k", order_by=["at", "row"])
    lines = lines.mutate(is_followed=lines.word.lead().over(window).notnull())
    lines = lines.filter(lines.word.isin(neutral))
    bad = (~lines.status.between(200, 299)).fill_null(False)
    found = lines.group_by("word").aggregate(
        n=lines.count(),
        told=lines.status.count(),
        bad=bad.cast("int64").sum(),
        followed=(bad & lines.is_followed).cast("int64").sum(),
    )
    return [
        one.word
        for one in rows(found.order_by("word"))
        if one.told > _ANSWERS_MIN * one.n and one.followed > _FOLLOWED_MIN * one.bad
    ]
