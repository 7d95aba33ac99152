"""Which column of an unknown log says what happened, or how a delivery stands. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from homing.forensics.reading.columns import Seen, fits, name_score, recognised, varies_within
from homing.forensics.reading.lines import Row
from homing.forensics.reading.mapping import Column
from homing.forensics.reading.naming import best_named
from homing.forensics.vocabulary import normal


def best_telling(
    name: str, candidates: dict[str, Seen], rows: Sequence[Row], key: list[str], repeated: bool
) -> str | None:
    """The column that is the field `name`, by its name, its words and how they change in a delivery.

    Args:
        key: the columns that name a delivery; `repeated`: it has several rows.
    """
    if name == "note":
        return _most_telling(candidates)
    if name not in ("op", "to_state", "from_state", "outcome", "event_type"):
        return best_named(name, candidates, set(), 46.0)
    scored = []
    is_sparse = name == "op" and any(map(_tells_all, candidates.values()))
    is_spoken = any(_is_spoken(path, one) for path, one in candidates.items())
    for path, one in candidates.items():
        score = name_score(name, path)
        if name == "op" and OF_PROGRAM.search(normal(path)):
            continue  # a dispatcher's lines are not all dispatches
        if is_sparse and one.filled < _OP_FILLED_MIN * one.rows:
            score -= 40  # what most rows have says what happened
        if name == "event_type":
            if re.search(r"(^|_)(err|error|exception)(_|$)", normal(path)):
                continue
            if repeated and varies_within(rows, key, path) > 0.2:
                score -= 80  # it changes during a delivery's life: it is no type of event
        elif name in ("op", "to_state"):
            if score < 45 and name_score("reason", path) >= 80:
                continue  # why it failed, not what was done
            known = recognised(one, is_state=name == "to_state")
            score += 45 * known - 15
            if repeated:
                varies = varies_within(rows, key, path)
                score += 50 * varies - 25
                if name == "op" and varies < 0.05:
                    score -= 40  # the same in all of a delivery's rows: what it is about
            if one.is_number:
                score -= 10
            is_sure = name_score(name, path) >= 80 and normal(path) not in _OF_MANY
            # what is left of a line of text says what happened, in whatever words
            is_sure = is_sure or (name == "op" and _is_spoken(path, one))
            if name == "op" and path == "name" and is_spoken:
                score -= 40  # a logger's name is no rival of what it says
            if known < 0.3 and not is_sure and not _are_codes(one):
                score -= 40
        scored.append((score, one.filled, path))
    best = max(scored, default=(0.0, 0, ""))
    if best[0] >= (60 if name == "op" else 46):
        return best[2]
    return _changing(candidates, rows, key) if name == "op" and repeated else None


#: which part of a program wrote a line
OF_PROGRAM: Final = re.compile(
    r"(^|_)(logger|thread)(_name)?$|(^|_)(source_context|location|caller|file|module|line_?no)$"
)

#: a column that fewer rows have is no column of operations beside one that most have
_OP_FILLED_MIN: Final = 0.4
_TOLD_MIN: Final = 0.7
_TOLD_KNOWN_MIN: Final = 0.3


def _tells_all(seen: Seen) -> bool:
    """Whether most rows say by this column what happened."""
    if seen.filled < _TOLD_MIN * seen.rows or name_score("op", seen.path) <= 0:
        return False
    return recognised(seen, is_state=False) >= _TOLD_KNOWN_MIN


def _is_spoken(path: str, seen: Seen) -> bool:
    """Whether a column is what is left of a sentence that nearly every row has."""
    return path.rpartition(".")[2] == "text" and seen.filled >= _CHANGING_FILLED_MIN * seen.rows


#: names of a state as well as of a receiver, or of a time
_OF_MANY: Final = frozenset({"to", "from", "before", "after"})
#: of a column of states that are written as one letter or a few
_CODE: Final = re.compile(r"[A-Za-z]{1,2}")
_CODES: Final = range(3, 16)


def _are_codes(seen: Seen) -> bool:
    """Whether a column's words are letters that no list can have: what their lines do tells of them."""
    return seen.distinct in _CODES and all(map(_CODE.fullmatch, seen.values))


