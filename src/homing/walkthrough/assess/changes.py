"""Changes from one number to another, said in an answer. Pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from homing.walkthrough.assess.quantities import Quantity, Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """From one number to another, or by so much."""

    start: int
    end: int
    has_beginning: bool  #: it says from what, or by how much


#: between two numbers of which the second follows the first
_ARROW: Final = re.compile(
    r"^[\s,]*(?:->|→|=>"
    r"|(?:all the way |straight |back )?(?:down |up )?to(?: just| only| about| under)?"
    r"|and now it(?:'s| is)|and went to|and is now)\s*$",
    re.IGNORECASE,
)
#: between two numbers of which the first is what it is now
_BEFORE: Final = re.compile(
    r"\b(?:before|instead of|compared (?:to|with)|was|were|had been|used to be|formerly)\b", re.I
)
_FROM: Final = re.compile(r"\bfrom\b", re.I)
#: after a zero: that it is what came later
_LATER: Final = re.compile(
    r"^[\s,]*(?:(?:in|for|over|during) )?(?:the )?"
    r"(?:next|following|(?:month|week|year|day)s? (?:after|since)|since|afterwards|after)\b",
    re.I,
)
#: before a number: that it is what it is by now; what it was may stand two sentences before
_NOW: Final = re.compile(
    r"\b(?:now|then|today|since then|after that|these days|next (?:day|morning|week|month))\b,?"
    r"(?:\s+(?:it|that|this|the \w+))?\s+(?:\w+\s+)?(?:takes?|took|is|was|are|were|runs? in|ran in)"
    r"(?:\s+(?:at|only|just|about|around))*\s+$",
    re.I,
)
_NOW_AFTER: Final = re.compile(r"^\s*(?:now|these days|today)\b", re.I)
_TAKES: Final = re.compile(r"\b(?:takes?|took|is|at)\s+(?:only |just |about |around )*$", re.I)
#: before a number that something was like, and not how long somebody worked
_TAKING: Final = re.compile(
    r"\b(?:takes?|took|taking|slow|is|was|were|are|at|needs?|needed|like)\b[\s,]*"
    r"(?:\w+ ){0,2}$",
    re.I,
)
#: characters before it within which the earlier one stands
_EARLIER_MAX: Final = 600
#: characters between the numbers of one change, and before the first of them
_BETWEEN_MAX: Final = 60
_FROM_MAX: Final = 40
_BARE_MIN: Final = 10
#: two ends of one estimate, and no change
_RANGE: Final = re.compile(
    r"\b(?:range|ranges|ranging|between|interval)\b(?:\s+\w+){0,2}\s+$", re.I
)
_NOTHING_LOST: Final = re.compile(
    r"\b(?:(?:down |back |straight )?to (?:basically |almost |nearly |practically )?"
    r"(?:zero|0(?:\s?%|\.0+\s?%?)?(?![\d.,])|none|nothing)"
    r"|(?:zero|0|no|not a single|not one|none)\b(?:\s+(?:more|further|new|single))?"
    r"(?:\s+[\w,.]+){0,4}?\s+"
    r"(?:dropped|drops?|lost|losses|missing|missed|failed|failures?|errors?|incidents?|recurrences?|"
    r"duplicates?|duplicated|expired|outages?|skipped|affected|blocked|stale|mismatch(?:es)?|gaps?|"
    r"complaints?|rejected|timeouts?|differences|crash(?:es)?|stuck|wrong)\b"
    r"|(?:dropped|lost|missed|missing|failed|failing) (?:none|nothing|zero|no)\b"
    r"|(?:is|are|was|were|stays?|stayed|at) (?:zero|0)\b(?![\d.,])"
    r"|has(?:n't| not) (?:happened|recurred|come back) (?:again|since)|eliminat\w+)",
    re.IGNORECASE,
)
_BY: Final = re.compile(
    r"\bby\s+(?:about |around |roughly |some |nearly |almost |over |more than )?$", re.I
)
#: before a number that something came to, from one that was said earlier
_DOWN_TO: Final = re.compile(
    r"\b(?:went|came|got|fell|dropped|shrank|rose|grew|climbed|down|up|reduced|cut|brought|"
    r"decreased|increased|improved)\b(?:\s+\w+){0,2}?\s+to\s+"
    r"(?:maybe |about |around |roughly |only |just |under |some |less than )*$",
    re.IGNORECASE,
)
_FACTORS: Final = (
    re.compile(r"\b(?:halved|doubled|tripled|in half|by half|cut in two|two thirds)\b", re.I),
    re.compile(
        r"\b(?:\d+|two|three|four|five|ten)\s?(?:x|times)\s+"
        r"(?:faster|less|fewer|more|smaller|lower)\b",
        re.I,
    ),
)


def changes_of(text: str, start: int, end: int, known: Sequence[Quantity]) -> list[Change]:
    """Changes said between two places: from-to of one unit, to zero, by so much, halved.

    Args:
        known: the numbers of the whole text, in order: where a zero is said, what it was before
            may stand earlier.
    """
    here = [one for one in known if start <= one.start < end and not _is_range(text, start, one)]
    found: list[Change] = []
    for first, second in itertools.pairwise(here):
        if _is_change(text, start, first, second):
            found.append(Change(start=first.start, end=second.end, has_beginning=True))
    for match in _NOTHING_LOST.finditer(text, start, end):
        if any(one.start < match.end() and match.start() < one.end for one in found):
            continue
        earlier = any(
            one.end <= match.start() and one.value > 0 and _is_counted(one) for one in known
        ) or _is_said_after(text, match.end(), end, known)
        found.append(Change(start=match.start(), end=match.end(), has_beginning=earlier))
    for at, one in enumerate(here):
        if _DOWN_TO.search(text[max(start, one.start - 40) : one.start]) and not any(
            each.start <= one.start < each.end for each in found
        ):
            earlier = any(each.unit is one.unit for each in here[:at])
            found.append(Change(start=one.start, end=one.end, has_beginning=earlier))
        if one.unit is not Unit.BARE and _BY.search(text[max(start, one.start - 16) : one.start]):
            found.append(Change(start=one.start, end=one.end, has_beginning=True))
    found += _come_to(text, start, here, found)
    for pattern in _FACTORS:
        for match in pattern.finditer(text, start, end):
            found.append(Change(start=match.start(), end=match.end(), has_beginning=True))
    return sorted(found, key=lambda one: one.start)


def _is_said_after(text: str, start: int, end: int, known: Sequence[Quantity]) -> bool:
    """What it was before, behind the zero: "we had none, and it was four the year before"."""
    near = [one for one in known if start <= one.start < min(end, start + _BETWEEN_MAX)]
    return any(
        one.value > 0 and re.search(r"\b(?:was|were)\b", text[start : one.start])
        and re.match(r"[^.;]{0,20}\bbefore\b", text[one.end :])
        for one in near
    )  # fmt: skip


def _come_to(
    text: str, start: int, here: Sequence[Quantity], found: Sequence[Change]
) -> list[Change]:
    """Numbers that it is by now, where another of the same kind was told before.

    "It took nine minutes. … Then it took four seconds." Only of lengths of time and of shares,
    of which two that are told of one thing are rarely of different things.
    """
    come = []
    for at, one in enumerate(here):
        if one.unit not in (Unit.TIME, Unit.RATIO):
            continue
        before = text[max(start, one.start - 60) : one.start]
        is_now = _NOW.search(before) or (
            _NOW_AFTER.match(text[one.end : one.end + 16]) and _TAKES.search(before)
        )
        has_earlier = any(
            each.unit is one.unit
            and each.value != one.value
            and one.start - each.end < _EARLIER_MAX
            and bool(_TAKING.search(text[max(start, each.start - 30) : each.start]))
            for each in here[:at]
        )
        is_known = any(each.start <= one.start < each.end for each in found)
        if is_now and has_earlier and not is_known:
            come.append(Change(start=one.start, end=one.end, has_beginning=True))
    return come


def _is_counted(one: Quantity) -> bool:
    """Whether a number may be what a zero was before: a rate, a count, or one of ten or more."""
    return one.unit in (Unit.RATIO, Unit.COUNT) or (
        one.unit is Unit.BARE and one.value >= _BARE_MIN
    )


def _is_range(text: str, start: int, one: Quantity) -> bool:
    return bool(_RANGE.search(text[max(start, one.start - 20) : one.start]))


def _is_change(text: str, start: int, first: Quantity, second: Quantity) -> bool:
    """Whether two numbers that follow one another are before and after, in either order."""
    is_bare = first.unit is Unit.BARE and second.unit in (Unit.COUNT, Unit.TIME, Unit.RATIO)
    if not (first.unit is second.unit or 0 in (first.value, second.value) or is_bare):
        return False
    between = text[first.end : second.start]
    is_from = bool(_FROM.search(text[max(start, first.start - 14) : first.start]))
    if _ARROW.match(between):
        return is_from or first.unit is second.unit or not is_bare
    if is_from and len(between) < _FROM_MAX:
        return True
    is_near = len(between) < _BETWEEN_MAX
    if second.value == 0 < first.value and is_near and _LATER.match(text[second.end :]):
        return True
    is_same = first.unit is second.unit or first.value == 0
    return is_same and is_near and bool(_BEFORE.search(between))
