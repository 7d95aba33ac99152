"""Which words of a log tell of other things than deliveries, where these are named in the same column: the
streams of processes and endpoints in a store of events, the text messages of a service that sends both.
Ibis, any engine."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any, Final

import ibis

from homing.forensics.behaviours import LOOKED_THROUGH, WORDS_MAX, name_of
from homing.forensics.operations import Op, Word
from homing.forensics.reading.files import Raw
from homing.forensics.rows import rows
from homing.forensics.vocabulary import meaning, normal

#: of all lines, so many are of what most names have in common, where there are others
_MAIN_MIN: Final = 0.5
#: fewer names have nothing in common
_NAMES_FEWEST: Final = 20
#: of the lines of other things, fewer show what a receiver answered
_ANSWERED_MAX: Final = 0.1
#: what tells of which kind a name is (`rep` of `rep_3DeZ`, `w` of `w1`), if so many are of one
_KIND: Final = r"^([A-Za-z]+)(?:[_:/-].*|\d+)$"
_OF_KIND_MIN: Final = 0.95
#: where names tell no kind, so many must be of deliveries
_MOST_MIN: Final = 0.8
#: how a delivery begins that is lost before it has any other word
_BEGINNINGS: Final = frozenset({Op.ACCEPTED, Op.QUEUED})


def word_column(has_op: bool) -> str:
    """The column of words by which rows are told apart: operations, or states where no row has one."""
    return "op_raw" if has_op else "to_raw"


def words_of_others(
    table: Any, column: str, words: Mapping[str, Word], lonely: Any = None
) -> list[str]:
    """The words that no delivery has: their names share no word with most, and they show no answers.

    A delivery that was accepted by a word of its own and then lost shares none either; so where names
    tell of which kind they are (`rep_3DeZ` beside `dlv_1Q0G`), they must be of another, and where they
    do not, they must be few and begin otherwise.

    Args:
        table: the raw rows that name something.
        column: the one of the words.
        words: what those mean that have been learned.
        lonely: message → delivery, of rows that know only the message; None: there are none.
    """
    # a table's row is the last word of a delivery whose changes the log may lack
    some = table.filter((table["rowid"] < LOOKED_THROUGH) & (table.layout == "events"))
    some = some.filter(some[column].notnull())
    k = name_of(some)
    if lonely is not None:
        some = some.left_join(lonely, some.delivery.isnull() & (some.message == lonely.id))
        k = ibis.coalesce(some.delivery, some.of_message, name_of(some))
    lines = some.select(k=k, word=some[column], is_answered=some.status.notnull())
    told = lines.group_by(["k", "word"]).aggregate(
        n=lines.count(), answered=lines.is_answered.cast("int64").sum()
    )
    told = told.mutate(first=told.word.min().over(ibis.window(group_by="k")))
    kind = told.k.re_extract(_KIND, 1)
    pairs = rows(
        told.group_by(["first", "word", kind.name("kind")])
        .aggregate(names=told.count(), n=told.n.sum(), answered=told.answered.sum())
        .limit(WORDS_MAX)
    )
    group = _joined((one.first, one.word) for one in pairs)
    lines_of: Counter[str] = Counter()
    answers_of: Counter[str] = Counter()
    kinds_of: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for one in pairs:
        lines_of[group[one.word]] += int(one.n)
        answers_of[group[one.word]] += int(one.answered)
        kinds_of[group[one.word]][one.kind or ""] += int(one.names) * (one.word == one.first)
    if len(lines_of) < 2 or len(pairs) >= WORDS_MAX:
        return []
    main, count = lines_of.most_common(1)[0]
    names = kinds_of[main].total()
    if count < _MAIN_MIN * lines_of.total() or names < _NAMES_FEWEST:
        return []
    foreign = {g for g, n in lines_of.items() if g != main and answers_of[g] <= _ANSWERED_MAX * n}
    usual, n = kinds_of[main].most_common(1)[0]
    if usual and n >= _OF_KIND_MIN * names:
        foreign = {g for g in foreign if usual not in kinds_of[g]}
    elif names >= _MOST_MIN * sum(kinds.total() for kinds in kinds_of.values()):
        foreign -= {group[w] for w in group if words.get(w, meaning(w)).op in _BEGINNINGS}
    else:
        return []
    return sorted(word for word, its in group.items() if its in foreign)


def _joined(pairs: Any) -> dict[str, str]:
    """Each word with one that stands for all that are joined to it, by pairs and by pairs of these."""
    leader: dict[str, str] = {}

    def find(word: str) -> str:
        while leader.setdefault(word, word) != word:
            word = leader[word]
        return word

    for one, other in pairs:
        leader[find(other)] = find(one)
    return {word: find(word) for word in list(leader)}


#: a column that says of which queue a job is, of what kind, or what a request was for
_OF_THINGS: Final = re.compile(
    r"(^|_)(queue(_?name)?|job_?(class|type|name)|task_?(name|type)|purpose|request_?(kind|type))$"
)
#: what is asked for before a delivery's own request
_ON_THE_WAY: Final = re.compile(r"(^|_)(o_?auth\d?|access_?token|auth_?token|token|preflight)(_|$)")
#: of the rows of deliveries so many name an endpoint; of those of other things, none does
_ENDPOINTS_MIN: Final = 0.9
_THINGS_MAX: Final = 200


def other_things(raw: Raw, table: Any) -> tuple[Any, tuple[str, ...]]:
    """The rows without those of other things than deliveries in the same table, and what they call these.

    Where the jobs of one queue name an endpoint and what it answered, and none of another does, these are
    of something else (`mail.digest`); and so are requests for a token beside those of deliveries.
    """
    for number, path in enumerate(raw.extras):
        if not (raw.has("endpoint") and raw.has("status") and _OF_THINGS.search(normal(path))):
            continue
        thing = table[f"x{number}"]
        counted = table.group_by(thing=thing).aggregate(
            n=table.count(),
            told=table.endpoint.notnull().cast("int64").sum(),
            answers=table.status.notnull().cast("int64").sum(),
        )
        found = [one for one in rows(counted.limit(_THINGS_MAX + 1)) if one.thing is not None]
        ways = {one.thing for one in found if _ON_THE_WAY.search(normal(one.thing))}
        bare = {one.thing for one in found if not one.told and not one.answers}
        ours = [
            one
            for one in found
            if one.thing not in ways and one.answers and one.told > _ENDPOINTS_MIN * one.n
        ]
        others = sorted(ways | bare)
        if ours and others and len(found) <= _THINGS_MAX:
            return table.filter(~thing.isin(others).fill_null(False)), tuple(others)
    return table, ()