def _most_telling(candidates: dict[str, Seen]) -> str | None:
    """Of the texts beside the reason, the one of whose words most mean something."""
    scored = [
        (recognised(one, is_state=False), score, path)
        for path, one in candidates.items()
        if not one.is_number and one.time is None and (score := name_score("note", path)) >= 46.0
        if not _is_severity(one)
    ]
    return max(scored, default=(0.0, 0.0, None))[2]


_SEVERITIES: Final = frozenset(
    [
        "trace",
        "debug",
        "info",
        "information",
        "notice",
        "warn",
        "warning",
        "error",
        "err",
        "fatal",
        "critical",
    ]
)


def _is_severity(seen: Seen) -> bool:
    """Whether a column says how bad a line is, and not what happened."""
    return bool(seen.values) and all(value.lower() in _SEVERITIES for value in seen.values)


#: a column of so many words that so many rows have, and that so many deliveries change, says what happened
_CHANGING_WORDS: Final = range(4, 60)
_CHANGING_FILLED_MIN: Final = 0.9
_CHANGING_MIN: Final = 0.8


def _changing(candidates: dict[str, Seen], rows: Sequence[Row], key: list[str]) -> str | None:
    """The column whose words change within nearly every delivery, where no name says what happened and
    no column has a state: a log's own words, which what their lines do tells."""
    states = {path: one for path, one in candidates.items() if fits("to_state", one)}
    if best_telling("to_state", states, rows, key, repeated=True):
        return None
    scored = [
        (varies_within(rows, key, path), -place, path)
        for place, (path, one) in enumerate(candidates.items())
        if one.distinct in _CHANGING_WORDS and not one.is_number and not _is_severity(one)
        if one.filled >= _CHANGING_FILLED_MIN * one.rows and _are_words(one)
    ]
    best = max(scored, default=(0.0, 0, ""))
    return best[2] if best[0] >= _CHANGING_MIN else None


#: of the values of a column of words, so few have digits, as names do
_DIGITS_MAX: Final = 0.2


def _are_words(seen: Seen) -> bool:
    named = sum(any(map(str.isdigit, value)) for value in seen.values)
    others = ("worker", "endpoint", "app", "event_type")
    return named <= _DIGITS_MAX * seen.distinct and all(
        name_score(field, seen.path) < _OF_OTHERS for field in others
    )


#: so well a column is called another field's
_OF_OTHERS: Final = 60.0


#: of the rows after another with a state, so many begin where that one has led
_BEFORE_MIN: Final = 0.8
_BEFORE_FEWEST: Final = 50


def led_to(chosen: dict[str, Column], seen: Mapping[str, Seen]) -> None:
    """Let what was taken for operations be states, where the states before are among them: a row tells
    from which state to which."""
    if "from_state" not in chosen or "to_state" in chosen or "op" not in chosen:
        return
    before, after = (seen.get(chosen[name].path) for name in ("from_state", "op"))
    if before is None or after is None or chosen["op"].unit is not None:
        return
    known = sum(n for value, n in before.values.items() if value in after.values)
    if known >= _LED_TO_MIN * before.values.total():
        chosen["to_state"] = chosen.pop("op")


_LED_TO_MIN: Final = 0.98


def state_before(
    rows: Sequence[Row],
    key: Sequence[str],
    seen: dict[str, Seen],
    chosen: Mapping[str, Column],
    taken: set[str],
) -> str | None:
    """The column, whatever it is called, that says in nearly every row where the row before it of the same
    delivery has led."""
    after = chosen.get("to_state", chosen.get("op"))
    if after is None or after.value is not None:
        return None
    stood: dict[tuple[str, ...], str] = {}
    told, same = Counter[str](), Counter[str]()
    free = [p for p, s in seen.items() if p not in taken and p != after.path and s.is_words]
    for row in rows:
        name, now = tuple(str(row.get(k)) for k in key), row.get(after.path)
        if now is None:
            continue
        if name in stood:
            for path in (p for p in free if row.get(p) is not None):
                told[path] += 1
                same[path] += str(row[path]) == stood[name]
        stood[name] = str(now)
    found = (p for p in free if told[p] >= _BEFORE_FEWEST and same[p] >= _BEFORE_MIN * told[p])
    return next(found, None)
