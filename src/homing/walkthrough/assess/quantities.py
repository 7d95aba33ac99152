"""Numbers of an answer with their units, written or spoken, and changes between them. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final


class Unit(StrEnum):
    """What a number counts."""

    RATIO = "ratio"  #: a share; its value is a fraction of 1
    MONEY = "money"
    TIME = "time"  #: seconds
    COUNT = "count"  #: of things that are named
    BARE = "bare"  #: of nothing that is named: a year, a build, a status


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """One number as it was said."""

    value: float
    unit: Unit
    start: int
    end: int
    text: str
    noun: str = ""  #: of a count: what is counted; of money: the currency
    per: str = ""  #: "week", "day", … where it is a rate
    of: float = 0.0  #: of "3 in 1,000" and "none of 400": the 1,000, the 400
    digits: int = 0  #: digits that count, as it was written: 0.31 has two


_ONES: Final = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14,
    "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20,
    "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
_SCALES: Final = {"hundred": 100, "thousand": 1_000, "k": 1_000, "grand": 1_000,
                  "million": 1_000_000, "m": 1_000_000, "billion": 1_000_000_000}  # fmt: skip
_TIMES: Final = {"second": 1, "sec": 1, "s": 1, "ms": 0.001, "millisecond": 0.001, "minute": 60,
                 "min": 60, "hour": 3_600, "h": 3_600, "day": 86_400, "week": 604_800,
                 "month": 2_629_800, "quarter": 7_889_400, "year": 31_557_600}  # fmt: skip
_CURRENCIES: Final = {"$": "$", "€": "€", "£": "£", "dollar": "$", "dollars": "$", "usd": "$",
                      "bucks": "$", "euro": "€", "euros": "€", "eur": "€", "pound": "£",
                      "pounds": "£", "gbp": "£"}  # fmt: skip

_ONE_WORD: Final = "|".join(
    sorted((w for w in _ONES if w not in ("a", "an")), key=len, reverse=True)
)
_SCALE_WORD: Final = r"hundred|thousand|grand|million|billion"
_SPOKEN: Final = (
    rf"(?:(?:{_ONE_WORD})(?:[- ](?:{_ONE_WORD}))?(?:\s+point(?:\s+(?:{_ONE_WORD}|zero|oh))+)?"
    rf"|(?:zero|oh)\s+point(?:\s+(?:{_ONE_WORD}|zero|oh))+|an?(?=\s+(?:{_SCALE_WORD})))"
    rf"(?:\s+(?:{_SCALE_WORD}))*"
    # "four hundred and twelve", "two hundred and ten thousand", "eighteen thousand three hundred"
    rf"(?:(?<=hundred|housand)\s+(?:and\s+)?(?:{_ONE_WORD})(?:[- ](?:{_ONE_WORD}))?"
    rf"(?:\s+(?:{_SCALE_WORD}))*){{0,3}}"
)
_DIGITS: Final = r"\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_NUMBER: Final = re.compile(
    rf"(?P<sign>[$€£])?\s?(?<![\w.])(?P<num>{_DIGITS}|\b{_SPOKEN}\b|\b(?:zero|none|half)\b)"
    rf"(?:\s?(?P<scale>k|m|thousand|million|billion|grand|hundred)\b)?"
    rf"(?P<after>\s?%|\s?(?:per\s?cent|percent)\b(?:age points?)?|\s?(?:percentage points?)\b)?",
    re.IGNORECASE,
)
_RATIO_OF: Final = re.compile(
    rf"\b(?P<a>{_DIGITS}|{_SPOKEN}|none|zero)(?:\s+(?:in|of)|,?\s+out of)\s+"
    rf"(?:every\s+|about\s+|around\s+|roughly\s+|over\s+|some\s+|the\s+|those\s+|these\s+)?"
    rf"(?P<b>{_DIGITS}|an?\s+(?:hundred|thousand|million)|{_SPOKEN})\b(?!\s*%)",
    re.IGNORECASE,
)
_HALF_PERCENT: Final = re.compile(r"\bhalf (?:of )?(?:a|one) per ?cent\b", re.IGNORECASE)
_HALF_TIME: Final = re.compile(r"\bhalf an? (minute|hour|day|week|month|year)\b", re.IGNORECASE)
_PER: Final = re.compile(
    r"^\s*(?:(?:/|per|each|every|an?)\s*(?P<p>second|minute|hour|day|night|week|month|quarter|year)\b"
    r"|(?P<q>hourly|daily|weekly|monthly|quarterly|yearly|annually)\b)",
    re.IGNORECASE,
)
_NOUN: Final = re.compile(
    r"^[\s-]*(?:(?:of|the|our|these|those|new|extra|affected|missing|lost|failed|dropped)\s+)*(?P<noun>[A-Za-z]{2,})",
    re.IGNORECASE,
)
_NO_NOUNS: Final = frozenset(
    [
        "to",
        "and",
        "or",
        "in",
        "on",
        "at",
        "of",
        "for",
        "the",
        "a",
        "an",
        "by",
        "from",
        "with",
        "that",
        "which",
        "was",
        "were",
        "is",
        "are",
        "it",
        "i",
        "we",
        "they",
        "so",
        "then",
        "but",
        "because",
        "per",
        "out",
        "after",
        "before",
        "until",
        "since",
        "during",
        "over",
        "under",
        "than",
        "as",
        "if",
        "into",
    ]
)
#: “700 of 200,000” is a count and no rounded share; “3 in a thousand” is one
_EXACT_MIN: Final = 10_000
#: a figure that names something: a build, a status, a clock, a ticket
_NAMES: Final = re.compile(
    r"(?:\b(?:http|version|build|v|port|ticket|pr|issue|section|step|status|code|p)\s*#?|#)$", re.I
)


def number_of(text: str) -> float:
    """The value of digits or of number words; "nought point three" style included.

    Raises:
        ValueError: it is no number.
    """
    text = text.strip().lower().replace(",", "")
    try:
        return float(text)
    except ValueError:
        pass
    if text in ("zero", "none"):
        return 0.0
    if text == "half":
        return 0.5
    whole, _, fraction = text.replace("-", " ").partition(" point ")
    total, current = 0.0, 0.0
    trailing: list[str] = []
    for word in whole.split():
        if word in _SCALES:
            current = (current or 1) * _SCALES[word]
            if _SCALES[word] >= 1_000:
                total, current = total + current, 0.0
        elif word in _ONES:
            current += _ONES[word]
        elif word not in ("zero", "oh", "and"):
            raise ValueError(text)
    total += current
    if fraction:
        digits = ""
        for word in fraction.split():
            if word in _SCALES:
                trailing.append(word)
            else:
                digits += "0" if word in ("zero", "oh") else str(_ONES[word])
        total += float("0." + digits)
        for word in trailing:
            total *= _SCALES[word]
    return total


def quantities_of(text: str, start: int = 0, end: int | None = None) -> list[Quantity]:
    """Every number between two places of a text, in order."""
    end = len(text) if end is None else end
    found: list[Quantity] = []
    taken = bytearray(len(text) + 1)

    def add(one: Quantity) -> None:
        if not any(taken[one.start : one.end]):
            found.append(one)
            taken[one.start : one.end] = b"\1" * (one.end - one.start)

    for match in _HALF_PERCENT.finditer(text, start, end):
        add(_made(match, 0.005, Unit.RATIO, text))
    for match in _HALF_TIME.finditer(text, start, end):
        add(_made(match, _TIMES[match[1].lower()] / 2, Unit.TIME, text))
    for match in _RATIO_OF.finditer(text, start, end):
        a, b = number_of(match["a"]), number_of(match["b"])
        if a == 0 or (b >= 10 and a < b):
            if (
                a > 0
                and re.fullmatch(r"\s*of\s*", text[match.end("a") : match.start("b")])
                and b < 10
            ):
                continue
            digits = 3 if b >= _EXACT_MIN else _digits(match["a"])
            add(replace(_made(match, a / b, Unit.RATIO, text, digits=digits), of=b))
    for match in _NUMBER.finditer(text, start, end):
        one = _number(match, text, end)
        if one is not None:
            add(one)
    return sorted(found, key=lambda one: one.start)


def _number(match: re.Match[str], text: str, end: int) -> Quantity | None:
    try:
        value = number_of(match["num"])
    except ValueError:
        return None
    is_word = match["num"][0].isalpha()
    if match["scale"]:
        value *= _SCALES[match["scale"].lower()]
    digits = _digits(match["num"])
    if match["after"]:
        return _made(match, value / 100, Unit.RATIO, text, digits=digits)
    tail = text[match.end() : end]
    per = _PER.match(tail)
    noun_match = _NOUN.match(tail)
    noun = noun_match["noun"].lower() if noun_match else ""
    if match["sign"]:
        return _made(match, value, Unit.MONEY, text, noun=match["sign"], tail=tail, digits=digits)
    if noun in _CURRENCIES and noun_match:
        return _made(
            match, value, Unit.MONEY, text, noun=_CURRENCIES[noun],
            tail=tail[noun_match.end() :], more=noun_match.end(), digits=digits,
        )  # fmt: skip
    single = noun.rstrip("s") if len(noun) > 2 else noun
    # "four the year before" is no length of time
    is_length = noun_match is not None and " the " not in f"{noun_match[0]} "
    if single in _TIMES and noun_match and value and is_length:
        return _made(
            match, value * _TIMES[single], Unit.TIME, text, noun=single, more=noun_match.end(),
            digits=digits,
        )  # fmt: skip
    if _NAMES.search(text[max(0, match.start() - 10) : match.start()]) or _is_calendar(match, text):
        return _made(match, value, Unit.BARE, text, digits=digits)
    if is_word and value <= 3 and value and not match["scale"]:
        return None  # "one of them", "the two teams": a word and no measurement
    if noun and noun not in _NO_NOUNS and noun_match:
        rest = tail[noun_match.end() :]
        more = noun_match.end() if _PER.match(rest) else 0
        return _made(match, value, Unit.COUNT, text, noun=noun, digits=digits, tail=rest, more=more)
    if per and value:
        return _made(match, value, Unit.COUNT, text, tail=tail, digits=digits)
    return _made(match, value, Unit.BARE, text, digits=digits)


def _is_calendar(match: re.Match[str], text: str) -> bool:
    """A clock or a calendar: 10:12, 2026, November 10."""
    around = text[max(0, match.start() - 12) : match.end() + 8]
    before, after = (
        text[max(0, match.start() - 12) : match.start()],
        text[match.end() : match.end() + 4],
    )
    if (
        re.match(r":\d\d", after)
        or re.search(r"\d:$", before)
        or re.match(r"-\d\d|(?:st|nd|rd|th)\b", after)
    ):
        return True
    if (
        re.search(r"\d-$|\d\.$", before)
        or re.match(r"\.\d", after)
        or re.match(r"\s?(?:am|pm)\b", after, re.I)
    ):
        return True
    if re.fullmatch(r"(?:19|20)\d\d", match["num"]) and not match["scale"]:
        return True
    months = r"jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
    return bool(re.search(rf"\b(?:{months})[a-z]*\.?\s*$", before, re.I)) and bool(around)


def _made(
    match: re.Match[str],
    value: float,
    unit: Unit,
    text: str,
    *,
    noun: str = "",
    tail: str = "",
    more: int = 0,
    digits: int = 0,
) -> Quantity:
    start = match.start() + (len(match[0]) - len(match[0].lstrip()))
    end = match.end() + more
    per = _PER.match(tail)
    period = ""
    if per and unit in (Unit.MONEY, Unit.COUNT):
        period = (per["p"] or per["q"]).lower()
        period = {"daily": "day", "annually": "year"}.get(period, period.removesuffix("ly"))
        end += per.end()
    return Quantity(
        value=value,
        unit=unit,
        start=start,
        end=end,
        text=text[start:end],
        noun=noun,
        per=period,
        digits=digits,
    )


def _digits(text: str) -> int:
    """Digits that count as written; number words are as exact as they are."""
    if not text[0].isdigit():
        return 2 if "point" in text.lower() else 1
    plain = text.replace(",", "")
    counted = plain.replace(".", "").lstrip("0")
    # the noughts at the end of 200,000 say how large it is, not how exactly it is known
    return len(counted if "." in plain else counted.rstrip("0")) or 1
