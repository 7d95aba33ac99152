"""What an answer claims beyond its figures: a proposal, money that came back. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from homing.walkthrough.assess.answer import Answer, is_own
from homing.walkthrough.assess.detectors.seen import Seen
from homing.walkthrough.assess.quantities import Unit
from homing.walkthrough.assess.rule import State
from homing.walkthrough.record import Record

#: verbs of money that is there, beside those of money that was worked out
_REALISED: Final = frozenset(("save", "recover", "earn", "restore", "win", "gain"))
_ESTIMATED: Final = re.compile(r"\b(?:estimat\w*|roughly|an? projected|would have|up to)\b", re.I)


def proposals(answer: Answer, record: Record) -> Iterator[Seen]:
    """“I proposed” needs a proposal with a date; “I would propose” needs nothing."""
    for one in answer.clauses:
        if one.verb != "propose" or not is_own(one):
            continue
        place = (one.start, one.end)
        if "proposal" in record.places:
            path = record.places["proposal"]
            yield Seen(State.MET, (place,), "the record has a proposal", f"record:{path}")
        else:
            text = "the record has no proposal with a date; say “I would propose”"
            yield Seen(State.WEAK, (place,), text)


def realised(answer: Answer, record: Record) -> Iterator[Seen]:
    """Money that was worked out from assumptions is an estimate; nobody has it in the bank."""
    if not record.has("impact:p50"):
        return
    for one in answer.clauses:
        if one.verb not in _REALISED or not one.is_said:
            continue
        start, end = answer.sentence_at(one.start)
        has_money = any(
            money.unit is Unit.MONEY and one.start <= money.start < end
            for money in answer.quantities
        )
        if has_money and not _ESTIMATED.search(answer.text[start:end]):
            text = "the record has it as an estimate, you say it as money that is there"
            yield Seen(State.WEAK, ((one.start, one.end),), text, "impact:p50")
