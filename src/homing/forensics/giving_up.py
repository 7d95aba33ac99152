"""Which words give a delivery up, and which put its dead letter away, from what the lines with them do:
Ibis, any engine."""

from __future__ import annotations

import functools
import operator
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from homing.forensics.behaviours import Behaviours, name_of
from homing.forensics.letters import LETTERS
from homing.forensics.operations import Op, Stand, Word
from homing.forensics.rows import row, rows
from homing.forensics.vocabulary import meaning, normal


def ends_given_up(table: Any, told: dict[str, list[str]]) -> dict[str, Word]:
    """The meaning of words of an end that is no success, beside the others of their log.

    Args:
        told: the words of each column, of operations (`op_raw`) and of states (`to_raw`).
    """
    # where a log has no operations, its states tell what is done
    column = "op_raw" if told["op_raw"] else "to_raw"
    stored = _stored_after(table, column, told[column])
    learned = dict.fromkeys(stored, Word(Op.DEAD, Stand.DEAD))
    unstored = [t for t in stored if _NOT.search(normal(t))]
    learned |= dict.fromkeys(unstored, Word(Op.DEAD_FAILED, Stand.NONE))
    states = [t for t in told["to_raw"] if meaning(t, is_state=True).op is Op.DEAD]
    ended = [*stored.values(), *states] if stored else _ended_first(table, told)
    return learned | dict.fromkeys(ended, Word(Op.EXHAUSTED, Stand.EXHAUSTED))


#: words for the dead letter itself, rather than for giving up
_LETTER: Final = re.compile(rf"{LETTERS}|dead(?!_?line)|undeliver|morte|muert")
#: the same where a bare `dead` is how a delivery stands
_LETTER_ITSELF: Final = re.compile(LETTERS)
#: of the dead letters, so many follow a line that gives up: then it is no end by itself; what a receiver
#: will never take is put away with no attempt left to give up
_GIVEN_UP_MIN: Final = 0.6


def _ended_first(table: Any, texts: dict[str, list[str]]) -> list[str]:
    """Of the words of an end, those that give up (`giving up`) where a dead letter follows: it is
    expected after them, and they are none.

    Args:
        texts: the words of each column.
    """
    ends = {
        text
        for column, some in texts.items()
        for text in some
        if meaning(text, is_state=column != "op_raw").op is Op.DEAD
    }
    letters = {t for t in ends if _LETTER_ITSELF.search(normal(t))}
    letters = letters or {t for t in ends if _LETTER.search(normal(t))}
    unstored = {t for t in texts["op_raw"] if meaning(t).op is Op.DEAD_FAILED}
    others = ends - letters
    letters = letters or unstored  # of none it is told that it was
    if not letters or not others:
        return []
    # the same sentence without its end: `gave up`, beside `gave up, moved to dead letters`
    said = {o for o in others if " " in o}
    cut = {o for o in said if any(normal(one).startswith(f"{normal(o)}_") for one in letters)}
    if cut:
        return sorted(cut)
    # where most fail to be stored, that says as well what comes after the end
    letters |= unstored

    def says(words: set[str]) -> Any:
        found = [table[column].isin(sorted(words)).fill_null(False) for column in texts]
        return functools.reduce(operator.or_, found)

    # the state beside a dead letter's word is no other line
    lines = table.mutate(letter=says(letters), end=says(others) & ~says(letters))
    lines = lines.filter(lines.letter | lines.end)
    by_delivery = lines.group_by(k=name_of(lines)).aggregate(
        letter=lines.letter.max(), end=lines.end.max()
    )
    buried = by_delivery.filter(by_delivery.letter)
    counted = row(buried.aggregate(n=buried.count(), both=buried.end.cast("int64").sum()))
    follows = int(counted.both or 0) >= _GIVEN_UP_MIN * max(1, int(counted.n or 0))
    return sorted(others) if follows else []


#: what was not done
_NOT: Final = re.compile(r"(^|_)(not|fail\w*|unable|lost|refused|rejected|could_n\w*)(_|$)")
#: of the lines that give up, so many are followed by one word, at least; and of that word's lines so
#: many follow them
_STORED_MIN: Final = 0.1
_STORED_OWN_MIN: Final = 0.9
_STORED_FEWEST: Final = 5


def _stored_after(table: Any, column: str, texts: Sequence[str]) -> dict[str, str]:
    """Where no word speaks of dead letters: what is put away (`parked`) right after a delivery was given
    up, and never else, with the word that gives up."""
    ends = [t for t in texts if meaning(t).op in (Op.DEAD, Op.EXHAUSTED)]
    if not ends or any(_LETTER.search(normal(t)) for t in ends):
        return {}
    given_up = table.filter(table[column].isin(ends)).select(k=name_of(table)).distinct()
    # that a turn is over comes between
    between = [t for t in texts if meaning(t).op in (Op.RELEASED, Op.NOTED)]
    named = table.filter(~table[column].isin(between).fill_null(False)) if between else table
    named = named.mutate(k_=name_of(named))
    rows_ = named.semi_join(given_up, named.k_ == given_up.k)
    next_to = Behaviours(rows_).followers(ends, column)
    # a state may be one of an attempt, and say nothing of where the delivery is put
    away = {Op.PARKED} if column == "to_raw" else {Op.PARKED, Op.WRITTEN, Op.ACCEPTED, Op.UNKNOWN}
    found = {}
    for end, after in next_to.items():
        for text, n in after.items():
            if (
                text is not None
                and meaning(text).op in away
                and n >= max(_STORED_FEWEST, _STORED_MIN * after.total())
            ):
                found[str(text)] = end
    found |= _not_stored(found, next_to)
    if not found:
        return {}
    words = table.filter(table[column].isin(list(found)))
    counted = {
        one.w: int(one.n) for one in rows(words.group_by(w=column).aggregate(n=words.count()))
    }
    return {
        text: end
        for text, end in found.items()
        if next_to[end][text] >= _STORED_OWN_MIN * counted[text]
    }


def _not_stored(found: dict[str, str], next_to: dict[str, Counter[str | None]]) -> dict[str, str]:
    """What says that this was not done (`Attic put failed`, where `Attic stored` is what is), with the word
    that it follows."""
    places = {normal(text).split("_")[0] for text in found}
    return {
        text: end
        for end, after in next_to.items()
        for text, n in after.items()
        if text is not None and n >= _STORED_FEWEST and _NOT.search(normal(text))
        if normal(text).split("_")[0] in places
    }
